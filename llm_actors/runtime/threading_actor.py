"""Pykka's ThreadingActor, with an inbox that answers all it ever took, and futures that can be awaited."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pykka

from .carried import Floor, brought_by, carried, packed
from .dead_letters import dead_letter
from .ending import Ending, Mortal, Reason
from .mailbox import Envelope, Mailbox, Stop
from .reply import Reply, answer, answer_error, dead
from .unit import ActorUnit, waiting

if TYPE_CHECKING:
    from .office import Office

logger = logging.getLogger("llm_actors.runtime")


class ThreadInbox:
    """First in, first out, until it is closed: what comes then is answered at once. Any thread."""

    __slots__ = ("_actor_unit", "_lock", "_queue", "closed", "floor", "in_work")

    def __init__(self) -> None:
        self.floor: Floor | None = None
        self._queue: queue.SimpleQueue[Envelope[Any]] = queue.SimpleQueue()  # in C, and a tenth of queue.Queue's size
        self._lock = threading.RLock()  # reentrant: a finalizer may send mail while its own thread is inside
        self._actor_unit: ActorUnit | None = None
        self.closed = False
        self.in_work: Envelope[Any] | None = None  # what was taken out last, until the next is asked for

    def __len__(self) -> int:
        return self._queue.qsize()

    def __bool__(self) -> bool:
        return True

    def put(self, envelope: Envelope[Any]) -> None:
        """Takes mail. Once closed it is answered with ActorDeadError, or without an asker raises it."""
        if isinstance(envelope.reply_to, Reply):
            envelope.reply_to.is_asked_of(self)
        if self.take(packed(envelope)):
            return
        error = dead("the actor has stopped")
        dead_letter("an actor that has stopped", envelope.message, "stopped")
        if envelope.reply_to is None:
            raise error
        answer_error(envelope.reply_to, error)

    def take(self, envelope: Envelope[Any]) -> bool:
        """Takes mail; False once it is closed."""
        with self._lock:
            if not self.closed:
                self._queue.put(envelope)
            return not self.closed

    def put_last(self, envelope: Envelope[Any]) -> list[Envelope[Any]] | None:
        """Closes it with this one in place of all that is in it, which it gives; None when it was closed."""
        with self._lock:
            if self.closed:
                return None
            left = self.close()
            self._queue.put(envelope)
        return left

    def get(self) -> Envelope[Any]:
        """The next one; blocks. What it carries is in place in this thread, which is the actor's own, until the one after it."""
        carried.set(None)
        self.in_work = None
        envelope = self.in_work = self._queue.get()
        carried.set(brought_by(envelope, self.floor))
        return envelope

    def empty(self) -> bool:
        """Whether nothing is in it."""
        return self._queue.empty()

    def close(self) -> list[Envelope[Any]]:
        """Takes no more; gives what is in it."""
        with self._lock:
            self.closed = True
        left: list[Envelope[Any]] = []
        with contextlib.suppress(queue.Empty):
            while True:
                left.append(self._queue.get_nowait())
        return left


class ThreadingActor(Mortal, pykka.ThreadingActor):
    """Pykka's ThreadingActor, in three things better.

    Every ask is answered, also one that races the stop; `await ref.ask(message, block=False)` does not block the loop;
    asyncio.CancelledError out of a handler stops this actor alone.
    """

    actor_inbox: ThreadInbox  # pyright: ignore[reportIncompatibleVariableOverride]
    _actor_heir: Office | None = None  # where its mail goes when it dies: it has a supervisor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self._actor_heir is not None:
            self._actor_ref = self._actor_heir.ref
            self.actor_urn = self._actor_ref.actor_urn

    def _actor_stop_now(self, stop: Envelope[Any]) -> bool:
        """Has it stop after the message in work; what waits goes to its heir, or is answered. False when it has stopped. Any thread."""
        left = self.actor_inbox.put_last(stop)
        self._actor_leave(left or [])
        return left is not None

    @staticmethod
    def _create_actor_inbox() -> Any:
        return ThreadInbox()

    @staticmethod
    def _create_future() -> Reply:
        return Reply()

    def _actor_loop(self) -> None:
        if self._actor_context is None:
            self._actor_live()
        else:
            self._actor_context.run(self._actor_live)

    def _actor_live(self) -> None:
        unit = self.actor_inbox._actor_unit = ActorUnit(self)
        unit.runs_here()
        waiting.set(unit)
        try:
            super()._actor_loop()
        finally:  # whatever `on_start` or a hook raised: nobody waits for ever
            self._actor_ends()
            self.actor_stopped.set()
            self._actor_loop_teardown()
            self._actor_over()

    def _actor_ends(self) -> None:
        """Notes how, the first time: while what was raised is handled, if that is why."""
        if self._actor_ending is None:
            error = sys.exc_info()[1]
            reason: Reason = "stopped" if error is None else "failed"
            self._actor_ending = Ending(reason, error)

    def _stop(self) -> None:
        self._actor_ends()
        super()._stop()

    def _handle_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._actor_ends()
        super()._handle_failure(exception_type, exception_value, traceback)

    def _actor_loop_teardown(self) -> None:
        self._actor_leave(self.actor_inbox.close())

    def _actor_leave(self, left: list[Envelope[Any]]) -> None:
        if self._actor_heir is not None:
            mailbox = Mailbox(left)
            stops = mailbox.take_stops()
            left = stops if self._actor_heir.inherit(mailbox, self) else [*stops, *mailbox.take_all()]
        for envelope in left:
            if isinstance(envelope.message, Stop):
                answer(envelope.reply_to, None)
            else:
                dead_letter(self, envelope.message, "stopped")
                answer_error(envelope.reply_to, dead(f"{self.actor_ref} stopped before handling the message"))

    def _handle_receive(self, message: Any) -> Any:
        try:
            return super()._handle_receive(message)
        except asyncio.CancelledError as error:
            logger.info("what %s was doing was cancelled: it stops", self)
            self._actor_ends()
            pykka.ActorRegistry.unregister(self.actor_ref)
            self.actor_stopped.set()
            msg = f"{self} stopped: it was cancelled"
            raise dead(msg, error) from error
