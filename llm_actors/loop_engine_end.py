"""How the engine of a loop ends: by a shutdown or with its loop, in one way.

    drain      turns go on, also those that wait in line, until none is left or the time is up
    cancel     those that are left are cancelled, as `cancel()` does it: histories are repaired, no request stays open; the system's own
               actors are stopped, those that were started last first
    callbacks  on_done callbacks that suspended are awaited, up to GRACE seconds, then cancelled
    close      what did not end is let go of; tools are told, threads dismissed, sockets closed

The way is a task of its own, which whoever comes second joins, and makes shorter: asyncio.run() can't cancel it half-way.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

from llm_actors.chat.conversation_actor import CancelMail
from llm_actors.chat.tool_abandoned import StuckThread
from llm_actors.observe import CallbacksAwaited, EngineDraining, EngineEnded, Record
from llm_actors.runtime import ActorDeadError, Future

if TYPE_CHECKING:
    from llm_actors.chat.conversation_actor import ConversationActor

    from .loop_engine import LoopEngine

GRACE = 5.0
"""Seconds that what was cancelled has to end in, and callbacks to go on."""
LINGER = 0.25
"""Seconds that threads in users' code have to return in, once they were told."""


class EngineReport(NamedTuple):
    """How it ended. `stuck`: on the loop's clock, which says `now`."""

    finished: int
    cancelled: int
    callbacks: int
    stuck: list[StuckThread]
    now: float


class EngineEnd:
    """The end of one engine. Its loop only."""

    def __init__(self, engine: LoopEngine) -> None:
        self._engine = engine
        self._loop = engine.loop
        self.busy: dict[ConversationActor, None] = {}
        """Conversations that have work, in the order in which they got it."""
        self.callbacks: weakref.WeakSet[asyncio.Task[None]] = weakref.WeakSet()
        self.draining = self.cancelling = self.awaited = False
        self.error: BaseException | None = None
        """What turns that are left end with."""
        self._until = math.inf
        self._changed: asyncio.Event | None = None
        self._refused = 0
        self._before: tuple[int, ...] = ()
        self._task: asyncio.Task[EngineReport] | None = None

    def mark(self) -> None:
        """Turns that end from here on are those of the report. Any thread; again is nothing."""
        self._before = self._before or self._counted()

    def begin(self, drain: float, error: BaseException) -> asyncio.Task[EngineReport]:
        """Begins, with turns given `drain` seconds; what has begun is made shorter, if that is sooner. Gives the task of it."""
        until = self._loop.clock.monotonic() + drain
        if not self.draining or until < self._until:
            self._until = until
            self.error = self.error if self.cancelling else error
        self.draining = True
        if self._task is None or not self._task.done():
            self._observe(
                EngineDraining,
                loop=self._loop.name,
                seconds=max(0.0, self._until - self._loop.clock.monotonic()),
                error=repr(self.error),
            )
        self._tell()
        if self._task is None:
            self._task = self._loop.spawn(self._end(), name="llm_actors end of an engine")
            # asyncio.run() cancels all tasks it can list before the loop's end begins.
            asyncio.tasks._unregister_task(self._task)  # noqa: SLF001 - made for those who make tasks; there is no other name
        return self._task

    def refusal(self) -> BaseException | None:
        """Why no work is taken any more; None while turns may still begin."""
        if not self.cancelling:
            return None
        self._refused += 1
        return self.error

    def dropped(self, conversation: ConversationActor) -> None:
        """The conversation has no work any more."""
        self.busy.pop(conversation, None)
        if not self.busy:
            self._tell()

    def _counted(self) -> tuple[int, ...]:
        counts = self._engine.counts
        return counts["turns_finished"] + counts["turns_failed"], counts["turns_cancelled"]

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed.set()

    async def _end(self) -> EngineReport:
        engine = self._engine
        self.mark()
        await self._quiet()
        self.cancelling = True
        stopping = engine.stop_actors()
        for actor in list(self.busy):
            actor.cancel(CancelMail(None, self.error or RuntimeError("the engine ended")))
        self._until = self._loop.clock.monotonic() + GRACE
        await _stopped(stopping)
        await self._quiet()
        callbacks = list(self.callbacks)
        if callbacks:
            cut = await _wait(callbacks, GRACE)
            self._observe(CallbacksAwaited, callbacks=len(callbacks), cut=cut)
        for actor in list(self.busy):  # what did not end in time
            actor.abandon(self.error)
        finished, cancelled = [now - then for now, then in zip(self._counted(), self._before, strict=True)]
        stuck = [*await engine.tools.close(LINGER), *await engine.threads.close(LINGER)]
        await engine.close_wire()
        self._observe(
            EngineEnded,
            loop=self._loop.name,
            finished=finished,
            cancelled=cancelled + self._refused,
            abandoned=len(stuck),
        )
        engine.leave()
        return EngineReport(finished, cancelled + self._refused, len(callbacks), stuck, self._loop.clock.monotonic())

    def _observe(self, kind: type[Record], **facts: Any) -> None:
        if self._engine.observed:
            self._engine.observe(kind(now=self._loop.clock.monotonic(), **facts))

    async def _quiet(self) -> None:
        """Returns when no conversation has work, or the time is up, which may come nearer meanwhile."""
        self._changed = asyncio.Event()
        while self.busy and (left := self._until - self._loop.clock.monotonic()) > 0:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if left == math.inf else left):
                    await self._changed.wait()


async def _stopped(stopping: Future[bool] | None) -> None:
    """Waits until the actors of the system's own have been stopped, in the reverse order of their start."""
    if stopping is not None:
        with contextlib.suppress(TimeoutError, ActorDeadError):
            async with asyncio.timeout(GRACE):
                await stopping


async def _wait(callbacks: list[asyncio.Task[None]], seconds: float) -> int:
    """Waits for them; gives how many had to be cancelled."""
    _, late = await asyncio.wait(callbacks, timeout=seconds)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=1.0)
    return len(late)
