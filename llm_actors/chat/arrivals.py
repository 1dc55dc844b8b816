"""What has arrived of a response, in order, each item under a number that it keeps: the half of the event log that waits for nobody.

    text      the str items, `text` events, and a blank between two rounds where neither side has white space
    restart   an item that takes back what came since its round began: it stays under its numbers, and is no text any more

One writer, on its loop; any thread may read beside it without a lock, as the writer only appends, and folds before it lets go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from llm_actors.messages import Item, StreamEvent

from .fold import Fold

BATCH = 256
"""Items that a reader takes at once: a slow one must not hold for long what the fold lets go of."""


class Arrivals:
    """See the head of this file."""

    __slots__ = ("_before", "_fold", "_items", "_last", "_separate", "dropped", "kept_from")

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._fold: Fold | None = None
        self._separate = False
        self._last = self._before = ""  # the last text, and the last one before this round
        self.dropped: tuple[range, ...] = ()
        """The numbers of what a restart took back."""
        self.kept_from = 0
        """The number from which on the round under way counts."""

    def take(self, items: Iterable[Item]) -> None:
        """The next items. The writer's loop only."""
        for item in items:
            if isinstance(item, str):
                if self._separate:
                    self._separate = False
                    # The peer shows one blank between two rounds where neither side has white space; it is in no message.
                    if self._last and not self._last[-1].isspace() and not item[:1].isspace():
                        self._items.append(StreamEvent("separator", " "))
                if item:
                    self._last = item
            elif item.type == "round":
                self._begin(self._last)
            elif item.type == "restart":
                self.dropped = (*self.dropped, range(self.kept_from, len(self._items)))
                self._begin(self._before)
            self._items.append(item)

    def _begin(self, last: str) -> None:
        """A round begins, or begins again, with the next item."""
        self._separate = True
        self._last = self._before = last
        self.kept_from = len(self._items) + 1

    def fold(self, text: str | None) -> None:
        """No more will come. `text`: as for `Fold`. The writer's loop only."""
        self._fold = Fold(self._items, text)
        self._items = []

    def __len__(self) -> int:
        items, fold = self._items, self._fold  # in this order: the fold is there before the items are let go
        return len(items) if fold is None else len(fold)

    def since(self, number: int) -> Iterator[Item]:
        """The items from this number on, as far as they are here. Any thread."""
        items, fold = self._items, self._fold
        return iter(items[number:]) if fold is None else fold.since(number)

    def batch(self, number: int) -> list[Item]:
        """The next items for a reader that has come to this number, at most BATCH. Any thread."""
        items, fold = self._items, self._fold
        return items[number : number + BATCH] if fold is None else list(islice(fold.since(number), BATCH))

    def kept(self, items: Iterable[Item], number: int) -> Iterable[Item]:
        """The items, the first of which has this number, without those that a restart has taken back by now. Any thread."""
        dropped = self.dropped
        if not dropped:
            return items
        return (item for place, item in enumerate(items, number) if not any(place in gone for gone in dropped))

    def text_so_far(self) -> str:
        """All text that has arrived and counts, with a chain's separators. Any thread."""
        fold = self._fold
        if fold is not None and not self.dropped and not any(shown(event) for event in fold.events):
            return fold.text
        items = list(self.since(0))
        return "".join([item if isinstance(item, str) else item.chunk for item in self.kept(items, 0) if shown(item)])


def shown(item: Item) -> bool:
    """Whether this item is part of the text that a reader sees."""
    return isinstance(item, str) or item.type in ("text", "separator")
