"""A response's events as mail: to any actor, loop actors and Pykka's ThreadingActors alike.

The log is the buffer: a subscription keeps the number it has come to and nothing else. One whose actor has a full mailbox waits and tries
again from there, one whose actor is dead ends; neither is felt by the writer or by other readers (C4).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from llm_actors.errors import LoopClosedError, MailboxFullError
from llm_actors.messages import Item
from llm_actors.observe import SubscriberDropped
from llm_actors.runtime import ActorDeadError, carried

from .reading import last_event, public_events

if TYPE_CHECKING:
    from llm_actors.messages import Event

    from .event_log import EventLog

PAUSE = 0.05
"""Seconds until an actor whose mailbox was full is told again."""


class Subscription:
    """Sends what comes to one actor, in order, each event once. The log's loop only, but for `begin()`."""

    __slots__ = ("_batch", "_carried", "_log", "_next", "_over", "_paused", "_ref")

    def __init__(self, log: EventLog, ref: Any, after: int, *, batch: bool) -> None:
        self._log = log
        self._carried = carried.get()  # who hears of a turn inherits from who had it told, not from the turn
        self._ref = ref
        self._next = after
        self._batch = batch
        self._over = False
        self._paused = False

    def begin(self) -> None:
        """Starts it where the log is written. Any thread."""
        log = self._log
        log.deliver()
        if log.loop is not None and not log.released:
            with contextlib.suppress(LoopClosedError):
                log.loop.post(self._start)
                return
            log.over()  # its loop was closed under it: this ends it
        self._start()

    def _start(self) -> None:
        if not self._log.released:
            self._log.subscribers.append(self)
        self._go_on()

    def _go_on(self) -> None:
        """Sends what is there, from where it stands; the last event too, if that is all."""
        self._paused = False
        while not self._stopped and (items := self._log.batch(self._next)):
            self._send(list(public_events(self._log, items, self._next)))
        if self._log.released:
            self.end()

    def items(self, first: int, items: list[Item]) -> None:
        """What the log has just taken in."""
        if not self._stopped:
            self._send([event for event in public_events(self._log, items, first) if event.number >= self._next])

    def end(self) -> None:
        """The turn is over: sends the last event."""
        if not self._stopped:
            last = last_event(self._log)
            if last.number >= self._next:
                self._send([last])
            self._over = self._over or not self._paused

    @property
    def _stopped(self) -> bool:
        return self._over or self._paused

    def _send(self, events: list[Event]) -> None:
        token = carried.set(self._carried)
        try:
            if self._batch:
                if events:
                    self._tell(events)
                    self._next = events[-1].number + 1
            else:
                for event in events:
                    self._tell(event)
                    self._next = event.number + 1
        except MailboxFullError:
            self._pause()
        except ActorDeadError as error:
            self._over = True
            if self._log.origin is not None:
                self._log.origin.observe(
                    SubscriberDropped, response=self._log.id, actor=str(self._ref), reason=str(error)
                )
            if self in self._log.subscribers:
                self._log.subscribers.remove(self)
        finally:
            carried.reset(token)

    def _tell(self, message: Any) -> None:
        offer = getattr(self._ref, "offer", None)
        refused = self._ref.tell(message) if offer is None else offer(message)
        if refused is not None:  # no dead letter: it is tried again
            raise refused

    def _pause(self) -> None:
        self._paused = True
        loop = self._log.loop
        if loop is not None:  # in no context of a tool or a callback that happened to write
            with contextlib.suppress(LoopClosedError):
                loop.post(loop.call_later, PAUSE, self._go_on)
