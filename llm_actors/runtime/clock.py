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
_RANDOM_BITS = 80
_ULID_CHARS = 26


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
        self._last = 0

    monotonic = staticmethod(time.monotonic)
    """See Clock. The system's own, without a call of ours around it: an actor's message takes two looks."""

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

        number = (time.time_ns() // 1_000_000) << _RANDOM_BITS | random.getrandbits(_RANDOM_BITS)
        with self._lock:
            if number >> _RANDOM_BITS <= self._last >> _RANDOM_BITS:
                number = self._last + 1
            self._last = number
        return ulid(number)

    def forget(self) -> None:
        """In a forked child: its ids must not go on where the parent's stand, and its lock may be held by a thread that is not there."""
        self._lock = threading.RLock()
        self._last = 0


def ulid(number: int) -> str:
    """A number of 128 bits as a ULID in lower case."""
    return "".join([_CROCKFORD[number >> shift & 31] for shift in range(5 * (_ULID_CHARS - 1), -1, -5)])


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
