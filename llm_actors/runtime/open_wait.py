"""A wait of ours that has begun, in a unit's code or blocking a loop: an edge in the graph of waits (wait_graph.py).

In the unit's own task or thread a wait holds the unit up from its first moment. In a task that it has started beside itself it does so
only while the unit really waits for that task (holding_up.py). It may begin to later, so such a wait looks again: when this turn of the
loop is over, and then each time after as long as it has lasted. A wait enters the graph and looks for a circle under one lock, so of
those that close one at the same time exactly one raises. The others go on when its error has reached them.

Not found: waits in threads that a unit starts itself (`asyncio.to_thread`), what holding_up.py does not follow, locks and queues that are
not ours, Pykka's own ThreadingActors and futures, what is computed in a thread (a get hook). A circle over one of those is left to its
time limits.

Measured on CPython 3.11, on a busy two-core machine (CPU time, best of 5 x 3,000 awaited asks): outside of units nothing, for it is not
made there: 10.8 us; in a handler 15.7 us. An awaited `response.text()`, 190 us, is not measurably slower in either.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from llm_actors.errors import DeadlockError, LoopClosedError

from .holding_up import holds_up
from .loop import Loop, of
from .unit import BlockedLoop, Unit
from .wait_graph import Node, chain_of, circle

if TYPE_CHECKING:
    from .future import Future

FIRST_LOOK = 0.02
"""Seconds until a wait in a task beside the unit looks for the second time; the next time after twice as many, and so on."""
LOOKS = 20
"""How often at most: 0.02 s, doubled that often, are hours."""

_lock = threading.RLock()  # one for all; reentrant: a finalizer may wait while its own thread looks


class Sleeper(Protocol):
    """What really waits: a ThreadWait, a LoopWait, or that of a virtual loop."""

    @property
    def interrupted(self) -> bool:
        """It ends without the answer."""
        ...

    def wake(self) -> None:
        """Ends it. Any thread; again is no error."""

    def interrupt(self) -> None:
        """Ends it, to be followed by asyncio.CancelledError. Any thread; again is no error."""


class OpenWait:
    """One wait: a `wait_graph.Node`. `begin()` and `end()` where it waits, the rest in any thread."""

    __slots__ = ("_future", "_own", "_sleeper", "_state", "_task", "_timer", "error", "interrupt", "units")
    either = False

    def __init__(self, future: Future[Any], sleeper: Sleeper, units: Sequence[Unit], task: Any, *, own: bool) -> None:
        self._future = future
        self._sleeper = sleeper
        self.units = units
        self._task = task
        self._own = own
        self._state = 0  # 1: in the graph; 2: its unit has been told, too
        self._timer: asyncio.Handle | None = None
        self.interrupt = sleeper.interrupt
        self.error: DeadlockError | None = None
        """A circle that was found while it waited; it was woken to raise it."""

    @classmethod
    def of_task(cls, future: Future[Any], sleeper: Sleeper, unit: Unit) -> OpenWait:
        """A wait of the running task's."""
        task = asyncio.current_task()
        return cls(future, sleeper, (unit,), task, own=task is unit.place)

    @classmethod
    def of_thread(cls, future: Future[Any], sleeper: Sleeper, unit: Unit | None) -> OpenWait | None:
        """A wait of this thread's, which may be that of a loop; None where it holds up nobody that we know."""
        inside = asyncio._get_running_loop()
        units = () if unit is None else (unit,)
        own = unit is not None and unit.place == threading.get_ident()
        if inside is not None:
            own = own or (unit is not None and unit.place is not None and unit.place is asyncio.current_task(inside))
            units = (*units, BlockedLoop.of(of(inside)))
        return cls(future, sleeper, units, None, own=own) if units else None

    # ---- where it waits ---------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Enters the graph. Raises DeadlockError when that closes a circle; then `end()` is to be called all the same."""
        with _lock:
            self._state = 1
            for unit in self.units:
                unit.opened(self)
            error = self._found() if self._future._blockers() else None
        if error is not None:
            raise error
        self._state = 2
        for unit in self.units:
            unit.enter(self)
        if self._task is not None and not self._own and self._future.traced:
            self._timer = self._task.get_loop().call_soon(self._look_again, FIRST_LOOK, LOOKS)

    def end(self) -> None:
        """Leaves it, whatever ended the wait."""
        state, self._state = self._state, 0
        if self._timer is not None:
            self._timer.cancel()
        for unit in self.units if state else ():
            unit.closed(self)
            if state > 1:
                unit.exit(self)

    def check(self) -> None:
        """Raises what was found while it waited."""
        if self.error is not None:
            raise self.error

    @property
    def in_task(self) -> bool:
        """Whether a task waits, not a thread."""
        return self._task is not None

    # ---- what the graph asks ----------------------------------------------------------------------------------------

    def needs(self) -> Sequence[Node]:
        """Who has to go on before the answer can come."""
        return self._future._blockers() if self._is_pending() else ()

    def holds(self, unit: Unit) -> bool:
        """Whether that unit can't go on before this ends."""
        if not self._is_pending():
            return False
        if self._own or isinstance(unit, BlockedLoop):
            return True
        return self._task is not None and unit.place is not None and holds_up(self._task, unit.place)

    def label(self) -> str:
        """It has none: who waits has one."""
        return ""

    def _is_pending(self) -> bool:
        future = self._future
        owner = future._owner
        return (
            future._outcome is None
            and self.error is None
            and not self._sleeper.interrupted
            and (owner is None or not owner.ended)
        )

    # ---- looking ----------------------------------------------------------------------------------------------------

    def _found(self) -> DeadlockError | None:
        error, inexact = deadlock(self)
        if error is not None and inexact is not None:
            with contextlib.suppress(LoopClosedError):
                inexact.post(self.look)
            return None
        return error

    def look(self) -> None:
        """Looks again, and wakes the wait if it has come to be part of a circle. Any thread."""
        with _lock:
            if self._state and self._is_pending():
                self.error = self._found()
        if self.error is not None:
            self._sleeper.wake()

    def _look_again(self, distance: float, left: int) -> None:
        self.look()
        if self._state and self.error is None and left:
            self._timer = self._task.get_loop().call_later(distance, self._look_again, 2 * distance, left - 1)


def deadlock(start: Node) -> tuple[DeadlockError | None, Loop | None]:
    """What to raise where `start` is part of a circle of waits; and the loop that must be asked again, where only it knows for sure."""
    found = circle(start)
    if found is None:
        return None, None
    chain = chain_of(found)
    around = " -> ".join([*chain, *chain[:1]])
    error = DeadlockError(f"this wait would never end, each of these waits for the next: {around}", chain)
    exact = [loop for node in found if (loop := getattr(node, "exact_on", None)) is not None]
    return error, next((loop for loop in exact if not loop.is_current()), None)


def look_from(start: Node) -> DeadlockError | None:
    """For what begins to wait, but not in a wait of ours: a call in a line. What to end it with, None where it is in no circle."""
    with _lock:
        return deadlock(start)[0]


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - one for each process
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
