"""The clock of a simulation: a `runtime.clock.Clock` that goes by a virtual loop, and draws from a seed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from llm_actors.runtime.clock import ulid

from .virtual_loop import VirtualLoop

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""The date at which every simulation begins."""
_EPOCH_MS = int(EPOCH.timestamp() * 1000)
_RANDOM_BITS = 80


class VirtualClock:
    """Virtual seconds since the simulation began; random numbers and ids that are the same for the same seed. Any thread."""

    def __init__(self, virtual: VirtualLoop, random: Random) -> None:
        self._virtual = virtual
        self._random = random
        self._last = 0

    def monotonic(self) -> float:
        """The loop's `time()`."""
        return self._virtual.time()

    def utcnow(self) -> datetime:
        """EPOCH and the seconds since."""
        return EPOCH + timedelta(seconds=self._virtual.time())

    def random(self) -> float:
        """A number in [0, 1), drawn from the seed."""
        return self._random.random()

    def new_id(self) -> str:
        """A ULID of the virtual time; each is larger than the one before."""
        now = _EPOCH_MS + int(self._virtual.time() * 1000)
        number = now << _RANDOM_BITS | self._random.getrandbits(_RANDOM_BITS)
        if number >> _RANDOM_BITS <= self._last >> _RANDOM_BITS:
            number = self._last + 1
        self._last = number
        return ulid(number)
