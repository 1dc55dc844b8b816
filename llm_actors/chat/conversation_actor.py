"""The conversation as an actor: takes mail, feeds the turn, carries out its commands. It never waits.

    PromptMail          a turn is queued; the first in line begins
    CancelMail          control: ends one turn, queued or running, or all
    (response id, mail) what a model call, a tool, a hook, the store or the timer has to tell: goes to its turn

Everything that takes time is started here and comes back as mail, so a cancel is never stuck behind a stream. What is dead is told apart
by numbers: mail for a turn that is gone is dropped here, mail for a round or call that is over inside the turn.
"""

from __future__ import annotations

import contextlib
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from llm_actors.errors import LoopClosedError
from llm_actors.messages import Prompt
from llm_actors.observe import PromptQueued
from llm_actors.runtime import Actor, ActorDeadError

from .callbacks import run_callbacks
from .history import History
from .live_turn import LiveTurn, PromptMail
from .round_writer import RoundWriter
from .tool_run import ToolRun
from .turn import Turn
from .turn_mail import (
    Append,
    Appended,
    AppendFailed,
    Begin,
    CallHook,
    Cancel,
    Command,
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
    StopJob,
    StopSend,
    WakeAt,
    Woken,
)
from .turn_plan import TurnPlan

if TYPE_CHECKING:
    from .conversation import AnyConversation
    from .event_log import EventLog
    from .seams import Engine


class CancelMail(NamedTuple):
    """End the turn of this response, or with None every turn. Answered by the logs of those that are ending."""

    response: str | None
    error: BaseException


class TurnMail(NamedTuple):
    """What came of something that a turn started."""

    response: str
    mail: Mail


class ConversationActor(Actor):
    """See the head of this file. Held by its conversation's handle, and by the engine while it has a turn."""

    registered = False
    keeps_context = False  # each prompt brings its own
    broken = False  # it failed: the next prompt makes another, with the same history

    def __init__(self, handle: AnyConversation[Any], history: History, engine: Engine) -> None:
        super().__init__()
        self.engine = engine
        self._handle = weakref.ref(handle)
        self._id = handle.id
        self._history = history
        self._queue: deque[LiveTurn] = deque()
        self._lives: dict[str, LiveTurn] = {}
        self._running: LiveTurn | None = None

    @property
    def backlog(self) -> int:
        """Prompts that have not ended, with the mail that has not been looked at. Any thread."""
        return len(self._lives) + super().backlog

    # ---- mail ---------------------------------------------------------------------------------------------------------------

    def on_receive(self, message: Any) -> Any:
        """One mail; what it causes is started, not waited for."""
        if isinstance(message, TurnMail):
            self._feed(message.response, message.mail)
        elif isinstance(message, PromptMail):
            self._enqueue(message)
        elif isinstance(message, CancelMail):
            return self.cancel(message)
        elif isinstance(message, Prompt):
            return self._say(message)
        else:
            return super().on_receive(message)
        return None

    def on_stop(self) -> None:
        """Stopped: what is here ends as the loop's end would end it. No mail comes any more, so nothing is waited for."""
        self.cancel(CancelMail(None, LoopClosedError("the conversation's actor was stopped")))
        self.abandon()
        self.engine.drop(self)

    def on_failure(self, exception_type: Any, exception_value: BaseException | None, traceback: Any) -> None:
        """A defect of ours or of a model's `open_round`: no reader is left waiting for it."""
        del exception_type, traceback
        self.broken = True
        self.abandon(exception_value)
        self.engine.drop(self)

    def _say(self, prompt: Prompt) -> Any:
        handle = self._handle()
        if handle is None:
            msg = f"nobody holds conversation {self._id} any more: it has ended"
            raise ActorDeadError(msg)
        return handle.say(prompt)

    def _enqueue(self, mail: PromptMail) -> None:
        log = mail.log
        if log.sealed:  # cancelled before it was posted
            return
        self.engine.hold(self)
        limit = mail.chain_limit
        plan = TurnPlan(
            id=log.id,
            prompt=log.prompt.said,
            conversation=self._id,
            model=mail.model.model_id,
            chain_limit=self.engine.chain_limit if limit is None else limit,
            tools={tool.name: tool for tool in log.prompt.tools},
            toolboxes=bool(mail.toolboxes),
            before_call=mail.before_call is not None,
            after_call=mail.after_call is not None,
            deadline=mail.deadline,
        )
        clock = self.engine.loop.clock
        live = LiveTurn(mail, Turn(plan, (lambda _: clock.new_id()) if log.chain else (lambda _: log.id)))
        live.run = ToolRun(live, self.engine, partial(self._tell, log.id))
        record = PromptQueued(now=clock.monotonic(), conversation=self._id, response=log.id, waiting=len(self._lives))
        self._lives[log.id] = live
        self._queue.append(live)
        self.engine.observe(record)
        self._carry_out(live, live.turn.waiting())
        self._begin_next()

    def _begin_next(self) -> None:
        """Begins the first turn in line when none is running."""
        while self._running is None and self._queue:
            live = self._queue.popleft()
            if live.turn.state == "over":
                continue
            self._running = live
            clock = self.engine.loop.clock
            log = live.log
            log.started = clock.utcnow().isoformat()
            log.seconds = clock.monotonic()
            self._carry_out(live, live.turn.handle(Begin(clock.monotonic(), *self._history.found_by(log.prompt.said))))
        if not self._lives:
            self.engine.drop(self)

    def cancel(self, mail: CancelMail) -> list[EventLog]:
        """Ends one turn, or all; gives the logs that are ending. What is queued ends at once, what runs when all it started has ended."""
        ids = list(self._lives) if mail.response is None else [mail.response]
        logs = [live.log for response in ids if (live := self._lives.get(response)) is not None]
        for response in ids:
            self._feed(response, Cancel(self._now(), mail.error))
        return logs

    def abandon(self, error: BaseException | None = None) -> None:
        """Ends every turn without waiting for anything, so that the history can go on elsewhere. Any thread, once the loop is closed."""
        error = error or LoopClosedError("the event loop of this conversation was closed")
        for live in list(self._lives.values()):
            now = self._now()
            mails: list[Mail] = [Cancel(now, error), RoundStopped(now, live.turn.round)]
            mails += [JobStopped(now, call) for call in live.jobs]
            mails.append(AppendFailed(now, error))
            for mail in mails:  # a turn that was ending already, when the loop went, is told that all of it has ended
                self._carry_out(live, live.turn.handle(mail), dead=True)

    def _feed(self, response: str, mail: Mail) -> None:
        live = self._lives.get(response)
        if live is not None:
            self._carry_out(live, live.turn.handle(mail))

    def _tell(self, response: str, mail: Mail) -> None:
        """Mail from what a turn started; an actor that is gone needs no answer any more."""
        with contextlib.suppress(ActorDeadError):
            self.actor_ref.tell(TurnMail(response, mail), control=True)

    def _now(self) -> float:
        return self.engine.loop.clock.monotonic()

    # ---- commands -----------------------------------------------------------------------------------------------------------

    def _carry_out(self, live: LiveTurn, commands: list[Command], *, dead: bool = False) -> None:
        todo = deque(commands)
        while todo:
            command = todo.popleft()
            answer = self._without_loop(live, command) if dead else self._DO[type(command)](self, live, command)
            if answer is not None:
                todo.extend(live.turn.handle(answer))

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

    def _prepare(self, live: LiveTurn, _: Prepare) -> None:
        live.run.prepare(live.mail.toolboxes)

    def _send(self, live: LiveTurn, command: Send) -> Mail | None:
        log = live.log
        if command.results:
            live.sent = live.sent.following(command.results, self._history)
        else:
            live.sent.sent_with(self._history)
        writer = RoundWriter(log, command.round, self.engine.loop.clock, partial(self._tell, log.id))
        live.writer = writer
        try:
            live.flight = live.mail.model.open_round(live, writer, self.engine)
        except Exception as error:  # noqa: BLE001 - a missing key, a request that can't be written: the turn's error
            writer.revoked = True
            return RoundFailed(self._now(), command.round, error)
        return None

    def _stop_send(self, live: LiveTurn, command: StopSend) -> Mail | None:
        if live.writer is None or live.flight is None:
            return RoundStopped(self._now(), command.round)
        live.writer.revoked = True
        live.flight.stop()
        return None

    def _call_hook(self, live: LiveTurn, command: CallHook) -> None:
        hook = live.mail.before_call if command.stage == "before" else live.mail.after_call
        live.run.hook(command, hook)

    def _run_tool(self, live: LiveTurn, command: RunTool) -> None:
        live.run.tool(command)

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

    def _emit(self, live: LiveTurn, command: Emit) -> None:
        live.log.write(command.items)

    def _observe(self, _: LiveTurn, command: Observe) -> None:
        self.engine.observe(command.record)

    def _finish(self, live: LiveTurn, command: Finish) -> None:
        callbacks = self._seal(live, command)
        run_callbacks(live.log, callbacks if command.error is None else [], self.engine)
        if self._running is live:
            self._running = None
        self._begin_next()

    def _seal(self, live: LiveTurn, command: Finish) -> list[Any]:
        log = live.log
        self._lives.pop(log.id, None)
        if live.timer is not None:
            live.timer.cancel()
        if live.writer is not None:
            live.writer.revoked = True
        if log.started:
            log.seconds = self._now() - log.seconds
        log.history = self._history.fork()
        return log.seal(command.error, live.output(), live.turn.records)

    def _without_loop(self, live: LiveTurn, command: Command) -> Mail | None:
        """Carries out a command when no loop is left to do anything: what would have to be waited for counts as ended."""
        if isinstance(command, StopSend):
            return RoundStopped(self._now(), command.round)
        if isinstance(command, StopJob):
            return JobStopped(self._now(), command.call)
        if isinstance(command, Append):
            return self._append(live, command)
        if isinstance(command, Finish):
            self._seal(live, command)
            live.log.release()
        return None

    _DO: ClassVar[dict[type, Callable[[ConversationActor, LiveTurn, Any], Mail | None]]] = {
        Append: _append,
        Prepare: _prepare,
        Send: _send,
        StopSend: _stop_send,
        CallHook: _call_hook,
        RunTool: _run_tool,
        StopJob: _stop_job,
        WakeAt: _wake_at,
        Emit: _emit,
        Observe: _observe,
        Finish: _finish,
    }
