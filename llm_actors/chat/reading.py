"""What a log says: functions that read it, as text, as events, as values. Those that need the end of the turn raise its error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import msgspec

from llm_actors.errors import IncompleteAnswerError
from llm_actors.messages import Event, Item, Message, StreamEvent, ToolCall, Usage
from llm_actors.messages.events import numbered

from .arrivals import shown
from .event_log import EventLog
from .reader import Reader

_FROM_MODEL = frozenset({"text", "reasoning", "tool_call_name", "tool_call_args", "tool_result", "restart"})


def text_of(log: EventLog) -> str:
    """The whole text. Raises the turn's error."""
    log.check()
    return log.text_so_far()


def json_of(log: EventLog) -> dict[str, Any] | None:
    """The provider's own JSON of the (last) answer, as the peer gives it. Raises the turn's error, or IncompleteAnswerError."""
    log.check_whole("JSON")
    return log.last.raw if log.last else None


def value_of(log: EventLog) -> Any:
    """The answer read by the prompt's schema: an instance of the type that was given, else plain JSON values.

    Raises the turn's error, IncompleteAnswerError for a cut answer and for one that does not fit the schema.
    """
    log.check_whole("value")
    text = log.messages[-1].text if log.messages else ""
    try:
        return log.prompt.read_value(text)
    except (ValueError, msgspec.MsgspecError) as error:
        message = f"the answer does not fit the schema: {error}"
        raise IncompleteAnswerError(message) from error


def usage_of(log: EventLog) -> Usage:
    """The tokens of all model calls of the turn. Raises the turn's error."""
    log.check()
    return log.usage()


def tool_calls_of(log: EventLog) -> list[ToolCall]:
    """All calls the model asked for, in order. Raises the turn's error, or IncompleteAnswerError when one was cut short."""
    log.check()
    if any(record.cut_calls for record in log.records):
        log.check_whole("tool call")
    return [call for record in log.records for call in record.tool_calls]


def messages_of(log: EventLog) -> list[Message]:
    """The output of the turn: for a chain also its tool results. Raises the turn's error."""
    log.check()
    return list(log.messages)


def duration_of(log: EventLog) -> int:
    """Milliseconds from the prompt's turn to its end. Raises the turn's error."""
    log.check()
    return int(log.seconds * 1000)


def started_of(log: EventLog) -> str:
    """When the turn began: ISO 8601, UTC. Raises the turn's error."""
    log.check()
    return log.began


def texts(log: EventLog, items: Iterable[Item], number: int) -> Iterator[str]:
    """What a reader of the text sees of these items, the first of which has this number."""
    for item in log.kept(items, number):
        if isinstance(item, str):
            yield item
        elif shown(item):
            yield item.chunk


def chunks_blocking(log: EventLog) -> Iterator[str]:
    """The text from the first chunk on, from a thread; at the end raises the turn's error."""
    number = 0
    while items := log.after_blocking(number, check=True):
        yield from texts(log, items, number)
        number += len(items)


def stream_blocking(log: EventLog) -> Iterator[StreamEvent]:
    """What comes from the model, from a thread; at the end raises the turn's error."""
    number = 0
    while items := log.after_blocking(number, check=True):
        yield from model_events(log, items, number)
        number += len(items)


def model_events(_: EventLog, items: Iterable[Item], __: int) -> Iterator[StreamEvent]:
    """What came from the model, in the peer's form; and `restart`, where what it had sent of an answer is taken back."""
    for item in items:
        if isinstance(item, str):
            yield StreamEvent("text", item)
        elif item.type in _FROM_MODEL:
            yield item


def answered(log: EventLog) -> tuple[()]:
    """Nothing more follows an answer. Raises the turn's error."""
    log.check()
    return ()


def nothing(_: EventLog, __: Iterable[Item], ___: int) -> tuple[()]:
    """What a reader picks that waits for the end."""
    return ()


def offset(after: Any) -> int:
    """The argument of `events()` and `subscribe()`, checked. Raises TypeError for what is no int, ValueError for a negative one."""
    if not isinstance(after, int):  # it comes from a header, often as a str
        message = f"after= is the number of the first event you want, an int, not {after!r}"
        raise TypeError(message)
    if after < 0:
        message = f"after= counts events from 0; {after} is no number of an event"
        raise ValueError(message)
    return after


def events(log: EventLog, after: int) -> Reader[Event]:
    """All events from this number on, the last event too."""
    return Reader(log, public_events, partial(_last_from, after), number=after)


def events_blocking(log: EventLog, after: int) -> Iterator[Event]:
    """The same from a thread."""
    number = after
    while items := log.after_blocking(number):
        yield from public_events(log, items, number)
        number += len(items)
    yield from _last_from(after, log.ended_blocking())


def _last_from(after: int, log: EventLog) -> list[Event]:
    last = last_event(log)
    return [last] if last.number >= after else []


def last_event(log: EventLog) -> Event:
    """The event that ends every stream."""
    if log.error is not None:
        return Event("error", f"{type(log.error).__name__}: {log.error}", number=len(log), response=log.id)
    return Event("end", (log.last.stop_reason if log.last else None) or "", number=len(log), response=log.id)


def public_events(log: EventLog, items: Iterable[Item], number: int) -> Iterator[Event]:
    """The items, the first of which has this number, in the public form."""
    for place, item in enumerate(items, number):
        yield numbered(item, place, log.id)
