"""Models: what `prompt()`, `chain()` and `conversation()` hang on, for those who call them and those who write them.

    Model, AsyncModel          subclass and write execute(prompt, stream, response, conversation)
    KeyModel, AsyncKeyModel    the same with key
    wire_model.py              models that speak a wire protocol      script_model.py   models that play a script

A subclass need not call `super().__init__()`: all its attributes have class defaults.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, ClassVar

from llm_actors.messages import Options as BaseOptions
from llm_actors.messages import Secret, StreamEvent

from . import python_model
from .budget import Budget, Price
from .compaction import Compaction
from .conversation import AsyncConversation, Conversation
from .failures import Failures
from .prompting import Prompting
from .response import AsyncResponse, Response
from .scope import Moment
from .seams import WhenBusy, key_source

if TYPE_CHECKING:
    from llm_actors.providers.protocol import Flight, FlightSink, Limits

    from .live_turn import LiveTurn
    from .seams import Engine
    from .tools import ServerSideTool

_NOT_WRITTEN = "the model's class has no execute(self, prompt, stream, response, conversation), with `key` behind it for a KeyModel"


class AnyModel:
    """What all models share. Any thread."""

    model_id: str = ""
    can_stream: bool = False
    attachment_types: AbstractSet[str] | Sequence[str] = frozenset()
    supports_schema: bool = False
    supports_tools: bool = False
    needs_key: str | None = None
    key: str | Secret | None = None
    key_env_var: str | None = None
    context_size: int | None = None
    """Tokens that it can read and write in one call, where that is known."""
    takes_key: ClassVar[bool] = False
    price: Price | None = None
    """What it costs, for budgets in money: settable."""
    failures: Failures = {}  # noqa: RUF012 - read only: replace it, on the class or on a model

    Options: type[BaseOptions] = BaseOptions

    @property
    def supported_server_side_tools(self) -> tuple[type[ServerSideTool], ...]:
        """The classes of server-side tools that `tools=` may hold for this model."""
        return ()

    def get_key(self, explicit_key: str | Secret | None = None) -> str | None:
        """The key: `explicit_key`, else the model's `key`, the keys file, the environment; None where none is needed.

        Raises NeedsKeyException with the ways to give one.
        """
        found = self.secret(explicit_key)
        return found.reveal() if found is not None else None

    def secret(self, explicit_key: str | Secret | None = None) -> Secret | None:
        """The same, masked: what goes to the pump."""
        return key_source().key_for(
            explicit=explicit_key, attribute=self.key, needs_key=self.needs_key, env_var=self.key_env_var
        )

    def limits_in(self, engine: Engine) -> Limits:
        """How much may arrive in a turn of this model."""
        return engine.limits

    def open_round(self, live: LiveTurn, sink: FlightSink, engine: Engine) -> Flight:
        """Begins one model call; the conversation's seam to whatever answers. Its loop only."""
        return python_model.start(self, live, sink, engine)

    def __str__(self) -> str:
        return f"{type(self).__name__}: {self.model_id}"

    def __repr__(self) -> str:
        return f"<{self}>"


class Model(AnyModel, Prompting[Response]):
    """A model whose responses block. Any thread.

    Write `execute()` as a plain function or generator: it runs in a worker thread, never on the loop.
    """

    def conversation(
        self,
        tools: Sequence[Any] | None = None,
        before_call: Any = None,
        after_call: Any = None,
        chain_limit: int | None = None,
        when_busy: WhenBusy | None = None,
        failures: Failures | None = None,
        compaction: Compaction | None = None,
        compact_at: int | None = None,
        timeout: float | None = None,
        deadline: Moment | None = None,
        budget: Budget | None = None,
        intensity: int | None = None,
        period: float | None = None,
    ) -> Conversation:
        """A new conversation; tools, hooks and limit hold for all its prompts.

        `when_busy` (seams.WhenBusy): what becomes of a prompt while it is busy; left out, what the system says. `failures`: what a failure
        leads to, by error class (chat/failures.py), before the rows of the model and the system. `compaction`: a policy that makes the
        history shorter (DropOldest, Summarise, a function of yours) before a model call that would exceed `compact_at` tokens (left out:
        three quarters of the model's `context_size`), and when the provider says that it is too long. `timeout`: seconds
        for each turn that says none of its own. `deadline`: the moment at which all its turns end. `budget`: what they all may spend. See
        `prompt()`. `intensity` crashes of its actor within `period` seconds are followed by a restart, one more is not; left out, as the
        system says.
        """
        return Conversation(
            self,
            tools=tools,
            before_call=before_call,
            after_call=after_call,
            chain_limit=chain_limit,
            when_busy=when_busy,
            failures=failures,
            compaction=compaction,
            compact_at=compact_at,
            timeout=timeout,
            deadline=deadline,
            budget=budget,
            intensity=intensity,
            period=period,
        )

    def _target(self) -> Conversation:
        return Conversation(self, single=True)

    def execute(self, *args: Any, **kwargs: Any) -> Iterable[str | StreamEvent]:
        """Yields the answer: str, or StreamEvent. Write this in a subclass, as `execute(self, prompt, stream, response, conversation)`.

        (Typed so that a checker takes that signature, and KeyModel's with `key`, for an override.)
        """
        raise NotImplementedError(_NOT_WRITTEN)


class KeyModel(Model):
    """A Model whose `execute()` also takes `key`. Any thread."""

    takes_key = True

    def execute(
        self,
        prompt: Any,
        stream: bool,
        response: Any,
        conversation: Any,
        key: str | None,
    ) -> Iterable[str | StreamEvent]:
        """Yields the answer: str, or StreamEvent. Write this in a subclass."""
        raise NotImplementedError(_NOT_WRITTEN)


class AsyncModel(AnyModel, Prompting[AsyncResponse]):
    """A model whose responses are awaited. Any thread, any loop.

    Write `execute()` as an async generator: it runs as a task on the conversation's loop.
    """

    def conversation(
        self,
        tools: Sequence[Any] | None = None,
        before_call: Any = None,
        after_call: Any = None,
        chain_limit: int | None = None,
        when_busy: WhenBusy | None = None,
        failures: Failures | None = None,
        compaction: Compaction | None = None,
        compact_at: int | None = None,
        timeout: float | None = None,
        deadline: Moment | None = None,
        budget: Budget | None = None,
        intensity: int | None = None,
        period: float | None = None,
    ) -> AsyncConversation:
        """A new conversation; tools, hooks and limit hold for all its prompts.

        `when_busy` (seams.WhenBusy): what becomes of a prompt while it is busy; left out, what the system says. `failures`: what a failure
        leads to, by error class (chat/failures.py), before the rows of the model and the system. `compaction`: a policy that makes the
        history shorter (DropOldest, Summarise, a function of yours) before a model call that would exceed `compact_at` tokens (left out:
        three quarters of the model's `context_size`), and when the provider says that it is too long. `timeout`: seconds
        for each turn that says none of its own. `deadline`: the moment at which all its turns end. `budget`: what they all may spend. See
        `prompt()`. `intensity` crashes of its actor within `period` seconds are followed by a restart, one more is not; left out, as the
        system says.
        """
        return AsyncConversation(
            self,
            tools=tools,
            before_call=before_call,
            after_call=after_call,
            chain_limit=chain_limit,
            when_busy=when_busy,
            failures=failures,
            compaction=compaction,
            compact_at=compact_at,
            timeout=timeout,
            deadline=deadline,
            budget=budget,
            intensity=intensity,
            period=period,
        )

    def _target(self) -> AsyncConversation:
        return AsyncConversation(self, single=True)

    def execute(self, *args: Any, **kwargs: Any) -> AsyncIterator[str | StreamEvent]:
        """Yields the answer: str, or StreamEvent. Write this in a subclass, as `execute(self, prompt, stream, response, conversation)`.

        (Typed so that a checker takes that signature, and KeyModel's with `key`, for an override.)
        """
        raise NotImplementedError(_NOT_WRITTEN)

    def __str__(self) -> str:
        return f"{type(self).__name__} (async): {self.model_id}"


class AsyncKeyModel(AsyncModel):
    """An AsyncModel whose `execute()` also takes `key`. Any thread."""

    takes_key = True

    def execute(
        self,
        prompt: Any,
        stream: bool,
        response: Any,
        conversation: Any,
        key: str | None,
    ) -> AsyncIterator[str | StreamEvent]:
        """Yields the answer: str, or StreamEvent. Write this in a subclass."""
        raise NotImplementedError(_NOT_WRITTEN)
