"""What is said and answered, as entries of a history: what the journal stores.

They and their parts are out of the garbage collector's sight (`gc=False`: 16 bytes less each, and nothing for it to walk in a program of a
million): what they hold leads never back to them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from llm_actors.messages import Message, ToolCall, Usage

Interruption: TypeAlias = Literal["cancelled", "deadline", "failed", "loop closed"]


class CallRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One model call, as far as a Response needs it later. Times: `started` in UTC, `seconds` monotonic.

    A datetime takes half the memory of the text it is shown as, which takes 0.8 us to write.
    """

    id: str
    prompt: str = ""
    system: str = ""
    model: str = ""
    usage: Usage | None = None
    started: datetime | None = None
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
