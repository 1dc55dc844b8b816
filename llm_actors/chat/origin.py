"""Where a log comes from: what it asks of the conversation that feeds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_actors.observe import Record

    from .event_log import EventLog
    from .log_wait import AtWork


class Origin:
    """What a log knows of its conversation. Any thread."""

    __slots__ = ()

    def deliver(self) -> None:
        """Posts the prompts that were written down while no loop ran."""
        raise NotImplementedError

    def cancel(self, log: EventLog, error: BaseException, *, given_up: bool = False) -> None:
        """Ends the turn that feeds this log; `given_up`: if nobody waits for another response of that turn. Any thread."""
        raise NotImplementedError

    def at_work_on(self, log: EventLog) -> AtWork | None:
        """The turn that has to get on before this response does; None where there is none, or it is about to end. Any thread."""
        raise NotImplementedError

    def lost(self) -> None:
        """The loop it was bound to is closed: ends all turns that were there."""
        raise NotImplementedError

    def observe(self, kind: type[Record], **facts: Any) -> None:
        """Hands a record to the observers of its system, on its loop, once it is at work on one. Any thread."""
        raise NotImplementedError

    @property
    def id(self) -> str:
        """The conversation's id."""
        raise NotImplementedError
