"""What is started in a group and ends with it: tasks, calls in threads, actors. Turns are event logs, and need nothing more."""

from __future__ import annotations

import contextlib
import logging
import queue
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar

from llm_actors.errors import GroupEndedError, LoopClosedError
from llm_actors.runtime import ActorRef, Future, Loop, ask, here
from llm_actors.runtime.body import Task
from llm_actors.runtime.mailbox import Stop

if TYPE_CHECKING:
    from .python_threads import ThreadJob, ThreadPool

logger = logging.getLogger("llm_actors.chat")

GRACE = 5.0
"""Seconds that a thread, or an actor in the middle of a message, has to end in after it was told."""

T = TypeVar("T")
Failed = Callable[[BaseException], None]


class Work:
    """A task, or a call in a thread. `ended` is set when it is over, `result` with what it came to; `failed` hears of what it raised."""

    __slots__ = ("_cancelled", "_failed", "_job", "_loop", "_task", "ended", "name", "result")
    stays = False
    """Whether it ends only when it is told to."""

    def __init__(self, loop: Loop, name: str, failed: Failed) -> None:
        self.name = name
        self.ended: Future[None] = Future(loop)
        self.result: Future[Any] = Future(loop)
        self._loop = loop
        self._failed = failed
        self._cancelled = False
        self._task: Task[Any] | None = None
        self._job: ThreadJob | None = None

    def run(self, coroutine: Coroutine[Any, Any, T], context: Context) -> Task[T]:
        """Runs the coroutine as a task, and gives that. Its loop only."""
        task = self._task = self._loop.spawn(coroutine, name=self.name, context=context)
        task.add_done_callback(self._task_ended)
        if self._cancelled:
            task.cancel()
        return task

    def run_in_thread(self, call: Callable[[], Any], context: Context, threads: ThreadPool) -> None:
        """Makes the call in a thread. Its loop only."""
        if self._cancelled:
            self._end(None, None)
        else:
            self._job = threads.start(call, context, self._returned, name=self.name)

    @property
    def gone(self) -> bool:
        """Whether it has ended by itself."""
        return self.ended.done()

    def finish(self) -> None:
        """It does so by itself."""

    def cancel(self) -> None:
        """A task is cancelled; a thread is told, as tools are, and left alone after GRACE. Any thread; again is no error."""
        if not self._cancelled:
            self._cancelled = True
            with contextlib.suppress(LoopClosedError):
                self._loop.post(self._cancel)

    def _cancel(self) -> None:
        if self.ended.done():
            return
        if self._task is not None:
            self._task.cancel()
        elif self._job is not None:
            self._job.stop()
            self._loop.call_later(GRACE, self._give_up)

    def _give_up(self) -> None:
        if not self.ended.done():
            logger.warning("%s does not return: its group ends without it", self.name)
            self._end(None, None)

    def _task_ended(self, task: Task[Any]) -> None:
        if task.cancelled():
            self._cancelled = True
            self._end(None, None)
        else:
            error = task.exception()
            self._end(None if error is not None else task.result(), error)

    def _returned(self, outcome: Any) -> None:
        if not self.ended.done():
            self._end(outcome.value, outcome.error)

    def _end(self, value: Any, error: BaseException | None) -> None:
        if error is not None and not self._cancelled:
            self._failed(error)
        if self._cancelled:
            error = error or GroupEndedError(f"{self.name} was cancelled with its group")
        if error is not None:
            self.result.set_error(error)
        else:
            self.result.set(value)
        self.ended.set(None)


class Cast:
    """An actor. Any thread."""

    __slots__ = ("_asked", "_ref", "ended")
    stays = True

    def __init__(self, ref: Any) -> None:
        self._ref = ref
        self._asked = False
        self.ended: Future[None] = Future()

    @property
    def gone(self) -> bool:
        """Whether it has stopped by itself."""
        return not self._ref.is_alive()

    def finish(self) -> None:
        """Stops it behind what it was sent."""
        if not self._asked:
            self._asked = True
            self._await(self._stop(now=False))

    def cancel(self) -> None:
        """Stops it ahead of all its mail. What it is in the middle of has GRACE to end in; then a coroutine is cancelled."""
        self._asked = True
        self._await(self._stop(now=True))
        if not self.ended.done():
            with contextlib.suppress(LoopClosedError):
                loop = here()
                loop.post(loop.call_later, GRACE, self._insist)

    def _stop(self, *, now: bool) -> Future[Any]:
        if isinstance(self._ref, ActorRef):
            return self._ref.stop(block=False, now=now)
        return ask(self._ref, Stop())

    def _insist(self) -> None:
        if self.ended.done():
            return
        if isinstance(self._ref, ActorRef):
            self._await(self._ref.kill(block=False))
        else:
            logger.warning("%s does not stop: its group ends without it", self._ref)
            self._over(None)

    def _await(self, stopped: Future[Any]) -> None:
        stopped.add_done_callback(self._over)

    def _over(self, _: object) -> None:
        with contextlib.suppress(queue.Full):  # stopped twice
            self.ended.set(None)
