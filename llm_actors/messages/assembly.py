"""Builds messages from the items of a stream, by the peer's grouping rules (llm 0.32+).

    above it   the decoders, and the conversation for models in Python code
    below it   the parts, events and calls of this folder

With `part_index` None, consecutive text (or reasoning) shares a part; tool-call events group by `tool_call_id`, without one each
name starts a part and arguments join the last; a tool result is a part of its own. An explicit index wins, a change of
`message_index` begins a new message, metadata is merged, redacted reasoning comes first in its message.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from .events import Item, StreamEvent
from .parts import AnyPart, Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from .tools import ToolCall

_FAMILIES = {
    "text": "text",
    "reasoning": "reasoning",
    "tool_call_name": "tool_call",
    "tool_call_args": "tool_call",
    "tool_result": "tool_result",
}


def parse_arguments(text: str) -> dict[str, Any]:
    """The arguments of a tool call as a dict.

    Blank and `null` are `{}`; what is no JSON object is `{"_raw": text}`, for an error result.
    """
    if not text or text.isspace():
        return {}
    try:
        arguments = msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {"_raw": text}
    if arguments is None:
        return {}
    return arguments if isinstance(arguments, dict) else {"_raw": text}


def assemble(items: Iterable[Item], calls: Sequence[ToolCall] = ()) -> list[Message]:
    """The assistant messages that these items make, `calls` (of `add_tool_call`) at the end unless their id was streamed.

    Events that are no part of an answer (`tool_started`, `round`, ...) are passed over. Raises `ValueError` for two families on one index.
    """
    items = list(items)
    if not calls:
        try:
            text = "".join(items)  # type: ignore[arg-type] # text alone, as most answers are: 0.5 us in place of 7
        except TypeError:
            pass
        else:
            return [Message("assistant", [TextPart(text)])] if text else []
    assembler = Assembler()
    assembler.add(items)
    return assembler.messages(calls)


class Assembler:
    """`assemble()` for items that come bit by bit. Its loop only."""

    def __init__(self) -> None:
        self._parts: dict[int, _Part] = {}  # by part index, in order of first sight
        self._highest = -1
        self._last: _Part | None = None
        self._by_call: dict[str, _Part] = {}
        self._message_index = 0

    def add(self, items: Iterable[Item]) -> None:
        """Takes the next items."""
        for item in items:
            if type(item) is not str:
                self._event(item)  # type: ignore[arg-type]  # an Item that is no str
            elif self._last is not None and self._last.family == "text" and self._message_index == 0:
                self._last.texts.append(item)
            else:
                self._event(StreamEvent("text", item))

    def messages(self, calls: Sequence[ToolCall] = ()) -> list[Message]:
        """The messages so far; more items may follow."""
        by_message: dict[int, list[AnyPart]] = {}
        for part in self._parts.values():
            built = part.build()
            if built is not None:
                by_message.setdefault(part.message_index, []).append(built)
        parts = list(by_message.values()) or [[]]
        streamed = {part.tool_call_id for some in parts for part in some if isinstance(part, ToolCallPart)} - {None}
        parts[-1] += [
            ToolCallPart(call.name, call.arguments, call.tool_call_id)
            for call in calls
            if call.tool_call_id not in streamed
        ]
        return [Message("assistant", sorted(some, key=_is_not_redacted)) for some in parts if some]

    def _event(self, event: StreamEvent) -> None:
        family = _FAMILIES.get(event.type)
        if family is None:
            return
        if event.message_index != self._message_index:
            self._last = None
            self._message_index = event.message_index
        part = self._part_of(event, family)
        if event.tool_call_id and family == "tool_call":
            self._by_call.setdefault(event.tool_call_id, part)
        part.take(event, family)
        self._last = part

    def _part_of(self, event: StreamEvent, family: str) -> "_Part":
        if event.part_index is not None:
            return self._parts.get(event.part_index) or self._new(event.part_index, family)
        if family == "tool_call" and event.tool_call_id:
            known = self._by_call.get(event.tool_call_id)
        elif family == "tool_result" or event.type == "tool_call_name":
            known = None
        else:
            known = self._last if self._last is not None and self._last.family == family else None
        return known or self._new(self._highest + 1, family)

    def _new(self, index: int, family: str) -> "_Part":
        self._highest = max(self._highest, index)
        part = self._parts[index] = _Part(index, family, self._message_index)
        return part


class _Part:
    """One part in the making."""

    __slots__ = (
        "family",
        "foreign",
        "index",
        "message_index",
        "metadata",
        "names",
        "redacted",
        "server",
        "texts",
        "tool_call_id",
    )

    def __init__(self, index: int, family: str, message_index: int) -> None:
        self.index = index
        self.family = family
        self.message_index = message_index
        self.texts: list[str] = []
        self.names: list[str] = []
        self.tool_call_id: str | None = None
        self.server = False
        self.redacted = False
        self.metadata: dict[str, Any] | None = None
        self.foreign: str | None = None

    def take(self, event: StreamEvent, family: str) -> None:
        if family != self.family:
            self.foreign = event.type
        if event.type == "tool_call_name":
            self.names.append(event.chunk)
        else:
            self.texts.append(event.chunk)
        if event.tool_name and not self.names:
            self.names.append(event.tool_name)
        self.tool_call_id = self.tool_call_id or event.tool_call_id
        self.server |= event.server_executed
        self.redacted |= event.redacted
        if event.provider_metadata:
            self.metadata = {**(self.metadata or {}), **event.provider_metadata}

    def build(self) -> AnyPart | None:
        if self.foreign is not None:
            msg = (
                f"StreamEvent type {self.foreign!r} is incompatible with prior type at part_index={self.index}. "
                "Allocate a new part_index for a different content type."
            )
            raise ValueError(msg)
        text, name = "".join(self.texts), "".join(self.names)
        if self.family == "text":
            return TextPart(text, self.metadata) if text else None
        if self.family == "reasoning":
            kept = text or self.redacted or self.metadata
            return ReasoningPart(text, self.redacted, self.metadata) if kept else None
        if self.family == "tool_call":
            return ToolCallPart(name, parse_arguments(text), self.tool_call_id, self.server, self.metadata)
        return ToolResultPart(name, text, self.tool_call_id, self.server, provider_metadata=self.metadata)


def _is_not_redacted(part: AnyPart) -> bool:
    return not (isinstance(part, ReasoningPart) and part.redacted)
