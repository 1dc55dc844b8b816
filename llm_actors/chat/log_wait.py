"""A reader that waits at a log, and what it waits for: as nodes of the graph of waits (runtime/wait_graph.py).

Who waits for the end of a response waits for the end of its turn; before that has begun, for the one that runs in its conversation. Who
waits for more of a stream waits for anything that the turn may still write. A turn that was told to end is no obstacle: all that it runs
is told to end with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from llm_actors.runtime import Future, Loop

if TYPE_CHECKING:
    from llm_actors.runtime.wait_graph import Node

    from .event_log import EventLog
    from .live_turn import LiveTurn


class AtWork(msgspec.Struct, frozen=True):
    """The turn that has to get on before a response does; `speaks`: what it writes goes into that response's log."""

    live: LiveTurn
    speaks: bool


class LogWait(Future[None]):
    """Wakes a reader: when there is `more`, or at the end. Any thread."""

    traced = True

    def __init__(self, log: EventLog, *, more: bool) -> None:
        super().__init__(log.loop)
        self._log = log
        self._more = more

    def _blockers(self) -> Sequence[Node]:
        blockers = super()._blockers()
        log = self._log
        if log.sealed or log.told_to_end or log.origin is None:
            return blockers
        at_work = log.origin.at_work_on(log)
        if at_work is None:
            return blockers
        turn: Node = NextItem(at_work.live) if self._more and at_work.speaks else at_work.live
        return (turn, *blockers)


class NextItem(msgspec.Struct, frozen=True):
    """The next thing that a turn writes: any of the code that runs for it may bring it."""

    live: LiveTurn

    @property
    def either(self) -> bool:
        """One is enough."""
        return True

    @property
    def exact_on(self) -> Loop | None:
        """Between the end of a tool and the event that tells of it: only the turn's own loop is never there when it looks."""
        return self.live.log.loop

    def needs(self) -> Sequence[Node]:
        """The code that runs; nothing where something else may be written, too."""
        return self.live.outstanding()

    def label(self) -> str:
        """Its conversation."""
        return self.live.label()
