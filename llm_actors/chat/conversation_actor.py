"""The conversation as an actor: takes mail, decides which turn is next, and feeds the turns. It never waits.

    PromptMail          a turn is queued; the first in line begins. Or it is steered into the one that runs
    CancelMail          control: ends one turn, queued or running, or all
    (response id, mail) what a model call, a tool, a hook, the store or the timer has to tell: goes to its turn

What a turn decides is done in conversation_work.py.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from llm_actors.errors import ConversationCrashedError, LoopClosedError, ResponseCancelledError, SystemShutdownError
from llm_actors.messages import Prompt
from llm_actors.messages.parts import user
from llm_actors.observe import ConversationCrashed, PromptQueued, PromptsJoined
from llm_actors.runtime import ActorDeadError, carried
from llm_actors.runtime.dead_letters import dead_letter
from llm_actors.runtime.intensity import Intensity

from .conversation_view import ConversationView, view_of
from .conversation_work import ConversationWork, TurnMail, logger
from .failures import compacting_rows, table_of
from .history import History
from .history_size import size
from .live_turn import LiveTurn, PromptMail
from .log_wait import AtWork
from .restart_mail import RestartMail
from .turn import Turn
from .turn_mail import Begin, Cancel, Steer, Unsteer
from .turn_plan import TurnPlan
from .voices import joined, joins

if TYPE_CHECKING:
    from .conversation import AnyConversation
    from .event_log import EventLog
    from .seams import Engine


class CancelMail(NamedTuple):
    """End the turn of this response, or with None every turn. Answered by the logs of those that are ending.

    `given_up`: only if nobody waits for another response of that turn.
    """

    response: str | None
    error: BaseException
    given_up: bool = False


class ConversationActor(ConversationWork):
    """See the head of this file. Held by its conversation's seat and by the engine while it has a turn; see Seat for what comes then."""

    registered = False
    _actor_waits = False
    keeps_context = False  # each prompt brings its own
    kept = False  # its seat does not let go of it
    broken = False  # it failed: the next prompt makes another, with the same history

    def __init__(self, handle: AnyConversation[Any], history: History, engine: Engine) -> None:
        super().__init__(handle.id, history, engine)
        self._handle = weakref.ref(handle)
        self._queue: list[LiveTurn] = []  # an empty deque takes 760 bytes, in each of a million idle conversations
        self._running: LiveTurn | None = None
        self._beginning = False
        self._intensity: Intensity | None = None  # made at the first crash
        self._gave_up: BaseException | None = None
        self._orderly = False

    @property
    def backlog(self) -> int:
        """Prompts that have not ended, with the mail that has not been looked at. Any thread."""
        running = self._running
        joint = running is not None and running.joint and running.log.id in self._lives  # not when it was cut off
        return len(self._lives) - joint + super().backlog

    # ---- what others see of it: any thread ----------------------------------------------------------------------------------

    def view(self, now: float) -> ConversationView:
        """What it is doing, at this moment of its loop's clock."""
        return view_of(self._id, self._handle(), self._running, list(self._queue), super().backlog, now)

    # ---- mail ---------------------------------------------------------------------------------------------------------------

    def on_receive(self, message: Any) -> Any:
        """One mail; what it causes is started, not waited for."""
        if type(message) not in self._TAKES:
            return self._say(message) if isinstance(message, Prompt) else super().on_receive(message)
        token = carried.set(None)  # what a turn calls runs in the context of its prompt, all else of it in none
        try:
            return self._take(message)
        except (LoopClosedError, SystemShutdownError):  # no defect: it is the end, and whoever sent the mail is told
            raise
        except Exception as error:  # noqa: BLE001 - a defect of ours, of a store, of a model's `open_round`
            self._crash(error)
            if isinstance(message, PromptMail) and message.log.id not in self._lives and not message.log.sealed:
                message.log.seal(_crashed(error), [], [])
                message.log.release()
            return []
        finally:
            carried.reset(token)

    def _take(self, message: TurnMail | PromptMail | CancelMail | RestartMail) -> Any:
        return self._TAKES[type(message)](self, message)

    def on_stop(self) -> None:
        """Stopped: what is here ends as the loop's end would end it. No mail comes any more, so nothing is waited for."""
        self._orderly = True
        self.cancel(CancelMail(None, LoopClosedError("the conversation's actor was stopped")))
        self.abandon()
        self.engine.drop(self)

    def _actor_stopped(self, stops: list[Any], value: Any, error: BaseException | None) -> None:
        # Every way out ends here, also those without a hook: a kill, a BaseException. No reader is left waiting.
        self.broken = not self._orderly
        for live in list(self._lives.values()):
            self._cut_off(live, _crashed(error or ActorDeadError("the conversation's actor was killed")))
        self.engine.drop(self)
        super()._actor_stopped(stops, value, error)

    def _crash(self, error: BaseException) -> None:
        """A defect: the turn that runs ends, what waits goes on, as often as the intensity allows.

        Then it is answered with the error, and the actor fails: who watches it is told, and the next prompt makes another.
        """
        while True:
            now = self._now()
            logger.error("conversation %s failed: its turn ends, its history stays", self._id, exc_info=error)
            self._intensity = self._intensity or self._declared_intensity()
            self.kept = True  # it counts its crashes
            crashed, may = _crashed(error), self._intensity.failed(now)
            waiting = len(self._queue)
            self.engine.observe(
                ConversationCrashed(now=now, conversation=self._id, error=repr(error), waiting=waiting, restarted=may)
            )
            if not may:
                self._gave_up = crashed
                self._bury_all(crashed)
            try:
                self._restart(crashed)
            except Exception as another:  # noqa: BLE001 - as above; each ends one turn at least, or all of them
                error = another
            else:
                break
        if self._gave_up is not None:
            self._actor_fail(self._gave_up)

    def _actor_clear(self, reason: str, cause: BaseException | None = None) -> list[Any]:
        return super()._actor_clear(reason, cause or self._gave_up)

    def _declared_intensity(self) -> Intensity:
        handle, engine = self._handle(), self.engine
        intensity, period = (None, None) if handle is None else (handle.intensity, handle.period)
        return Intensity(
            engine.intensity if intensity is None else intensity, engine.period if period is None else period
        )

    def _bury_all(self, error: BaseException) -> None:
        queue, self._queue = self._queue, []
        for live in [live for live in queue if live.turn.state != "over"]:
            dead_letter(self, live.log.prompt.said, f"the conversation failed too often: {error.__cause__!r}")
            self._cut_off(live, error)

    def _restart(self, error: BaseException) -> None:
        """As if the actor were made anew: the history stays and what waits goes on, what runs does not."""
        running, self._running = self._running, None
        if running is not None:
            left = [one for one in running.steers if one.turn.state != "over"]
            for one in left:
                one.leader = None
            self._queue[:0] = left
            self._cut_off(running, error)
        waiting = {live.log.id for live in self._queue}
        for live in [live for live in self._lives.values() if live.log.id not in waiting]:
            self._cut_off(live, error)
        self._begin_next()

    def _say(self, prompt: Prompt) -> Any:
        handle = self._handle()
        if handle is None:
            msg = f"nobody holds conversation {self._id} any more: it has ended"
            raise ActorDeadError(msg)
        return handle.say(prompt, self.on_receive)

    def _enqueue(self, mail: PromptMail) -> None:
        log = mail.log
        if log.sealed:  # cancelled before it was posted
            return
        engine = self.engine
        engine.hold(self)
        if mail.when_busy == "replace" and not mail.steers:
            for other in [live for live in self._lives.values() if live.mail.errand is None]:
                self.cancel(CancelMail(other.log.id, ResponseCancelledError("replaced by a newer prompt")))
        engine.counts["prompts"] += 1
        record = None
        if engine.observed:
            record = PromptQueued(now=self._now(), conversation=self._id, response=log.id, waiting=len(self._lives))
        live = self._live(mail)
        running = self._running
        if mail.steers and running is not None:
            live.leader = running
            running.steers.append(live)
        else:
            self._queue.append(live)
        if record is not None:
            engine.observe(record)
        if mail.scope.deadline is not None:
            self._carry_out(live, live.turn.waiting())
        if live.leader is not None:
            said = log.prompt.said
            message = user(*([said.prompt] if said.prompt else []), list(said.attachments))
            self._feed(live.leader.log.id, Steer(log.id, message))
        self._begin_next()

    def _live(self, mail: PromptMail, voices: list[LiveTurn] | None = None) -> LiveTurn:
        """The turn of this mail, or the one that answers these voices."""
        log, engine = mail.log, self.engine
        mail.settle_scope(self._id, engine)
        limit = mail.chain_limit
        plan = TurnPlan(
            id=log.id,
            prompt=log.prompt.said,
            conversation=self._id,
            model=mail.model.model_id,
            chain_limit=engine.chain_limit if limit is None else limit,
            tools={tool.name: tool for tool in log.prompt.tools} if log.prompt.tools else {},
            toolboxes=bool(mail.toolboxes),
            before_call=mail.before_call is not None,
            after_call=mail.after_call is not None,
            scope=mail.scope,
            joined=tuple([voice.log.prompt.said for voice in voices]) if voices else (),
            failures=table_of(*mail.failures, engine.failures, compacting_rows(mail.compacts)),
            compacts=mail.compacts,
            observers=engine.observers,
        )
        clock = engine.loop.clock
        turn = Turn(plan, (lambda _: clock.new_id()) if log.chain else None)
        live = LiveTurn(mail, turn, clock.monotonic(), joint=voices is not None)
        if voices:
            self._take_in(live, voices)
        self._lives[log.id] = live
        return live

    def _begin_next(self) -> None:
        """Begins the first turn in line when none is running. Not from inside itself: a line of turns that fail at once is no recursion."""
        if self._beginning:
            return
        self._beginning = True
        try:
            while self._running is None and self._queue:
                live = self._queue.pop(0)
                if live.turn.state != "over":
                    self._begin(live)
        finally:
            self._beginning = False
        if not self._lives:
            self._lives.clear()  # the table of a dict that had something stays, 120 bytes, until it is cleared
            self.engine.drop(self)
            self.engine.rests.add(self._handle)

    def _begin(self, live: LiveTurn) -> None:
        self._running = live  # from here on it is not in the queue: should anything fail, it is this one that ends
        if live.mail.when_busy == "coalesce":
            live = self._running = self._joined(live)
        clock = self.engine.loop.clock
        live.begin(clock)
        self.engine.counts["turns_started"] += not live.joint
        errand = live.mail.errand
        if errand is not None:
            begin = Begin(clock.monotonic(), errand.calls, errand=errand.entries(self._history, live.log.id))
        else:
            tokens = size(self._history) if live.turn.plan.compacts is not None else 0
            begin = Begin(clock.monotonic(), *self._history.found_by(live.log.prompt.said), tokens=tokens)
        self._carry_out(live, live.turn.handle(begin))

    def _joined(self, first: LiveTurn) -> LiveTurn:
        """The turn that answers this prompt and those right behind it that ask alike."""
        voices = [first]
        while self._queue and (self._queue[0].turn.state == "over" or joins(first.mail, self._queue[0].mail)):
            live = self._queue.pop(0)
            if live.turn.state != "over":
                voices.append(live)
        if len(voices) == 1:
            return first
        clock = self.engine.loop.clock
        live = self._live(joined(clock.new_id(), [voice.mail for voice in voices]), voices)
        ids = [voice.log.id for voice in voices]
        self.engine.observe(
            PromptsJoined(now=clock.monotonic(), conversation=self._id, response=live.log.id, joined=ids)
        )
        self._carry_out(live, live.turn.waiting())
        return live

    def cancel(self, mail: CancelMail) -> list[EventLog]:
        """Ends one turn, or all; gives the logs that are ending. What is queued ends at once, what runs when all it started has ended."""
        ids = list(self._lives) if mail.response is None else [mail.response]
        lives = [live for response in ids if (live := self._lives.get(response)) is not None]
        if mail.given_up and any(_is_wanted_by_others(live) for live in lives):
            return []
        for live in lives:
            self._feed(_ending_with(live).log.id, Cancel(self._now(), mail.error))
        return [live.log for live in lives]

    def _stays(self, live: LiveTurn, error: BaseException | None) -> bool:
        leader = live.leader
        if leader is not None and live in leader.steers:
            leader.steers.remove(live)
            self._feed(leader.log.id, Unsteer(live.log.id))
        elif leader is not None and live in leader.voices:
            if leader.joint and len(leader.voices) == 1 and error is not None:
                self._feed(
                    leader.log.id, Cancel(self._now(), error)
                )  # the last of its responses takes the turn with it
                return True
            leader.voices.remove(live)
        return False

    def _over(self, live: LiveTurn) -> None:
        if self._running is live:
            self._running = None
            left = [one for one in live.steers if one.turn.state != "over"]
            for one in left:
                one.leader = None
            self._queue[:0] = left
            if isinstance(live.log.error, LoopClosedError):
                # Somebody ends all tasks of this loop, as asyncio.run() does: what waits must not begin there any more.
                self.cancel(CancelMail(None, live.log.error))
        self._begin_next()

    def at_work_on(self, log: EventLog) -> AtWork | None:
        """The turn that has to get on before this response does; None where none stands before it. Any thread."""
        running, live = self._running, self._lives.get(log.id)
        if live is not None and live.leader is not None:
            return AtWork(live.leader, live in live.leader.voices)
        if running is None or (live is None and log.takes_over):
            return None
        return AtWork(running, running is live)

    def abandon(self, error: BaseException | None = None) -> None:
        """Ends every turn without waiting for anything, so that the history can go on elsewhere. Any thread, once the loop is closed."""
        error = error or LoopClosedError("the event loop of this conversation was closed")
        for live in list(self._lives.values()):
            self._end_without_waiting(live, error)

    _TAKES: ClassVar[dict[type, Callable[[ConversationActor, Any], Any]]] = {
        TurnMail: lambda self, mail: self._feed(mail.response, mail.mail),
        PromptMail: lambda self, mail: self._enqueue(mail),
        CancelMail: lambda self, mail: self.cancel(mail),
        RestartMail: lambda self, mail: self._restart(_crashed(mail.error)),
    }


def _crashed(error: BaseException) -> ConversationCrashedError:
    crashed = ConversationCrashedError(f"the conversation's actor failed: {type(error).__name__}: {error}")
    crashed.__cause__ = error
    return crashed


def _ending_with(live: LiveTurn) -> LiveTurn:
    """Which turn a cancel of this response ends: for what was steered in, and taken, the one that it was steered into."""
    leader = live.leader
    return leader if leader is not None and live.mail.steers and live in leader.voices else live


def _is_wanted_by_others(live: LiveTurn) -> bool:
    """Whether somebody waits for another response of the turn that works on this one."""
    first = live if live.leader is None or live in live.leader.steers else live.leader
    return any(one.log.wanted for one in (first, *first.voices) if one is not live)
