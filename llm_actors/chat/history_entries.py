"""What is said and answered, as entries of a history; and the lean form in which a history keeps most of them.

    Said, Answered    the entries, as the journal stores them
    lean()            the same in a third of the memory, where it is text alone

An idle conversation is its history, and a million of them are to fit in 2 GiB (S2). A prompt of text takes 264 bytes as a link, an entry, a
message, its list of parts and a part, but 64 as one link that holds the text; an answer 264 and 64, without its record (CPython 3.11). The
entry is made anew when somebody looks: 0.6 us. The entries and their parts are out of the garbage collector's sight (`gc=False`: 16 bytes
less each, and nothing for it to walk in a program of a million): what they hold leads never back to them. Links are not: a long chain that
is let go of is only then taken apart without recursion.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from llm_actors.messages import Message, ToolCall, Usage
from llm_actors.messages.parts import TextPart

Interruption: TypeAlias = Literal["cancelled", "deadline", "failed", "loop closed"]


class CallRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One model call, as far as a Response needs it later. Times: `started` ISO 8601 in UTC, `seconds` monotonic."""

    id: str
    prompt: str = ""
    system: str = ""
    model: str = ""
    usage: Usage | None = None
    started: str = ""
    seconds: float = 0.0
    stop_reason: str | None = None
    request_id: str | None = None
    resolved_model: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    cut_calls: tuple[ToolCall, ...] = ()
    raw: dict[str, Any] | None = None


class Said(msgspec.Struct, frozen=True, tag="said", gc=False):
    """A system or user message of a turn."""

    turn: str
    message: Message


class Answered(msgspec.Struct, frozen=True, tag="answered", gc=False):
    """A model's output, and the record of the call. `interrupted`: it is what arrived before the turn ended."""

    turn: str
    messages: tuple[Message, ...]
    record: CallRecord
    interrupted: Interruption | None = None


class _SaidText(msgspec.Struct, frozen=True):
    """A link that holds a `Said` of one text."""

    before: Any
    turn: str
    role: str
    text: str

    @property
    def entry(self) -> Said:
        """The entry, made anew."""
        return Said(self.turn, Message(self.role, [TextPart(self.text)]))


class _AnsweredText(msgspec.Struct, frozen=True):
    """A link that holds an `Answered` of one text."""

    before: Any
    turn: str
    text: str
    record: CallRecord

    @property
    def entry(self) -> Answered:
        """The entry, made anew."""
        return Answered(self.turn, (Message("assistant", [TextPart(self.text)]),), self.record)


def lean(before: Any, entry: Any) -> Any:
    """A link with `before` and `entry` that takes less, or None where the entry is more than one text."""
    if type(entry) is Said:
        text = _text_alone(entry.message)
        return None if text is None else _SaidText(before, entry.turn, entry.message.role, text)
    if type(entry) is Answered and entry.interrupted is None and len(entry.messages) == 1:
        text = _text_alone(entry.messages[0]) if entry.messages[0].role == "assistant" else None
        return None if text is None else _AnsweredText(before, entry.turn, text, entry.record)
    return None


def _text_alone(message: Message) -> str | None:
    if len(message.parts) != 1 or message.provider_metadata is not None:
        return None
    part = message.parts[0]
    return part.text if type(part) is TextPart and part.provider_metadata is None else None
