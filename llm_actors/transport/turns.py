"""How much all streams of a loop read and decode in one of its turns, so that no turn works through all that has arrived.

With data in every socket no reader ever waits: two hundred streams of a hundred chunks each were one turn of 200 ms. What is read is
counted here, and once it is enough for one turn, who comes next waits in line for a later one. Counted, not timed: the same in each run of
a simulation. A stream that is alone, or slow, hardly ever waits: 0.1 us a read.
"""

from __future__ import annotations

import asyncio
from collections import deque

from llm_actors.runtime.loop import Loop

TURN = 48 * 2**10
"""Bytes of one turn: 2 ms over httpcore, 0.5 ms over aiohttp. The piece that passes it is not cut."""
READ = 1536
"""What a read counts beside its bytes: a wake-up, and its way through the layers."""
REQUEST = 6 * 2**10
"""What a request that begins counts."""


class Turns:
    """One for each loop. Its loop only."""

    __slots__ = ("_cost", "_left", "_line", "_loop", "_woken")

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._left = TURN
        self._cost: float = (
            REQUEST  # what one of those who go on will take: as those before it, the last ones above all
        )
        self._line: deque[asyncio.Future[None]] = deque()
        self._woken = False

    def spent(self, cost: int) -> None:
        """Somebody has gone on, and it was so much."""
        self._left -= cost
        self._cost += (cost - self._cost) / 8

    def wait(self) -> asyncio.Future[None] | None:
        """What to wait for before going on; None when there is room in this turn."""
        if self._left > 0 and not self._line:
            return None
        place: asyncio.Future[None] = self._loop.asyncio_loop.create_future()
        self._line.append(place)
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self._next)
        return place

    def _next(self) -> None:
        """A new turn: as many of the line go on as it will have room for."""
        self._left = TURN
        room: float = TURN
        while self._line and room > 0:
            place = self._line.popleft()
            if not place.done():  # else it was cancelled
                place.set_result(None)
                room -= self._cost
        self._woken = bool(self._line)
        if self._woken:
            self._loop.call_soon(self._next)
