"""How often something may fail before it is given up: OTP's `intensity` and `period`. Pure: the time comes in as an argument."""

from __future__ import annotations


class Intensity:
    """Counts failures: up to `intensity` of them within `period` seconds may be followed by a restart, one more may not."""

    __slots__ = ("_failures", "intensity", "period")

    def __init__(self, intensity: int = 3, period: float = 5.0) -> None:
        if intensity < 0 or period <= 0:
            msg = f"intensity is at least 0 and period more than 0 seconds, not {intensity!r} and {period!r}"
            raise ValueError(msg)
        self.intensity = intensity
        self.period = period
        self._failures: list[float] = []

    def failed(self, now: float) -> bool:
        """Notes a failure at `now` (monotonic seconds); whether a restart may follow. After a "no" it counts anew."""
        self._failures = [when for when in self._failures if now - when < self.period]
        self._failures.append(now)
        if len(self._failures) <= self.intensity:
            return True
        self._failures = []
        return False


def checked_intensity(intensity: int | None, period: float | None) -> tuple[int | None, float | None]:
    """The two as they are; None leaves one to others. Raises ValueError."""
    if intensity is not None or period is not None:
        Intensity(0 if intensity is None else intensity, 1.0 if period is None else period)
    return intensity, period
