"""The timeouts of one model call: one timer that looks at a time stamp when it fires.

A timer for each read would cost more than the read (3-14 us against 0.6 us for a stamp); this one is set again only when it fires too
early, or when the next timeout is due sooner.
"""

from __future__ import annotations

from collections.abc import Callable

from llm_actors.errors import ModelTimeoutError
from llm_actors.runtime.loop import Loop, Timer

from .fault import timed_out


class Watch:
    """Calls `expire` once when a call takes too long; `expired` then names the phase. Its loop only."""

    def __init__(self, loop: Loop, expire: Callable[[], None]) -> None:
        self._loop = loop
        self._expire = expire
        self._now = loop.clock.monotonic
        self._stamp = self._now()
        self._phase = ""
        self._seconds: float | None = None
        self._total: float | None = None
        self._ends: float | None = None
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self.expired: str | None = None

    def total(self, seconds: float | None) -> None:
        """The whole call may take so long from now on (None: for ever)."""
        self._total = seconds
        self._ends = None if seconds is None else self._now() + seconds
        self._arm()

    def phase(self, name: str, seconds: float | None) -> None:
        """From now on it is `name` that may take so long, counted anew by each `seen()`; None: for ever."""
        self._phase = name
        self._seconds = seconds
        self._stamp = self._now()
        self._arm()

    def seen(self) -> None:
        """Something came."""
        self._stamp = self._now()

    def forgive(self) -> None:
        """What expired does not matter any more."""
        self.expired = None

    def close(self) -> None:
        """Ends the watch."""
        self._seconds = self._ends = None
        self._expire = _nothing  # its owner has it and is not had by it: what is over is let go of at once
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def error(self, where: str) -> ModelTimeoutError:
        """What expired, as an error."""
        seconds = self._total if self.expired == "total" else self._seconds
        return timed_out(self.expired or self._phase, seconds, where)

    def _due(self) -> float | None:
        idle = None if self._seconds is None else self._stamp + self._seconds
        return min((time for time in (idle, self._ends) if time is not None), default=None)

    def _arm(self) -> None:
        due = self._due()
        if due is None or (self._timer is not None and self._timer_at <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer = None
        due = self._due()
        now = self._now()
        if due is None or now < due:
            self._arm()
            return
        self.expired = "total" if self._ends is not None and now >= self._ends else self._phase
        self._expire()


def _nothing() -> None:
    """In place of what a closed watch would have called."""
