"""Calls that wait for a free place, in the order they were sent."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tool_job import ToolJob


class ToolQueue:
    """Gives the call with the lowest number first: one that had to wait for its toolbox keeps the place it was sent at. Its loop only."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, ToolJob]] = []
        self._waiting: set[int] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[ToolJob]:
        return (job for number, job in self._heap if number in self._waiting)

    def push(self, job: ToolJob) -> None:
        """Puts it in line."""
        self._waiting.add(job.number)
        heapq.heappush(self._heap, (job.number, job))

    def pop(self) -> ToolJob:
        """The first in line. Raises IndexError when it is empty."""
        while True:
            number, job = heapq.heappop(self._heap)
            if number in self._waiting:
                self._waiting.discard(number)
                return job

    def remove(self, job: ToolJob) -> None:
        """Takes it out, wherever it stands; nothing when it does not wait here."""
        self._waiting.discard(job.number)
        # What was taken out stays in the heap until it is passed, or makes most of it: a busy pool keeps no calls that were cancelled.
        if len(self._heap) > 2 * len(self._waiting) + 16:
            self._heap = [entry for entry in self._heap if entry[0] in self._waiting]
            heapq.heapify(self._heap)
