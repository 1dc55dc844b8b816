"""What an actor does on its loop: it drains its mailbox, works, fails, stops, and is ended with the loop.

Every way out goes the same way: `_die()` (no more mail is taken), `_clear()` (what waits is answered), a hook, `_rest()`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import pykka
from pykka import ActorRegistry

from llm_actors.errors import LoopClosedError

from .carried import Floor, brought_by, carried
from .dead_letters import dead_letter
from .ending import Ending, Mortal, Reason, Watch
from .future import Future
from .loop import Loop, is_background
from .mailbox import Envelope, Kill, Mailbox, Stop
from .registry import unregister
from .reply import answer, answer_error, dead
from .unit import ActorUnit
from .unit import waiting as at_work
from .work import Work, work_of

if TYPE_CHECKING:
    from .office import Office
    from .ref import ActorRef

pykka_logger = logging.getLogger("pykka")
logger = logging.getLogger("llm_actors.runtime")

BATCH = 64
"""Messages that one drain handles before others have their turn on the loop."""
BATCH_SECONDS = 0.002
"""The time after which a drain takes no further message."""

Mail: TypeAlias = Envelope[Any]
Settled: TypeAlias = Callable[[list[Mail], Any, BaseException | None], None]
"""What follows a call: gets who waits for it, its value or its exception."""

_unbound = threading.RLock()  # for actors that have no loop yet


class Life(Mortal, pykka.Actor):
    """The half of an actor that is on its loop. Its loop only, where nothing else is said."""

    _actor_lives_on: Loop | None = None
    _actor_own_ref: ActorRef[Any] | None = None
    _actor_mailbox: Mailbox | None = None
    _actor_work: Work | None = None
    _actor_starting = False
    _actor_awake = False  # a drain is scheduled or runs, or a coroutine is at work
    _actor_dead = False
    _actor_waits: ClassVar[bool] = True  # its handlers may wait for others, and are then part of the graph of waits
    _actor_unit: ActorUnit | None = None  # while it has mail in work
    _actor_heir: Office | None = None  # where its mail goes when it dies: it has a supervisor
    _actor_mourners: tuple[Future[None], ...] = ()
    _actor_floor: Floor | None = None

    @property
    def _actor_lock(self) -> threading.RLock:
        return self._actor_lives_on.lock if self._actor_lives_on is not None else _unbound

    # ---- the mail ---------------------------------------------------------------------------------------------------

    def _actor_wake(self, loop: Loop) -> None:
        """Has the mailbox drained. Any thread, under the lock."""
        if loop.is_current():
            loop.asyncio_loop.call_soon(self._actor_drain, context=self._actor_handlers_context())
        else:
            loop.post(self._actor_drain_in_context)
        self._actor_awake = True
        loop.busy[self] = None

    def _actor_handlers_context(self) -> Context:
        return self._actor_context if self._actor_context is not None else Context()

    def _actor_drain_in_context(self) -> None:
        self._actor_handlers_context().run(self._actor_drain)

    def _actor_drain(self) -> None:
        assert self._actor_lives_on is not None
        if self._actor_dead:
            self._actor_stopped(self._actor_clear("stopped"), None, None)
            return
        monotonic, stalls = self._actor_lives_on.clock.monotonic, self._actor_lives_on.stalls
        began = monotonic()
        end = began + BATCH_SECONDS
        for _ in range(BATCH):
            starting = self._actor_starting
            envelope = None if starting else self._actor_next()
            if envelope is None and not starting:
                return
            stalls.inside, stalls.since = (self, envelope), began
            goes_on = self._actor_start() if envelope is None else self._actor_deliver(envelope)
            stalls.inside, now = None, monotonic()
            if now - began > stalls.bound:
                stalls.took(work_of(self, envelope), began, now)
            if not goes_on:
                return
            if now > end:
                break
            began = now
        self._actor_go_on()

    def _actor_start(self) -> bool:
        self._actor_starting = False
        return self._actor_call(self.on_start, (), [], self._actor_started)

    def _actor_go_on(self) -> None:
        assert self._actor_lives_on is not None
        self._actor_lives_on.asyncio_loop.call_soon(self._actor_drain, context=self._actor_handlers_context())

    def _actor_next(self) -> Mail | None:
        with self._actor_lock:
            envelope = self._actor_mailbox.take() if self._actor_mailbox is not None else None
            if envelope is None:
                self._actor_mailbox = None
                self._actor_rest()
            return envelope

    def _actor_rest(self) -> None:
        """Nothing is to be done any more, or for now."""
        assert self._actor_lives_on is not None
        with self._actor_lock:
            self._actor_awake = False
            self._actor_unit = None
            self._actor_lives_on.busy.pop(self, None)

    def _actor_deliver(self, envelope: Mail) -> bool:
        """Whether the next one may follow at once."""
        message = envelope.message
        if isinstance(message, Stop):
            self._actor_stop_for([envelope])
        elif isinstance(message, Kill):
            self._actor_kill_for([envelope])
        else:
            return self._actor_handle(envelope)
        return False

    def _actor_handle(self, envelope: Mail) -> bool:
        brought = brought_by(envelope, self._actor_floor)
        if brought is carried.get():
            return self._actor_call(self._handle_receive, (envelope.message,), [envelope], self._actor_handled)
        token = carried.set(brought)
        try:
            return self._actor_call(self._handle_receive, (envelope.message,), [envelope], self._actor_handled)
        finally:
            carried.reset(token)

    def _actor_call(
        self, call: Callable[..., Any], arguments: tuple[Any, ...], waiting: list[Mail], settled: Settled
    ) -> bool:
        """Calls a handler or hook. A coroutine becomes a task. False when that took over, or the actor has died."""
        if not self._actor_waits:
            return self._actor_make_call(call, arguments, waiting, settled)
        unit = self._actor_unit = self._actor_unit or ActorUnit(self)
        token = at_work.set(unit)
        try:
            return self._actor_make_call(call, arguments, waiting, settled)
        finally:
            at_work.reset(token)

    def _actor_make_call(
        self, call: Callable[..., Any], arguments: tuple[Any, ...], waiting: list[Mail], settled: Settled
    ) -> bool:
        try:
            value = call(*arguments)
        except BaseException as error:
            settled(waiting, None, error)
            # Ctrl-C and sys.exit() are for the program; the background loop, which is ours, outlives them.
            if isinstance(error, KeyboardInterrupt | SystemExit) and not is_background(self._actor_home()):
                raise
            return not self._actor_dead
        if value is not None and asyncio.iscoroutine(value):
            self._actor_start_work(value, waiting, settled)
            return False
        settled(waiting, value, None)
        return not self._actor_dead

    def _actor_start_work(self, coroutine: Coroutine[Any, Any, Any], waiting: list[Mail], settled: Settled) -> None:
        assert self._actor_lives_on is not None
        what = getattr(coroutine, "__qualname__", type(coroutine).__qualname__)
        task = self._actor_lives_on.spawn(coroutine, name=f"llm_actors {type(self).__name__}", watched=what)
        self._actor_work = Work(task, waiting, what, self._actor_lives_on.clock.monotonic())
        if self._actor_unit is not None:
            self._actor_unit.place = task
        task.add_done_callback(partial(self._actor_settle, settled), context=self._actor_handlers_context())

    def _actor_settle(self, settled: Settled, task: asyncio.Task[Any]) -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        work = self._actor_work
        if work is None or work.task is not task:  # abandoned with its loop, and answered
            return
        self._actor_work = None
        if self._actor_unit is not None:
            self._actor_unit.place = None
        settled(work.waiting, None if error is not None else task.result(), error)
        if not self._actor_dead:
            self._actor_go_on()

    # ---- what a call came to ----------------------------------------------------------------------------------------

    def _actor_handled(self, waiting: list[Mail], value: Any, error: BaseException | None) -> None:
        reply_to = waiting[0].reply_to
        if error is None:
            answer(reply_to, value)
        elif not isinstance(error, Exception):
            answer_error(reply_to, dead(f"{self} stopped: its handler raised {error!r}", error))
            self._actor_broken(error)
        elif reply_to is not None:
            pykka_logger.info("Exception returned from %s to caller:", self, exc_info=error)
            answer_error(reply_to, error)
        else:
            self._handle_failure(type(error), error, error.__traceback__)
            self._actor_mourn(error)

    def _actor_started(self, _waiting: list[Mail], _value: Any, error: BaseException | None) -> None:
        if isinstance(error, Exception):
            self._handle_failure(type(error), error, error.__traceback__)
            self._actor_stopped(self._actor_clear("failed to start"), None, None)
        elif error is not None:
            self._actor_broken(error)

    def _actor_broken(self, error: BaseException) -> None:
        """A handler or `on_start` raised what is no Exception."""
        mailbox = self._actor_mailbox
        if mailbox is not None and mailbox.killed:
            self._actor_kill_for([])
        elif isinstance(error, asyncio.CancelledError):
            logger.info("what %s was doing was cancelled: it stops", self)
            self._actor_die("failed", error)
            self._actor_mourn(error)
        else:
            pykka_logger.debug("%r in %s. Stopping all actors.", error, self)
            self._actor_stop_for([], "failed", error)
            ActorRegistry.stop_all(block=False)

    def _actor_fail(self, error: BaseException) -> None:
        """Fails of its own accord: as if a message that nobody asked for had raised. Not while a coroutine of its is at work."""
        self._handle_failure(type(error), error, error.__traceback__)
        self._actor_mourn(error)

    def _actor_mourn(self, error: BaseException) -> None:
        stops = self._actor_clear("failed")
        self._actor_call(self.on_failure, (type(error), error, error.__traceback__), stops, self._actor_stopped)

    def _actor_stopped(self, stops: list[Mail], _value: Any, error: BaseException | None) -> None:
        """The last hook has run."""
        if error is not None:
            self._handle_failure(type(error), error, error.__traceback__)
        self._actor_rest()
        self._actor_over()
        self._actor_answer_stops(stops)

    # ---- the ways to stop -------------------------------------------------------------------------------------------

    def _actor_stop_for(
        self, stops: list[Mail], reason: Reason = "stopped", error: BaseException | None = None
    ) -> None:
        if self._actor_die(reason, error):
            pykka_logger.debug("Stopped %s", self)
        self._actor_call(self.on_stop, (), [*stops, *self._actor_clear("stopped")], self._actor_stopped)

    def _actor_kill_for(self, stops: list[Mail]) -> None:
        if self._actor_die("killed"):
            pykka_logger.debug("Stopped %s", self)
        self._actor_stopped([*stops, *self._actor_clear("killed")], None, None)

    def _handle_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        info: Any = (exception_type, exception_value, traceback)
        pykka_logger.error("Unhandled exception in %s:", self, exc_info=info)
        self._actor_die("failed", exception_value)

    def _actor_die(self, reason: Reason = "stopped", error: BaseException | None = None) -> bool:
        """No more mail is taken. False when it was dead. Any thread."""
        with self._actor_lock:
            if self._actor_dead:
                return False
            self._actor_dead = True
            self._actor_ending = Ending(reason, error)
            mourners, self._actor_mourners = self._actor_mourners, ()
            ref, self._actor_own_ref = self._actor_own_ref, None
            if self._actor_lives_on is not None:
                self._actor_lives_on.residents.pop(self, None)
        if ref is not None:
            unregister(ref)
        for mourner in mourners:
            mourner.set(None)
        return True

    def _actor_clear(self, reason: str, cause: BaseException | None = None) -> list[Mail]:
        """Answers what waits; gives those that asked for the stop, who are answered at its end. Any thread."""
        with self._actor_lock:
            mailbox, self._actor_mailbox = self._actor_mailbox, None
        if mailbox is None:
            return []
        stops = mailbox.take_stops()
        if self._actor_heir is not None and cause is None and self._actor_heir.inherit(mailbox, self):
            return stops
        for envelope in mailbox.take_all():
            dead_letter(self, envelope.message, reason)
            error = dead(f"{self} stopped before handling the message", cause)
            answer_error(envelope.reply_to, error)
        return stops

    def _actor_answer_stops(self, stops: list[Mail]) -> None:
        for envelope in stops:
            answer(envelope.reply_to, None)

    # ---- the end of the loop ----------------------------------------------------------------------------------------

    def _actor_end(self) -> Coroutine[Any, Any, None] | None:
        """See loop.Inhabitant."""
        cause = LoopClosedError("its event loop ended")
        fresh = self._actor_die("loop ended", cause)
        stops = self._actor_clear("its event loop ended", cause)
        if self._actor_work is not None:
            self._actor_answer_stops(stops)
            if fresh:
                self._actor_work.task.cancel()
        elif fresh and not self._actor_starting:
            pykka_logger.debug("Stopped %s", self)
            with contextlib.suppress(KeyboardInterrupt, SystemExit):  # logged, and the loop is at its end already
                self._actor_call(self.on_stop, (), stops, self._actor_stopped)
        else:
            self._actor_stopped(stops, None, None)
        return self._actor_until_rest() if self._actor_work is not None else None

    async def _actor_until_rest(self) -> None:
        while self._actor_work is not None:
            await asyncio.wait({self._actor_work.task})
            await asyncio.sleep(0)  # its done callback settles it, and may begin another

    def _actor_abandon(self) -> None:
        """See loop.Inhabitant."""
        cause = LoopClosedError("its event loop is closed")
        self._actor_die("loop ended", cause)
        stops = self._actor_clear("its event loop is closed", cause)
        work, self._actor_work = self._actor_work, None
        if work is not None:
            stops += [envelope for envelope in work.waiting if isinstance(envelope.message, Stop | Kill)]
            for envelope in work.waiting:
                if envelope not in stops:
                    answer_error(envelope.reply_to, dead(f"{self} stopped: its event loop is closed", cause))
        self._actor_over()
        self._actor_answer_stops(stops)

    # ---- who is told of the end -------------------------------------------------------------------------------------

    def _actor_watch(self, watch: Watch) -> None:
        loop = self._actor_home()
        with loop.lock:
            if not self._actor_dead and not loop.ended:
                loop.residents.setdefault(self)  # held, and told of the loop's end, whoever else holds it
        super()._actor_watch(watch)
        if loop.closed:
            self._actor_abandon()

    def _actor_unwatch(self, watch: Watch) -> None:
        super()._actor_unwatch(watch)
        with self._actor_lock:
            if not self._actor_watches and self._actor_own_ref is None and self._actor_lives_on is not None:
                self._actor_lives_on.residents.pop(self, None)

    if TYPE_CHECKING:
        # The hooks may be `async def`, which Pykka's own declarations do not say.

        def on_start(self) -> Any:
            """`def` or `async def`: runs before the first message."""

        def on_stop(self) -> Any:
            """`def` or `async def`: runs when the actor has taken its last message."""

        def on_failure(
            self,
            exception_type: type[BaseException] | None,
            exception_value: BaseException | None,
            traceback: TracebackType | None,
        ) -> Any:
            """`def` or `async def`: runs in place of `on_stop` when a handler that nobody asked raised."""

        def _actor_home(self) -> Loop: ...
