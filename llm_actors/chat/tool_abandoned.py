"""The calls that were set aside and have not returned: who they are, how many, and which tools are not called because of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from llm_actors.errors import ToolStuckError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .tool_job import ToolJob


class StuckThread(Struct, frozen=True):
    """A thread (of an async tool: a task) that a user's code has not given back.

    `since`: when it was set aside, `began`: when the call began, both on the monotonic clock.
    """

    name: str
    tool: str
    since: float
    began: float = 0.0


class AbandonedCalls:
    """Keeps count, and says no to tools that would fill the process with threads (T3). Its loop only."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._calls: dict[ToolJob, StuckThread] = {}
        self._tools: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, job: ToolJob, thread: StuckThread) -> None:
        """One more."""
        self._calls[job] = thread
        self._tools[job.name] += 1

    def remove(self, job: ToolJob) -> StuckThread:
        """It returned."""
        self._tools[job.name] -= 1
        if not self._tools[job.name]:
            del self._tools[job.name]
        return self._calls.pop(job)

    def threads(self) -> list[StuckThread]:
        """All of them, the longest first."""
        return list(self._calls.values())

    def refusal(self, tool: str, running: Iterable[ToolJob]) -> ToolStuckError | None:
        """Why this tool is not called now, or None.

        Calls under way of tools that hang count as if they hung too: the cap holds also when they do. Others are not refused.
        """
        if tool not in self._tools:
            return None
        suspects = sum(1 for job in running if job.name in self._tools)
        if len(self._calls) + suspects < self._cap:
            return None
        return ToolStuckError(
            f'the tool "{tool}" was not called: {self._tools[tool]} earlier calls of it have not returned, and '
            f"{len(self._calls)} stuck calls with {suspects} under way reach the limit of {self._cap}; "
            "it is called again when some of them return"
        )
