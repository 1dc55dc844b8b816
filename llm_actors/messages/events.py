"""What a stream is made of.

A chunk of answer text travels as a plain `str`, everything else as a `StreamEvent`: text is nine tenths of all traffic,
and a str costs no allocation beyond the decoder's own.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec


class StreamEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of a model's answer, as the peer has it (llm 0.32+).

    `type`: `text`, `reasoning`, `tool_call_name`, `tool_call_args`, `tool_result` from a model; ours beside them, from
    the turn:

        round           a new model call begins in a chain (chunk: its number, from 2 on)
        restart         the model call under way begins again, with another model or request (chunk: why). Drop what you have of it: all
                        that came since the last `round`, or since the beginning. What comes next is its answer.
        tool_started    chunk: the arguments as JSON        tool_progress   chunk: what a generator tool has yielded, a str or its JSON
        tool_ended      chunk: the output                   separator       the blank that a reader sees between two rounds

    `part_index` None: consecutive events of a family share a part, tool-call events group by `tool_call_id`.
    """

    type: str
    chunk: str = ""
    part_index: int | None = None
    tool_call_id: str | None = None
    server_executed: bool = False
    tool_name: str | None = None
    redacted: bool = False
    provider_metadata: dict[str, Any] | None = None
    message_index: int = 0


class Event(StreamEvent, frozen=True, omit_defaults=True):
    """An item with its number, as `response.events()` and `response.subscribe()` give it; encodes to JSON and msgpack.

    Numbers count from 0 and stay the same for every reader, early or late, on any loop or thread, for as long as the response lives in
    its process: `events(after=event.number + 1)` goes on where a reader was. The last one is `end` (chunk: the stop reason) or `error`
    (chunk: the error's text). `response` is its id. A response rebuilt from `to_dict()`, or taken from `conversation.responses`, has its
    text in whole parts under numbers of its own; to resume over a restart of the process, keep the events.
    """

    number: int = 0
    response: str = ""


Item: TypeAlias = str | StreamEvent
"""What decoders give and logs hold: a chunk of text, or an event."""


def as_event(item: Item) -> StreamEvent:
    """The event form of an item: a str becomes a `text` event."""
    return StreamEvent("text", item) if isinstance(item, str) else item


def numbered(item: Item, number: int, response: str) -> Event:
    """The public form of an item."""
    if isinstance(item, str):
        return Event("text", item, number=number, response=response)
    return Event(**{name: getattr(item, name) for name in item.__struct_fields__}, number=number, response=response)
