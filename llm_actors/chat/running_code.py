"""A user's code while it runs: it can be told to end, and its waits in waits of ours are interrupted then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llm_actors.runtime.unit import Unit, waiting

if TYPE_CHECKING:
    from llm_actors.runtime.open_wait import OpenWait
    from llm_actors.runtime.wait_graph import Node


class RunningCode(Unit):
    """One call, a `runtime.Unit`. A thread can't be killed; what can be done is to tell it and to end its waits."""

    __slots__ = ("_unbegun", "over", "told")

    def __init__(self) -> None:
        super().__init__()
        self.told = False
        self.over = False
        """Whether the call has returned: what it has left running is not it any more."""
        self._unbegun = [None]

    def enter(self, wait: OpenWait) -> None:
        """A wait of ours begins inside it. One that was told gets its CancelledError at once. Any thread."""
        # tell() sets the flag before it reads the list, this reads the flag after it has written: one of the two interrupts.
        if self.told:
            wait.interrupt()

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
        for wait in self._open.copy():
            wait.interrupt()

    def needs(self) -> Sequence[Node]:
        """The waits that hold it up now. One that was told is about to end. Any thread."""
        return () if self.told else super().needs()


class TaskCode(RunningCode):
    """Code that runs as a task: it is cancelled as a task is."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def enter(self, wait: OpenWait) -> None:
        """A wait of ours begins inside it: a task's is left to its cancel, or it could not await anything in its `finally`."""
        if wait.in_task:
            wait.interrupt = leave_alone
        super().enter(wait)

    def label(self) -> str:
        """See runtime.wait_graph.Node."""
        return f"(in {self._name})"


def leave_alone() -> None:
    """In place of an interrupt."""


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
