"""Runs a user's `execute()` as a flight, like the wire: a plain one in a worker thread, an async one as a task on the loop.

A thread can't be killed: stopped, it is told by the next `yield`, and until it returns its items go nowhere. The flight counts as stopped
at once; the thread closes its generator when it comes back.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from llm_actors.errors import LoopClosedError, ModelError
from llm_actors.messages import Item
from llm_actors.runtime.unit import waiting

from .model_response import ModelResponse, checked
from .running_code import RunningCode, TaskCode
from .tool_outcome import discard

if TYPE_CHECKING:
    from llm_actors.providers.protocol import Flight, FlightSink

    from .live_turn import LiveTurn
    from .model import AnyModel
    from .seams import Engine


def start(model: AnyModel, live: LiveTurn, sink: FlightSink, engine: Engine) -> Flight:
    """Begins one call of `model.execute()`. Its loop only."""
    response = ModelResponse(live)
    arguments: dict[str, Any] = {
        "prompt": live.sent,
        "stream": live.sent.stream and model.can_stream,
        "response": response,
        "conversation": live.sent.conversation,
    }
    if model.takes_key:
        given = live.key
        arguments["key"] = model.get_key(given.reveal() if given is not None else None)
    execute: Any = model.execute  # type: ignore[attr-defined]
    if inspect.isasyncgenfunction(execute) or inspect.iscoroutinefunction(execute):
        return TaskFlight(Execution(execute, arguments), response, live, sink, engine)
    return ThreadFlight(Execution(execute, arguments), response, live, sink, engine)


class Execution:
    """A call to be made. An object, so that no frame of ours holds the key: tracebacks are shown with their variables."""

    __slots__ = ("_arguments", "_execute")

    def __init__(self, execute: Any, arguments: dict[str, Any]) -> None:
        self._execute = execute
        self._arguments = arguments

    def __call__(self) -> Any:
        """Makes it."""
        return self._execute(**self._arguments)


class ThreadFlight:
    """A plain `execute()` in a worker thread: each item is posted to the loop as it comes.

    One that gives back something to be awaited or iterated asynchronously (a wrapped `async def`) goes on as a task on the loop.
    """

    def __init__(
        self,
        execute: Execution,
        response: ModelResponse,
        live: LiveTurn,
        sink: FlightSink,
        engine: Engine,
    ) -> None:
        self._response = response
        self._sink = sink
        self._loop = engine.loop
        self._items: list[Item] = []
        self._stopped = False
        self._over = False
        self._rest: TaskFlight | None = None
        self._go_on = partial(TaskFlight, response=response, live=live, sink=sink, engine=engine)
        name = f"execute of {live.model.model_id}"
        self._job = engine.threads.start(lambda: self._run(execute), live.mail.context, self._done, name=name)
        self.code: RunningCode = self._job  # what runs now

    def _run(self, execute: Execution) -> Any:
        produced = execute()
        if produced is None or hasattr(produced, "__aiter__") or inspect.isawaitable(produced):
            return produced
        if isinstance(produced, str):
            produced = (produced,)
        try:
            for item in produced:
                if self._stopped:
                    break
                self._loop.post(self._write, checked(item))
        finally:
            close = getattr(produced, "close", None)
            if close is not None:
                close()
        return None

    def _write(self, item: Item) -> None:
        if not self._over:
            self._items.append(item)
            self._sink.write([item])

    def _done(self, outcome: Any) -> None:
        if self._over:
            discard(outcome.value)
            return
        self._over = True
        if outcome.error is not None:
            self._sink.failed(_as_exception(outcome.error))
        elif outcome.value is not None:
            self._rest = self._go_on(lambda: outcome.value)
            self.code = self._rest.code
        else:
            self._sink.ended(self._response.result(self._items))

    def stop(self) -> None:
        """Its items go nowhere from now on; the thread is told at its next yield."""
        self._stopped = True
        if self._rest is not None:
            self._rest.stop()
        elif not self._over:
            self._over = True
            self._job.stop()
            self._loop.call_soon(self._sink.stopped)


class TaskFlight:
    """An async `execute()` as a task: an async generator, or a coroutine that returns something to iterate."""

    def __init__(
        self,
        execute: Callable[[], Any],
        response: ModelResponse,
        live: LiveTurn,
        sink: FlightSink,
        engine: Engine,
    ) -> None:
        self._response = response
        self._sink = sink
        self._stopped = self._over = False
        watched = f"execute of {live.model.model_id}"
        self.code = TaskCode(watched)
        context = live.mail.context.copy()
        context.run(waiting.set, self.code)
        name = f"llm_actors execute {response.id}"
        self._task = engine.loop.spawn(self._run(execute), name=name, context=context, watched=watched)
        # A task that is cancelled before its first step never takes it: its end is told here.
        self._task.add_done_callback(lambda _: self._end(sink.failed, _loop_ended()))

    async def _run(self, execute: Callable[[], Any]) -> None:
        items: list[Item] = []
        self.code.runs_here()
        try:
            produced = execute()
            if not inspect.isasyncgen(produced):
                produced = _produced(produced)
            async with aclosing(produced):
                async for item in produced:
                    known = checked(item)
                    items.append(known)
                    self._sink.write([known])
            result = self._response.result(items)
        except asyncio.CancelledError as error:
            self._cancelled(error)
        except BaseException as error:  # noqa: BLE001 - whatever a model raises is the turn's error, never the loop's
            self._end(self._sink.failed, _as_exception(error))
        else:
            self._end(self._sink.ended, result)

    def _cancelled(self, error: BaseException) -> None:
        """By us, by the end of the loop, or by the model itself."""
        task = asyncio.current_task()
        if not self._stopped and task is not None and task.cancelling():
            error = _loop_ended()
        self._end(self._sink.failed, _as_exception(error))

    def _end(self, report: Any, *what: Any) -> None:
        if self._over:
            return
        self._over = self.code.over = True
        self.code.place = None
        if self._stopped:
            self._sink.stopped()
        else:
            report(*what)

    def stop(self) -> None:
        """Cancels the task; the sink hears when it has ended."""
        if not self._task.done():
            self._stopped = True
            self.code.tell()
            self._task.cancel()


def _loop_ended() -> LoopClosedError:
    return LoopClosedError("the event loop ended while the model was answering")


def _as_exception(error: BaseException) -> BaseException:
    """What a model raised, for its readers: a CancelledError or SystemExit of the model's is not to cancel or end them."""
    if isinstance(error, Exception):
        return error
    told = ModelError(f"the model's execute() raised {error!r}")
    told.__cause__ = error
    return told


async def _produced(produced: Any) -> AsyncGenerator[Any, None]:
    """The items of what `execute()` gave, if that is no generator; it is closed here whatever happens, not by the garbage collector."""
    if inspect.isawaitable(produced):
        produced = await produced
    if produced is None:
        return
    if not hasattr(produced, "__aiter__"):
        for item in (produced,) if isinstance(produced, str) else produced:
            yield item
        return
    try:
        async for item in produced:
            yield item
    finally:
        close = getattr(produced, "aclose", None)
        if close is not None:
            await close()
