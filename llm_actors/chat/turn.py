"""One prompt as a state machine: mail in, commands out, no I/O, no clock.

    queued -> opening -> preparing -> calling -> keeping -> tools -> calling ... -> closing -> over
                 |          |           |                     |
                 +----------+-----------+---------------------+--> stopping -> closing -> over      (cancel, deadline, error)

    opening    the prompt is being kept                 keeping    the answer is being kept
    preparing  toolboxes get ready                      tools      the calls of the round run; each result is kept as it comes
    calling    a model call is under way                stopping   waits until everything stopped has really ended
                                                        closing    the last entries are being kept; then Finish

Which command ends a round is decided once: the first of Cancel and RoundEnded to be handled wins; what comes later for a round or a call
that is over is dropped by its number. The conversation stays valid by what `_close` appends: a result for each call, the marked part of a
cut answer, or the withdrawal of a prompt from which nothing came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import msgspec

from llm_actors.errors import ChainLimitError, DeadlineExceededError, PauseChain
from llm_actors.messages import Message, StreamEvent, ToolCall, ToolResult
from llm_actors.messages.parts import system, user
from llm_actors.observe import RoundEnded as RoundEndedRecord
from llm_actors.observe import RoundFailed as RoundFailedRecord
from llm_actors.observe import RoundStarted, ToolEnded, ToolStarted, TurnFinished, TurnStarted

from . import turn_mail as mail_
from .history import (
    Answered,
    CallRecord,
    Entry,
    Replaced,
    Returned,
    Said,
    Withdrawn,
    interrupted_messages,
    interruption_of,
    not_run,
    result_part,
)
from .tool_round import ToolRound
from .turn_mail import Append, Command, Emit, Finish, Mail, Observe, Prepare, RunTool, Send, StopJob, StopSend, WakeAt
from .turn_plan import TurnPlan

State = Literal["queued", "opening", "preparing", "calling", "keeping", "tools", "stopping", "closing", "over"]
PREPARE = -1


class Turn:
    """One prompt from the mailbox to its answer. `handle()` is the whole interface; `state` says where it stands."""

    def __init__(self, plan: TurnPlan, call_id: Callable[[int], str]) -> None:
        self.plan = plan
        self.state: State = "queued"
        self.round = 0
        self.records: list[CallRecord] = []
        self._call_id = call_id
        self._tools: dict[str, Any] = plan.tools
        self._tool_round: ToolRound | None = None
        self._error: BaseException | None = None
        self._appending = 0
        self._stopping_round = False
        self._stopping_prepare = False
        self._resume: list[ToolCall] = []
        self._unstarted: list[ToolCall] = []
        self._partial: tuple[Message, ...] = ()
        self._produced = False

    def waiting(self) -> list[Command]:
        """The commands for a turn that has just been queued: its deadline runs from now on (C6)."""
        return [WakeAt(self.plan.deadline)] if self.plan.deadline is not None else []

    def handle(self, mail: Mail) -> list[Command]:
        """What to do about this mail. Mail for something that is over gives nothing."""
        if self.state == "over":
            return []
        if isinstance(mail, mail_.Cancel):
            return self._end(mail.error, mail.now)
        if isinstance(mail, mail_.Woken):
            return self._woken(mail.now)
        return self._HANDLERS[type(mail)](self, mail)

    # ---- the way to an answer

    def _begin(self, mail: mail_.Begin) -> list[Command]:
        prompt = self.plan.prompt
        self.state = "opening"
        entries: list[Entry] = []
        turn = self.plan.id
        if prompt.given_messages is not None:
            entries.append(Replaced(turn, tuple(prompt.given_messages)))
        entries += [Returned(turn, result_part(result)) for result in prompt.tool_results]
        text = prompt.prompt
        still_open = mail.open_calls
        if prompt.chain and not text and not prompt.attachments:
            self._resume = still_open if self._tools else []
        if not self._resume:
            entries += [Returned(turn, not_run(call, "the conversation went on without it")) for call in still_open]
        if prompt.system and prompt.system != mail.system:
            entries.append(Said(turn, system(prompt.system)))
        if text or prompt.attachments:
            entries.append(Said(turn, user(*([text] if text else []), list(prompt.attachments))))
        started = TurnStarted(now=mail.now, conversation=self.plan.conversation, response=turn)
        return [Observe(started), *self._append(entries, mail.now)]

    def _appended(self, mail: mail_.Appended) -> list[Command]:
        self._appending -= 1
        if self._appending:
            return []
        if self.state == "opening":
            self.state = "preparing"
            return [Prepare()] if self.plan.toolboxes else self._prepared(mail_.Prepared(mail.now, self._tools))
        if self.state == "keeping":
            return self._after_round(mail.now)
        if self.state == "tools":
            return self._after_tools(mail.now)
        if self.state == "stopping":
            return self._close(mail.now)
        return self._finish(mail.now)

    def _append_failed(self, mail: mail_.AppendFailed) -> list[Command]:
        """Nothing can be kept any more, so nothing more is tried: the history stays as it was last kept, and its view valid."""
        commands = self._stop_all() if self.state != "stopping" else []
        self._error = mail.error
        self.state = "closing"
        return [*commands, *self._finish(mail.now)]

    def _prepared(self, mail: mail_.Prepared) -> list[Command]:
        if self.state == "stopping":
            self._stopping_prepare = False
            return self._close(mail.now)
        self.state = "opening"  # nothing runs any more that an error would have to stop
        if mail.error is not None:
            return self._end(mail.error, mail.now)
        self._tools = mail.tools
        if self._resume:
            return self._start_tools(self._resume, mail.now)
        return self._send(mail.now)

    def _send(self, now: float, results: list[ToolResult] | None = None) -> list[Command]:
        self.round += 1
        self.state = "calling"
        record = RoundStarted(
            now=now, conversation=self.plan.conversation, response=self.plan.id, round=self.round, model=self.plan.model
        )
        opening: list[Command] = [Emit([StreamEvent("round", str(self.round))])] if self.round > 1 else []
        return [*opening, Observe(record), Send(self.round, results or [])]

    def _round_ended(self, mail: mail_.RoundEnded) -> list[Command]:
        if self.state != "calling" or mail.round != self.round:
            return self._round_stopped(mail_.RoundStopped(mail.now, mail.round, mail.messages))
        self.state = "keeping"
        self._produced = True
        result = mail.result
        record = self._record(mail)
        self.records.append(record)
        self._unstarted = list(record.tool_calls) if self.plan.prompt.chain else []
        usage = result.usage
        seen = RoundEndedRecord(
            now=mail.now,
            conversation=self.plan.conversation,
            response=self.plan.id,
            round=self.round,
            input_tokens=usage.input if usage else None,
            output_tokens=usage.output if usage else None,
            stop_reason=result.stop_reason,
        )
        answered = Answered(self.plan.id, tuple(mail.messages), record)
        return [Observe(seen), *self._append([answered], mail.now)]

    def _record(self, mail: mail_.RoundEnded) -> CallRecord:
        first = self.round == 1
        result = mail.result
        return CallRecord(
            id=self._call_id(self.round),
            prompt=self.plan.prompt.prompt if first else "",
            system=self.plan.prompt.system,
            model=self.plan.model,
            usage=result.usage,
            started=mail.started,
            seconds=mail.seconds,
            stop_reason=result.stop_reason,
            request_id=result.request_id,
            resolved_model=result.resolved_model,
            tool_calls=tuple(result.tool_calls),
            cut_calls=tuple(result.cut_calls),
            raw=result.raw,
        )

    def _after_round(self, now: float) -> list[Command]:
        record = self.records[-1]
        if self.plan.prompt.chain and record.tool_calls and not record.cut_calls:
            return self._start_tools(list(record.tool_calls), now)
        self.state = "closing"
        cut = [
            Returned(self.plan.id, not_run(call, "the answer was cut by its length limit")) for call in record.cut_calls
        ]
        return self._append([*cut], now) if cut else self._finish(now)

    # ---- tools --------------------------------------------------------------------------------------------------------------

    def _start_tools(self, calls: list[ToolCall], now: float) -> list[Command]:
        self.state = "tools"
        self._unstarted = []
        self._tool_round = ToolRound(calls, self._tools, before=self.plan.before_call, after=self.plan.after_call)
        return self._tool_commands(self._tool_round.start(), now)

    def _hook_done(self, mail: mail_.HookDone) -> list[Command]:
        if self._tool_round is None or self.state != "tools":
            return self._job_stopped(mail_.JobStopped(mail.now, mail.call))
        return self._tool_commands(self._tool_round.hook_done(mail), mail.now)

    def _tool_done(self, mail: mail_.ToolDone) -> list[Command]:
        if self._tool_round is None or self.state != "tools":
            return self._job_stopped(mail_.JobStopped(mail.now, mail.call))
        return self._tool_commands(self._tool_round.tool_done(mail), mail.now)

    def _tool_commands(self, steps: list[Any], now: float) -> list[Command]:
        commands: list[Command] = []
        for step in steps:
            if type(step) is RunTool:
                call = step.tool_call
                arguments = msgspec.json.encode(call.arguments).decode()
                commands.append(
                    Emit([StreamEvent("tool_started", arguments, tool_call_id=call.tool_call_id, tool_name=call.name)])
                )
                commands.append(Observe(self._tool_record(ToolStarted, call, now)))
            commands.append(step)
        return [*commands, *self._keep_results(now)]

    def _keep_results(self, now: float) -> list[Command]:
        assert self._tool_round is not None
        fresh, self._tool_round.fresh = self._tool_round.fresh, []
        commands: list[Command] = []
        for result in fresh:
            self._produced = True
            event = StreamEvent("tool_ended", result.output, tool_call_id=result.tool_call_id, tool_name=result.name)
            error = repr(result.exception) if result.exception is not None else None
            commands += [Emit([event]), Observe(self._tool_record(ToolEnded, result, now, error=error))]
        if fresh:
            return [*commands, *self._append([Returned(self.plan.id, result_part(result)) for result in fresh], now)]
        return commands if self._appending or not self._tool_round.over() else [*commands, *self._after_tools(now)]

    def _tool_record(self, kind: Any, call: ToolCall | ToolResult, now: float, **more: Any) -> Any:
        plan = self.plan
        return kind(
            now=now,
            conversation=plan.conversation,
            response=plan.id,
            tool=call.name,
            tool_call_id=call.tool_call_id,
            **more,
        )

    def _after_tools(self, now: float) -> list[Command]:
        assert self._tool_round is not None
        if not self._tool_round.over():
            return []
        verdict = self._tool_round.verdict()
        if verdict is not None:
            return self._end(verdict, now)
        results, self._tool_round = self._tool_round.results(), None
        limit = self.plan.chain_limit
        if limit and self.round >= limit:
            return self._end(ChainLimitError(f"Chain limit of {limit} exceeded."), now)
        return self._send(now, results)

    # ---- the way to an error ------------------------------------------------------------------------------------------------

    def _woken(self, now: float) -> list[Command]:
        deadline = self.plan.deadline
        if deadline is None or self.state in ("stopping", "closing"):
            return []
        if now < deadline:
            return [WakeAt(deadline)]
        seconds = self.plan.prompt.timeout
        return self._end(
            DeadlineExceededError(
                f"the turn did not end within its timeout of {seconds} seconds (it was {self.state})"
            ),
            now,
        )

    def _round_failed(self, mail: mail_.RoundFailed) -> list[Command]:
        if self.state != "calling" or mail.round != self.round:
            return self._round_stopped(mail_.RoundStopped(mail.now, mail.round, mail.messages))
        plan = self.plan
        failed = RoundFailedRecord(
            now=mail.now, conversation=plan.conversation, response=plan.id, round=self.round, error=repr(mail.error)
        )
        self._error = mail.error
        self._partial = interrupted_messages(mail.messages, "failed")
        self.state = "stopping"
        return [Observe(failed), *self._close(mail.now)]

    def _end(self, error: BaseException, now: float) -> list[Command]:
        """The turn ends with this error; the first one counts."""
        if self.state == "queued":
            self._error = error
            return self._finish(now)
        if self.state in ("stopping", "closing"):
            return []
        commands = self._stop_all()
        self._error = error
        self.state = "stopping"
        return [*commands, *self._close(now)]

    def _stop_all(self) -> list[Command]:
        if self.state == "calling":
            self._stopping_round = True
            return [StopSend(self.round)]
        if self.state == "preparing":
            self._stopping_prepare = True
            return [StopJob(PREPARE)]
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
        if mail.call == PREPARE:
            self._stopping_prepare = False
        elif self._tool_round is not None:
            self._tool_round.job_stopped(mail)
        return self._close(mail.now)

    def _close(self, now: float) -> list[Command]:
        """Once everything has stopped: what the history needs to stay valid."""
        busy = self._tool_round is not None and not self._tool_round.idle()
        if self._stopping_round or self._stopping_prepare or busy or self._appending:
            return []
        self.state = "closing"
        entries: list[Entry] = []
        turn = self.plan.id
        if self._partial:
            entries.append(
                Answered(turn, self._partial, CallRecord(self._call_id(self.round)), interruption_of(self._error))
            )
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
        text = repr(error) if error is not None else None
        record = TurnFinished(now=now, conversation=plan.conversation, response=plan.id, rounds=self.round, error=text)
        return [Finish(error), Observe(record)]

    def _append(self, entries: list[Entry], now: float) -> list[Command]:
        if not entries:
            self._appending += 1
            return self._appended(mail_.Appended(now))
        self._appending += 1
        return [Append(entries)]

    _HANDLERS: ClassVar[dict[type, Callable[[Turn, Any], list[Command]]]] = {
        mail_.Begin: _begin,
        mail_.Appended: _appended,
        mail_.AppendFailed: _append_failed,
        mail_.Prepared: _prepared,
        mail_.RoundEnded: _round_ended,
        mail_.RoundFailed: _round_failed,
        mail_.RoundStopped: _round_stopped,
        mail_.HookDone: _hook_done,
        mail_.ToolDone: _tool_done,
        mail_.JobStopped: _job_stopped,
    }
