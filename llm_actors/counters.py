"""What has been counted: each loop's engine counts by itself, without a lock, and `system.counters()` adds them up.

Most of it is counted off the records that observers get (observe.py), so a counter and the records of its kind say the same; those records
are made and counted whether or not somebody listens. What happens in each turn is counted by the conversation's actor itself, and has a
record only where somebody listens: 1 us each, of which a turn without tools has five.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from llm_actors.observe import (
    ChildRestarted,
    ConversationCrashed,
    Record,
    RequestRepeated,
    RoundEnded,
    ToolAbandoned,
    ToolEnded,
    ToolStarted,
)
from llm_actors.runtime.sums import Counts


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """All that a system has counted since it was made, on all its loops.

    A turn is counted for each response: `prompts` have been taken in, of which `turns_finished` have an answer, `turns_failed` an error,
    `turns_cancelled` were ended before (a cancel, a deadline, a shutdown, the end of the loop), and the others are under way or wait.
    `turns_started`: those that have begun. `tokens_in`, `tokens_out`: where the provider says how many. `retries`: requests that were
    sent once more. `restarts`: conversations and actors that failed and came back. `abandoned_threads`: ever, not now.
    """

    prompts: int = 0
    turns_started: int = 0
    turns_finished: int = 0
    turns_failed: int = 0
    turns_cancelled: int = 0
    rounds: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tool_calls: int = 0
    tool_errors: int = 0
    retries: int = 0
    restarts: int = 0
    dead_letters: int = 0
    stalls: int = 0
    abandoned_threads: int = 0


NAMES = tuple(
    [name for name in Counters.__struct_fields__ if name != "dead_letters"]
)  # counted elsewhere: any thread finds some


def count(counts: Counts, record: Record) -> None:
    """Counts a record. The thread of these counts only."""
    counted = _COUNTED.get(type(record))
    if counted is None:
        return
    if isinstance(counted, str):
        counts[counted] += 1
    else:
        counted(counts, record)


def _round_ended(counts: Counts, record: Any) -> None:
    counts["tokens_in"] += record.input_tokens or 0
    counts["tokens_out"] += record.output_tokens or 0


def _tool_ended(counts: Counts, record: Any) -> None:
    if record.error is not None:
        counts["tool_errors"] += 1


def _crashed(counts: Counts, record: Any) -> None:
    if record.restarted:
        counts["restarts"] += 1


_COUNTED: dict[type, str | Callable[[Counts, Any], None]] = {
    RoundEnded: _round_ended,
    RequestRepeated: "retries",
    ToolStarted: "tool_calls",
    ToolEnded: _tool_ended,
    ToolAbandoned: "abandoned_threads",
    ChildRestarted: "restarts",
    ConversationCrashed: _crashed,
}
