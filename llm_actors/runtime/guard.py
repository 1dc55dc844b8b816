"""One lock for state that several loops share and touch for a few instructions: nothing runs, waits or sends under it."""

from __future__ import annotations

import os
import threading


class Guard:
    """`with guard:`. Any thread; reentrant, as a finalizer may come while its own thread is inside."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """In a forked child: the thread that held it may not be there."""
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


guard = Guard()

if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=guard.forget)
