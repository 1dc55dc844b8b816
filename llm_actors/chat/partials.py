"""A structured answer as it grows: what `response.partials()` gives.

The values are plain JSON (dict, list, str ...) as long as the answer grows, whatever type `schema=` was: an instance of it with fields
missing would be none that a type checker knows. The last one is what `value()` gives, an instance of that type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from llm_actors.errors import IncompleteAnswerError
from llm_actors.messages import Item

from .partial_json import ABSENT, PartialJson
from .reader import Reader
from .reading import value_of

if TYPE_CHECKING:
    from .event_log import EventLog


class Partials:
    """One reader's place in a growing value: at most one value for all that one read brought. A round of a chain begins it anew."""

    __slots__ = ("_error", "_json", "_latest", "_log", "_message", "_seen")

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._latest: Any = ABSENT
        self._begin()

    def _begin(self, message: int = 0) -> None:
        self._json = PartialJson(self._log.prompt.schema)
        self._error: ValueError | None = None
        self._seen = 0
        self._message = message

    def pick(self, log: EventLog, items: Iterable[Item], number: int) -> list[Any]:
        """The value with these items, if they changed it. Raises IncompleteAnswerError for what does not fit, however it goes on."""
        for item in log.kept(items, number):
            if isinstance(item, str):
                self._feed(item)
            elif item.type in ("round", "restart"):
                self._begin()
            elif item.type == "text":
                if item.message_index != self._message:
                    self._begin(item.message_index)
                self._feed(item.chunk)
        # In a chain what can't be read may be said beside a tool call: it is the answer only if no other round follows.
        if self._error is not None and not (log.chain and log.prompt.tools):
            raise IncompleteAnswerError(_misfit(self._error)) from self._error
        if self._error is not None or self._json.changes == self._seen:
            return []
        self._seen = self._json.changes
        self._latest = self._json.value
        return [self._latest]

    def _feed(self, text: str) -> None:
        if self._error is None:
            try:
                self._json.feed(text)
            except ValueError as error:
                self._error = error

    def last(self, log: EventLog) -> list[Any]:
        """The value of the whole answer, if it is another than the latest. Raises as `value()` does."""
        value = value_of(log)
        return [] if type(value) is type(self._latest) and value == self._latest else [value]


def _misfit(error: ValueError) -> str:
    return f"the answer does not fit the schema: {error}"


def partials(log: EventLog) -> Reader[Any]:
    """The growing value, for a task."""
    reader = Partials(log)
    return Reader(log, reader.pick, reader.last)


def partials_blocking(log: EventLog) -> Iterator[Any]:
    """The same from a thread."""
    reader = Partials(log)
    number = 0
    while items := log.after_blocking(number):
        yield from reader.pick(log, items, number)
        number += len(items)
    yield from reader.last(log.ended_blocking())
