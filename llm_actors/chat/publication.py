"""A response's answer as a message to a topic: one, when it is complete; none after an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_actors.messages import Answer, Item
from llm_actors.runtime.carried import carrying

from .subscription import Subscription

if TYPE_CHECKING:
    from .event_log import EventLog


class Publication(Subscription):
    """Waits for the end, as a subscription that is sent nothing else. The log's loop only, but for `begin()`."""

    __slots__ = ()

    def __init__(self, log: EventLog, topic: Any) -> None:
        super().__init__(log, topic, 0, batch=False)

    def _go_on(self) -> None:
        if self._log.released:
            self.end()

    def items(self, first: int, items: list[Item]) -> None:
        """Nothing is published of an answer that is not complete."""

    def end(self) -> None:
        """The turn is over."""
        log = self._log
        if self._over or log.error is not None:
            return
        self._over = True
        speaker = log.prompt.conversation
        named = {} if speaker is None else {"conversation": speaker.id, "name": speaker.name or ""}
        answer = Answer(log.text_so_far(), log.model.model_id, log.id, **named)
        with carrying(self._carried):
            self._ref.publish(answer, sender=speaker)
