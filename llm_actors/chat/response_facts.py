"""What both views of a response tell without waiting."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from llm_actors.messages import ToolCall

from . import reading
from .event_log import EventLog
from .publication import Publication
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
        """The finished response as plain values, in the peer's form: `model`, `prompt`, `messages`, `id`, `usage`, `datetime_utc`."""
        self._check_over()
        log = self._log
        log.check()
        asked: dict[str, Any] = {"messages": [message.to_dict() for message in log.prompt.messages]}
        options = {name: value for name, value in log.prompt.option_values.items() if value is not None}
        if options:
            asked["options"] = options
        if log.prompt.system:
            asked["system"] = log.prompt.system
        whole: dict[str, Any] = {
            "model": log.model.model_id,
            "prompt": asked,
            "messages": [m.to_dict() for m in log.messages],
            "id": log.id,
        }
        usage = msgspec.to_builtins(log.usage())
        if usage:
            whole["usage"] = usage
        whole["datetime_utc"] = log.started
        return json.loads(json.dumps(whole, default=repr))  # type: ignore[no-any-return]

    def subscribe(self, ref: Any, *, after: int = 0, batch: bool = False) -> None:
        """Sends the events numbered `after` and more to an actor, one mail each (`Event`) or as lists; the last is `end` or `error`.

        To any actor, on any loop or in a thread, each event once and in order. A full mailbox is tried again, a dead actor is forgotten.
        Raises TypeError and ValueError for an `after` that is no number of an event.
        """
        Subscription(self._log, ref, reading.offset(after), batch=batch).begin()

    def publish(self, topic: Topic) -> None:
        """Publishes the answer when it is complete, as an `Answer`, to all but its own conversation; nothing after an error."""
        Publication(self._log, topic).begin()

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
