"""Where tools run: sync ones in worker threads, async ones as tasks on the loop, all under one bound.

    ToolPool         what runs, what ends it; all decisions are made on the loop, threads only report
    ToolJob          one call              ToolQueue       calls that wait for a free place
    ToolLine         one Toolbox instance: its sync methods one at a time
    AbandonedCalls   what was set aside and has not come back
    WorkerCrew       the threads

The bound counts calls that run and are not in a wait of ours. One that returns from such a wait goes on at once, also when that makes
more than the bound for a moment: made to wait for a place, it could wait for those who have the places, and they for it. New calls
start when there are fewer than the bound again.

Starts, answers and timers happen in calls posted to the loop, which run in its own context: else a call would be started and answered in
the context of whichever tool's end or wait made room for it, and what follows from it be taken for that tool's.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from contextvars import Context
from functools import partial
from typing import Any, TypeAlias

import msgspec

from llm_actors.errors import LLMError, LoopClosedError, ToolStuckError
from llm_actors.observe import Observed, Record, ToolAbandoned, ToolRefused, ToolReturned
from llm_actors.runtime import Future, Loop
from llm_actors.runtime.steps import Worker

from .running_code import cancelled
from .tool_abandoned import AbandonedCalls, StuckThread
from .tool_generator import goes_on
from .tool_job import ToolJob
from .tool_line import ToolLine, ToolLines
from .tool_outcome import Outcome, discard
from .tool_queue import ToolQueue
from .worker_crew import WorkerCrew

__all__ = ["Outcome", "PoolStats", "StuckThread", "ToolJob", "ToolPool", "cancelled"]

CAP = 4
"""Abandoned threads for each place of the bound."""
PATIENCE = 5.0
"""Seconds a cancelled task has to end, before it is set aside."""
LAST_STEPS = 1.0
"""Seconds close() gives cancelled tasks to end, however short its grace."""
NEW_THREADS = 8
"""Threads started in one turn of the loop: each costs about 0.1 ms in which the loop does nothing else."""

Unset: TypeAlias = msgspec.UnsetType
ToolTask: TypeAlias = asyncio.Task[Outcome]


class PoolStats(msgspec.Struct, frozen=True):
    """The pool at one moment.

    `running` count against the bound, `waiting_in_waits` run too but are in a wait of ours. `workers` are threads, busy (in waits too)
    and `idle`, without the abandoned ones.
    """

    running: int
    waiting_in_waits: int
    queued: int
    workers: int
    idle: int
    abandoned: tuple[StuckThread, ...]


class ToolPool:
    """Runs tools. Its loop only.

    `workers`: how many at once, at least 1. `timeout`: seconds for one call, None for no limit. `idle`: seconds an idle thread is kept.
    """

    def __init__(
        self,
        loop: Loop,
        *,
        workers: int = 64,
        timeout: float | None = 300.0,
        idle: float = 10.0,
        observed: Observed | None = None,
    ) -> None:
        self.loop = loop
        self._bound = workers
        self._timeout = timeout
        self._observed = observed
        self._numbers = itertools.count()
        self._queue = ToolQueue()
        self._lines = ToolLines()
        self._running: dict[ToolJob, None] = {}  # in order: see Loop.busy
        self._active = 0  # of those, the ones that are in no wait of ours
        self._abandoned = AbandonedCalls(CAP * workers)
        self._crew = WorkerCrew(loop, "llm-actors-tool", idle)
        self._new_threads = 0  # started in this turn of the loop
        self._filling = False  # a call of _fill() is posted
        self._closed = False
        self._fewer: asyncio.Event | None = None

    def run(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        name: str,
        context: Context,
        done: Callable[[Outcome], None],
        timeout: float | Unset | None = msgspec.UNSET,
        serial: object | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> ToolJob:
        """Calls `function(*args, **kwargs)` in a copy of `context`, as soon as there is a place, in the order of these calls.

        An `async def` runs as a task on the loop; anything else in a worker thread, and what it returns to be awaited is awaited on the
        loop. `done` gets the outcome: exactly once, on the loop, never from inside here. `timeout`: seconds from its start, in place of
        the pool's. `serial`: sync functions with the same (identical) object never run at the same time. `progress` gets what a
        generator yields, as text, on the loop, while it runs. Its loop only.
        """
        limit = self._timeout if isinstance(timeout, Unset) else timeout
        job = ToolJob(self, next(self._numbers), name, function, args, kwargs, context, done, limit, progress)
        line = self._lines.of(serial) if serial is not None and not job.runs_on_loop else None
        job.line = line
        refusal = self._refusal(job)
        if refusal is not None:
            self._refuse(job, refusal)
        elif line is None or line.take(job):
            self._queue.push(job)
            self._fill_soon()
        else:
            self.loop.post(job.look)
        return job

    def stats(self) -> PoolStats:
        """Counts of this moment. Its loop; from elsewhere they may not fit together, or raise RuntimeError where something changes."""
        return PoolStats(
            running=self._active,
            waiting_in_waits=len(self._running) - self._active,
            queued=len(self._queue) + len(self._lines.waiting()),
            workers=sum(job.worker is not None for job in self._running) + self._crew.idle,
            idle=self._crew.idle,
            abandoned=tuple(self._abandoned.threads()),
        )

    async def close(self, grace: float) -> list[StuckThread]:
        """Takes no new calls, stops all, waits up to `grace` seconds for those that do not end at once. Its loop only.

        Gives what is stuck in users' code then: those threads are daemon and hold nobody up. Each call has been answered when it returns.
        """
        self._closed = True
        for job in [*self._queue, *self._lines.waiting(), *self._running]:
            job.stop()
        self._fewer = asyncio.Event()
        await self._until(lambda: not self._running, max(grace, LAST_STEPS))
        for job in [*self._running]:
            self._set_aside(job)
        await self._until(lambda: not self._abandoned, grace)
        if not self.loop.closed:
            answered: Future[None] = Future()
            self.loop.post(answered.set, None)  # after all answers that were posted before
            await answered
        await self._crew.close()
        return self._abandoned.threads()

    def end(self, job: ToolJob, error: LLMError | None = None) -> None:
        """Carries out `ToolJob.stop()`; with an error it does not start, for that reason. Its loop only."""
        if job.state == "queued":
            self._queue.remove(job)
            self._refuse(job, error)
        elif job.state == "running":
            self._make_end(job)

    def waits_changed(self, job: ToolJob, change: int) -> None:
        """A job tells that a wait of ours inside it began or ended. Its loop only."""
        before, job.waits = job.waits, job.waits + change
        if job.state not in ("running", "ending"):
            return
        if not before:
            self._active -= 1
            if job.line is not None:
                self._advance(job.line)
            self._fill()
        elif not job.waits:
            self._active += 1

    def came_back(self, job: ToolJob, worker: Worker, outcome: Outcome) -> None:
        """A worker has done a job. Its loop only."""
        job.worker = None
        self._crew.give(worker)
        if job.state == "aside":
            discard(outcome.value)
            self._returned(job)
        elif job.verdict is not None:  # stopped after its thread was through, before we heard of it
            discard(outcome.value)
            self._settle(job, outcome)
        elif not goes_on(outcome.value):
            self._settle(job, outcome)
        elif job.timeout is not None and job.timer is None:  # in time as a function, but there is no time left to await
            job.verdict = "timeout"
            discard(outcome.value)
            self._settle(job, outcome)
        else:
            job.returned = False
            self._start_task(job, outcome.value)

    # -- start

    def _refusal(self, job: ToolJob) -> LLMError | None:
        """Why it does not start, or None."""
        if self._closed or self.loop.closed:
            return LoopClosedError(f'the tool "{job.name}" was not called: its pool is closed')
        if job.line is not None and job.line.hung:
            first = job.line.hung[0].name
            kind = type(job.line.instance).__name__
            return ToolStuckError(
                f'"{job.name}" was not called: "{first}" of the same {kind} hangs, it was given up and has not returned. '
                f"Sync methods of one toolbox never run at the same time"
            )
        return self._abandoned.refusal(job.name, self._running)

    def _refuse(self, job: ToolJob, error: LLMError | None) -> None:
        """Ends a job that has not begun."""
        line = job.line
        job.end()
        if line is not None:
            line.leave(job)
            self._advance(line)
            self._lines.tidy(line)
        if error is not None:
            self._observe(ToolRefused(now=self.loop.clock.monotonic(), tool=job.name, error=str(error)))
        self._answer_soon(job, Outcome("error", error=error))

    def _answer_soon(self, job: ToolJob, outcome: Outcome) -> None:
        # Closed is it for posts; the callers that are left in its last round hear all the same.
        soon = self.loop.call_soon if self.loop.closed else self.loop.post
        soon(job.answer, outcome)

    def _advance(self, line: ToolLine) -> None:
        job = None if line.hung else line.next()
        if job is not None:
            self._queue.push(job)

    def _fill_soon(self) -> None:
        if not self._filling and not self.loop.closed:
            self._filling = True
            self.loop.post(self._fill)

    def _fill(self) -> None:
        """Starts what waits, while there are places and this turn of the loop has not started enough threads."""
        self._filling = False
        while len(self._queue) and self._active < self._bound and self._new_threads < NEW_THREADS:
            self._start(self._queue.pop())

    def _next_turn(self) -> None:
        self._new_threads = 0
        self._fill()

    def _start(self, job: ToolJob) -> None:
        refusal = self._refusal(job)
        if refusal is None and not job.runs_on_loop:
            try:
                job.worker = self._take_worker()
            except RuntimeError as error:  # the system has no more threads
                refusal = ToolStuckError(f'the tool "{job.name}" was not called: {error}')
        if refusal is not None:
            self._refuse(job, refusal)
            return
        job.state = "running"
        job.began = self.loop.clock.monotonic()
        self._running[job] = None
        self._active += 1
        if job.timeout is not None:
            job.timer = self.loop.call_later(job.timeout, self._time_is_up, job)
        if job.worker is not None:
            job.worker.send(job)
        else:
            self._start_task(job, None)

    def _take_worker(self) -> Worker:
        worker, new = self._crew.take()
        if new:
            if not self._new_threads:
                self.loop.post(self._next_turn)
            self._new_threads += 1
        return worker

    def _start_task(self, job: ToolJob, produced: Awaitable[Any] | None) -> None:
        name = f"llm_actors tool {job.name}"
        job.task = self.loop.spawn(job.drive(produced), name=name, context=job.context, watched=job.name)
        job.task.add_done_callback(partial(self._task_ended, job, produced))

    # -- end

    def _task_ended(self, job: ToolJob, produced: Awaitable[Any] | None, task: ToolTask) -> None:
        outcome = Outcome("stopped")
        if task.cancelled():  # before its first step
            discard(produced)
        elif job.state != "running" or not task.cancelling():
            outcome = task.result()
        # Else somebody cancelled all tasks, as asyncio.run does when it ends: that is no CancelledError of the tool's own.
        if job.state == "aside":
            self._returned(job)
        else:
            self._settle(job, outcome)

    def _time_is_up(self, job: ToolJob) -> None:
        job.timer = None
        if job.returned:  # it was in time; what it came to is on its way
            return
        job.verdict = "timeout"
        self._make_end(job)

    def _make_end(self, job: ToolJob) -> None:
        """Ends a running job as far as that can be done."""
        job.cancel_timer()
        job.tell()
        if job.task is not None:
            job.state = "ending"
            job.timer = self.loop.call_later(PATIENCE, self.loop.post, self._ignored, job)
            job.task.cancel()
        elif not job.returned and not job.begins():
            self._set_aside(job)
        # Else its thread is back in a moment: it has done the job, or finds that it must not begin.

    def _ignored(self, job: ToolJob) -> None:
        if job.state == "ending":
            self._set_aside(job)

    def _set_aside(self, job: ToolJob) -> None:
        """It does not end: its place is free, its answer is given, its outcome goes nowhere."""
        job.cancel_timer()
        job.state = "aside"
        self._leave_place(job)
        now = self.loop.clock.monotonic()
        thread = job.worker.thread_name if job.worker is not None else f"task {job.task.get_name() if job.task else ''}"
        self._abandoned.add(job, StuckThread(name=thread, tool=job.name, since=now, began=job.began))
        self._observe(ToolAbandoned(now=now, tool=job.name, thread=thread, abandoned=len(self._abandoned)))
        if job.line is not None:
            job.line.leave(job)
            job.line.hung.append(job)
            for other in job.line.waiting():
                refusal = self._refusal(other)
                self._refuse(other, refusal)
        self._answer_soon(job, Outcome("stopped"))
        self._fill_soon()

    def _returned(self, job: ToolJob) -> None:
        """One that was set aside has come back after all."""
        thread = self._abandoned.remove(job).name
        line = job.line
        job.end()
        if line is not None:
            line.hung.remove(job)
            self._lines.tidy(line)
        now = self.loop.clock.monotonic()
        self._observe(ToolReturned(now=now, tool=job.name, thread=thread, abandoned=len(self._abandoned)))
        self._tell_fewer()

    def _settle(self, job: ToolJob, outcome: Outcome) -> None:
        """It has ended: its place goes to the next, then it is answered."""
        line = job.line
        self._leave_place(job)
        job.end()
        if line is not None:
            line.leave(job)
            self._advance(line)
            self._lines.tidy(line)
        self._fill()
        job.answer(outcome)

    def _leave_place(self, job: ToolJob) -> None:
        self._running.pop(job, None)
        if not job.waits:
            self._active -= 1
        self._tell_fewer()

    # -- close

    def _tell_fewer(self) -> None:
        if self._fewer is not None:
            self._fewer.set()

    async def _until(self, reached: Callable[[], bool], seconds: float) -> None:
        assert self._fewer is not None
        if reached() or seconds <= 0:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not reached():
                    self._fewer.clear()
                    await self._fewer.wait()

    def _observe(self, record: Record) -> None:
        if self._observed is not None:
            self._observed.observe(record)
