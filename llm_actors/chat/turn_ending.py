"""The half of a turn that brings it to its end: what is stopped, what is waited for, what the history needs to stay valid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

from llm_actors.errors import DeadlineExceededError, PauseChain
from llm_actors.messages import Message, ToolCall, ToolResult
from llm_actors.observe import TurnCancelled, TurnFinished

from . import turn_mail as mail_
from .history import (
    Answered,
    CallRecord,
    Entry,
    Returned,
    Withdrawn,
    interrupted_messages,
    interruption_of,
    not_run,
    result_part,
)
from .history_size import grown
from .tool_round import ToolRound
from .turn_mail import COMPACT, PREPARE, Append, Command, Finish, Observe, StopJob, StopSend, WakeAt
from .turn_plan import TurnPlan

State = Literal[
    "queued",
    "opening",
    "preparing",
    "calling",
    "keeping",
    "tools",
    "steering",
    "compacting",
    "stopping",
    "closing",
    "over",
]


class TurnEnding:
    """See the head of this file, and of turn.py for the states."""

    # What most turns leave as it is stands in the class: 2 us less to make one.
    state: State = "queued"
    round = 0
    _tool_round: ToolRound | None = None
    _error: BaseException | None = None
    _appending = 0
    _stopping_round = False
    _stopping_job = False
    _partial: tuple[Message, ...] = ()
    _produced = False
    _errand = False
    _tokens = 0  # of the history, counted where there is a bound

    _resume: Sequence[ToolCall] = ()
    _unstarted: Sequence[ToolCall] = ()

    def __init__(self, plan: TurnPlan, call_id: Callable[[int], str] | None = None) -> None:
        """`call_id`: gives each model call its id, by its number; left out, all have the turn's."""
        self.plan = plan
        self.records: list[CallRecord] = []
        self._given_id = call_id
        self._tools: dict[str, Any] = plan.tools
        self._steers: dict[str, Message] = {}
        self._results: list[ToolResult] = []

    def _call_id(self) -> str:
        return self.plan.id if self._given_id is None else self._given_id(self.round)

    @property
    def results(self) -> list[ToolResult]:
        """What the tools of the last round gave, in call order, until a model call has taken it."""
        return list(self._results)

    @property
    def _bound(self) -> int | None:
        """The tokens above which the history is compacted before a model call."""
        return self.plan.compacts.compact_at if self.plan.compacts is not None else None

    @property
    def keeping(self) -> bool:
        """Whether entries are being kept."""
        return self._appending > 0 and self.state != "over"

    def outstanding(self) -> list[int]:
        """The jobs that it waits for, where it waits for nothing else. Any thread."""
        calls = self._tool_round
        if self._appending or self.state not in ("preparing", "compacting", "tools"):
            return []
        if self.state == "tools":
            return calls.busy() if calls is not None else []
        return [PREPARE if self.state == "preparing" else COMPACT]

    def waiting(self) -> list[Command]:
        """The commands for a turn that has just been queued: its deadline runs from now on (C6)."""
        deadline = self.plan.scope.deadline
        return [WakeAt(deadline.when)] if deadline is not None else []

    def _woken(self, now: float) -> list[Command]:
        deadline = self.plan.scope.deadline
        if deadline is None or self.state in ("stopping", "closing"):
            return []
        if now < deadline.when:
            return [WakeAt(deadline.when)]
        return self._end(DeadlineExceededError(f"the turn did not end {deadline} (it was {self.state})", deadline), now)

    def _late(self, now: float) -> bool:
        """Whether the deadline has come, though nobody has said so yet: no model call begins then."""
        deadline = self.plan.scope.deadline
        return deadline is not None and now >= deadline.when

    def _end(self, error: BaseException, now: float) -> list[Command]:
        """The turn ends with this error; the first one counts."""
        if self.state in ("stopping", "closing"):
            return []
        commands = self._cancelled(error, now)
        if self.state == "queued":
            self._error = error
            return [*commands, *self._finish(now)]
        commands += self._stop_all()
        self._error = error
        self.state = "stopping"
        return [*commands, *self._close(now)]

    def _cancelled(self, error: BaseException, now: float) -> list[Command]:
        if interruption_of(error) == "failed":  # nobody told it to
            return []
        plan = self.plan
        return [
            Observe(
                TurnCancelled(
                    now=now, conversation=plan.conversation, response=plan.id, state=self.state, error=repr(error)
                )
            )
        ]

    def _stop_all(self) -> list[Command]:
        if self.state == "calling":
            self._stopping_round = True
            return [StopSend(self.round)]
        if self.state in ("preparing", "compacting"):
            self._stopping_job = True
            return [StopJob(PREPARE if self.state == "preparing" else COMPACT)]
        if self._tool_round is not None:
            return [*self._tool_round.stop()]
        return []

    def _round_stopped(self, mail: mail_.RoundStopped) -> list[Command]:
        if self.state != "stopping" or mail.round != self.round or not self._stopping_round:
            return []
        self._stopping_round = False
        self._partial = interrupted_messages(mail.messages, interruption_of(self._error))
        return self._close(mail.now)

    def _job_stopped(self, mail: mail_.JobStopped) -> list[Command]:
        if self.state != "stopping":
            return []
        if mail.call in (PREPARE, COMPACT):
            self._stopping_job = False
        elif self._tool_round is not None:
            self._tool_round.job_stopped(mail)
        return self._close(mail.now)

    def _close(self, now: float) -> list[Command]:
        """Once everything has stopped: what the history needs to stay valid."""
        busy = self._tool_round is not None and not self._tool_round.idle()
        if self._stopping_round or self._stopping_job or busy or self._appending:
            return []
        self.state = "closing"
        entries: list[Entry] = []
        turn = self.plan.id
        if self._partial:
            entries.append(Answered(turn, self._partial, CallRecord(self._call_id()), interruption_of(self._error)))
        elif not self._produced:
            entries.append(Withdrawn(turn))
        unanswered = self._unstarted
        if self._tool_round is not None:
            entries += [Returned(turn, result_part(result)) for result in self._tool_round.fresh]
            # After a PauseChain the open calls stay open, so that a later chain can run them.
            unanswered = [] if isinstance(self._error, PauseChain) else self._tool_round.unanswered()
        why = f"the turn was ended: {interruption_of(self._error)}"
        entries += [Returned(turn, not_run(call, why)) for call in unanswered]
        return self._append(entries, now)

    def _finish(self, now: float) -> list[Command]:
        self.state = "over"
        error = self._error
        plan = self.plan
        if not plan.observers:
            return [Finish(error)]
        text = repr(error) if error is not None else None
        record = TurnFinished(now=now, conversation=plan.conversation, response=plan.id, rounds=self.round, error=text)
        return [Observe(record), Finish(error)]  # whose cancel returns with the end has seen all of it

    def _append(self, entries: list[Entry], now: float) -> list[Command]:
        if self.plan.compacts is not None and self._bound is not None:
            self._tokens = grown(self._tokens, entries)
        if not entries:
            self._appending += 1
            return self._appended(mail_.Appended(now))
        self._appending += 1
        return [Append(entries)]

    def _appended(self, mail: mail_.Appended) -> list[Command]:
        raise NotImplementedError

    def _append_failed(self, mail: mail_.AppendFailed) -> list[Command]:
        """Nothing can be kept any more, so nothing more is tried: the history stays as it was last kept, and its view valid."""
        commands = self._stop_all() if self.state != "stopping" else []
        self._error = mail.error
        self.state = "closing"
        return [*commands, *self._finish(mail.now)]

    ENDINGS: ClassVar[dict[type, Callable[[Any, Any], list[Command]]]] = {
        mail_.AppendFailed: _append_failed,
        mail_.RoundStopped: _round_stopped,
        mail_.JobStopped: _job_stopped,
    }
