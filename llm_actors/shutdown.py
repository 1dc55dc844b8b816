"""A system's shutdown over all its loops: takes no new mail, lets turns finish, then cancels; what it came to is a report.

    begin()    prompts are refused from here on, in the thread that calls it; each loop's engine is told to end (loop_engine_end.py)
    hurry()    the same again: a shorter drain makes it shorter
    include()  an engine that was made meanwhile, by a turn that still runs and prompts a model on another loop

Prompts that a turn under way sends (from a tool, a hook, a Python model in a thread) are part of it: they are taken while the drain lasts,
or it could not finish. All others are refused at once with SystemShutdownError. Queued prompts may run during the drain. A loop that does
not answer is given up SILENCE seconds after the drain: it is named in the report, and holds nobody.
"""

from __future__ import annotations

import logging
import math
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from llm_actors.chat.running_code import in_turn
from llm_actors.errors import LoopClosedError, SystemShutdownError
from llm_actors.runtime import Future, Gathering, Loop, current, retire_background

if TYPE_CHECKING:
    import asyncio

    from .loop_engine import LoopEngine
    from .loop_engine_end import EngineReport

logger = logging.getLogger("llm_actors")

SILENCE = 20.0
"""Seconds, after the drain, that a loop has to end its engine in: more than all that is waited for there together."""


class AbandonedCall(msgspec.Struct, frozen=True):
    """A call of a user's code that did not come back: in this `thread` (of an async tool: task), for `seconds` since it began."""

    thread: str
    tool: str
    seconds: float


class ShutdownReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a shutdown came to. Any thread.

    `finished`: turns that ended by themselves meanwhile, with an answer or an error of their own; `cancelled`: those that were left,
    queued or running, and those that somebody cancelled meanwhile. `callbacks`: of `on_done`, that had suspended and were awaited.
    `abandoned`: users' code that did not come back; its threads are daemon and hold nobody up. `silent`: loops that did not answer.
    `seconds`: how long it took.
    """

    finished: int = 0
    cancelled: int = 0
    callbacks: int = 0
    abandoned: tuple[AbandonedCall, ...] = ()
    silent: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether nothing is left: no thread in a user's code, no loop that did not answer. Any thread."""
        return not (self.abandoned or self.silent)

    def __str__(self) -> str:
        turns = f"shut down in {self.seconds:.1f} s: {self.finished} turns finished, {self.cancelled} cancelled"
        left = [f"{call.tool} ({call.thread}) has not returned for {call.seconds:.1f} s" for call in self.abandoned]
        left += [f"{loop} did not answer" for loop in self.silent]
        return "; ".join([turns, *left])


class Shutdown:
    """One for a system, once begun. Any thread."""

    def __init__(self) -> None:
        self.report: Gathering[EngineReport, ShutdownReport] = Gathering(self._combined)
        self._began = current().monotonic()
        self._until = math.inf

    def begin(self, engines: list[LoopEngine], drain: float) -> Future[ShutdownReport]:
        """Tells all engines to end; also again, to make it shorter. Gives the future of the report."""
        self._until = min(self._until, current().monotonic() + drain)
        for engine in engines:
            self.include(engine)
        self.report.begin(drain + SILENCE)
        return self.report

    def include(self, engine: LoopEngine) -> None:
        """One more engine that is to end, with what is left of the drain."""
        if engine.closed or self.report.done():
            return
        self.report.expect(engine.loop)
        engine.ending.mark()
        try:
            engine.loop.post(self._end, engine)
        except LoopClosedError:
            self.report.arrive(engine.loop)

    def admit(self) -> None:
        """Raises SystemShutdownError for a prompt that comes now, unless a turn under way sends it."""
        if not in_turn() or self.report.done():
            raise refused()

    def _end(self, engine: LoopEngine) -> None:
        drain = max(0.0, self._until - engine.loop.clock.monotonic())
        task = engine.ending.begin(drain, cut())
        if not engine.ending.awaited:
            engine.ending.awaited = True
            task.add_done_callback(partial(self._ended, engine.loop))

    def _ended(self, loop: Loop, task: asyncio.Task[EngineReport]) -> None:
        try:
            reports = [task.result()]
        except BaseException:  # a defect of ours, or the loop's end could not wait any longer
            logger.exception("the engine of %r did not end as it should", loop)
            reports = []
        arrive = partial(self.report.arrive, loop, *reports)
        if not retire_background(loop, arrive):
            arrive()

    def _combined(self, reports: list[EngineReport], silent: list[Loop]) -> ShutdownReport:
        stuck = [
            AbandonedCall(thread=call.name, tool=call.tool, seconds=report.now - call.began)
            for report in reports
            for call in report.stuck
        ]
        return ShutdownReport(
            finished=sum(report.finished for report in reports),
            cancelled=sum(report.cancelled for report in reports),
            callbacks=sum(report.callbacks for report in reports),
            abandoned=tuple(stuck),
            silent=tuple([loop.name for loop in silent]),
            seconds=current().monotonic() - self._began,
        )


def checked_drain(drain: float) -> float:
    """The seconds, checked: `math.inf` will do. Raises ValueError."""
    if not drain >= 0:
        msg = f"drain is in seconds and at least 0, not {drain!r}"
        raise ValueError(msg)
    return drain


def refused() -> SystemShutdownError:
    """For a prompt that is not taken."""
    return SystemShutdownError("the system was shut down: it takes no more prompts. Make another ActorSystem to go on")


def cut() -> SystemShutdownError:
    """For a turn that was left when the time was up."""
    return SystemShutdownError("the system was shut down before this turn had ended")
