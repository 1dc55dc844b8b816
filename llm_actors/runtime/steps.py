"""The seam where threads come from: a loop that runs sync code as steps of its own, in place of threads, brings a `Steps`.

A virtual loop does (`llm_actors.testing`): its threads run one at a time, at moments that its seed draws, and wait in virtual time. On
every other loop `Loop.steps` is None, and sync code runs in threads of the system.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Work(Protocol):
    """What a worker is sent."""

    def work(self, worker: Worker) -> None:
        """Does it, in the worker's thread. Raises nothing: what users' code raised is handed back as an Outcome."""


class Worker(Protocol):
    """A thread for users' code: takes one piece of work at a time, and lives until it is dismissed."""

    thread_name: str
    gone: Callable[[], None] | None
    """Called at its end."""

    def begin(self) -> None:
        """Starts it. Raises RuntimeError when the system has no more threads. Any thread."""

    def send(self, work: Work) -> None:
        """Gives it work. Any thread."""

    def stop(self) -> Any:
        """Dismisses it: what it was sent is done first. Any thread."""

    def join(self, timeout: float) -> None:
        """Waits until it has ended, or for `timeout` seconds. Any other thread."""


class Wait(Protocol):
    """A thread's wait. `wake()` and `interrupt()`: any thread; again is no error."""

    interrupted: bool
    slice: float
    """Seconds after which it looks whether there is still somebody to wake it."""

    def sit(self, seconds: float) -> None:
        """Waits until woken, or for that many seconds (`math.inf`: for ever)."""

    def wake(self) -> None:
        """Ends the wait, also one that has not begun."""

    def interrupt(self) -> None:
        """Ends the wait, to be followed by CancelledError."""


class Steps(Protocol):
    """Runs sync code for one loop. Any thread of that loop's."""

    def worker(self, prefix: str) -> Worker:
        """A worker of its own kind, with a name of this prefix."""
        ...

    def start(self, call: Callable[[], None], name: str) -> None:
        """Makes a call that raises nothing, in place of a thread of its own."""

    def wait(self) -> Wait:
        """How its threads wait."""
        ...
