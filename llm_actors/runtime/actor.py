"""Actors on an event loop.

An actor with no mail is one small object: no thread, task, timer, queue or lock of its own. Its first message schedules a drain on its
loop. Plain handlers run in that callback; a coroutine, of an `async def` handler, becomes a task, and the drain goes on when it has ended:
one message at a time either way. Measured on CPython 3.11, on a busy two-core machine: 250 to 400 bytes of heap for an idle actor, its
reference and registry entry included (tracemalloc), 3.3 us of CPU to start one, 10.8 us for an awaited ask (drain.py), 13 to stop one.

Order: kill > stop(now=True) > control > mail, first in, first out from each sender in each lane. `stop()` alone is mail, as in Pykka:
what was sent before is processed before. Lanes don't interrupt: what is in work is finished first, but a kill cancels a coroutine.

Who ends how: a handler's exception goes to who asked; without one it stops the actor (`on_failure`). asyncio.CancelledError out of a
handler stops that actor alone, and who asked gets ActorDeadError. Other BaseExceptions stop all actors of the registry, as in Pykka. When
its loop ends, an actor is stopped. All mail is answered or becomes a dead letter, once: that is decided under the lock of the loop.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import Any, ClassVar, Self

import pykka
from pykka import ActorDeadError

from llm_actors.errors import LoopClosedError, MailboxFullError

from .carried import carried, packed
from .dead_letters import dead_letter
from .future import Future
from .inbox import Inbox
from .life import Life, pykka_logger
from .loop import Loop, background, running
from .mailbox import Envelope, Lane, Mailbox, Stop, WhenFull, refuse
from .ref import ActorRef
from .registry import register
from .reply import Reply, answer_error, dead
from .stop_flag import StopFlag
from .urn import new_number, urn_of

__all__ = ["Actor"]


class Actor(Life):
    """A `pykka.Actor` on an event loop. Hooks and handlers may be `def` or `async def`, and run on its loop.

    An actor started inside a running loop lives there, else on the process's background loop, which its first message makes.
    Properties: any thread.
    """

    registered: ClassVar[bool] = True
    """Whether it is in pykka.ActorRegistry. One that is not lives as long as somebody holds it or a reference to it, or it has mail."""
    keeps_context: ClassVar[bool] = True
    """Whether handlers run in a copy of the context (contextvars) that `start()` was called in, else in an empty one."""
    mailbox_bound: int | None = None
    """Messages that may wait; None: no bound. Control mail, stops and answers are never refused."""
    when_full: ClassVar[WhenFull] = refuse
    """What becomes of a message too many: `refuse`, `drop_oldest`, `drop_newest`, or a function of one's own."""

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        # Not Pykka's: its threading.Event and queue take 5 KB.
        office = self._actor_heir
        self._actor_number = new_number() if office is None else office._actor_number
        # What each message looks at: found in the instance it costs an ask 0.5 us less than found in the class.
        self._actor_dead = self._actor_awake = False
        self._actor_mailbox = None

    def __str__(self) -> str:
        return f"{type(self).__name__} ({self.actor_urn})"

    # ---- starting ---------------------------------------------------------------------------------------------------

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> ActorRef[Self]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Makes an actor with these arguments and starts it, on the running loop if there is one. Any thread.

        Makes no task, thread or callback, unless the class has an `on_start`. Raises LoopClosedError when the running loop is at its end.
        """
        return cls._actor_launch(running(), *args, **kwargs).actor_ref

    @classmethod
    def start_on(cls, loop: Loop, *args: Any, **kwargs: Any) -> Self:
        """As `start()`, on that loop; gives the actor itself, for who owns both sides of it. Any thread."""
        return cls._actor_launch(loop, *args, **kwargs)

    @classmethod
    def _actor_launch(cls, loop: Loop | None, *args: Any, **kwargs: Any) -> Self:
        if loop is not None and loop.closed:
            msg = f"{cls.__name__} can't start: the event loop is closed"
            raise LoopClosedError(msg)
        return cls._actor_begin(loop, cls(*args, **kwargs))

    @classmethod
    def _actor_begin(cls, loop: Loop | None, actor: Self) -> Self:
        assert hasattr(actor, "_actor_number"), (
            "Actor.__init__() was not called: super().__init__() is missing in the override"
        )
        if cls.keeps_context:
            context = copy_context()
            actor._actor_context = context if len(context) else None
        if cls.registered:
            actor._actor_own_ref = actor._actor_own_ref or ActorRef(actor)
            register(actor._actor_own_ref)
        if loop is not None:
            actor._actor_settle_on(loop)
        pykka_logger.debug("Starting %s", actor)
        actor._start_actor_loop()
        return actor

    def _start_actor_loop(self) -> None:
        if type(self).on_start is not pykka.Actor.on_start:
            self._actor_starting = True
            loop = self._actor_home()
            with loop.lock:
                self._actor_wake(loop)

    @staticmethod
    def _create_actor_inbox() -> Any:
        msg = "an actor on a loop keeps its mail itself"
        raise NotImplementedError(msg)

    @staticmethod
    def _create_future() -> Future[Any]:
        return Reply()

    def _actor_home(self) -> Loop:
        loop = self._actor_lives_on
        if loop is None:
            loop = background()
            self._actor_settle_on(loop)
        return loop

    def _actor_settle_on(self, loop: Loop) -> None:
        with loop.lock:
            self._actor_lives_on = loop
            if self._actor_own_ref is not None:
                loop.residents[self] = None

    # ---- what others see of it --------------------------------------------------------------------------------------

    @property
    def actor_urn(self) -> str:  # type: ignore[override]
        """The URN of a UUID that is this actor's alone."""
        return urn_of(self._actor_number)

    @property
    def actor_ref(self) -> ActorRef[Self]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """A reference to it. Any thread."""
        return self._actor_own_ref or ActorRef(self)

    @property
    def actor_inbox(self) -> Any:  # type: ignore[override]
        """The inbox, as Pykka's code uses it."""
        return Inbox(self)

    @property
    def actor_stopped(self) -> Any:  # type: ignore[override]
        """Whether it has stopped, as Pykka has it: `is_set()`, `wait(timeout)`."""
        return StopFlag(self)

    @property
    def backlog(self) -> int:
        """Messages that wait, control mail aside. Any thread."""
        mailbox = self._actor_mailbox
        return len(mailbox.mail) if mailbox is not None else 0

    def _actor_is_dead(self) -> bool:
        return self._actor_dead or (self._actor_lives_on is not None and self._actor_lives_on.closed)

    def _actor_when_dead(self) -> Future[None]:
        loop = self._actor_home()
        future: Future[None] = Future(loop)
        with loop.lock:
            if not self._actor_dead:
                self._actor_mourners = (*self._actor_mourners, future)
                return future
        future.set(None)
        return future

    # ---- mail: any thread -------------------------------------------------------------------------------------------

    def _actor_take(self, envelope: Envelope[Any], lane: Lane) -> Exception | None:  # noqa: C901 - the way of all mail, in one piece
        """Takes a message in; or gives why not."""
        if carried.get() is not None:
            envelope = packed(envelope)
        dropped: Envelope[Any] | None = None
        try:
            loop = self._actor_lives_on or self._actor_home()
            if loop.ended or (loop.asyncio_loop.is_closed() and loop.closed):
                return self._actor_refusal(LoopClosedError("its event loop is closed"))
            with loop.lock:
                if self._actor_dead or loop.ended:
                    return self._actor_refuse(loop, lane)
                mailbox = self._actor_mailbox
                if mailbox is None:
                    mailbox = self._actor_mailbox = Mailbox()
                if lane != "mail":
                    self._actor_take_ahead(loop, mailbox, envelope, lane)
                    return None
                if self.mailbox_bound is not None and self._actor_is_full(mailbox, envelope):
                    dropped = type(self).when_full(mailbox.mail, envelope)
                if dropped is not envelope:
                    if dropped is not None:
                        mailbox.mail.remove(dropped)
                    if not self._actor_awake:
                        self._actor_wake(loop)
                    mailbox.mail.append(envelope)
        except MailboxFullError as error:
            return error
        except LoopClosedError as error:
            return self._actor_refusal(error)
        if dropped is not None:
            self._actor_drop(dropped)
        return None

    def _actor_take_ahead(self, loop: Loop, mailbox: Mailbox, envelope: Envelope[Any], lane: Lane) -> None:
        # First the wake-up, as for mail: it may find the loop closed, and then nothing was taken.
        if not self._actor_awake:
            self._actor_wake(loop)
        elif lane == "kill" and self._actor_work is not None:
            loop.post(self._actor_work.task.cancel)
        mailbox.put(lane, envelope)

    def _actor_refuse(self, loop: Loop, lane: Lane) -> Exception:
        if lane == "kill" and self._actor_work is not None:  # the last hook, or what came to its end
            loop.post(self._actor_work.task.cancel)
        return self._actor_refusal()

    def _actor_drop(self, dropped: Envelope[Any]) -> None:
        text = f"the mailbox of {self} was full"
        dead_letter(self, dropped.message, text)
        answer_error(dropped.reply_to, MailboxFullError(text))

    def _actor_is_full(self, mailbox: Mailbox, envelope: Envelope[Any]) -> bool:
        bound = self.mailbox_bound
        return bound is not None and len(mailbox.mail) >= bound and not isinstance(envelope.message, Stop)

    def _actor_refusal(self, cause: BaseException | None = None) -> ActorDeadError:
        return dead(f"{self} not found", cause)
