"""The task that is inside an `async with`: it can be interrupted from outside, and tells that from a cancel by somebody else."""

from __future__ import annotations

import asyncio
from asyncio import Task

from .loop import Loop

__all__ = ["Body", "Task", "is_cancel"]


class Body:
    """Made by the task itself. Its loop only."""

    def __init__(self, loop: Loop) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.loop = loop
        self.interrupted = False
        self._task = task
        self._before = task.cancelling()
        self._over = False

    def interrupt(self) -> None:
        """Makes what it waits for raise CancelledError; once, and not when it is over."""
        if not (self._over or self.interrupted):
            self.interrupted = True
            self._task.cancel()

    def leave(self) -> None:
        """It is over: it is not interrupted any more."""
        self._over = True

    def cancelled(self) -> bool:
        """After its end: whether somebody else has cancelled the task since. Takes our own interrupt back; so once."""
        if self.interrupted:
            self._task.uncancel()
        return self._task.cancelling() > self._before


def is_cancel(error: BaseException | None) -> bool:
    """Whether this is asyncio's way to end a task."""
    return isinstance(error, asyncio.CancelledError)
