"""A response's events as mail: to any actor, loop actors and Pykka's ThreadingActors alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_actors.messages import Item
from llm_actors.runtime import ActorDeadError

from .reading import last_event, public_events

if TYPE_CHECKING:
    from .event_log import EventLog


class Subscription:
    """Sends what comes to one actor, in order, each event once. A dead actor ends it. The log's loop only."""

    __slots__ = ("_batch", "_log", "_next", "_ref", "_sealed")

    def __init__(self, log: EventLog, ref: Any, after: int, *, batch: bool) -> None:
        self._log = log
        self._ref = ref
        self._next = after
        self._batch = batch
        self._sealed = False

    def start(self) -> None:
        """Sends what is there; the rest follows as it comes, or the end if that is all."""
        self._send(list(public_events(self._log, self._log.since(self._next), self._next)))
        if self._log.released:
            self.end()
        else:
            self._log.subscribers.append(self)

    def items(self, first: int, items: list[Item]) -> None:
        """What the log has just taken in."""
        self._send([event for event in public_events(self._log, items, first) if event.number >= self._next])

    def end(self) -> None:
        """The turn is over: sends the last event."""
        if not self._sealed:
            self._sealed = True
            self._send([last_event(self._log)])

    def _send(self, events: list[Any]) -> None:
        if not events:
            return
        self._next = events[-1].number + 1
        try:
            if self._batch:
                self._ref.tell(events)
            else:
                for event in events:
                    self._ref.tell(event)
        except ActorDeadError:
            self._sealed = True
            if self in self._log.subscribers:
                self._log.subscribers.remove(self)
