"""A ThreadingActor as a pool wants it: a daemon thread of a given name, not in ActorRegistry."""

from __future__ import annotations

import threading

from .threading_actor import ThreadingActor


class WorkerThread(ThreadingActor):
    """An actor that its pool alone knows. `begin()` in place of `start()`: `ActorRegistry.stop_all()` does not stop it."""

    use_daemon_thread = True

    def __init__(self, name: str) -> None:
        super().__init__()
        self.thread_name = name
        self._thread = threading.Thread(target=self._actor_loop, name=name, daemon=self.use_daemon_thread)

    def begin(self) -> None:
        """Starts its thread. Raises RuntimeError when the system has no more threads. Any thread."""
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Blocks until its thread has ended, or for `timeout` seconds. Any other thread."""
        self._thread.join(timeout)
