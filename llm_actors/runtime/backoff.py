"""How long a supervisor waits between restarts of one child. Pure: the random number comes in as an argument."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """The first restart follows at once, the next after `first` seconds, then `factor` times as many each, at most `cap`.

    `jitter`: the share of a wait that chance may take off it, so that many which failed together do not come back together. A child
    that did not fail for `quiet` seconds begins anew. Any thread; raises ValueError.
    """

    first: float = 0.1
    factor: float = 2.0
    cap: float = 30.0
    jitter: float = 0.5
    quiet: float = 10.0

    def __post_init__(self) -> None:
        if self.first < 0 or self.factor < 1 or self.cap < 0 or not 0 <= self.jitter <= 1 or self.quiet < 0:
            msg = f"seconds are at least 0, factor is at least 1 and jitter from 0 to 1, not {self!r}"
            raise ValueError(msg)

    def delay(self, failures: int, random: float) -> float:
        """Seconds before the restart that follows so many failures in a row. `random`: a number in [0, 1)."""
        if failures < 2:  # noqa: PLR2004 - the first
            return 0.0
        # In floats a power overflows long after it has passed any cap.
        exponent = min(failures - 2, 1000.0 if self.factor <= 2 else 300.0)  # noqa: PLR2004 - as the class has it
        wait = min(self.cap, self.first * self.factor**exponent) if self.first else 0.0
        return wait * (1 - self.jitter * random)
