"""A future of what several loops have to say: it is there when the last of them has spoken.

Who waits for it is not held up by a loop that can't speak any more: one that is closed counts as gone, and so does, after a time, one that
does not answer. That is looked after by those who wait, each second; nobody waits, nobody looks.
"""

from __future__ import annotations

import asyncio
import math
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from llm_actors.errors import BlockingWaitError

from .clock import of_this_thread
from .future import Future, Outcome
from .loop import Loop

A = TypeVar("A")
R = TypeVar("R")


class Gathering(Future[R], Generic[A, R]):
    """`combine(answers, missing)` makes the value: the answers in the order they came, and the loops that gave none. Any thread."""

    def __init__(self, combine: Callable[[list[A], list[Loop]], R]) -> None:
        super().__init__()
        self._combine = combine
        self._missing: dict[Loop, None] = {}
        self._silent: dict[Loop, None] = {}
        self._answers: list[A] = []
        self._until = math.inf
        self._open = False
        self._gathering = threading.RLock()  # reentrant: a signal may come while its own thread is inside

    def expect(self, loop: Loop) -> bool:
        """One more loop that is to answer. False when it is known to be."""
        with self._gathering:
            known = loop in self._missing
            self._missing[loop] = None
        return not known

    def arrive(self, loop: Loop, *answers: A) -> None:
        """It has; none where it has nothing to say. From one that was not missing: nothing."""
        with self._gathering:
            if loop not in self._missing:
                return
            del self._missing[loop]
            self._answers += answers
        self._settle()

    def begin(self, patience: float) -> None:
        """All that are to answer are known by now; with none, the value is there. In `patience` seconds the silent are given up.

        Again: the shorter patience counts.
        """
        self._open = True
        self._until = min(self._until, of_this_thread().monotonic() + patience)
        self._settle()

    @property
    def missing(self) -> list[Loop]:
        """Who has not answered yet."""
        with self._gathering:
            return list(self._missing)

    def _settle(self) -> None:
        with self._gathering:
            if self._missing or not self._open or self._outcome is not None:
                return
            value = self._combine(self._answers, list(self._silent))
        try:
            self.set(value)
        except queue.Full:  # two loops were the last at once
            return

    # ---- looked after by those who wait: see future.py

    def _lost(self) -> Outcome | None:
        lost = super()._lost()
        if lost is not None:
            return lost
        late = of_this_thread().monotonic() > self._until
        for loop in self.missing:
            if loop.closed:
                self.arrive(loop)
            elif late:
                self._silent[loop] = None
                self.arrive(loop)
        return self._outcome

    def _may_be_lost(self, loop: Loop) -> bool:
        return any(other is not loop for other in self.missing)

    def _check_inside(self, loop: asyncio.AbstractEventLoop) -> None:
        if any(other.asyncio_loop is loop for other in self.missing):
            msg = "blocked here, this event loop could never do its part: await it"
            raise BlockingWaitError(msg)
        super()._check_inside(loop)
