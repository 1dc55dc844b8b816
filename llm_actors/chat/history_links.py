"""The lean form in which a history keeps most of what is said: links that hold the texts themselves, and make the entry when asked.

An idle conversation is its history, and a million of them are to fit in 2 GiB (S2). Bytes on CPython 3.11, without the texts:

    a prompt of text     264 as a link, an entry, a message, its list of parts and a part     64 as one link
    an answer of text    264, and 256 for the record of its call with its stamps              64, and the record
    both, as most turns end up: with the record 432, with a system prompt 496                 208, with the stamps, as one link

The entry is made anew when somebody looks: 1 us. Links are in the garbage collector's sight (16 bytes): a long chain that is let go of is
only then taken apart without recursion.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from llm_actors.messages import Message, Usage
from llm_actors.messages.parts import TextPart

from .history_entries import Answered, CallRecord, Said


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
        return _answered(self.turn, self.text, self.record)


class _Manner(msgspec.Struct, frozen=True, gc=False):
    """What the records of many calls have in common."""

    model: str
    stop_reason: str | None
    resolved_model: str | None


class _Exchange(msgspec.Struct, frozen=True):
    """A link that holds a prompt, its answer and the record of the call, all of text; `system` is the record's.

    It stands for two links. The one before its last is made anew when somebody walks there.
    """

    past: Any
    turn: str
    system: str
    asked: str
    text: str
    manner: _Manner
    usage: Usage | None
    started: datetime | None
    seconds: float
    request_id: str | None
    raw: bytes | dict[str, Any] | None

    @property
    def entry(self) -> Answered:
        """The last entry, made anew."""
        manner, raw = self.manner, self.raw
        record = CallRecord(
            self.turn,
            self.asked,
            self.system,
            manner.model,
            self.usage,
            self.started,
            self.seconds,
            manner.stop_reason,
            self.request_id,
            manner.resolved_model,
            raw=msgspec.json.decode(raw) if isinstance(raw, bytes) else raw,
        )
        return _answered(self.turn, self.text, record)

    @property
    def before(self) -> Any:
        """The link before the last entry, made anew."""
        return _SaidText(self._before_prompt, self.turn, "user", self.asked)

    @property
    def _before_prompt(self) -> Any:
        return self.past


class _Opening(_Exchange, frozen=True):
    """The same with the system prompt said before the prompt: it stands for three links."""

    @property
    def _before_prompt(self) -> Any:
        return _SaidText(self.past, self.turn, "system", self.system)


def lean(before: Any, entry: Any) -> Any:
    """A link with `before` and `entry` that takes less, or None where the entry is more than one text."""
    if type(entry) is Said:
        text, role = _text_alone(entry.message), entry.message.role
        if text is None:
            return None
        return _SaidText(before, entry.turn, role, shared(text) if role == "system" else text)
    if type(entry) is Answered and entry.interrupted is None and len(entry.messages) == 1:
        text = _text_alone(entry.messages[0]) if entry.messages[0].role == "assistant" else None
        if text is not None:
            return _exchange(before, entry.turn, text, entry.record) or _AnsweredText(
                before, entry.turn, text, entry.record
            )
    return None


def _exchange(said: Any, turn: str, text: str, record: CallRecord) -> _Exchange | None:
    """The exchange that this answer completes, if there is nothing more to keep of it than that holds."""
    if type(said) is not _SaidText or not said.turn == turn == record.id or said.text != record.prompt:
        return None
    if said.role != "user" or record.tool_calls or record.cut_calls:
        return None
    kind, past, system = _Exchange, said.before, record.system
    if type(past) is _SaidText and past.turn == turn and past.role == "system":
        if past.text != system:
            return None
        kind, past, system = _Opening, past.before, past.text
    return kind(
        past,
        turn,
        system,
        said.text,
        text,
        _manner(record.model, record.stop_reason, record.resolved_model),
        record.usage,
        record.started,
        record.seconds,
        record.request_id,
        _packed(record.raw),
    )


_manner = lru_cache(maxsize=256)(_Manner)


def _packed(raw: dict[str, Any] | None) -> bytes | dict[str, Any] | None:
    """The provider's own JSON as JSON: 80 bytes instead of 290 for the id and the date that most of them send. What is no JSON stays."""
    if raw is None:
        return None
    try:
        packed = msgspec.json.encode(raw)
    except (TypeError, ValueError, RecursionError):
        return raw
    return packed if msgspec.json.decode(packed) == raw else raw


SHARED = 4096
"""Characters of a system prompt up to which it is looked for among the latest ones."""


def shared(system: str) -> str:
    """The text, or the equal one that another conversation has.

    A simulation gives many agents one system prompt, often put together anew for each: 200 characters take 256 bytes.
    """
    return _known(system) if len(system) <= SHARED else system


@lru_cache(maxsize=128)
def _known(text: str) -> str:
    return text


def _answered(turn: str, text: str, record: CallRecord) -> Answered:
    return Answered(turn, (Message("assistant", [TextPart(text)]),), record)


def _text_alone(message: Message) -> str | None:
    if len(message.parts) != 1 or message.provider_metadata is not None:
        return None
    part = message.parts[0]
    return part.text if type(part) is TextPart and part.provider_metadata is None else None
