"""Pykka's ThreadingActor, with an inbox that answers all it ever took, and futures that can be awaited."""

from __future__ import annotations

import asyncio
import logging
import queue
import sys
import threading
from contextvars import Context
from types import TracebackType
from typing import Any

import pykka

from .dead_letters import dead_letter
from .ending import Ending, Mortal, Reason
from .future import Future
from .mailbox import Envelope, Stop
from .reply import answer, answer_error, dead

logger = logging.getLogger("llm_actors.runtime")


class ThreadInbox:
    """First in, first out, until it is closed: what comes then is answered at once. Any thread."""

    __slots__ = ("_actor", "_lock", "_queue", "closed")

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Envelope[Any]] = queue.SimpleQueue()  # in C, and a tenth of queue.Queue's size
        self._lock = threading.RLock()  # reentrant: a finalizer may send mail while its own thread is inside
        self.closed = False

    def put(self, envelope: Envelope[Any]) -> None:
        """Takes mail. Once closed it is answered with ActorDeadError, or without an asker raises it."""
        with self._lock:
            if not self.closed:
                self._queue.put(envelope)
                return
        error = dead("the actor has stopped")
        dead_letter("an actor that has stopped", envelope.message, "stopped")
        if envelope.reply_to is None:
            raise error
        answer_error(envelope.reply_to, error)

    def get(self) -> Envelope[Any]:
        """The next one; blocks."""
        return self._queue.get()

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


class ThreadingActor(Mortal, pykka.ThreadingActor):
    """Pykka's ThreadingActor, in three things better.

    Every ask is answered, also one that races the stop; `await ref.ask(message, block=False)` does not block the loop;
    asyncio.CancelledError out of a handler stops this actor alone.
    """

    actor_inbox: ThreadInbox  # pyright: ignore[reportIncompatibleVariableOverride]
    _actor_context: Context | None = None  # what its thread runs in, if not in an empty one

    @staticmethod
    def _create_actor_inbox() -> Any:
        return ThreadInbox()

    @staticmethod
    def _create_future() -> Future[Any]:
        return Future()

    def _actor_loop(self) -> None:
        if self._actor_context is None:
            self._actor_live()
        else:
            self._actor_context.run(self._actor_live)

    def _actor_live(self) -> None:
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
            self._actor_ends()
            pykka.ActorRegistry.unregister(self.actor_ref)
            self.actor_stopped.set()
            msg = f"{self} stopped: it was cancelled"
            raise dead(msg, error) from error
