"""A user's code while it runs: it can be told to end, and its waits in waits of ours are interrupted then."""

from __future__ import annotations

from collections.abc import Callable

from llm_actors.runtime.future import waiting


class RunningCode:
    """Implements `runtime.future.Waiting` for one call. A thread can't be killed; what can be done is to tell it and to end its waits."""

    __slots__ = ("_interrupts", "_open", "_unbegun", "told")

    def __init__(self) -> None:
        self.told = False
        self._unbegun = [None]
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

    def begins(self) -> bool:
        """Who asks first decides: the thread, that it runs from now on, or who stops it, that it never will. Any thread.

        Without it a tool could begin after its cancel had returned: a thread that has been given work takes a while to come to it.
        """
        try:
            self._unbegun.pop()  # one bytecode that one thread alone gets through
        except IndexError:
            return False
        return True

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
