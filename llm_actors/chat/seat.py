"""Where a conversation is at work: its actor, on one loop at a time, made anew when that loop has ended."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from llm_actors.errors import LoopClosedError
from llm_actors.observe import ConversationBound, Record
from llm_actors.runtime import Binding, system_context
from llm_actors.runtime.told import tell

from .conversation_actor import CancelMail, ConversationActor
from .seams import admit, engine_of

if TYPE_CHECKING:
    from llm_actors.runtime import Future, Loop

    from .conversation import AnyConversation
    from .event_log import EventLog
    from .history import History
    from .live_turn import PromptMail
    from .log_wait import AtWork
    from .seams import WhenBusy


class Room(NamedTuple):
    """Who takes prompts, how many have been sent and not ended, how many may be, and what becomes of one more."""

    actor: ConversationActor | None
    taken: int
    bound: int
    when_busy: WhenBusy


class Seat:
    """Holds the actor, none before the first prompt. Any thread."""

    __slots__ = ("_actor", "_ending", "_history", "_latest")

    def __init__(self, history: History) -> None:
        self._actor: Binding[ConversationActor] = Binding()
        self._history = history
        self._ending: Future[list[EventLog]] | None = None
        self._latest: Binding[EventLog] = Binding()

    @property
    def loop(self) -> Loop | None:
        """The loop it is at work on, if that has not ended."""
        actor = self._actor.value
        return None if actor is None or _is_stale(actor) else actor.engine.loop

    @property
    def taken(self) -> int:
        """Prompts that have been sent there and not ended."""
        actor = self._actor.value
        return actor.backlog if actor is not None else 0

    def actor(self, handle: AnyConversation[Any], loop: Loop) -> ConversationActor:
        """The actor; one on this loop where there is none, or none any more."""
        actor = self._actor.value
        if actor is not None and not _is_stale(actor):
            return actor
        return self._actor.bind(lambda: self._start(handle, loop), stale=_is_stale)

    def _start(self, handle: AnyConversation[Any], loop: Loop) -> ConversationActor:
        self.lost()
        actor = ConversationActor.start_on(loop, handle, self._history, engine_of(loop))
        _observe(actor, ConversationBound, {"conversation": handle.id, "loop": loop.name})
        return actor

    def admit(self) -> None:
        """Raises SystemShutdownError where no more prompts are taken.

        By the system that it is at work in; when that is shut down, it may go on in another one that the code around the prompt is in.
        """
        actor, around = self._actor.value, system_context.get(None)
        if actor is None or (around is not None and _is_stale(actor)):
            admit()
        else:
            actor.engine.admit()

    def observe(self, kind: type[Record], **facts: Any) -> None:
        """See Origin."""
        actor = self._actor.value
        if actor is not None:
            _observe(actor, kind, facts)

    def room(self, handle: AnyConversation[Any], loop: Loop) -> Room:
        """Whether one more prompt is taken there."""
        actor = self.actor(handle, loop)
        return Room(actor, actor.backlog, actor.engine.mailbox, actor.engine.when_busy)

    def claim(self, log: EventLog) -> bool:
        """Whether the turn that claimed it before has ended; then it is this one's. Of two that come at once one gets it."""
        return self._latest.bind(lambda: log, stale=lambda latest: latest.sealed) is log

    def post(self, actor: ConversationActor, mail: PromptMail) -> None:
        """Sends a prompt there."""
        mail.log.loop = actor.engine.loop
        tell(actor, mail, mail.log)

    def cancel(
        self, response: str | None, error: BaseException, *, given_up: bool = False
    ) -> Future[list[EventLog]] | None:
        """Ends a turn, or with None all; gives a future of the logs of those that are ending, or None where none can be."""
        actor = self._actor.value
        if actor is None or _is_stale(actor):
            self.lost()
            return None
        # As mail, not control: it must not overtake the prompts sent before it. They wait inside the actor, so it's never behind a turn.
        ending = actor.actor_ref.ask(CancelMail(response, error, given_up), block=False)
        if response is None:
            self._ending = ending
        return ending

    def at_work_on(self, log: EventLog) -> AtWork | None:
        """The turn that has to get on before this response does; None where a cancel of all turns is on its way."""
        actor = self._actor.value
        ending = self._ending is not None and not self._ending.done()
        return None if actor is None or ending or actor.engine.loop.ended else actor.at_work_on(log)

    def renew(self) -> None:
        """The next look for the actor makes another, where the one that is there has stopped."""
        actor = self._actor.value
        if actor is not None and not actor.actor_ref.is_alive():
            actor.broken = True

    def end(self) -> Future[bool] | None:
        """The conversation takes no prompt any more: its actor stops; None where there is none."""
        actor = self._actor.value
        return None if actor is None or _is_stale(actor) else actor.actor_ref.stop(block=False)

    def lost(self) -> None:
        """Ends the turns that were on a loop which has ended."""
        actor = self._actor.value
        if actor is not None and _is_stale(actor):
            actor.abandon()


def _is_stale(actor: ConversationActor) -> bool:
    return actor.broken or actor.engine.closed or actor.engine.loop.closed


def _observe(actor: ConversationActor, kind: type[Record], facts: dict[str, Any]) -> None:
    engine, loop = actor.engine, actor.engine.loop
    if not engine.observed:
        return
    record = kind(now=loop.clock.monotonic(), **facts)
    if loop.is_current():
        engine.observe(record)
    else:
        with contextlib.suppress(LoopClosedError):  # nobody is told anything there any more
            loop.post(engine.observe, record)
