"""One prompt as a state machine: mail in, commands out, no I/O, no clock.

    queued -> opening -> preparing -> calling -> keeping -> tools -> (steering) -> calling ... -> closing -> over
                 |          |           |           |         |           |
                 +----------+-----------+-----------+---------+-----------+--> stopping -> closing -> over  (cancel, deadline, error)

    compacting (between any two of these) a policy makes the history shorter, before a model call or because one failed
    opening    the prompt is being kept                 tools      the calls of the round run; each result is kept as it comes
    preparing  toolboxes get ready                      steering   what was steered in is being kept; then the next model call
    calling    a model call is under way                stopping   waits until everything stopped has really ended
    keeping    the answer is being kept                 closing    the last entries are being kept; then Finish

Which command ends a round is decided once: the first of Cancel and RoundEnded to be handled wins; what comes later for a round or a call
that is over is dropped by its number. The conversation stays valid by what the ending (turn_ending.py) appends: a result for each call, the
marked part of a cut answer, or the withdrawal of a prompt from which nothing came.

What is steered in waits for the next model call, behind all results of the round; where the turn would have ended it gets one more
round, unless the chain limit is reached: then, and when the turn ends by an error, the conversation makes it a prompt of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from llm_actors.errors import ChainLimitError
from llm_actors.messages import AttachmentPart, Message, Prompt, StreamEvent, TextPart, ToolCall, ToolResult
from llm_actors.messages.parts import AnyPart
from llm_actors.observe import RequestRepeated, RoundStarted, ToolEnded, ToolStarted, TurnStarted
from llm_actors.observe import RoundEnded as RoundEndedRecord

from . import turn_mail as mail_
from .history import Answered, CallRecord, Entry, Replaced, Returned, Said, not_run, result_part
from .tool_round import ToolRound
from .turn_failing import TurnFailing
from .turn_mail import Command, Emit, Mail, Observe, Prepare, RunTool, Send, Steered


class Turn(TurnFailing):
    """One prompt from the mailbox to its answer. `handle()` is the whole interface; `state` says where it stands."""

    def handle(self, mail: Mail) -> list[Command]:
        """What to do about this mail. Mail for something that is over gives nothing."""
        return [] if self.state == "over" else self._HANDLERS[type(mail)](self, mail)

    # ---- the way to an answer

    def _begin(self, mail: mail_.Begin) -> list[Command]:
        if self._late(mail.now):
            return self._woken(mail.now)
        if mail.errand is not None:
            return self._begin_errand(mail, mail.errand)
        prompt = self.plan.prompt
        self.state = "opening"
        self._tokens = mail.tokens
        entries: list[Entry] = []
        turn = self.plan.id
        if prompt.given_messages is not None:
            entries.append(Replaced(turn, tuple(prompt.given_messages)))
        if prompt.tool_results:
            entries += [Returned(turn, result_part(result)) for result in prompt.tool_results]
        still_open = mail.open_calls
        if still_open:
            if prompt.chain and not prompt.prompt and not prompt.attachments:
                self._resume = still_open if self._tools else []
            if not self._resume:
                entries += [Returned(turn, not_run(call, "the conversation went on without it")) for call in still_open]
        entries += self._said(prompt, mail.system)
        started = [Observe(self._started(mail.now))] if self.plan.observers else []
        return [*started, *self._append(entries, mail.now)]

    def _said(self, prompt: Prompt, in_force: str) -> list[Entry]:
        """The system prompt, where it is another one than that in force, and what the user says."""
        turn, ruled = self.plan.id, prompt.system
        entries: list[Entry] = []
        if ruled and ruled != in_force:
            entries.append(Said(turn, Message("system", [TextPart(ruled)])))
        for said in self.plan.joined or (prompt,):
            text = said.prompt
            if text or said.attachments:
                parts: list[AnyPart] = [TextPart(text)] if text else []
                entries.append(Said(turn, Message("user", [*parts, *map(AttachmentPart, said.attachments)])))
        return entries

    def _started(self, now: float) -> TurnStarted:
        scope = self.plan.scope
        return TurnStarted(
            now=now,
            conversation=self.plan.conversation,
            response=self.plan.id,
            parent=scope.sender,
            group=scope.group,
            tenant=scope.tenant,
            priority=scope.priority or 0,
            trace=dict(scope.trace),
        )

    def _begin_errand(self, mail: mail_.Begin, entries: list[Entry]) -> list[Command]:
        self._produced = self._errand = True
        self._resume = mail.open_calls
        self.state = "opening" if mail.open_calls else "closing"
        started = TurnStarted(now=mail.now, conversation=self.plan.conversation, response=self.plan.id)
        return [Observe(started), *self._append(entries, mail.now)]

    def _appended(self, mail: mail_.Appended) -> list[Command]:
        self._appending -= 1
        if self._appending:
            return []
        if self.state == "opening":
            if not self.plan.toolboxes:
                return self._ready(mail.now)
            self.state = "preparing"
            return [Prepare()]
        if self.state == "keeping":
            return self._after_round(mail.now)
        if self.state == "steering":
            return self._go_on(mail.now)
        if self.state == "tools":
            return self._after_tools(mail.now)
        if self.state == "stopping":
            return self._close(mail.now)
        return self._finish(mail.now)

    def _prepared(self, mail: mail_.Prepared) -> list[Command]:
        if self.state == "stopping":
            self._stopping_job = False
            return self._close(mail.now)
        self.state = "opening"  # nothing runs any more that an error would have to stop
        if mail.error is not None:
            return self._end(mail.error, mail.now)
        self._tools = mail.tools
        return self._ready(mail.now)

    def _ready(self, now: float) -> list[Command]:
        return self._start_tools(list(self._resume), now) if self._resume else self._go_on(now)

    def _steer(self, mail: mail_.Steer) -> list[Command]:
        if self.state not in ("stopping", "closing"):
            self._steers[mail.id] = mail.message
        return []

    def _unsteer(self, mail: mail_.Unsteer) -> list[Command]:
        self._steers.pop(mail.id, None)
        return []

    def _go_on(self, now: float) -> list[Command]:
        """The next model call, behind what was steered in."""
        if self._late(now):
            return self._woken(now)
        if self._steers:
            self.state = "steering"
            steers, self._steers = self._steers, {}
            self._repetition = None
            said = self._append([Said(self.plan.id, message) for message in steers.values()], now)
            return [Steered(list(steers)), *said]
        compacting = self._compact_ahead() if self.plan.compacts is not None else None
        if compacting is not None:
            return compacting
        results, self._results = self._results, []
        return self._send(now, results)

    def _limit_reached(self) -> bool:
        return bool(self.plan.chain_limit) and self.round - self.restarts >= self.plan.chain_limit

    def _send(self, now: float, results: list[ToolResult]) -> list[Command]:
        self.round += 1
        self.state = "calling"
        number = self.round - self.restarts
        opening = self._restarted()
        if opening is None:
            opening = [Emit([StreamEvent("round", str(number))])] if number > 1 else []
        send = Send(self.round, results, self._model)
        plan = self.plan
        if not plan.observers:
            return [*opening, send]
        record = RoundStarted(
            now=now, conversation=plan.conversation, response=plan.id, round=self.round, model=self.model
        )
        return [*opening, Observe(record), send]

    def _round_ended(self, mail: mail_.RoundEnded) -> list[Command]:
        if self.state != "calling" or mail.round != self.round:
            return self._round_stopped(mail_.RoundStopped(mail.now, mail.round, mail.messages))
        self.state = "keeping"
        self._produced = True
        self._compacted = self._compacted_ahead = False
        result = mail.result
        record = self._record(mail)
        self.records.append(record)
        if self.plan.prompt.chain:
            self._unstarted = record.tool_calls
        usage = result.usage
        answered = self._append([Answered(self.plan.id, tuple(mail.messages), record)], mail.now)
        if usage is None and not self.plan.observers:  # there is nothing to count
            return answered
        seen = RoundEndedRecord(
            now=mail.now,
            conversation=self.plan.conversation,
            response=self.plan.id,
            round=self.round,
            input_tokens=usage.input if usage else None,
            output_tokens=usage.output if usage else None,
            stop_reason=result.stop_reason,
        )
        return [Observe(seen), *answered]

    def _round_repeated(self, mail: mail_.RoundRepeated) -> list[Command]:
        if self.state != "calling" or mail.round != self.round:
            return []
        plan = self.plan
        repeated = RequestRepeated(now=mail.now, conversation=plan.conversation, response=plan.id, round=self.round)
        return [Observe(repeated)]

    def _record(self, mail: mail_.RoundEnded) -> CallRecord:
        first = not self.records
        result = mail.result
        return CallRecord(
            id=self._call_id(),
            prompt=self.plan.prompt.prompt if first else "",
            system=self.plan.prompt.system,
            model=self.model,
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
        why = "the answer was cut by its length limit"
        left: list[Entry] = []
        if record.cut_calls:
            left += [Returned(self.plan.id, not_run(call, why)) for call in record.cut_calls]
        if self._steers and not self._limit_reached():
            why = "the conversation went on without it"
            left += [Returned(self.plan.id, not_run(call, why)) for call in record.tool_calls]
            self.state, self._unstarted = "steering", ()
            return self._append(left, now)
        self.state = "closing"
        return self._append(left, now) if left else self._finish(now)

    # ---- tools --------------------------------------------------------------------------------------------------------------

    def _start_tools(self, calls: list[ToolCall], now: float) -> list[Command]:
        self.state = "tools"
        self._unstarted = ()
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

    def _tool_progress(self, mail: mail_.ToolProgress) -> list[Command]:
        call = self._tool_round.running(mail.call) if self._tool_round is not None and self.state == "tools" else None
        if call is None:
            return []
        return [Emit([StreamEvent("tool_progress", mail.item, tool_call_id=call.tool_call_id, tool_name=call.name)])]

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
        ended, self._tool_round = self._tool_round, None
        self._results = ended.results()
        if self._errand:
            self.state = "closing"
            return self._finish(now)
        if self._limit_reached():
            return self._end(ChainLimitError(f"Chain limit of {self.plan.chain_limit} exceeded."), now)
        judged = self._judged(ended.tool_calls(), ended.crashes(), now)
        return self._go_on(now) if judged is None else judged

    _HANDLERS: ClassVar[dict[type, Callable[[Any, Any], list[Command]]]] = {
        **TurnFailing.FAILINGS,
        mail_.Begin: _begin,
        mail_.Appended: _appended,
        mail_.Prepared: _prepared,
        mail_.RoundEnded: _round_ended,
        mail_.RoundRepeated: _round_repeated,
        mail_.HookDone: _hook_done,
        mail_.ToolDone: _tool_done,
        mail_.Steer: _steer,
        mail_.Unsteer: _unsteer,
        mail_.ToolProgress: _tool_progress,
        mail_.Cancel: lambda self, mail: self._end(mail.error, mail.now),
        mail_.Woken: lambda self, mail: self._woken(mail.now),
    }
