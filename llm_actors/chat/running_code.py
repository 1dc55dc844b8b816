"""A user's code while it runs: it can be told to end, and its waits in waits of ours are interrupted then."""

from __future__ import annotations

from collections.abc import Callable

from llm_actors.runtime.future import waiting


class RunningCode:
    """Implements `runtime.future.Waiting` for one call. A thread can't be killed; what can be done is to tell it and to end its waits."""

    __slots__ = ("_interrupts", "_open", "told")
    over = False
    """Whether the call has returned: what it has left running is not it any more."""

    def __init__(self) -> None:
        self.told = False
        self._open = 0
        self._interrupts: list[Callable[[], None]] = []

    def enter(self, interrupt: Callable[[], None]) -> None:
        """A wait of ours begins inside it. One that was told gets its CancelledError at once. Any thread."""
        self._open += 1
        self._interrupts.append(interrupt)
        # tell() sets the flag before it reads the list, this reads the flag after it has written: one of the two interrupts.
        if self.told:
            interrupt()

    def exit(self) -> None:
        """The wait is over. Any thread."""
        self._open -= 1
        # Code that waits several times at once (a gather) does not say which wait ended; to interrupt one that is over does nothing.
        if not self._open:
            self._interrupts.clear()

    def tell(self) -> None:
        """`cancelled()` is true in it from now on, and each wait of ours, now and later, raises CancelledError. Any thread."""
        self.told = True
        for interrupt in self._interrupts.copy():
            interrupt()


def cancelled() -> bool:
    """Inside a tool or a model's `execute()`: whether its turn is cancelled or its time is up. False everywhere else. Any thread.

    A thread can't be stopped from outside: a long loop in a sync tool asks this now and then, and returns.
    """
    code = waiting.get()
    return isinstance(code, RunningCode) and code.told


def in_turn() -> bool:
    """Whether this is code that a turn under way has called, and waits for: a tool, a hook, a model's `execute()`. Any thread."""
    code = waiting.get()
    return isinstance(code, RunningCode) and not code.told and not code.over
