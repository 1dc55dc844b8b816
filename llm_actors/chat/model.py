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
from .conversation import AsyncConversation, Conversation
from .failures import Failures
from .prompting import Prompting
from .response import AsyncResponse, Response
from .seams import WhenBusy, key_source

if TYPE_CHECKING:
    from llm_actors.providers.protocol import Flight, FlightSink

    from .live_turn import LiveTurn
    from .seams import Engine
    from .tools import ServerSideTool


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
    takes_key: ClassVar[bool] = False
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

    def open_round(self, live: LiveTurn, sink: FlightSink, engine: Engine) -> Flight:
        """Begins one model call; the conversation's seam to whatever answers. Its loop only."""
        return python_model.start(self, live, sink, engine)

    def __str__(self) -> str:
        return f"{type(self).__name__}: {self.model_id}"

    def __repr__(self) -> str:
        return f"<{self}>"


class Model(AnyModel, Prompting[Response]):
    """A model whose responses block. Write `execute()` as a plain function or generator: it runs in a worker thread, never on the loop."""

    def conversation(
        self,
        tools: Sequence[Any] | None = None,
        before_call: Any = None,
        after_call: Any = None,
        chain_limit: int | None = None,
        when_busy: WhenBusy | None = None,
        failures: Failures | None = None,
        intensity: int | None = None,
        period: float | None = None,
    ) -> Conversation:
        """A new conversation; tools, hooks and limit hold for all its prompts.

        `when_busy` (seams.WhenBusy): what becomes of a prompt while it is busy; left out, what the system says. `failures`: what a failure
        leads to, by error class (chat/failures.py), before the rows of the model and the system. `intensity` crashes of its actor within
        `period` seconds are followed by a restart, one more is not; left out, as the system says.
        """
        return Conversation(
            self,
            tools=tools,
            before_call=before_call,
            after_call=after_call,
            chain_limit=chain_limit,
            when_busy=when_busy,
            failures=failures,
            intensity=intensity,
            period=period,
        )

    def _target(self) -> Conversation:
        return Conversation(self, single=True)

    def execute(self, *args: Any, **kwargs: Any) -> Iterable[str | StreamEvent]:
        """Yields the answer: str, or StreamEvent. Write this in a subclass, as `execute(self, prompt, stream, response, conversation)`.

        (Typed so that a checker takes that signature, and KeyModel's with `key`, for an override.)
        """
        raise NotImplementedError


class KeyModel(Model):
    """A Model whose `execute()` also takes `key`."""

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
        raise NotImplementedError


class AsyncModel(AnyModel, Prompting[AsyncResponse]):
    """A model whose responses are awaited. Write `execute()` as an async generator: it runs as a task on the conversation's loop."""

    def conversation(
        self,
        tools: Sequence[Any] | None = None,
        before_call: Any = None,
        after_call: Any = None,
        chain_limit: int | None = None,
        when_busy: WhenBusy | None = None,
        failures: Failures | None = None,
        intensity: int | None = None,
        period: float | None = None,
    ) -> AsyncConversation:
        """A new conversation; tools, hooks and limit hold for all its prompts.

        `when_busy` (seams.WhenBusy): what becomes of a prompt while it is busy; left out, what the system says. `failures`: what a failure
        leads to, by error class (chat/failures.py), before the rows of the model and the system. `intensity` crashes of its actor within
        `period` seconds are followed by a restart, one more is not; left out, as the system says.
        """
        return AsyncConversation(
            self,
            tools=tools,
            before_call=before_call,
            after_call=after_call,
            chain_limit=chain_limit,
            when_busy=when_busy,
            failures=failures,
            intensity=intensity,
            period=period,
        )

    def _target(self) -> AsyncConversation:
        return AsyncConversation(self, single=True)

    def execute(self, *args: Any, **kwargs: Any) -> AsyncIterator[str | StreamEvent]:
        """Yields the answer: str, or StreamEvent. Write this in a subclass, as `execute(self, prompt, stream, response, conversation)`.

        (Typed so that a checker takes that signature, and KeyModel's with `key`, for an override.)
        """
        raise NotImplementedError

    def __str__(self) -> str:
        return f"{type(self).__name__} (async): {self.model_id}"


class AsyncKeyModel(AsyncModel):
    """An AsyncModel whose `execute()` also takes `key`."""

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
        raise NotImplementedError
