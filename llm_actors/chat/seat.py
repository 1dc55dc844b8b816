"""Where a conversation is at work: its actor, on one loop at a time, made anew for what is to be done, and when that loop has ended."""

from __future__ import annotations

import contextlib
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

from llm_actors.errors import LoopClosedError
from llm_actors.observe import ConversationBound, Record
from llm_actors.runtime import system_context
from llm_actors.runtime.binding import making
from llm_actors.runtime.told import tell

from .seams import admit, engine_of

if TYPE_CHECKING:
    from llm_actors.runtime import Future, Loop

    from .conversation import AnyConversation
    from .conversation_actor import ConversationActor
    from .event_log import EventLog
    from .history import History
    from .live_turn import PromptMail
    from .log_wait import AtWork
    from .seams import Engine, WhenBusy


class Room(NamedTuple):
    """Who takes prompts, how many have been sent and not ended, how many may be, and what becomes of one more."""

    actor: ConversationActor | None
    taken: int
    bound: int
    when_busy: WhenBusy


_let_go: weakref.WeakValueDictionary[History, ConversationActor] = weakref.WeakValueDictionary()
"""Actors that are held by others than their seats, by the history they are at work on."""


class Seat:
    """Holds the actor while there is something to do, none before the first prompt, and none when it has been at rest for a while.

    An actor takes 450 bytes of the 1,300 that an idle conversation took with one. The one that is there is always the only one: as long
    as anybody holds it, a reference, a monitor, mail that has just come, it is found again. Any thread.
    """

    __slots__ = ("_actor", "_ending", "_engine", "_history", "_latest")

    def __init__(self, history: History) -> None:
        self._actor: ConversationActor | None = None
        self._engine: Engine | None = None
        self._history = history
        self._ending: Future[list[EventLog]] | None = None
        self._latest: EventLog | None = None

    @property
    def loop(self) -> Loop | None:
        """The loop it is at work on, if that has not ended."""
        return None if self._engine is None or self._is_over() else self._engine.loop

    @property
    def found(self) -> ConversationActor | None:
        """The actor, where there is one."""
        return self._actor or _let_go.get(self._history)

    @property
    def taken(self) -> int:
        """Prompts that have been sent there and not ended."""
        actor = self.found
        return actor.backlog if actor is not None else 0

    def actor(self, handle: AnyConversation[Any], loop: Loop) -> ConversationActor:
        """The actor; where there is none, one on the loop that it was bound to; on this loop where that has ended, or there was none."""
        actor = self._actor
        if actor is not None and not _is_stale(actor):
            return actor
        with making:
            actor = self.found
            if actor is None or _is_stale(actor):
                actor = self._start(handle, loop, actor)
            self._actor = actor
            return actor

    def kept_actor(self, handle: AnyConversation[Any], loop: Loop) -> ConversationActor:
        """The same, for who hands it on: it stays the same from now on, also at rest, and when it was stopped."""
        with making:
            actor = self.actor(handle, loop)
            actor.kept = True
            return actor

    def _start(self, handle: AnyConversation[Any], loop: Loop, lost: ConversationActor | None) -> ConversationActor:
        from .conversation_actor import ConversationActor  # noqa: PLC0415 - 6 ms, with the turn: at the first prompt

        if lost is not None:
            lost.abandon()
        engine = self._engine
        if engine is not None and not self._is_over():
            return ConversationActor.start_on(engine.loop, handle, self._history, engine)
        engine = engine_of(loop)
        actor = ConversationActor.start_on(loop, handle, self._history, engine)
        self._engine = engine
        _observe(engine, ConversationBound, {"conversation": handle.id, "loop": loop.name})
        return actor

    def let_go(self) -> None:
        """Lets go of the actor, if it is at rest. Should mail come just now, whoever sends it holds the actor: it is found."""
        with making:
            actor = self._actor
            if actor is not None and not (actor.kept or actor.broken or actor.backlog):
                _let_go[self._history] = actor
                self._actor = None
            if self._latest is not None and self._latest.sealed:
                self._latest = None

    def _is_over(self) -> bool:
        """Whether what it was at work in has ended, or its actor has failed."""
        engine = self._engine
        broken = self._actor is not None and self._actor.broken
        return broken or engine is None or engine.closed or engine.loop.closed

    def admit(self) -> None:
        """Raises SystemShutdownError where no more prompts are taken.

        By the system that it is at work in; when that is shut down, it may go on in another one that the code around the prompt is in.
        """
        engine, around = self._engine, system_context.get(None)
        if engine is None or (around is not None and self._is_over()):
            admit()
        else:
            engine.admit()

    def observe(self, kind: type[Record], **facts: Any) -> None:
        """See Origin."""
        if self._engine is not None:
            _observe(self._engine, kind, facts)

    def room(self, handle: AnyConversation[Any], loop: Loop) -> Room:
        """Whether one more prompt is taken there."""
        actor = self.actor(handle, loop)
        return Room(actor, actor.backlog, actor.engine.mailbox, actor.engine.when_busy)

    def claim(self, log: EventLog) -> bool:
        """Whether the turn that claimed it before has ended; then it is this one's. Of two that come at once one gets it."""
        with making:
            if self._latest is not None and not self._latest.sealed:
                return False
            self._latest = log
            return True

    def post(self, actor: ConversationActor, mail: PromptMail) -> None:
        """Sends a prompt there."""
        mail.log.loop = actor.engine.loop
        tell(actor, mail, mail.log)

    def cancel(
        self, response: str | None, error: BaseException, *, given_up: bool = False
    ) -> Future[list[EventLog]] | None:
        """Ends a turn, or with None all; gives a future of the logs of those that are ending, or None where none can be."""
        actor = self.found
        if actor is None or _is_stale(actor):
            self.lost()
            return None
        # As mail, not control: it must not overtake the prompts sent before it. They wait inside the actor, so it's never behind a turn.
        from .conversation_actor import CancelMail  # noqa: PLC0415 - as above

        ending = actor.actor_ref.ask(CancelMail(response, error, given_up), block=False)
        if response is None:
            self._ending = ending
        return ending

    def at_work_on(self, log: EventLog) -> AtWork | None:
        """The turn that has to get on before this response does; None where a cancel of all turns is on its way."""
        actor = self.found
        ending = self._ending is not None and not self._ending.done()
        return None if actor is None or ending or actor.engine.loop.ended else actor.at_work_on(log)

    def renew(self) -> None:
        """The next look for the actor makes another, where the one that is there has stopped."""
        actor = self.found
        if actor is not None and not actor.actor_ref.is_alive():
            actor.broken = True

    def end(self) -> Future[bool] | None:
        """The conversation takes no prompt any more: its actor stops; None where there is none."""
        actor = self.found
        return None if actor is None or _is_stale(actor) else actor.actor_ref.stop(block=False)

    def lost(self) -> None:
        """Ends the turns that were on a loop which has ended."""
        actor = self.found
        if actor is not None and _is_stale(actor):
            actor.abandon()


def _is_stale(actor: ConversationActor) -> bool:
    return actor.broken or actor.engine.closed or actor.engine.loop.closed


def _observe(engine: Engine, kind: type[Record], facts: dict[str, Any]) -> None:
    loop = engine.loop
    if not engine.observed:
        return
    record = kind(now=loop.clock.monotonic(), **facts)
    if loop.is_current():
        engine.observe(record)
    else:
        with contextlib.suppress(LoopClosedError):  # nobody is told anything there any more
            loop.post(engine.observe, record)
