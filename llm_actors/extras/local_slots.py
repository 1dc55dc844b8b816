"""A bounded number of places and a fair line in front of them, for callers on any loop.

threading: a lock around a counter and a deque, held for a few instructions; nobody waits for anything else with it in hand.
"""

import threading
from collections import deque

from llm_actors.runtime import Future


class Slots:
    """`bound` places; who comes when they are taken waits, first come first served. Any thread, any loop."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._lock = threading.Lock()
        self._taken = 0
        self._line: deque[Future[None]] = deque()

    @property
    def taken(self) -> int:
        """How many places are taken."""
        return self._taken

    @property
    def waiting(self) -> int:
        """How many callers stand in line."""
        return len(self._line)

    async def acquire(self) -> None:
        """Takes a place, after those who came before. A cancelled wait leaves no trace: a place it was just given goes on to the next."""
        with self._lock:
            if self._taken < self.bound:
                self._taken += 1
                return
            turn: Future[None] = Future()
            self._line.append(turn)
        try:
            await turn
        except BaseException:  # also GeneratorExit, of a loop that was closed under its tasks
            self._leave(turn)
            raise

    def release(self) -> None:
        """Gives a place back, to the first in line if there is one."""
        with self._lock:
            turn = self._line.popleft() if self._line else None
            if turn is None:
                self._taken = max(0, self._taken - 1)
        if turn is not None:
            turn.set(None)

    def _leave(self, turn: Future[None]) -> None:
        with self._lock:
            standing = turn in self._line
            if standing:
                self._line.remove(turn)
        if not standing:
            self.release()
