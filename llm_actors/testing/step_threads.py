"""Threads that run one at a time: sync tools, Python models and sync hooks as steps of a virtual loop (`runtime.steps.Steps`).

A real thread, with its own stack and context, that holds still unless it has the turn. The loop gives the turn away, at moments and to a
thread that the seed draws, and gets it back when that thread waits or ends: at a wait of ours (`Future.get()`, `response.text()`), at
`time.sleep()`, which is virtual there, at its return. So no two pieces of Python ever run at the same time.

    StepThreads   who is ready, who has the turn, how who waits        StepWait     one wait, ended by `wake()` or by a timer of the loop
    StepWorker    a worker of a pool                                   _Strand      the thread itself; kept for the next simulation

What is not virtual blocks for real: a `threading.Event`, a socket. A thread that does not give its turn back within REAL_LIMIT seconds ends
the simulation with a SimulationError that shows where it stands.
"""

from __future__ import annotations

import asyncio
import math
import os
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from llm_actors.errors import SimulationError
from llm_actors.runtime.clock import lent
from llm_actors.runtime.loop import Loop
from llm_actors.runtime.steps import Work

from .virtual_loop import VirtualLoop

REAL_LIMIT = 10.0
"""Seconds of real time that a thread may have the turn."""
_KEPT = 64
_UNWINDINGS = 10_000


class StepWait:
    """A `runtime.steps.Wait` in virtual time."""

    slice = math.inf  # when the loop ends, all waits end with it

    def __init__(self, threads: StepThreads) -> None:
        self._threads = threads
        self.interrupted = False
        self.woken = False
        self.on_wake: Callable[[], object] | None = None

    def sit(self, seconds: float) -> None:
        """Waits until woken, or for that many virtual seconds."""
        self._threads.sit(self, seconds)

    def wake(self) -> None:
        """Ends the wait, also one that has not begun."""
        if not self.woken:
            self.woken = True
            if self.on_wake is not None:
                self.on_wake()

    def interrupt(self) -> None:
        """Ends the wait, to be followed by CancelledError."""
        self.interrupted = True
        self.wake()


class _Strand(threading.Thread):
    """A thread that holds still unless it has the turn."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.turn = threading.Lock()
        self.turn.acquire()
        self.call: Callable[[], None] | None = None

    def run(self) -> None:
        """Makes one call after the other, each in a turn that it was given."""
        while True:
            self.turn.acquire()
            if self.call is None:
                return
            self.call()

    def rest(self) -> None:
        """Its call is over: it is kept for the next one, or ends. In its own thread."""
        self.call = None
        if len(_idle) < _KEPT:
            _idle.append(self)
        else:
            self.turn.release()


_idle: list[_Strand] = []  # starting a thread takes as long as ten turns


def _take(name: str) -> _Strand:
    if _idle:
        strand = _idle.pop()
    else:
        strand = _Strand()
        strand.start()
    strand.name = name
    return strand


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_idle.clear)


class StepWorker:
    """A `runtime.steps.Worker`: has a thread while it has work."""

    def __init__(self, threads: StepThreads, name: str) -> None:
        self.thread_name = name
        self.gone: Callable[[], None] | None = None
        self._threads = threads
        self._work: deque[Work] = deque()
        self._busy = self._dismissed = False

    def begin(self) -> None:
        """Nothing is to be started yet."""

    def send(self, work: Work) -> None:
        """Gives it work."""
        self._work.append(work)
        if not self._busy:
            self._busy = True
            self._threads.start(self._run, self.thread_name)

    def _run(self) -> None:
        while self._work:
            self._work.popleft().work(self)
        self._busy = False
        if self._dismissed:
            self._go()

    def stop(self) -> None:
        """Dismisses it."""
        if not self._dismissed:
            self._dismissed = True
            if not self._busy:
                self._go()

    def _go(self) -> None:
        if self.gone is not None:
            self.gone()

    def join(self, timeout: float) -> None:
        """It has ended when `gone` was called."""


class StepThreads:
    """See the head of this file: the `Steps` of one virtual loop, and its `Threads`."""

    def __init__(self, virtual: VirtualLoop, loop: Loop, random: Random, *, perturb: bool = True) -> None:
        self._virtual = virtual
        self._loop = loop
        self._choose: Callable[[int], int] = random.randrange if perturb else lambda _: 0
        self._main = threading.get_ident()
        self._ready: list[_Strand] = []
        self._sitting: dict[_Strand, StepWait] = {}
        self._running: _Strand | None = None
        self._back = threading.Lock()
        self._back.acquire()
        self._workers = 0
        self._over = False
        self._fault: BaseException | None = None
        self.on_step: Callable[[str], None] | None = None

    # ---- runtime.steps.Steps

    def worker(self, prefix: str) -> StepWorker:
        """A worker; they are numbered from 1."""
        self._workers += 1
        return StepWorker(self, f"{prefix}-{self._workers}")

    def start(self, call: Callable[[], None], name: str) -> None:
        """Makes a call that raises nothing in a thread of its own."""
        strand = _take(name)

        def run() -> None:
            lent.loop = self._loop
            try:
                call()
            except BaseException as error:  # noqa: BLE001 - it should not; then it is for who runs the simulation
                self._fault = error
            lent.loop = None
            strand.rest()
            self._back.release()

        strand.call = run
        self._ready.append(strand)

    def wait(self) -> StepWait:
        """How its threads wait."""
        return StepWait(self)

    # ---- virtual_loop.Threads

    def ready(self) -> bool:
        """Whether a thread could go on now."""
        return bool(self._ready)

    def run_one(self) -> None:
        """Gives one that is ready the turn, until it waits or ends. SimulationError when it does not give it back."""
        strand = self._ready.pop(self._choose(len(self._ready)))
        if self.on_step is not None:
            self.on_step(strand.name)
        self._running = strand
        strand.turn.release()
        if not self._back.acquire(timeout=REAL_LIMIT):
            frame = sys._current_frames().get(strand.ident or 0)  # noqa: SLF001 - the documented way to see a thread's stack
            stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
            msg = f"the thread {strand.name} has not waited in virtual time for {REAL_LIMIT:g} real seconds. It is at\n{stack}"
            raise SimulationError(msg)
        self._running = None
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault

    def run_in_thread(self, call: Callable[[], Any], name: str) -> asyncio.Future[Any]:
        """A call whose value or exception comes to a future of the loop."""
        answer = self._virtual.create_future()

        def run() -> None:
            value, error = None, None
            try:
                value = call()
            except BaseException as raised:  # noqa: BLE001 - as asyncio's executors do
                error = raised
            if not self._over:
                self._virtual.call_soon_threadsafe(_settle, answer, value, error)

        self.start(run, name)
        return answer

    # ---- waiting

    def sleep(self, seconds: float) -> None:
        """What `time.sleep()` is in these threads, and in that of the loop. Raises CancelledError when the simulation is over."""
        if self._running is None and self._virtual.is_running():
            self._virtual.pass_time(seconds)
            return
        wait = StepWait(self)
        self.sit(wait, seconds)
        if wait.interrupted:
            raise asyncio.CancelledError

    def sit(self, wait: StepWait, seconds: float) -> None:
        """Waits as `StepWait.sit()` says, whichever thread has the turn."""
        if self._over:
            wait.interrupted = True
        elif not wait.woken:
            if self._running is not None:
                self._sit_in_thread(wait, self._running, seconds)
            elif self._virtual.is_running():
                self._sit_in_loop(wait, seconds)
            else:
                self._sit_outside(wait, seconds)
        wait.woken = False

    def _sit_in_thread(self, wait: StepWait, strand: _Strand, seconds: float) -> None:
        timer = self._virtual.call_later(seconds, wait.wake) if seconds < math.inf else None
        self._sitting[strand] = wait
        wait.on_wake = lambda: self._wake(strand)
        self._back.release()
        strand.turn.acquire()
        wait.on_wake = None
        if timer is not None:
            timer.cancel()

    def _wake(self, strand: _Strand) -> None:
        del self._sitting[strand]
        self._ready.append(strand)

    def _sit_in_loop(self, wait: StepWait, seconds: float) -> None:
        """The loop itself is held up: only threads go on."""
        while not wait.woken and self._ready:
            self.run_one()
        if wait.woken:
            return
        if seconds == math.inf:
            msg = f"a blocking wait inside the loop, for what only the loop could bring. It is at\n{''.join(traceback.format_stack())}"
            raise SimulationError(msg)
        self._virtual.pass_time(seconds)

    def _sit_outside(self, wait: StepWait, seconds: float) -> None:
        """The thread that owns the simulation waits: the loop runs meanwhile, right here."""
        timer = self._virtual.call_later(seconds, wait.wake) if seconds < math.inf else None
        wait.on_wake = self._virtual.stop
        try:
            self._virtual.run_forever()
        finally:
            wait.on_wake = None
            if timer is not None:
                timer.cancel()

    # ---- the end

    def waiting(self) -> list[_Strand]:
        """Those who wait, in the order they began to."""
        return list(self._sitting)

    def end(self) -> list[str]:
        """Ends all waits by CancelledError until every thread has ended; gives the names of those that did not."""
        self._over = True
        for _ in range(_UNWINDINGS):
            for wait in list(self._sitting.values()):
                wait.interrupt()
            if not self._ready:
                break
            self.run_one()
        return [strand.name for strand in (*self._ready, *self._sitting)]


def _settle(answer: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if answer.done():  # cancelled meanwhile
        return
    if error is None:
        answer.set_result(value)
    else:
        answer.set_exception(error)
