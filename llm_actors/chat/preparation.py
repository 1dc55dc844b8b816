"""Toolboxes get ready once in their life, before their tools are first offered.

`prepare()` runs in a worker thread, `prepare_async()` on the loop.

Turns that need the same toolbox at the same time share one run. One that fails is tried again by the next turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from llm_actors.errors import LoopClosedError
from llm_actors.runtime import Future
from llm_actors.runtime.open_wait import look_from

from .tool_pool import Outcome, ToolJob

if TYPE_CHECKING:
    from contextvars import Context

    from llm_actors.runtime.wait_graph import Node

    from .seams import Engine

_READY = "_llm_actors_ready"


class Ready(Future[None]):
    """A toolbox gets ready: `job` is what runs for that."""

    job: ToolJob | None = None


class Preparation:
    """Prepares toolboxes one after the other; `done` gets the outcome, on the loop, never from inside the constructor.

    A node of the graph of waits (runtime/wait_graph.py): it needs the run it waits for, its own or another turn's.
    """

    __slots__ = ("_context", "_done", "_engine", "_left", "_ready", "_stopped")
    either = False

    def __init__(self, toolboxes: list[Any], context: Context, engine: Engine, done: Callable[[Outcome], None]) -> None:
        self._left = list(toolboxes)
        self._context = context
        self._engine = engine
        self._done = done
        self._ready: Ready | None = None
        self._stopped = False
        engine.loop.call_soon(self._next)

    def stop(self) -> None:
        """Ends the wait; the outcome is "stopped". A run that others wait for as well goes on."""
        if self._stopped:
            return
        self._stopped = True
        self._engine.loop.call_soon(self._done, Outcome("stopped"))

    def _next(self) -> None:
        if self._stopped:
            return
        if not self._left:
            self._done(Outcome("value"))
            return
        toolbox = self._left.pop(0)
        mine = Ready()
        ready: Ready = toolbox.__dict__.setdefault(_READY, mine)  # one atomic step decides who runs it
        self._ready = ready
        if ready is mine:
            self._run(toolbox, [toolbox.prepare, toolbox.prepare_async], ready)
        elif not ready.done() and (error := look_from(self)) is not None:
            self._end(Outcome("error", error=error))
            return
        ready.add_done_callback(lambda future: self._engine.loop.post(self._is_ready, future))

    def needs(self) -> Sequence[Node]:
        """What runs for the toolbox that it waits for. Any thread."""
        ready = self._ready
        if self._stopped or ready is None or ready.job is None or ready.done():
            return []
        return [ready.job]

    def label(self) -> str:
        """See runtime.wait_graph.Node."""
        return ""

    def _end(self, outcome: Outcome) -> None:
        self._stopped = True
        self._done(outcome)

    def _run(self, toolbox: Any, functions: list[Any], ready: Ready) -> None:
        function = functions.pop(0)
        ready.job = self._engine.tools.run(
            function,
            (),
            {},
            name=f"{type(toolbox).__name__}.{function.__name__}",
            context=self._context.copy(),
            done=partial(self._ran, toolbox, functions, ready),
            serial=toolbox,
        )

    def _ran(self, toolbox: Any, functions: list[Any], ready: Ready, outcome: Outcome) -> None:
        if outcome.error is not None or outcome.kind == "stopped":
            toolbox.__dict__.pop(_READY, None)
            why = f"the event loop ended while {type(toolbox).__name__} was being prepared"
            ready.set_error(
                outcome.error or LoopClosedError(why)
            )  # nothing else stops it: others may wait for it as well
        elif functions:
            self._run(toolbox, functions, ready)
        else:
            ready.set(None)

    def _is_ready(self, ready: Future[None]) -> None:
        if self._stopped:
            return
        try:
            ready.get(timeout=0)
        except BaseException as error:  # noqa: BLE001 - what prepare() raised ends the turn
            self._done(Outcome("error", error=error))
        else:
            self._next()
