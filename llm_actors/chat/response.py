"""The two views of an event log: AsyncResponse waits by `await`, Response by blocking. Neither holds anything but the log.

All methods work from any thread and on any loop. A failed turn raises the same error from each of them; `partial` has what did arrive.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator
from typing import Any

from llm_actors.messages import Event, Message, StreamEvent, ToolCall, Usage

from . import reading
from .past import rounds
from .reader import Reader
from .registration import register
from .replying import AsyncReplying, Replying


class AsyncResponse(AsyncReplying):
    """The answer to a prompt, as it arrives: `await response.text()`, `async for chunk in response`, `await response`. Any thread."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, AsyncResponse]:
        """Waits for the end of the turn; gives the response itself. Raises the turn's error."""
        yield from self._log.checked().__await__()
        return self

    def __aiter__(self) -> Reader[str]:
        """The chunks of text, from the first on, as they arrive; at the end raises the turn's error."""
        return Reader(self._log, reading.texts, reading.answered)

    def astream_events(self) -> Reader[StreamEvent]:
        """What comes from the model: text, reasoning, tool calls; at the end raises the turn's error."""
        return Reader(self._log, reading.model_events, reading.answered)

    def events(self, after: int = 0) -> Reader[Event]:
        """The events numbered `after` and more, as they arrive, `end` or `error` last; none below it. Never raises the turn's error."""
        return reading.events(self._log, reading.offset(after))

    async def text(self) -> str:
        """The whole text."""
        return reading.text_of(await self._log.ended())

    async def json(self) -> dict[str, Any] | None:
        """The provider's own JSON of the answer."""
        return reading.json_of(await self._log.ended())

    async def value(self) -> Any:
        """The answer as the type given by `schema=`."""
        return reading.value_of(await self._log.ended())

    def partials(self) -> Reader[Any]:
        """The value as it grows: plain JSON while it does (read only), `value()` last. Raises as that does, at once for what can't fit."""
        from .partials import partials  # noqa: PLC0415 - its patterns take 1.5 ms to make

        return partials(self._log)

    async def usage(self) -> Usage:
        """The tokens of all model calls of the turn."""
        return reading.usage_of(await self._log.ended())

    async def tool_calls(self) -> list[ToolCall]:
        """The calls the model asked for."""
        return reading.tool_calls_of(await self._log.ended())

    async def messages(self) -> list[Message]:
        """What the turn added to the conversation."""
        return reading.messages_of(await self._log.ended())

    async def duration_ms(self) -> int:
        """How long the turn took, in milliseconds."""
        return reading.duration_of(await self._log.ended())

    async def datetime_utc(self) -> str:
        """When the turn began: ISO 8601, UTC."""
        return reading.started_of(await self._log.ended())

    def responses(self) -> Reader[AsyncResponse]:
        """One response for each model call of a chain, once the turn has ended."""
        return Reader(self._log, reading.nothing, lambda log: map(AsyncResponse, rounds(log)))

    async def to_sync_response(self) -> Response:
        """The same answer, once it is there, for code that blocks."""
        await self._log.checked()
        return Response(self._log)

    async def on_done(self, callback: Callable[[AsyncResponse], Any] | Awaitable[Any]) -> None:
        """Calls `callback(response)`, plain or async, when the answer is complete; at once if it is. Not after an error."""
        await register(self._log, callback, self)

    async def cancel(self) -> None:
        """Ends the turn. When this returns no request is open and nothing more comes from it."""
        await self._log.cancel().ended()


class Response(Replying):
    """The answer to a prompt, as it arrives: `response.text()`, `for chunk in response`, `print(response)`. Any thread."""

    __slots__ = ()

    def __iter__(self) -> Iterator[str]:
        """The chunks of text, from the first on, as they arrive; at the end raises the turn's error."""
        return reading.chunks_blocking(self._log)

    def stream_events(self) -> Iterator[StreamEvent]:
        """What comes from the model: text, reasoning, tool calls; at the end raises the turn's error."""
        return reading.stream_blocking(self._log)

    def events(self, after: int = 0) -> Iterator[Event]:
        """The events numbered `after` and more, as they arrive, `end` or `error` last; none below it. Never raises the turn's error."""
        return reading.events_blocking(self._log, reading.offset(after))

    def text(self) -> str:
        """The whole text."""
        return reading.text_of(self._log.ended_blocking())

    __str__ = text

    def json(self) -> dict[str, Any] | None:
        """The provider's own JSON of the answer."""
        return reading.json_of(self._log.ended_blocking())

    def value(self) -> Any:
        """The answer as the type given by `schema=`."""
        return reading.value_of(self._log.ended_blocking())

    def partials(self) -> Iterator[Any]:
        """The value as it grows: plain JSON while it does (read only), `value()` last. Raises as that does, at once for what can't fit."""
        from .partials import partials_blocking  # noqa: PLC0415 - as above

        return partials_blocking(self._log)

    def usage(self) -> Usage:
        """The tokens of all model calls of the turn."""
        return reading.usage_of(self._log.ended_blocking())

    def tool_calls(self) -> list[ToolCall]:
        """The calls the model asked for."""
        return reading.tool_calls_of(self._log.ended_blocking())

    def messages(self) -> list[Message]:
        """What the turn added to the conversation."""
        return reading.messages_of(self._log.ended_blocking())

    def duration_ms(self) -> int:
        """How long the turn took, in milliseconds."""
        return reading.duration_of(self._log.ended_blocking())

    def datetime_utc(self) -> str:
        """When the turn began: ISO 8601, UTC."""
        return reading.started_of(self._log.ended_blocking())

    def responses(self) -> Iterator[Response]:
        """One response for each model call of a chain."""
        return (Response(log) for log in rounds(self._log.ended_blocking()))

    def on_done(self, callback: Callable[[Response], Any]) -> None:
        """Calls `callback(response)` when the answer is complete; at once if it is. Not after an error."""
        register(self._log, callback, self)

    def cancel(self) -> None:
        """Ends the turn. When this returns no request is open and nothing more comes from it."""
        self._log.cancel().ended_blocking()
