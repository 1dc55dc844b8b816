"""A promise of a value that can be awaited on any loop and waited for in any thread.

A `pykka.Future` in all it promises (Pykka 4.5), but for one thing: Pykka's `__await__` blocks the loop, ours waits as asyncio's own futures
do. Who waits brings the way to be woken: on the setter's loop an asyncio future, on another loop one thread-safe call, in a thread a lock.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import os
import queue
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import pykka
from pykka import Timeout

from llm_actors.errors import BlockingWaitError, BlocksLoopWarning, LoopClosedError

from .clock import of_this_thread
from .computed import Computed, call_in_thread
from .loop import Loop, running
from .open_wait import OpenWait
from .steps import Wait
from .unit import BlockedLoop, waiting
from .waiting import SLICE, LoopWait, thread_wait

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykka._types import OptExcInfo

    from .wait_graph import Node

__all__ = ["Future", "waiting"]

logger = logging.getLogger("llm_actors.runtime")

T = TypeVar("T")
J = TypeVar("J")
M = TypeVar("M")
R = TypeVar("R")
Outcome: TypeAlias = "tuple[Any, OptExcInfo | None]"

_lock = (
    threading.RLock()
)  # one for all: held for a few instructions, never while anything runs or waits; reentrant as Loop.lock is
_generation = 0  # of processes: a forked child counts one up, and tells by that which futures are its parent's
_warned = False
_OURS = ("llm_actors", "pykka")  # packages whose lines tell a user nothing


class Future(pykka.Future[T]):
    """See the head of this file. `owner`: the loop whose work answers it, if known. Any thread."""

    traced = False
    """Whether it may come to be known who has to go on before it is answered: `_blockers()`."""

    __slots__ = ("_born", "_callbacks", "_computed", "_outcome", "_owner", "_waiter", "_waiters")

    def __init__(self, owner: Loop | None = None) -> None:
        # Not Pykka's: that one sets what we have no use for.
        self._owner = owner
        self._born = _generation
        self._computed: Computed | None = None
        self._outcome: Outcome | None = None
        self._waiter: asyncio.Future[None] | None = None  # of a coroutine on the owner's loop
        self._waiters: tuple[Callable[[], object], ...] = ()  # of others
        self._callbacks: tuple[Callable[[Future[T]], object], ...] = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'done' if self.done() else 'pending'}>"

    # ---- the answer -------------------------------------------------------------------------------------------------

    def done(self) -> bool:
        """Whether the answer is here. What is computed (`map`, a get hook) is done when somebody has asked for it. Any thread."""
        return self._outcome is not None if self._computed is None else self._computed.done()

    def set(self, value: T | None = None) -> None:
        """Sets the value. Raises queue.Full when there is an answer already. Any thread."""
        self._set((value, None))

    def set_exception(self, exc_info: OptExcInfo | None = None) -> None:
        """Sets the exception, by default the one being handled. Raises queue.Full when there is an answer already. Any thread."""
        assert exc_info is None or len(exc_info) == 3  # noqa: PLR2004 - type, value, traceback
        self._set((None, exc_info if exc_info is not None else sys.exc_info()))

    def set_error(self, error: BaseException) -> None:
        """Sets the exception, from the instance alone. Raises queue.Full when there is an answer already. Any thread."""
        self.set_exception((type(error), error, error.__traceback__))

    def _set(self, outcome: Outcome) -> None:
        with _lock:
            if self._outcome is not None or self._computed is not None:
                raise queue.Full
            self._outcome = outcome
            waiter, waiters, callbacks = self._waiter, self._waiters, self._callbacks
            if waiters or callbacks:
                self._waiters = self._callbacks = ()
        if waiter is not None:
            owner = self._owner
            assert owner is not None
            if not owner.is_current():
                LoopWait(owner, waiter).wake()
            elif not waiter.done():
                waiter.set_result(None)
        for wake in waiters:
            wake()
        for callback in callbacks:
            self._call_back(callback)

    def add_done_callback(self, callback: Callable[[Future[T]], object]) -> None:
        """Has `callback(self)` called in the setter's thread when the answer comes; at once, here, when it is there. Any thread.

        Not for what is computed (TypeError): nobody may ever ask for it.
        """
        with _lock:
            if self._computed is not None:
                msg = "a computed future has no moment at which it is done: await it"
                raise TypeError(msg)
            pending = self._outcome is None
            if pending:
                self._callbacks = (*self._callbacks, callback)
        if not pending:
            self._call_back(callback)

    def _call_back(self, callback: Callable[[Future[T]], object]) -> None:
        try:
            callback(self)
        except Exception:  # the setter has nothing to do with it
            logger.exception("a done callback of a future raised: %r", callback)

    # ---- computed futures -------------------------------------------------------------------------------------------

    def set_get_hook(self, func: Callable[[float | None], T]) -> None:
        """Has `get(timeout=)` call `func(timeout)`; its value is kept. `await` calls it in a thread of its own, with None.

        Raises queue.Full when there is an answer already. Any thread.
        """
        self._compute(Computed(None, func))

    def _compute(self, computed: Computed) -> None:
        with _lock:
            if self._outcome is not None:
                raise queue.Full
            self._computed = computed

    def map(self, func: Callable[[T], M]) -> Future[M]:
        """A future of `func(value)`; called by who first asks for it, in its thread. Any thread."""
        return _computed([self], func)

    def filter(self: pykka.Future[Iterable[J]], func: Callable[[J], bool]) -> Future[Iterable[J]]:
        """A future of the list of those items for which `func(item)` is true. As `map()`."""
        return _computed([self], lambda items: [item for item in items if func(item)])

    def join(self: pykka.Future[Any], *futures: pykka.Future[Any]) -> Future[Iterable[Any]]:
        """A future of the list of all values, this one's first. As `map()`."""
        return _computed([self, *futures], lambda *values: list(values))

    def reduce(self: pykka.Future[Iterable[J]], func: Callable[[R, J], R], *args: R) -> Future[R]:
        """A future of `functools.reduce(func, items, *args)`. As `map()`."""
        return _computed([self], lambda items: functools.reduce(func, items, *args))

    # ---- waiting ----------------------------------------------------------------------------------------------------

    def get(self, *, timeout: float | None = None) -> T:
        """The value, or raises the exception; blocks until it is there. Any thread, but not inside the loop that does the work.

        `timeout`: seconds. Raises pykka.Timeout, BlockingWaitError inside the loop that has to do the work (await it there),
        DeadlockError, at once whatever the timeout, where who has to answer waits for who asks, LoopClosedError when that loop is
        closed or was the parent process's. Inside another running loop it works, and a BlocksLoopWarning says, once in a process, that
        it blocks that loop.
        """
        if self._computed is not None:
            return cast("T", self._computed.get(timeout))
        if self._outcome is None:
            self._block(timeout)
        try:
            return self._value()
        finally:
            del self  # as in _value()

    def __await__(self) -> Generator[Any, None, T]:
        """Waits without blocking the loop. Any asyncio loop.

        Raises AsyncioOnlyError under trio, DeadlockError and LoopClosedError as `get()`.
        """
        if self._computed is not None:
            return cast("T", (yield from self._computed.wait(_in_thread).__await__()))
        if self._outcome is None:
            owner = self._owner
            if owner is not None and self._waiter is None and waiting.get() is None and owner.is_open_and_here():
                waiter = owner.asyncio_loop.create_future()
                with _lock:
                    pending = self._outcome is None
                    self._waiter = waiter if pending else None
                try:
                    if pending:
                        yield from waiter
                finally:
                    self._waiter = None
            else:
                yield from self._suspend()
        try:
            return self._value()
        finally:
            del self  # as in _value()

    __iter__ = __await__

    def _value(self) -> T:
        outcome = self._outcome or self._lost()
        assert outcome is not None
        value, exc_info = outcome
        if exc_info is None:
            return cast("T", value)
        kind, error, traceback = exc_info
        try:
            assert kind is not None
            raise (error if error is not None else kind()).with_traceback(traceback)
        finally:
            del (
                self,
                outcome,
                exc_info,
                error,
                traceback,
            )  # or the error's traceback would hold this frame, and by it itself

    def _lost(self) -> Outcome | None:
        """What stands for the answer that can't come any more, because nobody is left to give it."""
        if self._born != _generation:
            return _error(LoopClosedError("this future belongs to the parent process: nobody here will answer it"))
        if self._owner is not None and self._owner.closed:
            return _error(LoopClosedError("the event loop that had to answer this is closed"))
        return None

    def _may_be_lost(self, loop: Loop) -> bool:
        # A loop that ends tells who waits on it by itself.
        return self._owner is not None and self._owner is not loop

    def _blockers(self) -> Sequence[Node]:
        """Who has to go on before it can be answered: its loop, if that is blocked, and what a subclass knows. Any thread."""
        return BlockedLoop.known(self._owner)

    def _is_over(self) -> bool:
        return self._outcome is not None or self._lost() is not None

    def _join(self, wake: Callable[[], object]) -> None:
        with _lock:
            if self._outcome is None:
                self._waiters = (*self._waiters, wake)
                return
        wake()

    def _leave(self, wake: Callable[[], object]) -> None:
        with _lock:
            if self._waiters:
                self._waiters = tuple([other for other in self._waiters if other != wake])

    def _block(self, timeout: float | None) -> None:
        if self._is_over():
            return
        if timeout is not None and timeout <= 0:
            msg = f"{timeout} seconds"
            raise Timeout(msg)
        inside = asyncio._get_running_loop()
        if inside is not None:
            self._check_inside(inside)
        unit = waiting.get()
        wait = thread_wait()
        edge = OpenWait.of_thread(self, wait, unit) if unit is not None or inside is not None else None
        try:
            self._join(wait.wake)
            if edge is not None:
                edge.begin()
            self._sit(wait, timeout, edge)
        finally:
            if edge is not None:
                edge.end()
            self._leave(wait.wake)

    def _check_inside(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._owner is not None and self._owner.asyncio_loop is loop:
            msg = "blocked here, this event loop could never give the answer: await it"
            raise BlockingWaitError(msg)
        global _warned  # noqa: PLW0603 - once for each process
        if not _warned:
            _warned = True
            text = "a blocking wait inside a running event loop: nothing else runs there meanwhile. Await it, or wait in a thread"
            warnings.warn(text, BlocksLoopWarning, stacklevel=_users_level())

    def _sit(self, wait: Wait, timeout: float | None, edge: OpenWait | None) -> None:
        monotonic = of_this_thread().monotonic
        deadline = None if timeout is None else monotonic() + timeout
        while not self._is_over():
            if wait.interrupted:
                raise asyncio.CancelledError
            if edge is not None:
                edge.check()
            left = wait.slice if deadline is None else min(wait.slice, deadline - monotonic())
            if left <= 0:
                msg = f"{timeout} seconds"
                raise Timeout(msg)
            wait.sit(left)

    def _suspend(self) -> Generator[Any, None, None]:
        loop = running()
        if loop is None:
            msg = "awaited without a running asyncio loop"
            raise RuntimeError(msg)
        if self._is_over():
            return
        unit = waiting.get()
        wait = LoopWait(loop)
        edge = OpenWait.of_task(self, wait, unit) if unit is not None else None
        look = _Look(self, wait, loop) if self._may_be_lost(loop) else None
        try:
            self._join(wait.wake)
            if edge is not None:
                edge.begin()
            yield from wait.future
            if edge is not None and self._outcome is None:
                edge.check()
        finally:
            if edge is not None:
                edge.end()
            if self._outcome is None:
                self._leave(wait.wake)
            if look is not None:
                look.cancel()


class _Look:
    """Looks from time to time, while a coroutine waits for another loop's answer, whether it can still come."""

    def __init__(self, future: Future[Any], wait: LoopWait, loop: Loop) -> None:
        self._future, self._wait, self._loop = future, wait, loop
        self._timer = loop.call_later(SLICE, self._look)

    def _look(self) -> None:
        if self._future._is_over():
            self._wait.wake()
        else:
            self._timer = self._loop.call_later(SLICE, self._look)

    def cancel(self) -> None:
        self._timer.cancel()


def _error(error: BaseException) -> Outcome:
    return None, (type(error), error, None)


def _computed(sources: list[pykka.Future[Any]], compute: Callable[..., Any]) -> Future[Any]:
    future: Future[Any] = Future()
    future._compute(Computed(sources, compute))
    return future


def _in_thread(call: Callable[[], Any]) -> Future[Any]:
    answer: Future[Any] = Future()
    call_in_thread(call, answer)
    return answer


def _after_fork() -> None:
    global _generation, _lock  # noqa: PLW0603 - one for each process
    _generation += 1
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


def _users_level() -> int:
    """The `stacklevel` by which a warning of its caller shows the line of the user's that led there."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        level, frame = level + 1, frame.f_back
    return level - 1
