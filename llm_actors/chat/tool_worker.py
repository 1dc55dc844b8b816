"""A worker thread for users' code: takes one piece of work at a time, and lives until it is dismissed."""

from __future__ import annotations

from collections.abc import Callable

from llm_actors.runtime.steps import Work
from llm_actors.runtime.worker_thread import WorkerThread


class ToolWorker(WorkerThread):
    """A Pykka actor with a thread: a `runtime.steps.Worker`. `gone` is called at its end, in its thread."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.gone: Callable[[], None] | None = None

    def send(self, work: Work) -> None:
        """Gives it work. Any thread."""
        self.actor_ref.tell(work)

    def on_receive(self, message: Work) -> None:
        """Does the work."""
        message.work(self)

    def on_stop(self) -> None:
        """Tells who dismissed it."""
        if self.gone is not None:
            self.gone()
