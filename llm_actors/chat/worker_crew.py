"""The workers of one pool: made when needed, kept while idle for some seconds, then dismissed.

All bookkeeping is on the loop, so a worker can't be dismissed and given work at the same time. An idle crew holds, in the end, no
thread and no timer (A4).
"""

from __future__ import annotations

import contextlib
import itertools
import weakref
from collections import deque
from functools import partial

from llm_actors.errors import LoopClosedError
from llm_actors.runtime import Future, Loop
from llm_actors.runtime.loop import Timer
from llm_actors.runtime.steps import Worker

from .tool_worker import ToolWorker

_numbers = itertools.count(1)  # one row for the process: no two threads of a report have one name

LEAVING = 1.0
"""Seconds that close() gives idle threads to end; they have nothing left to do."""


class WorkerCrew:
    """Hands out workers and takes them back. Its loop only."""

    def __init__(self, loop: Loop, prefix: str, idle: float) -> None:
        self._loop = loop
        self._prefix = prefix
        self._seconds = idle
        self._idle: deque[tuple[float, Worker]] = deque()
        self._leaving: set[Worker] = set()
        self._timer: Timer | None = None
        self._closed = False
        self._empty: Future[None] | None = None
        # A loop that is closed without its shutdown takes the crew with it, but not threads that wait for work.
        weakref.finalize(self, _dismiss_all, self._idle).atexit = False

    @property
    def idle(self) -> int:
        """How many wait for work."""
        return len(self._idle)

    def take(self) -> tuple[Worker, bool]:
        """A worker, the one that was busy last, and whether its thread is new. Raises RuntimeError when no thread can be started."""
        if self._idle:
            return self._idle.pop()[1], False
        steps = self._loop.steps
        worker = ToolWorker(f"{self._prefix}-{next(_numbers)}") if steps is None else steps.worker(self._prefix)
        worker.begin()
        return worker, True

    def give(self, worker: Worker) -> None:
        """Takes a worker back."""
        if self._closed:
            self._dismiss(worker)
            return
        self._idle.append((self._loop.clock.monotonic(), worker))
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._sweep)

    async def close(self) -> None:
        """Dismisses all idle workers, now and as they come back, and waits until the threads of the idle ones have ended."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._idle:
            self._dismiss(self._idle.pop()[1])
        if not self._leaving:
            return
        self._empty = Future()
        limit = self._loop.call_later(LEAVING, self._end_wait)
        await self._empty
        limit.cancel()

    def _sweep(self) -> None:
        self._timer = None
        now = self._loop.clock.monotonic()
        while self._idle and self._idle[0][0] + self._seconds <= now:
            self._dismiss(self._idle.popleft()[1])
        if self._idle:
            self._timer = self._loop.call_at(self._idle[0][0] + self._seconds, self._sweep)

    def _dismiss(self, worker: Worker) -> None:
        self._leaving.add(worker)
        worker.gone = partial(_tell_gone, self._loop, self, worker)
        worker.stop()

    def gone(self, worker: Worker) -> None:
        """The worker has done its last; its thread ends within microseconds, so waiting for that holds nobody up."""
        worker.join(LEAVING)
        self._leaving.discard(worker)
        if not self._leaving:
            self._end_wait()

    def _end_wait(self) -> None:
        if self._empty is not None and not self._empty.done():
            self._empty.set(None)


def _tell_gone(loop: Loop, crew: WorkerCrew, worker: Worker) -> None:
    with contextlib.suppress(LoopClosedError):  # nobody waits there any more
        loop.post(crew.gone, worker)


def _dismiss_all(idle: deque[tuple[float, Worker]]) -> None:
    for _, worker in idle:
        worker.stop()
