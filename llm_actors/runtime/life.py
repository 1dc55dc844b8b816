"""How an actor lives and ends on its loop: what its handlers came to, the ways to stop, and its end with the loop.

Every way out goes the same way: `_die()` (no more mail is taken), `_clear()` (what waits is answered), a hook, `_rest()`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pykka
from pykka import ActorRegistry

from llm_actors.errors import LoopClosedError

from .dead_letters import dead_letter
from .drain import Drain, Mail
from .ending import Ending, Reason, Watch
from .future import Future
from .mailbox import Kill, Stop
from .registry import unregister
from .reply import answer, answer_error, dead

if TYPE_CHECKING:
    from .office import Office
    from .ref import ActorRef

pykka_logger = logging.getLogger("pykka")
logger = logging.getLogger("llm_actors.runtime")

_unbound = threading.RLock()  # for actors that have no loop yet


class Life(Drain):
    """The half of an actor that is on its loop. Its loop only, where nothing else is said."""

    _actor_own_ref: ActorRef[Any] | None = None
    _actor_heir: Office | None = None  # where its mail goes when it dies: it has a supervisor
    _actor_mourners: tuple[Future[None], ...] = ()

    @property
    def _actor_lock(self) -> threading.RLock:
        return self._actor_lives_on.lock if self._actor_lives_on is not None else _unbound

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
        with self._actor_lock:
            self._actor_rest()
        self._actor_over()
        self._actor_answer_stops(stops)

    # ---- the ways to stop -------------------------------------------------------------------------------------------

    def _actor_stop_for(
        self, stops: list[Mail], reason: Reason = "stopped", error: BaseException | None = None
    ) -> None:
        if self._actor_die(reason, error):
            pykka_logger.debug("Stopped %s", self)
        stops = [*stops, *self._actor_clear("stopped")]
        if type(self).on_stop is pykka.Actor.on_stop:  # of each ten microseconds of a stop this call took two
            self._actor_stopped(stops, None, None)
        else:
            self._actor_call(self.on_stop, (), stops, self._actor_stopped)

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
        if mailbox is None or (self._actor_heir is None and not mailbox):
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
        """See Inhabitant."""
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
        """See Inhabitant."""
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
