"""A finished stream in bytes instead of objects: the same items under the same numbers, at a tenth of the memory.

20,000 chunks of four characters held as a list of str take 1.2 MB; folded they take the 80 kB of their text and 4 bytes for each chunk.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import accumulate

from llm_actors.messages import Item, StreamEvent


class Fold:
    """A read-only sequence of items: text chunks as slices of one str, the rest as they were."""

    __slots__ = ("_ends", "_events", "text")

    def __init__(self, items: list[Item], text: str | None = None) -> None:
        """`text`: the join of all text chunks, where the caller has it already, so that it's held once."""
        events: dict[int, StreamEvent] = {}
        try:
            joined = "".join(items)  # type: ignore[arg-type] # text alone, as most are
            ends = array("I", accumulate(map(len, items)))  # type: ignore[arg-type]
        except TypeError:
            events = {place: item for place, item in enumerate(items) if not isinstance(item, str)}
            texts = [item if isinstance(item, str) else "" for item in items]
            joined, ends = "".join(texts), array("I", accumulate(map(len, texts)))
        self.text: str = text if text is not None and text == joined else joined
        self._ends = ends
        self._events = events

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def events(self) -> Iterable[StreamEvent]:
        """The items that are no plain text."""
        return self._events.values()

    def since(self, number: int) -> Iterator[Item]:
        """The items from this number on."""
        ends = self._ends
        start = ends[number - 1] if 0 < number <= len(ends) else 0
        for place in range(number, len(ends)) if number >= 0 else ():
            end = ends[place]
            event = self._events.get(place)
            yield self.text[start:end] if event is None else event
            start = end
