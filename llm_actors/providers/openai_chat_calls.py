"""Puts the tool calls of a stream together from their pieces.

    above it   openai_chat_answer.py
    below it   openai_chat_chunk.py, messages/assembly.py (the arguments' JSON)

By OpenAI's schema a piece belongs to the call of its `index`, and id and name come with the first piece. Servers leave out the
index, give every call index 0, repeat the id or the name, leave out the id, or send each call whole; so the id goes first, then the
index, then the order.
"""

import hashlib

import msgspec

from llm_actors.errors import ProtocolError
from llm_actors.messages import StreamEvent, ToolCall
from llm_actors.messages.assembly import parse_arguments

from .openai_chat_chunk import CallDelta, FunctionDelta


class ToolCallSlots:
    """The calls of one answer. `seed` makes the ids of calls that came without: the same answer to the same request gives the same ids."""

    def __init__(self, provider: str, seed: str) -> None:
        self._provider = provider
        self._seed = seed
        self._slots: list[_Slot] = []
        self._by_id: dict[str, _Slot] = {}
        self._by_index: dict[int, _Slot] = {}
        self._last: _Slot | None = None

    def take(self, delta: CallDelta) -> list[StreamEvent]:
        """The events that this piece makes."""
        function = delta.function or FunctionDelta()
        given = function.arguments
        text = (msgspec.json.encode(given).decode() if given else "") if isinstance(given, dict) else given or ""
        slot = self._slot_of(delta, function.name or "")
        if delta.id:
            self._by_id.setdefault(delta.id, slot)
        if delta.index is not None:
            self._by_index[delta.index] = slot
        self._last = slot
        metadata = {self._provider: {"extra_content": delta.extra_content}} if delta.extra_content else None
        events = []
        if function.name and function.name != slot.name:
            slot.name += function.name
            events.append(StreamEvent("tool_call_name", function.name, tool_call_id=slot.id))
        if text and not slot.has_whole(text):
            slot.pieces.append(text)
            slot.size += len(text)
            events.append(StreamEvent("tool_call_args", text, tool_call_id=slot.id))
        if metadata:
            events.append(StreamEvent("tool_call_args", "", tool_call_id=slot.id, provider_metadata=metadata))
        return events

    def result(self, *, cut: bool) -> tuple[list[ToolCall], list[ToolCall]]:
        """The calls, and those whose arguments were cut. `cut`: the provider ended its answer early.

        A last call without any arguments in an answer that ended early counts as cut: nobody knows what would have come. Raises
        `ProtocolError` for a call without a name.
        """
        calls: list[ToolCall] = []
        cut_calls: list[ToolCall] = []
        for slot in self._slots:
            text = "".join(slot.pieces)
            if not slot.name:
                msg = f"{self._provider} sent a tool call without a name"
                raise ProtocolError(msg, frame=text.encode()[:256])
            call = ToolCall(slot.name, parse_arguments(text), slot.id)
            broken = call.arguments == {"_raw": text} or (not text.strip() and slot is self._slots[-1])
            (cut_calls if cut and broken else calls).append(call)
        return calls, cut_calls

    def _slot_of(self, delta: CallDelta, name: str) -> "_Slot":
        if delta.id:
            slot = self._by_id.get(delta.id)
            if slot is not None:
                # One id for two calls: only where both say that they are two, by index and name.
                twice = name and delta.index is not None and slot.index is not None and delta.index != slot.index
                return self._new(delta, None) if twice else slot
            slot = self._by_index.get(delta.index) if delta.index is not None else None
            late = slot is not None and slot.made_id and not name  # the id of a call that had begun without
            return slot if slot is not None and late else self._new(delta, delta.id)
        slot = self._last if delta.index is None else self._by_index.get(delta.index)
        if slot is None or (name and slot.name and (name != slot.name or slot.is_complete())):
            return self._new(delta, None)
        return slot

    def _new(self, delta: CallDelta, call_id: str | None) -> "_Slot":
        slot = _Slot(call_id or self._make_id(), delta.index, made_id=call_id is None)
        self._slots.append(slot)
        return slot

    def _make_id(self) -> str:
        """`tc_` and 26 characters, as the peer's; from a hash, as a codec has no randomness of its own."""
        digest = hashlib.sha256(f"{self._seed}:{len(self._slots)}".encode()).hexdigest()
        return f"tc_{digest[:26]}"


class _Slot:
    __slots__ = ("id", "index", "made_id", "name", "pieces", "size")

    def __init__(self, call_id: str, index: int | None, *, made_id: bool) -> None:
        self.id = call_id
        self.index = index
        self.made_id = made_id
        self.name = ""
        self.pieces: list[str] = []
        self.size = 0

    def is_complete(self) -> bool:
        """Its arguments are a whole JSON object. Looked into only where the last piece may end one: long arguments have many pieces."""
        if not self.pieces or not self.pieces[-1].rstrip().endswith("}"):
            return False
        text = "".join(self.pieces)
        return parse_arguments(text) != {"_raw": text}

    def has_whole(self, text: str) -> bool:
        """The server says all of the arguments once more, with its last chunk."""
        return len(text) == self.size and self.is_complete() and "".join(self.pieces) == text
