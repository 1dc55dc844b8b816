"""The post of a supervised actor: its address. The holder changes, the reference stays, and mail waits while nobody is there.

    held       mail goes to the holder's mailbox
    vacant     the holder has died and the next is not there yet: mail waits here, up to the mailbox's bound. What waited in the mailbox of
               the one that failed waits here too, ahead of it
    closed     nobody follows: what waits is answered with ActorDeadError and becomes dead letters with the reason

Whether mail waits or is given to the next holder is decided under the lock of the loop, so first in, first out holds for each sender. The
message that the holder failed of is not repeated. A stop is for the holder alone: it is no mail for the next one.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

import pykka
from pykka import ActorDeadError, ActorRegistry

from llm_actors.errors import LoopClosedError, MailboxFullError

from .actor import Actor
from .carried import packed
from .dead_letters import dead_letter
from .ending import Ending, Mortal, Watch
from .future import Future
from .inbox import Inbox
from .mailbox import Envelope, Kill, Lane, Mailbox, Stop, refuse
from .post import Post
from .ref import ActorRef
from .reply import answer_error, dead
from .threading_actor import ThreadingActor
from .urn import new_number, urn_of

if TYPE_CHECKING:
    from .loop import Loop
    from .unit import ActorUnit

VACANCY_BOUND = 1000
"""Messages that wait for the next holder, where its class has no bound of its own."""


class SupervisedRef(ActorRef[Any]):
    """A reference to a supervised actor: to whichever incarnation is there. Valid until its supervisor lets it end. Any thread."""

    _actor: Office  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def actor_class(self) -> type[Any]:  # type: ignore[override]
        """The class of the actor."""
        return self._actor.actor_class

    @property
    def _actor_weakref(self) -> Callable[[], Any]:  # type: ignore[override]
        holder = self._actor.holder
        return weakref.ref(holder) if holder is not None else _nobody


def _nobody() -> None:
    return None


class Office(Mortal, Post):
    """See the head of this file. What an ActorRef wants of an actor, it has too. Any thread, but for what `Post` says."""

    holder: Any = None
    _actor_awake = False

    def __init__(
        self, loop: Loop, context: Context, actor_class: type[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._actor_number = new_number()
        self._actor_lives_on = loop
        self.actor_class = actor_class
        self._arguments = args, kwargs
        self._actor_context = context
        self._waiting: Mailbox | None = None  # made when something waits
        self._closed = False
        self.ref: Any = SupervisedRef(self)  # pyright: ignore[reportArgumentType]

    def __str__(self) -> str:
        return f"{self.actor_class.__name__} ({self.actor_urn})"

    # ---- what an ActorRef wants of an actor -------------------------------------------------------------------------

    @property
    def actor_urn(self) -> str:
        """The same for all its holders."""
        return urn_of(self._actor_number)

    @property
    def actor_inbox(self) -> Any:
        """As Pykka's code uses it."""
        return Inbox(self)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    @property
    def backlog(self) -> int:
        """Messages that wait for the next holder, or in the holder's mailbox."""
        waiting = self._waiting
        return (len(waiting.mail) if waiting is not None else 0) + getattr(self.holder, "backlog", 0)

    @property
    def _actor_unit(self) -> ActorUnit | None:
        holder = self.holder
        on_loop: ActorUnit | None = getattr(holder, "_actor_unit", None)
        return on_loop or getattr(getattr(holder, "actor_inbox", None), "_actor_unit", None)

    def _actor_is_dead(self) -> bool:
        return self._closed or self._actor_lives_on.closed

    def _actor_when_dead(self) -> Future[None]:
        future: Future[None] = Future(self._actor_lives_on)
        self._actor_watch(lambda _: future.set(None))
        return future

    def _actor_die(self) -> bool:
        self._actor_take(Envelope(Kill()), "kill")
        return False

    def _actor_take(self, envelope: Envelope[Any], lane: Lane) -> Exception | None:
        envelope = packed(envelope)  # here, in the sender's context: who hands it on may be in another
        while True:
            holder = self.holder
            if holder is not None:
                refused: Exception | None = self._give(holder, envelope, lane)
                if not isinstance(refused, ActorDeadError):
                    return refused
            if self._actor_lives_on.closed:
                return dead(f"{self} not found", LoopClosedError("its event loop is closed"))
            with self._actor_lives_on.lock:
                if self.holder is not holder:
                    continue
                if self._closed or isinstance(envelope.message, Stop | Kill):
                    return dead(f"{self} not found", self._actor_ending.error if self._actor_ending else None)
                try:
                    dropped = self._keep(envelope, lane)
                except MailboxFullError as error:
                    return error
            if dropped is not None:
                reason = f"the mailbox of {self} was full"
                dead_letter(self, dropped.message, reason)
                answer_error(dropped.reply_to, MailboxFullError(reason))
            return None

    def _keep(self, envelope: Envelope[Any], lane: Lane) -> Envelope[Any] | None:
        waiting = self._waiting = self._waiting or Mailbox()
        bound = getattr(self.actor_class, "mailbox_bound", None) or VACANCY_BOUND
        dropped: Envelope[Any] | None = None
        if lane == "mail" and len(waiting.mail) >= bound:
            dropped = getattr(self.actor_class, "when_full", refuse)(waiting.mail, envelope)
        if dropped is envelope:
            return dropped
        if dropped is not None:
            waiting.mail.remove(dropped)
        waiting.put(lane, envelope)
        return dropped

    # ---- its holders ------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """See Post."""
        self._context().run(self._begin)

    def _context(self) -> Context:
        assert self._actor_context is not None
        return self._actor_context.copy()

    def _begin(self) -> None:
        args, kwargs = self._arguments
        actor = self.actor_class.__new__(self.actor_class, *args, **kwargs)
        actor._actor_heir = self
        self._start(actor, args, kwargs)

    def _start(self, actor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        raise NotImplementedError

    def _give(self, holder: Any, envelope: Envelope[Any], lane: Lane) -> Exception | None:
        raise NotImplementedError

    def _hand_over(self, holder: Any) -> None:
        """What waits goes to the holder. Under the lock of the loop."""
        raise NotImplementedError

    @property
    def incarnation(self) -> Any:
        """See Post."""
        return self.holder

    @property
    def held(self) -> bool:
        """See Post."""
        return self.holder is not None and not self.holder._actor_gone

    def watch(self, watch: Watch) -> None:
        """See Post."""
        mortal_: Mortal = self.holder
        mortal_._actor_watch(watch)

    def inherit(self, left: Mailbox, dead_one: Any) -> bool:
        """Takes over what waits in the mailbox of a holder that has died; False when nobody follows."""
        with self._actor_lives_on.lock:
            if self._closed:
                return False
            if self._waiting is not None:
                left.extend(self._waiting)
            self._waiting = left
            if (
                self.holder is not None and self.holder is not dead_one
            ):  # one that had been given up, and came to its end after all
                self._hand_over(self.holder)
            return True

    def close(self, ending: Ending) -> None:
        """See Post."""
        with self._actor_lives_on.lock:
            if self._closed:
                return
            self._closed = True
            self._actor_ending = ending
            waiting, self._waiting = self._waiting, None
        left = waiting.take_all() if waiting is not None else []
        reason = f"{self} has ended ({ending.reason}) and is not restarted" if left else ""
        for envelope in left:
            dead_letter(self, envelope.message, reason)
            answer_error(envelope.reply_to, dead(reason, ending.error))
        if self.held:  # its supervisor was killed, and it is being killed
            self.watch(self._holder_ended)
        else:
            self._actor_over()

    def _holder_ended(self, _: Ending) -> None:
        self._actor_over()

    def let_go(self) -> None:
        """See Post."""
        self.holder = None


class LoopOffice(Office):
    """Of an actor on the supervisor's loop."""

    def _start(self, actor: Actor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        actor._actor_own_ref = self.ref
        actor.__init__(*args, **kwargs)  # type: ignore[misc]
        loop = self._actor_lives_on
        type(actor)._actor_begin(loop, actor)
        with loop.lock:
            self.holder = actor
            self._hand_over(actor)

    def _hand_over(self, holder: Actor) -> None:
        waiting = self._waiting
        if waiting is None or holder._actor_dead or not (waiting.mail or waiting.urgent):
            return
        self._waiting = None
        if holder._actor_mailbox is None:
            holder._actor_mailbox = waiting
        else:
            holder._actor_mailbox.extend(waiting)
        if not holder._actor_awake:
            holder._actor_wake(self._actor_lives_on)

    def _give(self, holder: Actor, envelope: Envelope[Any], lane: Lane) -> Exception | None:
        return holder._actor_take(envelope, lane)

    def stop(self, *, for_good: bool) -> None:  # noqa: ARG002 - an actor does not know the difference
        """See Post."""
        self._give(self.holder, Envelope(Stop()), "stop")

    def kill(self) -> bool:
        """See Post."""
        self._give(self.holder, Envelope(Kill()), "kill")
        return True


class ThreadOffice(Office):
    """Of an actor with a thread of its own."""

    def _start(self, actor: ThreadingActor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        actor.__init__(*args, **kwargs)  # type: ignore[misc]
        actor._actor_context = self._context()
        with self._actor_lives_on.lock:
            self._hand_over(actor)
            self.holder = actor
        ActorRegistry.register(actor.actor_ref)
        actor._start_actor_loop()

    def _hand_over(self, holder: ThreadingActor) -> None:
        waiting, self._waiting = self._waiting, None
        refused = [one for one in waiting.take_all() if not holder.actor_inbox.take(one)] if waiting is not None else []
        if refused:
            self._waiting = Mailbox(refused)

    def _give(self, holder: ThreadingActor, envelope: Envelope[Any], lane: Lane) -> Exception | None:
        if lane in ("kill", "stop"):
            if holder._actor_stop_now(envelope):
                return None
        elif holder.actor_inbox.take(envelope):
            return None
        return dead(f"{self} not found")

    def stop(self, *, for_good: bool) -> None:  # noqa: ARG002 - as above
        """See Post."""
        self.holder._actor_stop_now(Envelope(Stop()))

    def kill(self) -> bool:
        """See Post: a thread can't be killed."""
        return False


def office(
    loop: Loop, context: Context, made: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
) -> Post:
    """The post of a child that is an actor. Raises TypeError for what can't be supervised."""
    if isinstance(made, type):
        if issubclass(made, Post):
            post: Any = made
            return post(loop, *args, **kwargs or {})  # type: ignore[no-any-return]
        if issubclass(made, Actor):
            return LoopOffice(loop, context, made, args, kwargs or {})
        if issubclass(made, ThreadingActor):
            return ThreadOffice(loop, context, made, args, kwargs or {})
    pykkas = " (Pykka's own is not: take llm_actors.runtime.ThreadingActor)" if _is_pykkas(made) else ""
    msg = f"a child is an Actor or a runtime.ThreadingActor, by its class, not {made!r}{pykkas}"
    raise TypeError(msg)


def _is_pykkas(made: Any) -> bool:
    return isinstance(made, type) and issubclass(made, pykka.Actor)
