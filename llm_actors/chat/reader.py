"""A task's place in a log: what `async for` goes through.

Not an async generator: one that a `break` leaves half-way would be closed by a task of its own, which a loop that ends in that moment
destroys, loudly. A reader that is dropped leaves nothing at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from llm_actors.messages import Item

    from .event_log import EventLog

T = TypeVar("T")


class Reader(AsyncIterator[T], Generic[T]):
    """Gives what `pick(log, items, number)` makes of the items from `number` on, then what `last(log)` gives or raises. Any loop.

    Several tasks may share one: each takes what comes next.
    """

    __slots__ = ("__weakref__", "_last", "_log", "_number", "_over", "_pick", "_ready")

    def __init__(
        self,
        log: EventLog,
        pick: Callable[[EventLog, list[Item], int], Iterable[T]],
        last: Callable[[EventLog], Iterable[T]],
        *,
        number: int = 0,
    ) -> None:
        self._log = log
        self._pick = pick
        self._last = last
        self._number = number
        self._ready: deque[T] = deque()
        self._over = False

    async def __anext__(self) -> T:
        while not self._ready:
            if self._over:
                raise StopAsyncIteration
            await self._read()
        return self._ready.popleft()

    async def _read(self) -> None:
        log, number = self._log, self._number
        items = await log.after(number)
        if self._number != number:  # another task was quicker
            return
        if items:
            self._number += len(items)
            self._ready.extend(self._pick(log, items, number))
            return
        await log.ended()
        if not self._over:
            self._ready.extend(self._last(log))
            self._over = True

    async def aclose(self) -> None:
        """Gives nothing more. There is no need to call it."""
        self._over = True
        self._ready.clear()
