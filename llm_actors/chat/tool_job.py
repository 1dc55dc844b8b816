"""One call of a tool, from `ToolPool.run()` to its answer.

queued    in its toolbox's line, or waits for a free place
running   in a worker thread, or as a task on the loop
ending    a task that was cancelled and has not ended yet
aside     did not come back when its time was up or its turn cancelled: answered, its place is free, its outcome goes nowhere
over      ended
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from llm_actors.errors import LoopClosedError
from llm_actors.runtime.future import Future, waiting
from llm_actors.runtime.open_wait import look_from

from .running_code import RunningCode, leave_alone
from .tool_generator import PROGRESS_LIMIT, await_through, call_through
from .tool_outcome import Outcome, awaited, called, discard, is_async
from .tool_output import output_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from llm_actors.runtime.loop import Timer
    from llm_actors.runtime.open_wait import OpenWait
    from llm_actors.runtime.steps import Worker
    from llm_actors.runtime.wait_graph import Node

    from .tool_line import ToolLine
    from .tool_pool import ToolPool, ToolTask

AHEAD = 64
"""Progress that a thread may be ahead of the loop: one that yields without end is slowed down, and not the loop."""

State = Literal["queued", "running", "ending", "aside", "over"]


class ToolJob(RunningCode):
    """The handle of a call. Its loop only, but for what says otherwise."""

    __slots__ = (
        "_args",
        "_done",
        "_function",
        "_kwargs",
        "_pool",
        "_progress",
        "_reports",
        "answered",
        "began",
        "context",
        "line",
        "name",
        "number",
        "parent",
        "returned",
        "runs_on_loop",
        "state",
        "task",
        "timeout",
        "timer",
        "verdict",
        "waits",
        "worker",
    )

    def __init__(
        self,
        pool: ToolPool,
        number: int,
        name: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        context: Context,
        done: Callable[[Outcome], None],
        timeout: float | None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        self.number = number
        self.name = name
        self.timeout = timeout
        self.runs_on_loop = is_async(function)
        self.state: State = "queued"
        self.waits = 0
        """Waits of ours that it is in now, as the loop knows it."""
        self.returned = False
        """Set by its thread: the outcome is on its way."""
        self.verdict: Literal["stopped", "timeout"] | None = None
        self.answered, self.began = False, 0.0  # on the loop's clock, when it began to run
        self.line: ToolLine | None = None
        self.worker: Worker | None = None
        self.task: ToolTask | None = None
        self.timer: Timer | None = None
        self._pool: ToolPool | None = pool
        self._function: Callable[..., Any] | None = function
        self._args = args
        self._kwargs = kwargs
        self._done: Callable[[Outcome], None] | None = done
        self._progress, self._reports = progress, 0
        parent = context.get(waiting)
        # A call that is over is let go of: else calls that start calls without waiting for them would keep one another forever.
        self.parent = parent if isinstance(parent, ToolJob) and parent.state != "over" else None
        self.context: Context | None = context.copy()  # one that is entered already can't be entered again
        self.context.run(waiting.set, self)

    def stop(self) -> None:
        """Ends it; `done` is called with "stopped", never from inside here. Again, or after the end: nothing.

        Queued, or on its way to a thread: it never starts. A task: cancelled, `done` when it really ended. A thread: told by
        `cancelled()`, its waits in waits of ours raise CancelledError, `done` at once; a generator is closed at its next `yield`.
        """
        if self.answered or self.verdict == "stopped":
            return
        self.verdict = "stopped"  # also when its time was up and it has not been answered yet
        if self._pool is not None:
            self._pool.end(self)

    def enter(self, wait: OpenWait) -> None:
        """A wait of ours begins inside it: meanwhile it does not count against the bound. Any thread."""
        # A task is cancelled, once, as asyncio does it: interrupted as well, it could not await anything in its `finally`.
        if self._in_its_task():
            wait.interrupt = leave_alone
        super().enter(wait)
        self._tell_waits(1)

    def exit(self, wait: OpenWait) -> None:
        """The wait is over. Any thread."""
        super().exit(wait)
        self._tell_waits(-1)

    def needs(self) -> Sequence[Node]:
        """The waits that hold it up, or who is before it in its toolbox's line. Any thread."""
        state, line = self.state, self.line
        if state == "queued":
            return line.ahead_of(self) if line is not None else ()
        return super().needs() if state == "running" else ()

    def look(self) -> None:
        """It stands in line, and its turn knows of it: where the line waits, over others, for that turn, it is not to start."""
        error = look_from(self) if self.state == "queued" else None
        if error is not None and self._pool is not None:
            self._pool.end(self, error)

    def label(self) -> str:
        """See runtime.wait_graph.Node."""
        return f"(in {self.name})"

    def _in_its_task(self) -> bool:
        return self.task is not None and self._pool is not None and self._pool.loop.is_current()

    def _tell_waits(self, change: int) -> None:
        pool = self._pool
        if pool is None:  # what the call began and did not end waits, after it is over
            return
        with contextlib.suppress(LoopClosedError):  # nobody counts any more
            # Also from the loop itself: what it starts for others must not happen in this tool's context.
            pool.loop.post(pool.waits_changed, self, change)

    def work(self, worker: Worker) -> None:
        """Runs it in the worker's thread and hands the outcome to the loop. Many that end together wake the loop once (`Loop.post`).

        One that was told to end before its thread came to it is not called any more (C5).
        """
        pool, context, function = self._pool, self.context, self._function
        assert pool is not None
        assert context is not None
        assert function is not None
        self.runs_here()
        outcome = Outcome("stopped")
        if self.begins():
            outcome = called(context, call_through, (self._report, function, self._args, self._kwargs), {})
        self.place = None
        self.returned = True
        try:
            pool.loop.post(pool.came_back, self, worker, outcome)
        except LoopClosedError:  # nobody is left to be told, and nobody to give this thread more work
            discard(outcome.value)
            worker.stop()

    async def drive(self, produced: Awaitable[Any] | None) -> Outcome:
        """Runs it on the loop: the function itself, or what a sync one returned to be awaited."""
        self.runs_here()
        make: Callable[[], Any] = lambda: produced  # noqa: E731 - one of two
        if produced is None:
            assert self._function is not None
            make = partial(self._function, *self._args, **self._kwargs)
        return await awaited(partial(await_through, self._report, make))

    def _report(self, item: Any) -> bool:
        """A generator's progress, where it runs: as text, because only there users' code may be called for it. False when it is to end."""
        pool, text = self._pool, output_text(item, PROGRESS_LIMIT)[0]
        if pool is None or self.told:
            return False
        self._reports += 1
        try:
            # From the loop itself too, as waits: in the loop's own context, and before what is told of its end.
            pool.loop.post(self._tell_progress, text)
            if not self._reports % AHEAD and not pool.loop.is_current():
                taken: Future[None] = Future(pool.loop)
                pool.loop.post(taken.set, None)
                taken.get()
        except LoopClosedError:
            return False
        return True

    def _tell_progress(self, text: str) -> None:
        if self._progress is not None and self.verdict is None and not self.answered:
            self._progress(text)

    def descends_from(self, other: ToolJob) -> bool:
        """Whether it was called, over however many conversations, from inside that call."""
        parent = self.parent
        while parent is not None and parent is not other:
            parent = parent.parent
        return parent is other

    def answer(self, outcome: Outcome) -> None:
        """Calls `done`, once. What was decided before (stopped, its time up) counts, whatever the code still returned."""
        self.answered = self.over = True
        if self.verdict == "stopped":
            outcome = Outcome("stopped")
        elif self.verdict == "timeout":
            outcome = Outcome(
                "timeout", error=TimeoutError(f'the tool "{self.name}" did not return within {self.timeout:g} s')
            )
        done, self._done = self._done, None
        assert done is not None
        done(outcome)

    def end(self) -> None:
        """It is over: lets go of all it held. Its worker keeps it in hand until the next call comes, its handle is kept with its turn."""
        self.state = "over"
        self.cancel_timer()
        self._pool, self._function, self._progress, self._args, self._kwargs = None, None, None, (), {}
        self.parent = self.task = self.worker = self.line = self.context = self.place = None

    def cancel_timer(self) -> None:
        """No timer from here on."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
