"""What a supervisor decides, in OTP's words. Pure: the time and chance come in as arguments, a supervisor does what is decided.

    child        starting -> up -> stopping -> down -> starting ...     or forgotten, for good
    strategy     one_for_one: who failed is restarted      one_for_all: all are      rest_for_one: also those started after it
    restart      permanent: always      transient: when it failed      temporary: never
    intensity    so many restarts within `period` seconds; one failure more and the supervisor gives up: stops all, and fails itself

A group is stopped in the reverse order of its start, one at a time, and started in its order, one at a time, when each one's wait is over.
A child's start that fails counts as its failure.
"""

from __future__ import annotations

from asyncio import CancelledError
from itertools import count
from typing import Literal, NamedTuple, TypeAlias

from .backoff import Backoff
from .ending import Ending
from .intensity import Intensity
from .settings import Restart, Strategy

State: TypeAlias = Literal["starting", "up", "stopping", "down"]


class Start(NamedTuple):
    """Start this child; then `started()`, or `ended()` where that fails."""

    id: str


class Stop(NamedTuple):
    """Stop this child, `for_good` or to be started again; then `ended()`."""

    id: str
    for_good: bool


class Forget(NamedTuple):
    """Not restarted: this is how it ended, None where it was not up. Not `for_good`: it may come back with its supervisor."""

    id: str
    ending: Ending | None
    for_good: bool


class WakeAt(NamedTuple):
    """Call `woken()` at this time."""

    when: float


class GiveUp(NamedTuple):
    """All children are stopped: `id` failed once more than is allowed. Fail."""

    id: str
    ending: Ending


class Over(NamedTuple):
    """All children are stopped, as was asked for."""


Command: TypeAlias = Start | Stop | Forget | WakeAt | GiveUp | Over


class Ward:
    """A child, as its supervisor sees it."""

    __slots__ = ("again", "due", "failures", "id", "last", "marked", "place", "restart", "restarts", "since", "state")

    def __init__(self, id: str, restart: Restart, now: float, state: State, place: int) -> None:
        self.id = id
        self.place = place  # in the order of start
        self.restart: Restart = restart
        self.state: State = state
        self.since = now  # when it was last started
        self.due = now  # when it may be started
        self.marked = False  # it is to be stopped, with its group
        self.again = False  # after its stop it is started again
        self.failures = 0  # in a row
        self.restarts = 0 if state == "up" else -1
        self.last: Ending | None = None  # how it ended last

    def comes_back(self, ending: Ending) -> bool:
        """Whether it is restarted after such an end."""
        if ending.reason == "loop ended":  # nothing can be started there any more
            return False
        return self.restart == "permanent" or (self.restart == "transient" and ending.reason != "stopped")


class Supervision:
    """See the head of this file. Each call gives what is to be done, in order."""

    def __init__(self, strategy: Strategy, intensity: Intensity, backoff: Backoff) -> None:
        self.wards: dict[str, Ward] = {}
        self.ending = False
        self._down: dict[
            str, Ward
        ] = {}  # those that wait to be started; with the next two, no look goes over all children
        self._moving: dict[str, Ward] = {}  # those that are being stopped or started
        self._marked: list[Ward] = []  # those that are to be stopped with their group, in the order of their start
        self._places = count()
        self._strategy = strategy
        self._intensity = intensity
        self._backoff = backoff
        self._gave_up: GiveUp | None = None
        self._told = False  # that it is over

    # ---- what is told -----------------------------------------------------------------------------------------------

    def add(self, now: float, id: str, restart: Restart, state: State = "down") -> list[Command]:
        """A new child, behind all others: `up` already, or still to be started, or to be waited for until it has ended (`stopping`)."""
        ward = self.wards[id] = Ward(id, restart, now, state, next(self._places))
        self._set(ward, state)
        ward.again = state == "stopping"
        if self.ending:
            ward.marked, ward.again = state == "up", False
            self._mark()
        return self._go_on(now)

    def started(self, now: float, id: str) -> list[Command]:
        """A child's start has been made."""
        ward = self.wards.get(id)
        if ward is not None and ward.state == "starting":
            self._set(ward, "up")
        return self._go_on(now)

    def ended(self, now: float, id: str, ending: Ending, random: float) -> list[Command]:
        """A child that was up, or was being stopped or started, has ended."""
        ward = self.wards.get(id)
        if ward is None or ward.state == "down":
            return []
        ward.last = ending
        commands: list[Command] = []
        if (ward.state == "stopping" or ward.marked) and ward.again:
            self._set(ward, "down")
            ward.due, ward.marked = now, False
        elif ward.state == "stopping" or ward.marked or not ward.comes_back(ending):
            commands = self._forget(ward, ending)
        else:
            commands = self._failed(ward, now, ending, random)
        return commands + self._go_on(now)

    def woken(self, now: float) -> list[Command]:
        """A time that was asked for has come."""
        return self._go_on(now)

    def stop(self, now: float, id: str) -> list[Command]:
        """A child is to be stopped for good."""
        ward = self.wards[id]
        ward.marked = ward.again = False
        if ward.state == "down":
            return self._forget(ward, None) + self._go_on(now)
        if ward.state == "stopping":
            return []
        self._set(ward, "stopping")
        return [Stop(id, for_good=True)]

    def restart(self, now: float, id: str) -> list[Command]:
        """A child is to be stopped, where it is up, and started anew at once; that is no failure."""
        ward = self.wards[id]
        ward.due = now
        if ward.state in ("up", "starting"):
            self._set(ward, "stopping")
            ward.again, ward.marked = True, False
            return [Stop(id, for_good=False)]
        return self._go_on(now)

    def shut(self, now: float) -> list[Command]:
        """All are to be stopped, for good."""
        return self._end() + self._go_on(now)

    # ---- what follows -----------------------------------------------------------------------------------------------

    def _failed(self, ward: Ward, now: float, ending: Ending, random: float) -> list[Command]:
        if not self._intensity.failed(now):
            self._gave_up = GiveUp(ward.id, ending)
            self.ending = True
            return self._forget(ward, ending) + self._end()
        ward.failures = 1 if now - ward.since >= self._backoff.quiet else ward.failures + 1
        delay = self._backoff.delay(ward.failures, random)
        if _is_cancel(ending):  # asyncio.run() cancels all tasks before it ends the loop: nothing is to be started then
            delay = max(delay, self._backoff.first)
        self._set(ward, "down")
        ward.due, ward.marked = now + delay, False
        for other in self._affected(ward):
            if other.state in ("up", "starting"):
                other.marked = True
                other.again = other.restart != "temporary"
        self._mark()
        return []

    def _affected(self, ward: Ward) -> list[Ward]:
        wards = list(self.wards.values())
        if self._strategy == "one_for_one":
            return []
        return wards if self._strategy == "one_for_all" else wards[wards.index(ward) + 1 :]

    def _end(self) -> list[Command]:
        self.ending = True
        commands: list[Command] = []
        for ward in list(self.wards.values()):
            ward.again = False
            ward.marked = ward.state in ("up", "starting")
            if ward.state == "down":
                commands += self._forget(ward, None)
        self._mark()
        return commands

    def _mark(self) -> None:
        """Some were marked."""
        self._marked = [ward for ward in self.wards.values() if ward.marked] if self._is_group else []

    def _set(self, ward: Ward, state: State) -> None:
        ward.state = state
        for place, states in ((self._down, ("down",)), (self._moving, ("stopping", "starting"))):
            if state in states:
                place[ward.id] = ward
            else:
                place.pop(ward.id, None)

    def _forget(self, ward: Ward, ending: Ending | None) -> list[Command]:
        del self.wards[ward.id]
        self._down.pop(ward.id, None)
        self._moving.pop(ward.id, None)
        ward.marked = False
        return [Forget(ward.id, ending, for_good=not self.ending or ward.restart == "temporary")]

    def _go_on(self, now: float) -> list[Command]:
        if self._is_group and self._moving:
            return []
        while self._marked:
            ward = self._marked.pop()
            if ward.marked:  # still
                ward.marked = False
                self._set(ward, "stopping")
                return [Stop(ward.id, for_good=not ward.again)]
        if self.ending:
            return self._finish()
        return self._start(now) if self._down else []

    @property
    def _is_group(self) -> bool:
        """Whether they are stopped and started one at a time."""
        return self.ending or self._strategy != "one_for_one"

    def _finish(self) -> list[Command]:
        if self.wards or self._told:
            return []
        self._told = True
        return [self._gave_up or Over()]

    def _start(self, now: float) -> list[Command]:
        if self._is_group:
            ward = min(self._down.values(), key=lambda ward: ward.place)
        else:
            ward = min(self._down.values(), key=lambda ward: ward.due)
        if ward.due > now:
            return [WakeAt(ward.due)]
        self._set(ward, "starting")
        ward.since = now
        ward.restarts += 1
        return [Start(ward.id)]  # `started()` brings the next


def _is_cancel(ending: Ending) -> bool:
    return ending.reason == "failed" and isinstance(ending.error, CancelledError)
