"""An asyncio loop, as the layers above see it: posting from any thread, timers, tasks that are held, and an end that leaves nothing behind.

A Loop is made at the first touch of an asyncio loop and lives as long as it. It parks an async generator there, which every proper
runner closes (`shutdown_asyncgens`: asyncio.run, Runner, uvloop, anyio, pytest-asyncio): that is how the loop's end is noticed. Then, in
this order: the callbacks of `on_end()` run, last registered first; actors that live there are ended and their mail is answered; tasks
that still run are cancelled and waited for, up to `GRACE` seconds; from then on the Loop is `closed`. Where a loop is closed without all
that, it is noticed at the next touch.

The loop's lock also guards the mailboxes of its actors: whether mail is taken, and by whom it is answered, is decided under it, once.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import inspect
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from contextvars import Context
from threading import get_ident
from typing import Any, Protocol, TypeAlias, TypeVar

import sniffio

from llm_actors.errors import AsyncioOnlyError, LoopClosedError

from . import clock as clocks
from .background_thread import BackgroundThread
from .inhabitant import Inhabitant
from .stalls import StallWatch, Stepped
from .steps import Steps
from .which_system import DEFAULT

logger = logging.getLogger("llm_actors.runtime")

T = TypeVar("T")
EndCallback: TypeAlias = Callable[[], Awaitable[None] | None]

GRACE = 5.0
"""Seconds that tasks and actors of a loop have to end in, after they were told."""
CALLBACK_GRACE = 15.0
"""Seconds that one `on_end` callback may take."""


class Timer(Protocol):
    """A call that waits for its time."""

    def cancel(self) -> None:
        """It will not be made. Its loop only; again is no error."""
        ...


class Loop:
    """One for each asyncio loop. See the head of this file."""

    def __init__(self, asyncio_loop: asyncio.AbstractEventLoop) -> None:
        self.asyncio_loop = asyncio_loop
        self.name = f"the loop of {threading.current_thread().name}"  # for people
        self.clock: clocks.Clock = clocks.installed()
        self.services: dict[object, Any] = {}
        self.stalls = StallWatch()
        self.lock = threading.RLock()  # reentrant: a finalizer or signal may send mail while its own thread is inside
        self.steps: Steps | None = None  # see steps.py
        # Dicts, not sets: what happens to all of them happens in an order that is the same in each run of a simulation.
        self.busy: dict[Inhabitant, None] = {}  # who has work here
        self.residents: dict[Inhabitant, None] = {}  # who is stopped with it also when idle, in order of start
        self._context = Context()
        self._posted: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._woken = False
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._end_callbacks: list[EndCallback] = []
        self._parked: AsyncGenerator[None, None] | None = None
        self._by_thread = hasattr(asyncio_loop, "_thread_id")  # uvloop keeps it to itself
        self.ended = False
        with _guard:
            _loops.add(self)

    def __repr__(self) -> str:
        return f"<Loop {'closed' if self.closed else 'open'} of {self.asyncio_loop!r}>"

    @property
    def closed(self) -> bool:
        """The asyncio loop is closed, or has shut down what is ours. Any thread."""
        if not self.ended and self.asyncio_loop.is_closed():
            self.abandon()
        return self.ended

    def is_current(self) -> bool:
        """We are on its thread, inside it."""
        # 0.08 us; asyncio's own look asks the system for the process's number, up to CPython 3.11: 0.21 us
        if self._by_thread:
            thread: int | None = self.asyncio_loop._thread_id  # type: ignore[attr-defined]
            return thread == get_ident()
        return asyncio._get_running_loop() is self.asyncio_loop

    def is_open_and_here(self) -> bool:
        """`running()` would give it, and it has not ended: for who has an idea which loop it is."""
        return not self.ended and self._parked is not None and self.is_current() and sniffio.thread_local.name != "trio"

    # ---- calls ------------------------------------------------------------------------------------------------------

    def post(self, callback: Callable[..., object], *args: Any) -> None:
        """Has the loop make a call. Any thread; first in, first out; many posts cost the loop one wake-up.

        The call runs in a context of the loop's own, not in the poster's. Raises LoopClosedError when the loop is closed.
        """
        if self.closed:
            msg = "the event loop is closed"
            raise LoopClosedError(msg)
        with self.lock:
            if self.ended:
                msg = "the event loop is closed"
                raise LoopClosedError(msg)
            self._posted.append((callback, args))
            if not self._woken:
                self._wake()

    def _wake(self) -> None:
        # `_woken` is set last: an interrupt on the way here costs a second wake-up, never a lost one.
        try:
            if self.is_current():
                self.asyncio_loop.call_soon(self._run_posted, context=self._context)
            else:
                self.asyncio_loop.call_soon_threadsafe(self._run_posted, context=self._context)
        except RuntimeError as error:  # closed between the look and the call
            if not self.asyncio_loop.is_closed():
                raise
            msg = "the event loop is closed"
            raise LoopClosedError(msg) from error
        self._woken = True

    def _run_posted(self) -> None:
        if self._parked is None and not self.ended:
            self.park()  # calls from other threads may be the first that happens here
            if self._parked is None:  # and too late: nobody would end what they begin
                self.abandon()
        with self.lock:
            self._woken = False
            posted, self._posted = self._posted, deque()
        try:
            while posted:
                callback, args = posted.popleft()
                try:
                    callback(*args)
                except Exception as error:  # noqa: BLE001 - as asyncio does with a callback of its own
                    message = f"Exception in a call posted to the loop: {callback!r}"
                    self.asyncio_loop.call_exception_handler({"message": message, "exception": error})
        finally:
            if posted:  # something like KeyboardInterrupt: the others have their turn when the loop runs again
                with self.lock:
                    self._posted.extendleft(reversed(posted))
                    self._wake()

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        """Makes the call in the loop's next round, in the caller's context. Its loop only."""
        self.asyncio_loop.call_soon(callback, *args)

    def call_from_signal(self, callback: Callable[..., object], *args: Any) -> None:
        """Makes the call, and wakes the loop for it. For a signal's handler, which is in the loop's thread while that may be asleep."""
        self.asyncio_loop.call_soon_threadsafe(callback, *args)

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer:
        """Makes the call after `delay` seconds, in the caller's context. Its loop only."""
        return self.asyncio_loop.call_later(delay, callback, *args)

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> Timer:
        """Makes the call at `when` on `clock.monotonic()`, in the caller's context. Its loop only."""
        return self.asyncio_loop.call_later(max(0.0, when - self.clock.monotonic()), callback, *args)

    def spawn(
        self,
        coroutine: Coroutine[Any, Any, T],
        *,
        name: str,
        context: Context | None = None,
        watched: str | None = None,
    ) -> asyncio.Task[T]:
        """Runs a coroutine as a task that is held until it is done, and cancelled and awaited when the loop ends. Its loop only.

        `context`: what it runs in; without one a copy of the caller's. `watched`: users' code, by this name: a step of it that holds the
        loop is told (stalls.py). Raises LoopClosedError when the loop is closed.
        """
        if self.closed:
            coroutine.close()
            msg = f"the event loop is closed: {name} can't start"
            raise LoopClosedError(msg)
        if watched is not None:
            coroutine = Stepped(coroutine, watched, self.stalls, self.clock.monotonic)
        task = self.asyncio_loop.create_task(coroutine, name=name, context=context)
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
        return task

    # ---- the end ----------------------------------------------------------------------------------------------------

    def on_end(self, callback: EndCallback) -> None:
        """Has `callback` run, and awaited if it gives an awaitable, when the loop ends; last registered, first run. Its loop only."""
        self._end_callbacks.append(callback)

    def off_end(self, callback: EndCallback) -> None:
        """Not any more: what it would end has ended. Its loop only; again is no error."""
        with contextlib.suppress(ValueError):
            self._end_callbacks.remove(callback)

    def park(self) -> None:
        """Begins to wait for the loop's end, from inside it."""
        if self._parked is None and not getattr(self.asyncio_loop, "_asyncgens_shutdown_called", False):
            self._parked = self._wait_for_end()
            with contextlib.suppress(StopIteration):  # it has yielded
                self._parked.asend(None).send(None)

    async def _wait_for_end(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            try:
                await self._end()
            finally:
                self.abandon()

    async def _end(self) -> None:
        while self._end_callbacks:
            await self._call_back(self._end_callbacks.pop())
        ending: list[asyncio.Task[None]] = []
        for number, inhabitant in enumerate(self._inhabitants()):
            end = inhabitant._actor_end()
            if end is not None:
                ending.append(self.asyncio_loop.create_task(end, name="llm_actors end of an actor"))
            if number % 500 == 499:  # noqa: PLR2004 - others have their turn: a hundred thousand take a while
                await asyncio.sleep(0)
        if ending:
            await asyncio.wait(ending, timeout=GRACE)
        tasks = [task for task in (*self._tasks, *ending) if not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GRACE)
            for task in late:
                logger.warning("%r did not end within %s s of being cancelled", task, GRACE)

    def _inhabitants(self) -> Iterable[Inhabitant]:
        # As Pykka's stop_all(): last started, first stopped.
        return dict.fromkeys([*reversed(self.residents), *self.busy])

    async def _call_back(self, callback: EndCallback) -> None:
        try:
            outcome = callback()
            if inspect.isawaitable(outcome):
                async with asyncio.timeout(CALLBACK_GRACE):
                    await outcome
        except Exception:
            logger.exception("a callback at the end of a loop failed: %r", callback)

    def abandon(self) -> None:
        """Nothing is taken or done here any more: who waits is told. Any thread; again is no error."""
        with self.lock:
            if self.ended:
                return
            self.ended = True
        if self.is_current():
            self._run_posted()  # what was taken before the end is done
        for inhabitant in self._inhabitants():
            inhabitant._actor_abandon()
        self.busy.clear()
        self._posted.clear()

    def forget(self) -> None:
        """In a forked child: this loop is the parent's."""
        self.lock = threading.RLock()
        self.ended = True
        self.busy, self.residents = {}, {}
        self._posted.clear()


# ---- which loop -----------------------------------------------------------------------------------------------------

_guard = threading.RLock()
_loops: weakref.WeakSet[Loop] = weakref.WeakSet()


def running() -> Loop | None:
    """The Loop of the running asyncio loop; None when none runs in this thread. AsyncioOnlyError under trio. Any thread."""
    asyncio_loop = asyncio._get_running_loop()
    known: Loop | None = getattr(asyncio_loop, clocks.SEAT, None)
    if known is not None and known._parked is not None and sniffio.thread_local.name != "trio":
        return known  # the way of all calls but the first
    if sniffio.thread_local.name == "trio" or (asyncio_loop is None and _foreign() is not None):
        msg = f"asyncio only, and this is {_foreign()}: call it in a thread, or under asyncio.run()"
        raise AsyncioOnlyError(msg)
    return of(asyncio_loop) if asyncio_loop is not None else None


def _foreign() -> str | None:
    name = sniffio.thread_local.name or sniffio.current_async_library_cvar.get()
    return name if name != "asyncio" else None


def of(asyncio_loop: asyncio.AbstractEventLoop) -> Loop:
    """The Loop of this asyncio loop, made at first touch. Any thread; inside it, it also begins to wait for its end."""
    loop: Loop | None = getattr(asyncio_loop, clocks.SEAT, None)
    if loop is None:
        with _guard:
            loop = getattr(asyncio_loop, clocks.SEAT, None)
            if loop is None:
                loop = Loop(asyncio_loop)
                setattr(asyncio_loop, clocks.SEAT, loop)
    if loop._parked is None and loop.is_current():
        loop.park()
    return loop


def here() -> Loop:
    """The running loop, else the background loop. Any thread."""
    return running() or background()


# ---- the background loop --------------------------------------------------------------------------------------------


_background: BackgroundThread | None = None
_exiting = False


def background() -> Loop:
    """The one loop of the process with a daemon thread of its own, made at first use. Any thread.

    In virtual time there is no such thread: it is the virtual loop.
    Raises LoopClosedError when the interpreter is at its exit, or has no thread for it.
    """
    global _background  # noqa: PLW0603 - one for each process
    if clocks.lent.loop is not None:
        return clocks.lent.loop  # type: ignore[no-any-return]
    thread = _background
    if thread is None or thread.loop.closed:
        with _guard:
            thread = _background
            if thread is None or thread.loop.closed:
                if _exiting:
                    msg = "the interpreter is at its exit: there is no background loop any more"
                    raise LoopClosedError(msg)
                thread = BackgroundThread(of)
                try:
                    thread.start()
                except (
                    RuntimeError
                ) as error:  # none left in the system; since Python 3.12 also when the main thread has ended
                    thread.asyncio_loop.close()
                    msg = f"there is no background loop: {error}"
                    raise LoopClosedError(msg) from error
                _background = thread
    return thread.loop


def is_background(loop: Loop) -> bool:
    """Whether this is the background loop. Any thread."""
    return _background is not None and _background.loop is loop


def retire_background(loop: Loop, then: Callable[[], object]) -> bool:
    """Ends the background loop's thread if this is its loop and nobody lives there; whoever needs one later makes another.

    `then` is called in that thread, as its last act. Its loop only; False when there is nothing to end.
    """
    global _background  # noqa: PLW0603 - as above
    with _guard:
        thread = _background
        if thread is None or thread.loop is not loop or loop.residents or loop.busy or loop.services.keys() - {DEFAULT}:
            return False
        _background = None
        thread.last_acts.append(then)
    thread.finish()
    return True


def _end_background() -> None:
    global _exiting  # noqa: PLW0603 - as above
    with _guard:
        _exiting = True
    if _background is not None:
        _background.end()


def _after_fork() -> None:
    """The child's start: the parent's loops are not its own, and their threads are not there."""
    global _background, _guard  # noqa: PLW0603 - as above
    _guard = threading.RLock()
    _background = None
    for loop in list(_loops):
        loop.forget()


# After the threads that are no daemons, whose work may need the loop, and before daemon threads are frozen.
atexit.register(_end_background)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
