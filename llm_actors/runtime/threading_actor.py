"""Pykka's ThreadingActor, with an inbox that answers all it ever took, and futures that can be awaited."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from typing import Any

import pykka

from .carried import Floor, brought_by, carried, packed
from .dead_letters import dead_letter
from .mailbox import Envelope, Stop
from .reply import Reply, answer, answer_error, dead
from .unit import ActorUnit, waiting

logger = logging.getLogger("llm_actors.runtime")


class ThreadInbox:
    """First in, first out, until it is closed: what comes then is answered at once. Any thread."""

    __slots__ = ("_actor_unit", "_lock", "_queue", "closed", "floor")

    def __init__(self) -> None:
        self.floor: Floor | None = None
        self._queue: queue.SimpleQueue[Envelope[Any]] = queue.SimpleQueue()  # in C, and a tenth of queue.Queue's size
        self._lock = threading.RLock()  # reentrant: a finalizer may send mail while its own thread is inside
        self._actor_unit: ActorUnit | None = None
        self.closed = False

    def put(self, envelope: Envelope[Any]) -> None:
        """Takes mail. Once closed it is answered with ActorDeadError, or without an asker raises it."""
        if isinstance(envelope.reply_to, Reply):
            envelope.reply_to.is_asked_of(self)
        with self._lock:
            if not self.closed:
                self._queue.put(packed(envelope))
                return
        error = dead("the actor has stopped")
        dead_letter("an actor that has stopped", envelope.message, "stopped")
        if envelope.reply_to is None:
            raise error
        answer_error(envelope.reply_to, error)

    def get(self) -> Envelope[Any]:
        """The next one; blocks. What it carries is in place in this thread, which is the actor's own, until the one after it."""
        carried.set(None)
        envelope = self._queue.get()
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
        while not self._queue.empty():
            left.append(self._queue.get())
        return left


class ThreadingActor(pykka.ThreadingActor):
    """Pykka's ThreadingActor, in three things better.

    Every ask is answered, also one that races the stop; `await ref.ask(message, block=False)` does not block the loop;
    asyncio.CancelledError out of a handler stops this actor alone.
    """

    actor_inbox: ThreadInbox  # pyright: ignore[reportIncompatibleVariableOverride]

    @staticmethod
    def _create_actor_inbox() -> Any:
        return ThreadInbox()

    @staticmethod
    def _create_future() -> Reply:
        return Reply()

    def _actor_loop(self) -> None:
        unit = self.actor_inbox._actor_unit = ActorUnit(self)
        unit.runs_here()
        waiting.set(unit)
        try:
            super()._actor_loop()
        finally:  # whatever `on_start` or a hook raised: nobody waits for ever
            self.actor_stopped.set()
            self._actor_loop_teardown()

    def _actor_loop_teardown(self) -> None:
        for envelope in self.actor_inbox.close():
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
            pykka.ActorRegistry.unregister(self.actor_ref)
            self.actor_stopped.set()
            msg = f"{self} stopped: it was cancelled"
            raise dead(msg, error) from error
