"""Programs in virtual time: hours pass in milliseconds, and the same seed gives the same run, event by event, in every process.

    async def main():
        conversation = model.conversation(tools=[look_up])
        return await conversation.chain("What is new?", timeout=60).text()

    assert testing.run(main(), seed=7) == "nothing"

    with testing.Simulation(seed=7) as simulation:          # several runs in one world, the trace, and the sync API:
        simulation.run(main())                              # async code runs on the virtual loop
        assert sync_model.prompt("hi").text() == "ho"       # sync code, right here: the loop runs while it waits
        assert simulation.now < 60
        print(simulation.trace.encode().decode())

What is virtual: the loop's time (asyncio.sleep, asyncio.timeout, httpx's timeouts over an in-memory transport), all waits and clocks of
this library, and inside its threads (tools, Python models, hooks) and here `time.sleep()`. What is drawn from the seed: which thread goes
on, and when; which of two timers due together comes first; ids, jitter, and the `random` module. What is not: other clocks of the `time`
module, sockets, locks and events of `threading`, threads of your own, `os.urandom`, and the order of sets of strings.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Self, TypeVar

from llm_actors.actor_system import ActorSystem
from llm_actors.errors import SimulationError
from llm_actors.runtime import loop as loops
from llm_actors.runtime.clock import lent
from llm_actors.runtime.urn import renumber
from llm_actors.runtime.which_system import system_context

from .step_threads import StepThreads
from .stuck import what_waits
from .trace import Trace
from .virtual_clock import VirtualClock
from .virtual_loop import VirtualLoop

T = TypeVar("T")

MAX_TIME = 30 * 24 * 3600.0
MAX_TURNS = 10_000_000
END_SECONDS = 60.0
END_TURNS = 200_000
"""Virtual seconds and turns that what is left has to end in, after it was cancelled."""

_real_sleep = time.sleep


def _sleep(seconds: Any) -> None:
    """In place of `time.sleep()` while a simulation runs."""
    if lent.loop is None:
        _real_sleep(seconds)
    else:
        lent.loop.steps.sleep(seconds)


class Simulation:
    """One world in virtual time, from `with` to the end of its block. One at a time in a process; its thread only.

    `system`: the ActorSystem that programs in it use by default, in place of one with the default settings; its records go into the
    trace. `max_time` (virtual seconds) and `max_turns` (of the loop): SimulationError past them. `perturb`: false for a world where
    threads go on at once, in order, and timers due together come in the order they were set.
    """

    def __init__(
        self,
        seed: int | str = 0,
        *,
        system: ActorSystem | None = None,
        max_time: float = MAX_TIME,
        max_turns: int = MAX_TURNS,
        perturb: bool = True,
    ) -> None:
        self.seed = seed
        self.random = random.Random(f"{seed}/program")  # noqa: S311 - for repeatable draws
        self.trace = Trace(lambda: self.now)
        self.faults: list[dict[str, Any]] = []
        """What asyncio's exception handler was told: exceptions that nobody could be given."""
        self.system = system if system is not None else ActorSystem()
        self._bounds = (max_time, max_turns)
        self._perturb = perturb
        self._entered = False

    def _draws(self, what: str) -> random.Random:
        return random.Random(f"{self.seed}/{what}")  # noqa: S311 - for repeatable draws

    @property
    def now(self) -> float:
        """Virtual seconds since it began."""
        return self.virtual.time()

    # ---- the block

    def __enter__(self) -> Self:
        if lent.loop is not None or self._entered:
            msg = "one simulation at a time, and each one once"
            raise RuntimeError(msg)
        self._entered = True
        max_time, max_turns = self._bounds
        self.virtual = VirtualLoop(self._draws("ties"), max_time=max_time, max_turns=max_turns, perturb=self._perturb)
        self.loop = loop = loops.of(self.virtual)
        loop.clock = VirtualClock(self.virtual, self._draws("ids"))
        threads = StepThreads(self.virtual, loop, self._draws("threads"), perturb=self._perturb)
        threads.on_step = self.trace.stepped
        loop.steps = self.threads = self.virtual.threads = threads
        self.virtual.why_stuck = lambda: what_waits(loop, threads)
        self.virtual.set_exception_handler(self._fault)
        self.system.observers.append(self.trace)
        self._token = system_context.set(self.system)
        lent.loop = loop
        self._kept = (random.getstate(), time.sleep, gc.isenabled())
        self._urns = renumber(self._draws("urns").getrandbits(64))
        random.seed(f"{self.seed}/random")
        time.sleep = _sleep
        gc.disable()  # what it finalizes, and when, would depend on what the process did before
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            left = self._end()
        finally:
            system_context.reset(self._token)
            self.system.observers.remove(self.trace)
            lent.loop = None
            state, time.sleep, collects = self._kept
            renumber(to=self._urns)
            random.setstate(state)
            if collects:
                gc.enable()
        if left and error is None:
            msg = f"threads did not end with the simulation: {', '.join(left)}"
            raise SimulationError(msg)

    def run(self, main: Awaitable[T]) -> T:
        """Runs a coroutine on the virtual loop to its end and gives what it gives. SimulationError when it can't end: see `errors`."""
        task = self.virtual.create_task(_awaited(main), name="main")
        return self.virtual.run_until_complete(task)

    def _fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.faults.append(context)
        loop.default_exception_handler(context)

    # ---- the end

    def _end(self) -> list[str]:
        """As `asyncio.run()` ends a loop: tasks are cancelled, then generators closed, and with them the loop's actors and engines."""
        if self.virtual.is_closed():
            return []
        self.virtual.allow_more(END_SECONDS, END_TURNS)
        try:
            self.virtual.run_until_complete(self._cancel_tasks())
            self.virtual.run_until_complete(self.virtual.shutdown_asyncgens())
        finally:
            left = self.threads.end()
            self.virtual.close()
        return left

    async def _cancel_tasks(self) -> None:
        tasks = sorted(asyncio.all_tasks() - {asyncio.current_task()}, key=hash)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def _awaited(main: Awaitable[T]) -> T:
    return await main


def run(main: Awaitable[T], *, seed: int | str = 0, **more: Any) -> T:
    """Runs a coroutine in a world of its own, as `asyncio.run()` does in the real one; `more`: see `Simulation`."""
    with Simulation(seed, **more) as simulation:
        return simulation.run(main)
