"""The half of a conversation's actor that does what its turns decide: keeps, sends, runs, stops, writes, ends. It never waits.

Everything that takes time is started here and comes back as mail, so a cancel is never stuck behind a stream. What is dead is told apart
by numbers: mail for a turn that is gone is dropped here, mail for a round or call that is over inside the turn.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from llm_actors.errors import LLMError, TurnError
from llm_actors.observe import TurnFinished, TurnSteered
from llm_actors.runtime import Actor, ActorDeadError
from llm_actors.runtime.at_once import handle_at_once
from llm_actors.runtime.dead_letters import dead_letter

from .asking import asked_of
from .callbacks import run_callbacks
from .compaction import Compacting
from .history import Answered, History, Returned, Withdrawn, interruption_of
from .live_turn import LiveTurn
from .round_writer import RoundWriter
from .spending import spending_for
from .tool_run import ToolRun
from .turn_mail import (
    Append,
    Appended,
    AppendFailed,
    Bury,
    CallHook,
    Cancel,
    Command,
    CompactHistory,
    Emit,
    Finish,
    JobStopped,
    Mail,
    Observe,
    Prepare,
    RoundFailed,
    RoundStopped,
    RunTool,
    Send,
    Steered,
    StopJob,
    StopSend,
    WakeAt,
    Woken,
)

if TYPE_CHECKING:
    from .event_log import EventLog
    from .seams import Engine


logger = logging.getLogger("llm_actors.chat")


class TurnMail(NamedTuple):
    """What came of something that a turn started."""

    response: str
    mail: Mail


class ConversationWork(Actor):
    """See the head of this file. Its loop only."""

    def __init__(self, conversation: str, history: History, engine: Engine) -> None:
        super().__init__()
        self.engine = engine
        self._id = conversation
        self._history = history
        self._lives: dict[str, LiveTurn] = {}

    def __str__(self) -> str:
        return f"conversation {self._id}"

    def _actor_observed(self) -> Any:
        return self.engine

    def _feed(self, response: str, mail: Mail) -> None:
        live = self._lives.get(response)
        if live is not None:
            self._carry_out(live, live.turn.handle(mail))

    def _tell(self, response: str, mail: Mail) -> None:
        """Mail from what a turn started; an actor that is gone needs no answer any more."""
        message = TurnMail(response, mail)
        if not handle_at_once(self, message):
            with contextlib.suppress(ActorDeadError):
                self.actor_ref.tell(message, control=True)

    def _now(self) -> float:
        return self.engine.loop.clock.monotonic()

    # ---- commands -----------------------------------------------------------------------------------------------------------

    def _carry_out(self, live: LiveTurn, commands: list[Command], *, dead: bool = False) -> None:
        todo, do = list(commands), self._DO
        for command in todo:  # which grows meanwhile
            answer = self._without_loop(live, command) if dead else do[type(command)](self, live, command)
            if answer is not None:
                todo += live.turn.handle(answer)
        if live.turn.state != live.state:
            live.state, live.since = live.turn.state, self._now()
        if not dead and live.turn.state == "over" and live.log.id not in self._lives:
            live.let_go()
            self._over(live)  # observers have heard of its end before the next one begins

    def _append(self, live: LiveTurn, command: Append) -> Mail | None:
        for entry in command.entries:
            self._history.append(entry)
        live.kept.extend(command.entries)
        if self.engine.store.append(self._id, command.entries, partial(self._kept, live.log.id)):
            return Appended(self._now())
        return None

    def _kept(self, response: str, error: BaseException | None) -> None:
        now = self._now()
        self._tell(response, Appended(now) if error is None else AppendFailed(now, error))

    def _run_of(self, live: LiveTurn) -> ToolRun:
        """What runs its tools; made for the first of them."""
        if live.run is None:
            live.run = ToolRun(live, self.engine, partial(self._tell, live.log.id))
        return live.run

    def _prepare(self, live: LiveTurn, _: Prepare) -> None:
        self._run_of(live).prepare(live.mail.toolboxes)

    def _send(self, live: LiveTurn, command: Send) -> Mail | None:
        self.engine.counts["rounds"] += 1
        try:
            if command.model is not None:
                self._choose(live, command.model)
        except (LLMError, ValueError) as error:  # no such model, or it can't do what was asked
            return RoundFailed(self._now(), command.round, error)
        if command.results:
            live.sent = live.sent.following(command.results, self._history)
        else:
            live.sent.sent_with(self._history)
        for voice in live.voices:
            if not voice.heard:
                voice.heard = True
                voice.sent.sent_with(self._history)
        return self._open(live, command.round)

    def _open(self, live: LiveTurn, round: int) -> Mail | None:
        """Begins the model call, once there is room for it in the budgets."""
        log = live.log
        budgets = live.mail.scope.budgets
        try:
            spending = spending_for(budgets, live.sent, live.model) if budgets else None
        except TurnError as error:
            return RoundFailed(self._now(), round, error)
        writer = RoundWriter(log, live.write, round, self.engine.loop.clock, self._tell, spending)
        live.writer = writer
        try:
            live.flight = live.model.open_round(live, writer, self.engine)
        except Exception as error:  # noqa: BLE001 - a missing key, a request that can't be written: the turn's error
            writer.never_sent()
            return RoundFailed(self._now(), round, error)
        return None

    def _choose(self, live: LiveTurn, wanted: Any) -> None:
        """The model that is called from here on. Raises UnknownModelError, OptionsError, AttachmentError, ValueError."""
        if wanted in (live.model, live.model.model_id):
            return
        asked = live.mail.model
        live.model = self.engine.find_model(wanted, like=asked) if isinstance(wanted, str) else wanted
        live.sent = asked_of(live.model, live.sent)
        # An explicit key was given for the provider that was asked: no other gets to see it.
        live.key = live.mail.key if live.model.needs_key == asked.needs_key and asked.needs_key else None

    def _compact(self, live: LiveTurn, command: CompactHistory) -> None:
        messages = self._history.messages()
        compacting = Compacting(messages, self._id, live.model, command.error, command.tokens, command.bound)
        self._run_of(live).compact(command.policy, compacting)

    def _bury(self, live: LiveTurn, command: Bury) -> None:
        dead_letter(self, live.log.prompt.said, command.reason)

    def _stop_send(self, live: LiveTurn, command: StopSend) -> Mail | None:
        if live.writer is None or live.flight is None:
            return RoundStopped(self._now(), command.round)
        live.writer.revoked = True
        live.flight.stop()
        return None

    def _call_hook(self, live: LiveTurn, command: CallHook) -> None:
        hook = live.mail.before_call if command.stage == "before" else live.mail.after_call
        self._run_of(live).hook(command, hook)

    def _run_tool(self, live: LiveTurn, command: RunTool) -> None:
        self._run_of(live).tool(command)

    def _stop_job(self, live: LiveTurn, command: StopJob) -> Mail | None:
        job = live.jobs.get(command.call)
        if job is None:
            return JobStopped(self._now(), command.call)
        job.stop()
        return None

    def _wake_at(self, live: LiveTurn, command: WakeAt) -> None:
        live.timer = self.engine.loop.call_at(command.when, self._woken, live.log.id)

    def _woken(self, response: str) -> None:
        self._tell(response, Woken(self._now()))

    def _steered(self, live: LiveTurn, command: Steered) -> None:
        self._take_in(live, [one for one in live.steers if one.log.id in command.ids])
        self.engine.observe(
            TurnSteered(now=self._now(), conversation=self._id, response=live.log.id, steers=command.ids)
        )

    def _take_in(self, live: LiveTurn, voices: list[LiveTurn]) -> None:
        """From here on this turn answers these as well."""
        live.take(voices, self.engine.loop.clock)
        self.engine.counts["turns_started"] += len(voices)

    def _emit(self, live: LiveTurn, command: Emit) -> None:
        live.write(command.items)

    def _observe(self, _: LiveTurn, command: Observe) -> None:
        self.engine.observe(command.record)

    def _finish(self, live: LiveTurn, command: Finish) -> None:
        if self._stays(live, command.error):
            return
        if live.mail.errand is not None:
            live.mail.errand.results = live.turn.results
        for log, callbacks in self._seal(live, command.error):
            run_callbacks(log, callbacks if log.error is None else [], self.engine)

    def _over(self, live: LiveTurn) -> None:
        """What follows when this turn is over."""
        raise NotImplementedError

    def _stays(self, live: LiveTurn, error: BaseException | None) -> bool:
        """Whether this response ends when the turn that works on it has ended, not at once."""
        raise NotImplementedError

    def _seal(self, live: LiveTurn, error: BaseException | None) -> list[tuple[EventLog, list[Any]]]:
        """Ends the logs of a turn, one for each response that it answers; gives them with the callbacks to start."""
        ended: list[tuple[EventLog, list[Any]]] = []
        for one in (live, *live.voices):
            log = one.log
            if log.sealed:
                continue
            self._lives.pop(log.id, None)
            if one.timer is not None:
                one.timer.cancel()
            if log.started:
                log.seconds = self._now() - log.seconds
            log.history = self._history.fork()
            # Counted and told before it is sealed: a thread that waits for the end goes on at once, and is to find all of it done.
            if not one.joint:
                self.engine.counts[_counted_as(error)] += 1
            if one is not live and one.turn.state != "over":
                rounds = live.turn.round
                text = repr(error) if error is not None else None
                self.engine.observe(
                    TurnFinished(now=self._now(), conversation=self._id, response=log.id, rounds=rounds, error=text)
                )
            ended.append((log, log.seal(error, live.output(one), live.turn.records[one.first_record :])))
        if live.writer is not None:
            live.writer.close()
        return ended

    def _cut_off(self, live: LiveTurn, error: BaseException) -> None:
        """Ends a turn at once, without waiting for what it started: that is stopped, and what it still brings goes nowhere."""
        if live.writer is not None:
            live.writer.revoked = True
        flights = [live.flight] if live.flight is not None else []
        for work in (*flights, *live.jobs.values()):
            try:
                work.stop()
            except Exception:
                logger.exception("%r of conversation %s can't be stopped", work, self._id)
        try:
            self._end_without_waiting(live, error)
        except Exception:
            logger.exception("a turn of conversation %s that failed can't be ended as others are", self._id)
            produced = any(isinstance(entry, Answered | Returned) for entry in live.kept)
            if live.kept and not produced:
                self._history.append(Withdrawn(live.log.id))
            self._release(live, error)

    def _end_without_waiting(self, live: LiveTurn, error: BaseException) -> None:
        now = self._now()
        mails: list[Mail] = [Cancel(now, error), self._arrived(live)]
        mails += [JobStopped(now, call) for call in live.jobs]
        for mail in mails:  # a turn that was ending already is told that all of it has ended
            self._carry_out(live, live.turn.handle(mail), dead=True)
        while (
            live.turn.keeping
        ):  # what the store has not answered for was given to it in order, and so will the repair be
            self._carry_out(live, live.turn.handle(Appended(now)), dead=True)
        self._carry_out(live, live.turn.handle(AppendFailed(now, error)), dead=True)
        if live.log.id in self._lives:  # over, but its Finish was not carried out
            self._release(live, error)

    def _arrived(self, live: LiveTurn) -> RoundStopped:
        """The model call counts as ended, with what has come of it."""
        messages = live.writer.arrived() if live.writer is not None else []
        return RoundStopped(self._now(), live.turn.round, messages)

    def _release(self, live: LiveTurn, error: BaseException | None) -> None:
        for log, _ in self._seal(live, error):
            log.release()

    def _without_loop(self, live: LiveTurn, command: Command) -> Mail | None:
        """Carries out a command when no loop is left to do anything: what would have to be waited for counts as ended."""
        if isinstance(command, StopSend):
            return self._arrived(live)
        if isinstance(command, StopJob):
            return JobStopped(self._now(), command.call)
        if isinstance(command, Append):
            return self._append(live, command)
        if isinstance(command, Finish):
            self._release(live, command.error)
        if isinstance(command, Observe) and not self.engine.loop.closed:
            self.engine.observe(command.record)
        return None

    _DO: ClassVar[dict[type, Callable[[ConversationWork, LiveTurn, Any], Mail | None]]] = {
        Append: _append,
        Prepare: _prepare,
        Send: _send,
        StopSend: _stop_send,
        CallHook: _call_hook,
        RunTool: _run_tool,
        StopJob: _stop_job,
        WakeAt: _wake_at,
        CompactHistory: _compact,
        Bury: _bury,
        Steered: _steered,
        Emit: _emit,
        Observe: _observe,
        Finish: _finish,
    }


def _counted_as(error: BaseException | None) -> str:
    if error is None:
        return "turns_finished"
    return "turns_failed" if interruption_of(error) == "failed" else "turns_cancelled"
