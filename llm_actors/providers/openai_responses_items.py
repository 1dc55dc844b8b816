"""The items of an answer of OpenAI's Responses, put together from their events.

    above it   openai_responses_answer.py
    below it   messages

    Slot    one output item in the making: what was streamed of it, and what it says of itself when it is done
    Slots   all of them; finds the one that an event belongs to

By OpenAI's reference an event names its item by `output_index` and `item_id`. Servers leave out the one or the other, or make up ids anew
for each event, so the index goes first, then the id, then the order; and an event is only ever taken for an item of its own kind.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from llm_actors.errors import ProtocolError
from llm_actors.messages import Item, StreamEvent

CUSTOM = "custom_tool_call"
CALLS = ("function_call", CUSTOM)

Channel = tuple[str, int]
"""What of an item is streamed in pieces: a field of it, and which of several (content part, part of a summary)."""


class Slots:
    """The items of one answer. `seed` makes the ids of calls that came without: the same answer to the same request gives the same ids."""

    def __init__(self, provider: str, seed: str) -> None:
        self.slots: list[Slot] = []
        self._provider = provider
        self._seed = seed
        self._by_index: dict[tuple[str, int], Slot] = {}
        self._by_id: dict[tuple[str, str], Slot] = {}

    def __iter__(self) -> Iterator["Slot"]:
        return iter(self.slots)

    def of(self, kind: str) -> list["Slot"]:
        """The items of one kind, in order."""
        return [slot for slot in self.slots if slot.kind == kind]

    def find(self, kind: str, index: int | None, item_id: str | None) -> "Slot":
        """The item of this kind that an event belongs to; a new one where there is none."""
        slot = self._by_index.get((kind, index)) if index is not None else None
        if slot is not None and slot.done and item_id and slot.item_id not in (None, item_id):
            slot = None  # another item under a number that was used before
        if slot is None and item_id:
            slot = self._by_id.get((kind, item_id))
        if slot is None:
            slot = self._open(kind, named=index is not None or bool(item_id)) or self.new(kind)
        if index is not None:
            self._by_index[kind, index] = slot
            slot.named = True
        if item_id:
            slot.item_id = slot.item_id or item_id
            self._by_id.setdefault((kind, item_id), slot)
            slot.named = True
        return slot

    def _open(self, kind: str, *, named: bool) -> "Slot | None":
        """The last item that is not done: for an event that names none, or for one that names what others did not."""
        for slot in reversed(self.slots):
            if slot.kind == kind and not slot.done:
                return None if named and slot.named else slot
        return None

    def new(self, kind: str) -> "Slot":
        """One more item."""
        digest = hashlib.sha256(f"{self._seed}:{len(self.slots)}".encode()).hexdigest()
        slot = Slot(self._provider, kind, f"tc_{digest[:26]}")  # the peer's form of ids that it makes up
        self.slots.append(slot)
        return slot


class Slot:
    """One output item. Its methods give the items for the readers that come of what they are told."""

    __slots__ = ("_announced", "_made_id", "_provider", "done", "item", "item_id", "kind", "named", "pieces")

    def __init__(self, provider: str, kind: str, made_id: str) -> None:
        self.kind = kind
        self.item_id: str | None = None
        self.item: dict[str, Any] = {}
        self.done = False
        self.named = False  # by an index or an id
        self.pieces: dict[Channel, list[str]] = {}
        self._provider = provider
        self._made_id = made_id
        self._announced = False

    @property
    def name(self) -> str:
        """The name of the tool that a call is for."""
        name = self.item.get("name")
        return name if isinstance(name, str) else ""

    @property
    def call_id(self) -> str:
        """The id by which a call is answered: `call_id`, not the item's own."""
        call_id = self.item.get("call_id") or self.item_id
        return call_id if isinstance(call_id, str) and call_id else self._made_id

    def text(self, channel: Channel) -> str:
        """What was streamed of it."""
        return "".join(self.pieces.get(channel, ()))

    def begin(self, item: dict[str, Any]) -> list[Item]:
        """The item as it is when it begins: its name and its ids count, its content comes in events."""
        self.item = {**item, **self.item}
        return self._announce() if self.kind in CALLS else []

    def add(self, channel: Channel, text: str) -> list[Item]:
        """A piece of it."""
        first = channel not in self.pieces
        between = first and bool(self.pieces)
        self.pieces.setdefault(channel, []).append(text)
        if self.kind == "message":
            return [text]
        if self.kind == "reasoning":
            return [StreamEvent("reasoning", f"\n\n{text}" if between else text)]
        if self.kind == "function_call" and self._announced:
            return [StreamEvent("tool_call_args", text, tool_call_id=self.call_id)]
        return []

    def complete(self, channel: Channel, text: Any) -> list[Item]:
        """The whole of what was to come in pieces: gives what is missing at its end. Raises `ProtocolError` for pieces that got lost.

        Where server and stream only differ in blanks, or the stream had more, what readers have seen stands.
        """
        if isinstance(text, dict):  # the arguments of a call, on some servers
            text = msgspec.json.encode(text).decode()
        if not isinstance(text, str) or not text:
            return []
        seen = self.text(channel)
        if not seen and any(self.text(other) == text for other in self.pieces):
            return []  # streamed under another number
        if text.startswith(seen):
            return self.add(channel, text[len(seen) :]) if len(text) > len(seen) else []
        if self.kind in CALLS:
            self.pieces[channel] = [text]  # what is executed is what the server says in the end
        elif len("".join(text.split())) > len("".join(seen.split())):
            msg = f"a piece of the answer of {self._provider} is missing: it ends with a text that is not what came before"
            raise ProtocolError(msg, frame=text[:256].encode("utf-8", "replace"))
        return []

    def end(self, item: dict[str, Any]) -> list[Item]:
        """The item as it is when it is done."""
        if self.done:
            return []
        self.done = True
        known = self.kind in ("message", "reasoning", *CALLS)
        said = {name: value for name, value in item.items() if value is not None}
        self.item = {**self.item, **said} if known else item  # what is not ours goes back as it came
        item_id = item.get("id")
        self.item_id = item_id if isinstance(item_id, str) else self.item_id
        found = self._announce() if self.kind in CALLS else []
        for channel, text in _contents(self.kind, item):
            found += self.complete(channel, text)
        return found

    def repeat(self, item: dict[str, Any]) -> None:
        """The item once more, in the last event: some servers send what has to go back only there."""
        if self.kind == "reasoning" and not self.item.get("encrypted_content"):
            self.item["encrypted_content"] = item.get("encrypted_content")

    def _announce(self) -> list[Item]:
        """A call's name, once it is known, and what had come before it."""
        if self._announced or not self.name or not (self.item.get("call_id") or self.done):
            return []
        self._announced = True
        found: list[Item] = [StreamEvent("tool_call_name", self.name, tool_call_id=self.call_id)]
        early = self.text(("arguments", 0)) if self.kind == "function_call" else ""
        return [*found, StreamEvent("tool_call_args", early, tool_call_id=self.call_id)] if early else found


def _contents(kind: str, item: dict[str, Any]) -> Iterator[tuple[Channel, Any]]:
    """What an item that is done holds of what is streamed."""
    if kind == "function_call":
        yield ("arguments", 0), item.get("arguments")
    elif kind == CUSTOM:
        yield ("input", 0), item.get("input")
    for field in ("summary", "content") if kind in ("message", "reasoning") else ():
        value = item.get(field)
        parts = [{"text": value}] if isinstance(value, str) else value if isinstance(value, list) else []
        for index, part in enumerate(parts):
            if isinstance(part, dict):
                refusal = part.get("type") == "refusal"
                yield ("refusal" if refusal else field, index), part.get("refusal" if refusal else "text")
