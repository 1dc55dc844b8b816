"""Time, randomness and ids: the one place where they come from, so that a virtual clock can stand in for them.

Durations are seconds as floats. Deadlines are points on `monotonic()`, stamps for people are `utcnow()`.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from datetime import UTC, datetime
from typing import Any, Protocol

SEAT = "_llm_actors_loop"
"""The attribute of an asyncio loop that holds our Loop, and with it the loop's clock."""

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [
    one + other for one in _CROCKFORD for other in _CROCKFORD
]  # ten bits at once: 1.0 us for a ULID in place of 2.6
_RANDOM_BITS = 80


class Clock(Protocol):
    """What a clock has to have. Any thread."""

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back. For deadlines."""
        ...

    def utcnow(self) -> datetime:
        """The date and time, aware, in UTC."""
        ...

    def random(self) -> float:
        """A random number in [0, 1)."""
        ...

    def new_id(self) -> str:
        """A ULID in lower case, 26 characters: sorts by the time of its making and is unique in the process."""
        ...


class SystemClock:
    """The real one.

    Ids follow the ULID specification (github.com/ulid/spec): 48 bits of milliseconds, 80 of randomness, and within
    one millisecond, or when the system's time goes back, the last id plus one.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._last, self._block, self._written = 0, -1, ""

    monotonic = staticmethod(time.monotonic)
    """See Clock. The system's own, without a call of ours around it: a turn looks sixteen times, 0.05 us each in place of 0.15."""

    def utcnow(self) -> datetime:
        """The system's date and time."""
        return datetime.now(UTC)

    def random(self) -> float:
        """From the generator of the `random` module, which `random.seed()` makes repeatable."""
        import random  # noqa: PLC0415 - 1 ms to import, 0.2 us here

        return random.random()  # noqa: S311 - for jitter, not for secrets

    def new_id(self) -> str:
        """See the class."""
        import random  # noqa: PLC0415 - as above

        now = time.time_ns() // 1_000_000
        with self._lock:
            number = self._last + 1
            if now > self._last >> _RANDOM_BITS:
                number = now << _RANDOM_BITS | random.getrandbits(_RANDOM_BITS)
            self._last = number
            if number >> 10 != self._block:
                self._block, self._written = number >> 10, ulid(number)[:-2]
            # All but the last two characters are those of the one before, mostly: 0.5 us for an id where many are made, in place of 3.6.
            return self._written + _PAIRS[number & 1023]

    def forget(self) -> None:
        """In a forked child: its ids must not go on where the parent's stand, and its lock may be held by a thread that is not there."""
        self._lock = threading.RLock()
        self._last, self._block = 0, -1


def ulid(number: int) -> str:
    """A number of 128 bits as a ULID in lower case."""
    # In thirds: small integers are shifted at a third of the cost of one with 128 bits.
    first, second, third = number >> 80, number >> 40 & 0xFFFFFFFFFF, number & 0xFFFFFFFFFF
    pairs = _PAIRS
    return (
        f"{pairs[first >> 40]}{pairs[first >> 30 & 1023]}{pairs[first >> 20 & 1023]}{pairs[first >> 10 & 1023]}{pairs[first & 1023]}"
        f"{pairs[second >> 30]}{pairs[second >> 20 & 1023]}{pairs[second >> 10 & 1023]}{pairs[second & 1023]}"
        f"{pairs[third >> 30]}{pairs[third >> 20 & 1023]}{pairs[third >> 10 & 1023]}{pairs[third & 1023]}"
    )


class _Lent(threading.local):
    loop: Any = None


lent = _Lent()
"""In a thread that a virtual loop runs as a step of its own, and in the loop's own thread while it runs: `lent.loop` is that Loop. Such a
thread has no loop to run; what it begins belongs to this one, in place of the background loop, and goes by its clock."""

SYSTEM = SystemClock()
"""The real clock: what no virtual one can stand in for, a thread that blocks, goes by it."""
_installed: list[Clock] = [SYSTEM]

if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=SYSTEM.forget)


def installed() -> Clock:
    """The process's default clock. Any thread."""
    return _installed[0]


def install(clock: Clock | None) -> None:
    """Replaces the process's default clock; None puts the real one back. Loops that exist keep the clock they have."""
    _installed[0] = clock if clock is not None else SYSTEM


def of_this_thread() -> Clock:
    """The clock by which this thread waits when it blocks: the real one, but for a thread that is lent to a virtual loop."""
    return SYSTEM if lent.loop is None else lent.loop.clock


def current() -> Clock:
    """The running loop's clock if it has one, else that of the loop this thread is lent to, else the process's default. Any thread."""
    running = asyncio._get_running_loop()
    loop = getattr(running, SEAT, None) if running is not None else lent.loop
    return loop.clock if loop is not None else _installed[0]
