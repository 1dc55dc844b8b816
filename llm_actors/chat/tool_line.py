"""The line in front of one Toolbox instance: its sync methods never run at the same time as one another.

Who waits, waits here, not in a worker. A method that waits for a conversation which calls the same toolbox would wait for itself: such
a call may run while its caller waits, as a method may call another one. So who holds the toolbox is a stack: the last one runs, those
below wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tool_job import ToolJob


class ToolLine:
    """The calls on one instance. Its loop only."""

    __slots__ = ("_holders", "_waiting", "hung", "instance")

    def __init__(self, instance: object) -> None:
        self.instance = instance
        self.hung: list[ToolJob] = []
        self._holders: list[ToolJob] = []
        self._waiting: dict[ToolJob, None] = {}

    @property
    def idle(self) -> bool:
        """Whether nobody runs, waits or hangs."""
        return not (self._holders or self._waiting or self.hung)

    def waiting(self) -> list[ToolJob]:
        """Those who wait their turn, first the one that came first."""
        return list(self._waiting)

    def take(self, job: ToolJob) -> bool:
        """Whether it may run now; else it stands in line until `next()` gives it."""
        if self._admits(
            job
        ):  # with others in line only when the one that runs calls it, and for that one they wait anyway
            self._holders.append(job)
            return True
        self._waiting[job] = None
        return False

    def ahead_of(self, job: ToolJob) -> list[ToolJob]:
        """Who has to leave before this one may run, if it stands in line: not those that have called it. Any thread."""
        return [one for one in tuple(self._holders) if not job.descends_from(one)] if job in self._waiting else []

    def leave(self, job: ToolJob) -> None:
        """It has ended, was stopped, or was set aside."""
        self._waiting.pop(job, None)
        if job in self._holders:
            self._holders.remove(job)

    def next(self) -> ToolJob | None:
        """The first in line that may run now; it holds the toolbox from here on."""
        for job in self._waiting:
            if self._admits(job):
                del self._waiting[job]
                self._holders.append(job)
                return job
        return None

    def _admits(self, job: ToolJob) -> bool:
        if not self._holders:
            return True
        last = self._holders[-1]
        return last.waits > 0 and job.descends_from(last)


class ToolLines:
    """The lines of all instances that are in use. An instance is held while somebody is in its line, then forgotten. Its loop only."""

    def __init__(self) -> None:
        self._lines: dict[int, ToolLine] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def of(self, instance: object) -> ToolLine:
        """The line of this very instance: by identity, as a Toolbox may define equality."""
        return self._lines.setdefault(id(instance), ToolLine(instance))

    def tidy(self, line: ToolLine) -> None:
        """Forgets a line that nobody is in."""
        if line.idle:
            self._lines.pop(id(line.instance), None)

    def waiting(self) -> list[ToolJob]:
        """All who wait their turn in any line."""
        return [job for line in self._lines.values() for job in line.waiting()]
