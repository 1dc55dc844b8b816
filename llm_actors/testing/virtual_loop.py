"""An asyncio loop in virtual time: when nothing is ready its `time()` jumps to the next timer, so that waiting takes no time at all.

    VirtualLoop     a whole asyncio loop without a selector: tasks, timers, asyncio.sleep, asyncio.timeout, asyncio.to_thread
    Threads         who runs sync code for it, one thread at a time: step_threads.py
    SimulationError raised out of the loop when nothing can happen any more, in place of waiting for ever; or past its bounds

What asyncio promises is kept: `call_soon` is first in, first out. What no loop promises is drawn from the seed: which of two timers due at
the same time comes first, and when a thread goes on. There is no network: programs get an in-memory one (memory.py) or scripted models.
Sets of tasks and futures iterate in the order of hashes, which for the ones made here are numbers from 1, the same in every process.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import math
from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from llm_actors.errors import SimulationError

T = TypeVar("T")

RESOLUTION = 1e-9
"""Seconds: timers that are as near as this to each other are due together."""
SLOW = 0.01
"""Seconds by which a thread that is ready may be late, as on a busy machine."""


class Threads(Protocol):
    """Who runs sync code for the loop."""

    def ready(self) -> bool:
        """Whether a thread could go on now."""
        ...

    def run_one(self) -> None:
        """Has one of those go on until it waits or ends."""

    def run_in_thread(self, call: Callable[[], Any], name: str) -> asyncio.Future[Any]:
        """A call in a thread of its own, for `run_in_executor`."""
        ...


class _Task(asyncio.Task[T]):
    """A task whose hash is a number."""

    _number = 0

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class _Future(asyncio.Future[T]):
    """A future whose hash is a number."""

    _number = 0

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class _Timer(asyncio.TimerHandle):
    """A timer; of two that are due together, the seed decides."""

    __slots__ = ("tie",)

    def __init__(self, tie: float, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.tie = tie

    def __lt__(self, other: asyncio.TimerHandle) -> bool:
        return (self._when, self.tie) < (other._when, getattr(other, "tie", 0.0))  # type: ignore[attr-defined]

    __hash__ = asyncio.TimerHandle.__hash__


class VirtualLoop(asyncio.BaseEventLoop):
    """See the head of this file. Its thread only; while a thread of `threads` has its turn, that one.

    `max_time` in virtual seconds and `max_turns` of the loop: SimulationError past them.
    """

    def __init__(self, random: Random, *, max_time: float, max_turns: int, perturb: bool = True) -> None:
        super().__init__()
        self._clock_resolution = RESOLUTION
        self._selector = self  # BaseEventLoop asks its selector how long nothing happens: that is where time passes
        self._now = 0.0
        self._numbers = 0
        self._draw = random.random if perturb else lambda: math.inf
        self._max_time, self._max_turns = max_time, max_turns
        self.threads: Threads | None = None
        self.why_stuck: Callable[[], str] = str
        self.turns = 0
        self.on_turn: Callable[[], None] | None = None
        self.set_task_factory(self._make_task)

    # ---- time

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    if TYPE_CHECKING:  # of BaseEventLoop's, what its declaration leaves out
        _scheduled: list[asyncio.TimerHandle]

        def _check_closed(self) -> None: ...

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio has it; ties are drawn."""
        self._check_closed()
        timer = _Timer(self._draw(), when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]  # noqa: SLF001 - as BaseEventLoop.call_at()
        return timer

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio has it."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def pass_time(self, seconds: float) -> None:
        """Time that passes while the loop is held up by a callback that blocks: nothing else happens meanwhile."""
        self._now += max(0.0, seconds)

    def select(self, timeout: float | None) -> Sequence[Any]:
        """One turn of the loop is due; `timeout`: seconds until its next timer, None for no timer, 0 when a callback is ready."""
        self.turns += 1
        if self.on_turn is not None:
            self.on_turn()
        if self.turns > self._max_turns:
            self._give_up(f"more than {self._max_turns} turns of the loop: something goes on without end")
        threads = self.threads
        if threads is not None and threads.ready():
            late = timeout is not None and timeout <= SLOW and self._draw() < 0.5  # noqa: PLR2004 - a coin
            if not late or timeout is None:
                threads.run_one()
                return ()
        if timeout is None:
            self._give_up("nothing can happen any more: no callback is ready, no timer is set, no thread can go on")
        elif timeout > 0:
            self._now = max(self._now, self._scheduled[0].when())
            if self._now > self._max_time:
                self._give_up(f"more than {self._max_time:g} virtual seconds: something waits without end")
        return ()

    def _give_up(self, what: str) -> None:
        waits = self.why_stuck()
        msg = f"{what}. At {self._now:g} s, turn {self.turns}. What waits:{waits or ' nothing'}"
        raise SimulationError(msg)

    def allow_more(self, seconds: float, turns: int) -> None:
        """Moves the bounds to so much from now on: for the end."""
        self._max_time, self._max_turns = self._now + seconds, self.turns + turns

    def timers(self) -> list[asyncio.TimerHandle]:
        """The timers that are set, the next one first."""
        return sorted(timer for timer in self._scheduled if not timer.cancelled())

    # ---- what is made here

    def create_future(self) -> asyncio.Future[Any]:
        """As asyncio has it."""
        future: _Future[Any] = _Future(loop=self)
        self._numbers += 1
        future._number = self._numbers  # noqa: SLF001 - ours
        return future

    def _make_task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> asyncio.Task[Any]:
        # Numbered before it is made: it enters a weak set on the way.
        self._numbers += 1
        task: _Task[Any] = _Task.__new__(_Task)
        task._number = self._numbers  # noqa: SLF001 - ours
        task.__init__(coroutine, loop=loop, **more)  # type: ignore[misc]
        return task

    # ---- what BaseEventLoop leaves to the loops of a platform

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Runs it in a thread that takes turns with all others; the executor is not used."""
        del executor
        self._check_closed()
        assert self.threads is not None
        return self.threads.run_in_thread(lambda: func(*args), "executor")

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's signature
        """There is none."""

    def _process_events(self, events: Sequence[Any]) -> None:
        del events

    def _write_to_self(self) -> None:
        """Nothing to wake: whoever calls has the turn, and the loop looks when it gets it back."""
