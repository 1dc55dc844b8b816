"""`on_done`: callbacks start when the log is sealed, in order of registration, each on the loop it was registered on.

A callback that does not suspend has ended before readers of `text()` go on: plain ones are called on the spot, the first step of an async
one is scheduled before the release. One that suspends runs on beside it. What a callback of another loop, or of a thread without one,
needs may take longer than a reader should wait: the release holds for it at most HOLD seconds.
"""

from __future__ import annotations

import contextvars
import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from llm_actors.observe import CallbackFailed

from .event_log import EventLog, in_callback

if TYPE_CHECKING:
    from llm_actors.runtime import Loop

    from .seams import Engine

logger = logging.getLogger("llm_actors.chat")

HOLD = 0.05


class Callback:
    """One registration: what to call, with which view, on which loop (None: a worker thread), in which context."""

    __slots__ = ("context", "function", "loop", "view")

    def __init__(self, function: Any, view: Any, loop: Loop | None) -> None:
        self.function = function
        self.view = view
        self.loop = loop
        self.context = contextvars.copy_context()

    @property
    def name(self) -> str:
        """For people."""
        return f"on_done {getattr(self.function, '__qualname__', type(self.function).__qualname__)}"

    def start(self, log: EventLog) -> Any:
        """Calls it, inside the context of its registration; gives what it returned."""
        self.context.run(in_callback.set, log)
        if inspect.isawaitable(self.function):
            return self.function
        return self.context.run(self.function, self.view)


class Release:
    """Opens the log to its waiting readers when the last callback has had its first step, or after HOLD."""

    __slots__ = ("_left", "_log", "_timer")

    def __init__(self, log: EventLog, count: int, engine: Engine) -> None:
        self._log = log
        self._left = count
        self._timer = engine.loop.call_later(HOLD, self._open) if count else None

    def step(self) -> None:
        """One callback has had its first step."""
        self._left -= 1
        if self._left <= 0:
            self._open()

    def _open(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._log.released:
            self._log.release()


def run_callbacks(log: EventLog, callbacks: list[Callback], engine: Engine) -> None:
    """Starts the callbacks of a sealed log and releases it. Its loop only."""
    if not callbacks:
        log.release()
        return
    release = Release(log, len(callbacks), engine)
    for callback in callbacks:
        _start(callback, log, engine, release)


def _start(callback: Callback, log: EventLog, engine: Engine, release: Release) -> None:
    here = engine.loop
    if callback.loop is here:
        _step(callback, log, engine, here, lambda: here.call_soon(release.step))
    elif callback.loop is None:

        def done(outcome: Any) -> None:
            if outcome.error is not None:
                failed(log, engine, outcome.error)
            release.step()

        engine.threads.start(lambda: callback.start(log), contextvars.copy_context(), done, name="on_done")
    else:
        other = callback.loop
        try:
            other.post(_step, callback, log, engine, other, lambda: other.call_soon(here.post, release.step))
        except RuntimeError as error:  # that loop is closed: nobody is left to be told
            failed(log, engine, error)
            release.step()


def _step(callback: Callback, log: EventLog, engine: Engine, loop: Loop, stepped: Callable[[], object]) -> None:
    began, stalls = loop.clock.monotonic(), loop.stalls
    try:
        outcome = callback.start(log)
    except BaseException as error:  # noqa: BLE001 - a callback's exception is logged and observed, never passed on
        failed(log, engine, error)
    else:
        if inspect.isawaitable(outcome):
            engine.beside(loop, _finish(outcome, log, engine), callback.context, callback.name)
    now = loop.clock.monotonic()
    if now - began > stalls.bound:
        stalls.took(callback.name, began, now)
    stepped()


async def _finish(outcome: Any, log: EventLog, engine: Engine) -> None:
    try:
        await outcome
    except Exception as error:  # noqa: BLE001 - as above
        failed(log, engine, error)


def failed(log: EventLog, engine: Engine, error: BaseException) -> None:
    """Logs and observes a callback's exception."""
    logger.error("an on_done callback of response %s raised", log.id, exc_info=error)
    conversation = log.origin.id if log.origin is not None else ""
    now = engine.loop.clock.monotonic()
    engine.observe(CallbackFailed(now=now, conversation=conversation, response=log.id, error=repr(error)))
