"""The writer of one model call into its response's log: valid for one (turn, round), revoked by the conversation.

A revoked writer writes nothing and its call's end counts only as "closed": what a late callback brings goes nowhere (C5).
However the call ends, its budgets hear of it once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from llm_actors.messages import Item, Message, RoundResult, Usage
from llm_actors.messages.assembly import assemble

from .turn_mail import Mail, RoundEnded, RoundFailed, RoundRepeated, RoundStopped

if TYPE_CHECKING:
    from llm_actors.runtime import Clock

    from .event_log import EventLog
    from .spending import Spending


class RoundWriter:
    """Implements `providers.protocol.FlightSink` for one round of one turn."""

    __slots__ = (
        "_clock",
        "_first",
        "_log",
        "_round",
        "_spending",
        "_started",
        "_tell",
        "_write",
        "began",
        "revoked",
    )

    def __init__(
        self,
        log: EventLog,
        write: Callable[[list[Item]], None],
        round: int,
        clock: Clock,
        tell: Callable[[str, Mail], None],
        spending: Spending | None = None,
    ) -> None:
        self._log = log
        self._write = write
        self._round = round
        self._clock = clock
        self._tell = tell
        self._spending = spending
        self._first = len(log)
        self._started = clock.utcnow()
        self.began = clock.monotonic()
        self.revoked = False

    def write(self, items: list[Item]) -> None:
        """What one read brought."""
        if not self.revoked:
            self._write(items)

    def repeated(self) -> None:
        """The request was sent once more."""
        self._mail(RoundRepeated(self._clock.monotonic(), self._round))

    def ended(self, result: RoundResult) -> None:
        """The answer is complete."""
        if self._spending is not None:
            self._settle(result.usage)
        now = self._clock.monotonic()
        messages = self.arrived() if result.messages is None else result.messages
        if self.revoked:
            self._mail(RoundStopped(now, self._round, messages))
        else:
            self._mail(RoundEnded(now, self._round, result, messages, self._started, now - self.began))

    def failed(self, error: BaseException) -> None:
        """It is not, and won't be."""
        self._settle(answered=self.revoked)
        now = self._clock.monotonic()
        if self.revoked:
            self._mail(RoundStopped(now, self._round, self.arrived()))
        else:
            self._mail(RoundFailed(now, self._round, error, self.arrived(), len(self._log) - self._first))

    def stopped(self) -> None:
        """Everything is closed."""
        self._settle()
        self._mail(RoundStopped(self._clock.monotonic(), self._round, self.arrived()))

    def _mail(self, mail: Mail) -> None:
        self._tell(self._log.id, mail)

    def close(self) -> None:
        """Whatever still comes goes nowhere, and counts nowhere."""
        self.revoked = True
        if self._spending is not None:
            self._settle()

    def never_sent(self) -> None:
        """The call could not be made."""
        self.revoked = True
        if self._spending is not None:
            self._spending.unused()

    def _settle(self, usage: Usage | None = None, *, answered: bool = True) -> None:
        if self._spending is not None:
            self._spending.ended(usage, lambda: self._log.since(self._first), answered=answered)

    def arrived(self) -> list[Message]:
        """The messages of what has come so far."""
        return assemble(self._log.since(max(self._first, self._log.kept_from)))
