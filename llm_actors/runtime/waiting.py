"""The two ways to wait: a thread by a lock, a coroutine by a future of its loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

from llm_actors.errors import LoopClosedError

from .clock import lent
from .loop import Loop
from .steps import Wait

SLICE = 1.0
"""Seconds after which who waits looks whether there is still somebody to answer."""


class ThreadWait:
    """A thread that waits: a `steps.Wait`."""

    __slots__ = ("_lock", "interrupted")
    slice = SLICE

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self.interrupted = False

    def sit(self, seconds: float) -> None:
        """Blocks until woken, or for that many seconds."""
        self._lock.acquire(timeout=max(0.0, seconds))

    def wake(self) -> None:
        """Ends the wait, also one that has not begun."""
        with contextlib.suppress(RuntimeError):  # woken already
            self._lock.release()

    def interrupt(self) -> None:
        """Ends the wait, to be followed by CancelledError."""
        self.interrupted = True
        self.wake()


def thread_wait() -> Wait:
    """A wait for this thread: that of the virtual loop that runs it, if one does."""
    loop = lent.loop
    return ThreadWait() if loop is None else loop.steps.wait()


class LoopWait:
    """A coroutine that waits, on `future`. `wake()` and `interrupt()`: any thread; again is no error."""

    __slots__ = ("_loop", "future")

    def __init__(self, loop: Loop, future: asyncio.Future[None] | None = None) -> None:
        self._loop = loop
        self.future: asyncio.Future[None] = loop.asyncio_loop.create_future() if future is None else future

    def wake(self) -> None:
        """Ends the wait."""
        if self._loop.is_current():
            self._release()
        else:
            self._send(self._release)

    @property
    def interrupted(self) -> bool:
        """It was woken or cancelled."""
        return self.future.done()

    def interrupt(self) -> None:
        """Makes the wait raise CancelledError."""
        self._send(self.future.cancel)

    def _send(self, call: Callable[[], object]) -> None:
        try:
            self._loop.post(call)
        except LoopClosedError:  # it may be ending: what still runs there may still wait
            with contextlib.suppress(RuntimeError):  # or be closed: then nobody waits any more
                self._loop.asyncio_loop.call_soon_threadsafe(call)

    def _release(self) -> None:
        if not self.future.done():
            self.future.set_result(None)
