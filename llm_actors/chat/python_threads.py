"""Threads for models in Python code and for sync callbacks: as many as are asked for.

A tool that prompts a Python model must not wait for a worker that other tools hold: these threads are not the tool pool's, and
have no bound.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from typing import Any

from llm_actors.errors import LoopClosedError
from llm_actors.runtime import Future, Loop
from llm_actors.runtime.future import waiting
from llm_actors.runtime.steps import Worker

from .running_code import RunningCode
from .tool_abandoned import StuckThread
from .tool_outcome import Outcome, called
from .worker_crew import WorkerCrew


class ThreadJob(RunningCode):
    """One call in a thread. Its loop only, but for what says otherwise."""

    __slots__ = ("_context", "_done", "_function", "_pool", "began", "name", "since", "thread_name")

    def __init__(
        self,
        pool: ThreadPool,
        name: str,
        function: Callable[[], Any],
        context: Context,
        done: Callable[[Outcome], None],
    ) -> None:
        super().__init__()
        self.name = name
        self.began = pool.loop.clock.monotonic()
        self.since: float | None = None
        self.thread_name = ""
        self._pool = pool
        self._function = function
        self._context = context.copy()  # one that is entered already can't be entered again
        self._context.run(waiting.set, self)
        self._done = done

    def stop(self) -> None:
        """Tells it: `cancelled()` is true inside, its waits in waits of ours raise CancelledError. `done` is called when it returns.

        One that its thread has not come to never begins.
        """
        self.begins()
        self.hurry()

    def hurry(self) -> None:
        """Tells it, but for one that has not begun: that runs."""
        if self.since is None:
            self.since = self._pool.loop.clock.monotonic()
        self.tell()

    def label(self) -> str:
        """See runtime.wait_graph.Node."""
        return f"(in {self.name})"

    def work(self, worker: Worker) -> None:
        """Runs it in the worker's thread and hands the outcome to the loop."""
        self.runs_here()
        outcome = called(self._context, self._function, (), {}) if self.begins() else Outcome("stopped")
        self.place = None
        try:
            self._pool.loop.post(self._pool.came_back, self, worker, outcome)
        except LoopClosedError:  # nobody is left to be told, and nobody to give this thread more work
            worker.stop()

    def answer(self, outcome: Outcome) -> None:
        """Calls `done`; lets go of what it was."""
        self.over = True
        done, self._done, self._function, self._context = self._done, _ended, _ended, Context()
        done(outcome)


def _ended(*_: Any) -> None:
    """In place of what a call that is over was."""


class ThreadPool:
    """Daemon threads without a bound; idle ones are kept for `idle` seconds and used again. Its loop only."""

    def __init__(self, loop: Loop, *, idle: float = 10.0) -> None:
        self.loop = loop
        self._running: dict[ThreadJob, None] = {}  # in order: see Loop.busy
        self._crew = WorkerCrew(loop, "llm-actors-model", idle)
        self._closed = False
        self._quiet: Future[None] | None = None

    def start(
        self,
        function: Callable[[], Any],
        context: Context,
        done: Callable[[Outcome], None],
        *,
        name: str = "execute",
    ) -> ThreadJob:
        """Calls `function()` in a thread, in a copy of `context`; `done` gets its value or error.

        That is once, on the loop, never from inside here. When the pool is closed, or the system has no more threads, the outcome is
        that error. Its loop only.
        """
        job = ThreadJob(self, name, function, context, done)
        error: Exception | None = None
        if self._closed:
            error = LoopClosedError(f'"{name}" was not called: the threads of its event loop are closed')
        else:
            try:
                worker, _ = self._crew.take()
            except RuntimeError as no_thread:
                error = no_thread
            else:
                self._running[job] = None
                job.thread_name = worker.thread_name
                worker.send(job)
        if error is not None:
            self.loop.call_soon(job.answer, Outcome("error", error=error))
        return job

    @property
    def running(self) -> int:
        """How many calls have not returned."""
        return len(self._running)

    @property
    def idle(self) -> int:
        """How many threads wait for work."""
        return self._crew.idle

    async def close(self, grace: float) -> list[StuckThread]:
        """Takes no new calls, tells those that run, waits up to `grace` seconds for them. Its loop only.

        Gives the threads that are stuck in users' code then; they are daemon and hold nobody up.
        """
        self._closed = True
        for job in self._running.copy():
            job.hurry()  # also those that their threads have not come to: a callback is called in any case
        if self._running and grace > 0:
            self._quiet = Future()
            limit = self.loop.call_later(grace, self._end_wait)
            await self._quiet
            limit.cancel()
        await self._crew.close()
        return [
            StuckThread(name=job.thread_name, tool=job.name, since=job.since or 0.0, began=job.began)
            for job in self._running
        ]

    def came_back(self, job: ThreadJob, worker: Worker, outcome: Outcome) -> None:
        """A thread has done a job. Its loop only."""
        self._running.pop(job, None)
        self._crew.give(worker)
        if not self._running:
            self._end_wait()
        job.answer(outcome)

    def _end_wait(self) -> None:
        if self._quiet is not None and not self._quiet.done():
            self._quiet.set(None)
