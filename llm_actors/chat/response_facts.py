"""What both views of a response tell without awaiting."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from llm_actors.messages import ToolCall

from . import reading
from .event_log import EventLog
from .loaded import written
from .publication import Publication
from .reply import check_settled, hooks_of
from .subscription import Subscription

if TYPE_CHECKING:
    from llm_actors.messages import ToolResult
    from llm_actors.runtime.topic import Topic

    from .model import AnyModel


LINE = 80
"""Characters of a prompt or an answer that a repr shows."""


class ResponseFacts:
    """What both views tell without waiting. Any thread."""

    __slots__ = ("_log",)

    def __init__(self, log: EventLog) -> None:
        self._log = log

    @property
    def id(self) -> str:
        """ULID of the response, in lower case."""
        return self._log.id

    @property
    def prompt(self) -> Any:
        """What was asked: `.prompt`, `.system`, `.attachments`, `.schema`, `.tools`, `.tool_results`, `.options`, `.messages`."""
        return self._log.prompt

    @property
    def model(self) -> AnyModel:
        """The model that was asked."""
        return self._log.model

    @property
    def conversation(self) -> Any:
        """The conversation the prompt was sent to; None for `model.prompt()`."""
        return self._log.prompt.conversation

    @property
    def stream(self) -> bool:
        """Whether streaming was asked for."""
        return bool(self._log.prompt.stream)

    @property
    def before_call(self) -> Any:
        """The hook that sees its tool calls before they run."""
        return hooks_of(self._log)[0]

    @property
    def after_call(self) -> Any:
        """The hook that sees what they came to."""
        return hooks_of(self._log)[1]

    @property
    def done_callbacks(self) -> list[Any]:
        """The `on_done` callbacks that have not been called."""
        return [callback.function for callback in self._log.callbacks]

    @property
    def attachments(self) -> list[Any]:
        """The prompt's attachments."""
        return list(self._log.prompt.attachments)

    @property
    def tool_results(self) -> list[ToolResult]:
        """The tool results that were sent with the prompt."""
        return list(self._log.prompt.tool_results)

    @property
    def partial(self) -> str:
        """The text that has arrived so far, also after an error."""
        return self._log.text_so_far()

    @property
    def done(self) -> bool:
        """Whether the turn is over, with an answer or an error."""
        return self._log.released

    @property
    def error(self) -> BaseException | None:
        """What ended the turn, if it was not an answer."""
        return self._log.error

    @property
    def stop_reason(self) -> str | None:
        """Why the provider ended its (last) answer: `stop`, `length`, `tool_calls`, `content_filter`, `refusal` ...; None while it runs."""
        return self._log.last.stop_reason if self._log.last else None

    @property
    def request_id(self) -> str | None:
        """The provider's id of the (last) request."""
        return self._log.last.request_id if self._log.last else None

    @property
    def resolved_model(self) -> str | None:
        """The model that really answered, as the provider names it."""
        return self._log.last.resolved_model if self._log.last else None

    @property
    def response_json(self) -> dict[str, Any] | None:
        """The provider's own JSON of the (last) answer."""
        return self._log.last.raw if self._log.last else None

    @property
    def input_tokens(self) -> int | None:
        """Tokens read, all rounds together."""
        return self._log.usage().input

    @property
    def output_tokens(self) -> int | None:
        """Tokens written, all rounds together."""
        return self._log.usage().output

    @property
    def token_details(self) -> dict[str, Any] | None:
        """The provider's details of the usage."""
        return self._log.usage().details

    def text_or_raise(self) -> str:
        """The text if the turn is over, else ValueError: never waits."""
        self._check_over()
        return reading.text_of(self._log)

    def tool_calls_or_raise(self) -> list[ToolCall]:
        """The tool calls if the turn is over, else ValueError: never waits."""
        self._check_over()
        return reading.tool_calls_of(self._log)

    def to_dict(self) -> dict[str, Any]:
        """The finished response as plain values, in the peer's form: see loaded.py. A chain that was paused is written down too.

        Raises the turn's error; ValueError where it has not ended and can't be waited for.
        """
        self._see_end()
        check_settled(self._log)
        return json.loads(json.dumps(written(self._log), default=repr))  # type: ignore[no-any-return]

    def subscribe(self, ref: Any, *, after: int = 0, batch: bool = False) -> None:
        """Sends the events numbered `after` and more to an actor, one mail each (`Event`) or as lists; the last is `end` or `error`.

        To any actor, on any loop or in a thread, each event once and in order. A full mailbox is tried again, a dead actor is forgotten.
        Raises TypeError and ValueError for an `after` that is no number of an event.
        """
        Subscription(self._log, ref, reading.offset(after), batch=batch).begin()

    def publish(self, topic: Topic) -> None:
        """Publishes the answer when it is complete, as an `Answer`, to all but its own conversation; nothing after an error."""
        Publication(self._log, topic).begin()

    def _see_end(self) -> None:
        """Waits for the end where that can be done by blocking, else raises ValueError."""
        self._check_over()

    def _check_over(self) -> None:
        if not self._log.sealed:
            message = "Response not yet awaited"
            raise ValueError(message)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResponseFacts) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __reduce__(self) -> NoReturn:
        message = "a response is not copied or pickled: use to_dict() for its content"
        raise TypeError(message)

    def __repr__(self) -> str:
        log = self._log
        waiting = "... not yet awaited ..." if type(self).__name__.startswith("Async") else "... not yet done ..."
        text = log.text_so_far() if log.sealed else waiting
        failed = f" error={type(log.error).__name__}" if log.error is not None else ""
        asked = log.prompt.prompt
        return f"<{type(self).__name__} prompt={_short(asked)} text={_short(text)}{failed}>"


def _short(text: str) -> str:
    return repr(text if len(text) <= LINE else f"{text[: LINE - 3]}...")
