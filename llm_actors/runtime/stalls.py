"""Who held a loop for too long: each step of users' code on it is timed.

    plain handlers   between two messages of a drain, where a clock is read anyway (drain.py)
    coroutines       each step, by `Stepped`: handlers, tools, hooks, models, callbacks

What runs in threads is no stall. No thread and no timer: a stall is told when it is over. While it lasts, `inside` and `since` say what it
is, for who looks from another thread. Cost, measured on CPython 3.11 on two shared cores where a look at the clock takes 0.2 us: a plain
handler 0.13 us a message (1.32 us in place of 1.19), a coroutine 2 us, of which 0.5 us for each step (13.3 us in place of 11.3).

A name is told once in QUIET seconds; what it did meanwhile is in the next telling. A loop that nobody has asked about tells its log.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Coroutine, Generator
from typing import Any, NamedTuple, TypeAlias

logger = logging.getLogger("llm_actors.runtime")

BOUND = 0.1
"""Seconds that a step may hold a loop, where nobody says otherwise."""
QUIET = 10.0
"""Seconds between two tellings of one name."""
NAMES = 256
"""Names that are remembered; the first ones told are forgotten first."""


def checked_bound(bound: float | None) -> float:
    """The seconds; None: never. Raises ValueError for less than none."""
    if bound is not None and not bound >= 0:
        msg = f"stall_bound is in seconds and at least 0, or None, not {bound!r}"
        raise ValueError(msg)
    return math.inf if bound is None else bound


class Stall(NamedTuple):
    """`what` held the loop for `seconds`. `told`: this one is to be told, for `times` of that name, the longest of which took `longest`."""

    what: str
    seconds: float
    now: float
    told: bool
    times: int
    longest: float


Hearer: TypeAlias = Callable[[Stall], object]


class _Name:
    __slots__ = ("longest", "quiet_until", "times")

    def __init__(self) -> None:
        self.quiet_until = -math.inf
        self.times, self.longest = 0, 0.0


class StallWatch:
    """One for each loop. Its loop only, but for `inside` and `since`, which any thread may read."""

    def __init__(self) -> None:
        self.bound = BOUND
        """Seconds; the least of those that somebody asked for."""
        self.inside: Any = None
        """What runs at this moment, and since when on the loop's clock."""
        self.since = 0.0
        self._hearers: dict[Hearer, float] = {}
        self._names: dict[str, _Name] = {}
        self._told_until = -math.inf

    def listen(self, hearer: Hearer, bound: float) -> None:
        """Tells of each stall above `bound` seconds (`math.inf`: none), also of those that are not to be told on."""
        self._hearers[hearer] = bound
        self._set_bound()

    def leave(self, hearer: Hearer) -> None:
        """Not any more."""
        self._hearers.pop(hearer, None)
        self._set_bound()

    def _set_bound(self) -> None:
        self.bound = min(self._hearers.values(), default=BOUND)

    def took(self, what: str, began: float, now: float) -> None:
        """A step is over that took more than the bound. What was told of inside it does not count again."""
        began = max(began, self._told_until)
        if now - began <= self.bound:
            return
        self._told_until = now
        name = self._name(what)
        name.times += 1
        name.longest = max(name.longest, now - began)
        told = now >= name.quiet_until
        stall = Stall(what, now - began, now, told, name.times, name.longest)
        if told:
            name.quiet_until, name.times, name.longest = now + QUIET, 0, 0.0
            more = f"; it is the longest of {stall.times} times" if stall.times > 1 else ""
            logger.warning("%s held the event loop for %.3f s%s", what, stall.longest, more)
        for hearer, bound in list(self._hearers.items()):
            if stall.seconds > bound:
                hearer(stall)

    def _name(self, what: str) -> _Name:
        name = self._names.get(what)
        if name is None:
            if len(self._names) >= NAMES:
                del self._names[next(iter(self._names))]
            name = self._names[what] = _Name()
        return name


class Stepped(Coroutine[Any, Any, Any]):
    """A coroutine whose steps are timed: it goes in place of the one it holds, which keeps its frames and its name."""

    __slots__ = ("_coroutine", "_monotonic", "_watch", "_what")

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], what: str, watch: StallWatch, monotonic: Callable[[], float]
    ) -> None:
        self._coroutine = coroutine
        self._what = what
        self._watch = watch
        self._monotonic = monotonic

    def send(self, value: Any) -> Any:
        """See Coroutine."""
        began, watch = self._monotonic(), self._watch
        watch.inside, watch.since = self._what, began
        try:
            return self._coroutine.send(value)
        finally:
            watch.inside, now = None, self._monotonic()
            if now - began > watch.bound:
                watch.took(self._what, began, now)

    def throw(self, kind: Any, value: Any = None, traceback: Any = None, /) -> Any:
        """See Coroutine. By the instance alone: Python has no use for the other two, and warns of them."""
        del traceback
        began, watch = self._monotonic(), self._watch
        watch.inside, watch.since = self._what, began
        try:
            return self._coroutine.throw(kind if value is None else value)
        finally:
            watch.inside, now = None, self._monotonic()
            if now - began > watch.bound:
                watch.took(self._what, began, now)

    def close(self) -> None:
        """See Coroutine."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()

    def __getattr__(self, name: str) -> Any:
        """Frames, code and name, by which asyncio shows a task: those of the coroutine itself."""
        return getattr(self._coroutine, name)
