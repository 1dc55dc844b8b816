"""What the chat layer is handed from outside: the engine of its loop, and where keys and histories come from.

`llm_actors/loop_engine.py` implements Engine, the catalogue KeySource; a journal implements Store. Chat knows only these shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

from llm_actors.messages import Secret
from llm_actors.observe import Record
from llm_actors.providers.protocol import Limits
from llm_actors.runtime import Loop, system_context, system_in_use, system_of
from llm_actors.runtime.sums import Counts

if TYPE_CHECKING:
    from llm_actors.transport.pump import Pump

    from .failures import Failures
    from .history import Entry
    from .model import AnyModel
    from .python_threads import ThreadPool
    from .rests import Rests
    from .scope import Scope
    from .tool_pool import ToolPool


class KeySource(Protocol):
    """Where a model's key comes from."""

    def key_for(
        self,
        *,
        explicit: str | Secret | None,
        attribute: str | Secret | None,
        needs_key: str | None,
        env_var: str | None,
    ) -> Secret | None:
        """The key, in the documented order: `key=`, the model's `key`, the keys file, the environment. Raises NeedsKeyException."""
        ...


class Store(Protocol):
    """Keeps the entries of conversations. In memory there is nothing to do; a journal appends, and answers after its fsync."""

    def append(self, conversation: str, entries: Sequence[Entry], done: Callable[[BaseException | None], None]) -> bool:
        """Keeps the entries and calls `done(error or None)` on the loop; True when they are kept already and `done` is not called."""
        ...


class Engine(Protocol):
    """Everything one event loop has for its conversations. Its loop only, where nothing else is said."""

    loop: Loop

    @property
    def pump(self) -> Pump:
        """What moves the bytes of wires, made at first use."""
        ...

    tools: ToolPool
    threads: ThreadPool
    rests: Rests
    store: Store
    limits: Limits
    mailbox: int
    when_busy: WhenBusy
    failures: Failures
    counts: Counts
    observed: bool
    observers: Sequence[Any]
    intensity: int
    period: float
    closed: bool
    chain_limit: int
    timeout: float | None
    scope: Scope

    def find_model(self, name: str, *, like: AnyModel) -> AnyModel:
        """The model of this id or alias, in the dress (async or sync) of the other where there is one. Raises UnknownModelError."""
        ...

    async def fetch(self, url: str, *, limit: int) -> tuple[str, bytes]:
        """The media type and the bytes behind a URL. Raises AttachmentError."""
        ...

    async def run_blocking(self, function: Callable[[], Any]) -> Any:
        """What `function()` gives, called in a thread."""
        ...

    def admit(self) -> None:
        """Raises SystemShutdownError where the system takes no more prompts. Any thread."""

    def hold(self, conversation: Any) -> None:
        """Keeps a conversation's actor alive: it has mail or a turn. Raises what turns end with when nothing new may begin."""

    def drop(self, conversation: Any) -> None:
        """It has neither any more: only its handle keeps it."""

    def beside(self, loop: Loop, coroutine: Coroutine[Any, Any, None], context: Context, what: str) -> None:
        """Runs what goes on beside a turn, by this name; awaited, up to 5 s, when the loop ends."""

    def observe(self, record: Record) -> None:
        """Hands a record to the observers."""


def engine_of(loop: Loop) -> Engine:
    """The engine of this loop: of the system in the context, else of the default one."""
    engine: Engine = system_of(loop).engine(loop)
    return engine


def admit() -> None:
    """Raises SystemShutdownError where the system of this context, else the default one, takes no more prompts. Any thread."""
    system = system_in_use()
    if system is not None:
        system.admit()


MAILBOX = 1000
"""Prompts that may wait in one conversation, where no system says otherwise."""


def mailbox_bound() -> int:
    """How many prompts may wait in one conversation before there is a loop: by the system in the context, else the default."""
    system = system_context.get(None)
    bound: int = system.mailbox if system is not None else MAILBOX
    return bound


WhenBusy: TypeAlias = Literal["queue", "reject", "replace", "coalesce"]
"""What becomes of a prompt to a conversation whose turn has not ended.

`queue`: it waits its turn. `reject`: `prompt()` raises ConversationBusyError. `replace`: the turn that runs is cancelled, those that wait
as well; the new one begins when the history is repaired. `coalesce`: those that wait and ask alike are answered together, by one turn.
"""


def busy_policy(given: Any) -> WhenBusy | None:
    """The policy, checked. Raises ValueError."""
    if given is not None and given not in get_args(WhenBusy):
        msg = f"when_busy is one of {', '.join(get_args(WhenBusy))}, not {given!r}"
        raise ValueError(msg)
    policy: WhenBusy | None = given
    return policy


def default_policy() -> WhenBusy:
    """The policy of a conversation that has none of its own, before there is a loop."""
    system = system_context.get(None)
    policy: WhenBusy = system.when_busy if system is not None else "queue"
    return policy


_key_source: list[KeySource] = []


def install_key_source(source: KeySource) -> None:
    """Says where models find their keys; the catalogue does it at import."""
    _key_source[:] = [source]


def key_source() -> KeySource:
    """Where models find their keys."""
    return _key_source[0]


class ModelSource(Protocol):
    """Where models are found by name."""

    def __call__(self, name: str, *, is_async: bool) -> AnyModel:
        """The model of this id or alias. Raises UnknownModelError."""
        ...


_model_source: list[ModelSource] = []


def install_model_source(source: ModelSource) -> None:
    """Says where models are found; the system does it at import."""
    _model_source[:] = [source]


def find_model(name: str, *, is_async: bool) -> Any:
    """The model of this id or alias, in the dress that is asked for. Raises UnknownModelError."""
    return _model_source[0](name, is_async=is_async)
