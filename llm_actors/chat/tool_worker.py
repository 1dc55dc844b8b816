"""A worker thread for users' code: takes one piece of work at a time, and lives until it is dismissed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from llm_actors.runtime.worker_thread import WorkerThread


class Work(Protocol):
    """What a worker is sent."""

    def work(self, worker: ToolWorker) -> None:
        """Does it, in the worker's thread. Raises nothing: what users' code raised is handed back as an Outcome."""


class ToolWorker(WorkerThread):
    """A Pykka actor with a thread. `gone` is called at its end, in its thread."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.gone: Callable[[], None] | None = None

    def on_receive(self, message: Work) -> None:
        """Does the work."""
        message.work(self)

    def on_stop(self) -> None:
        """Tells who dismissed it."""
        if self.gone is not None:
            self.gone()
