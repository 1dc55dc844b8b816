"""References to actors: what mail is sent with."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import pykka

from .dead_letters import dead_letter
from .mailbox import Envelope, Kill, Lane, Stop
from .monitor import Monitor, monitor
from .reply import ForeignReply, Reply, StopReply, answer_error, dead
from .stop_flag import StopFlag

if TYPE_CHECKING:
    from collections.abc import Callable

    from .actor import Actor
    from .future import Future
    from .unit import ActorUnit

A = TypeVar("A", bound="Actor")

PykkaRef = pykka.ActorRef
"""A reference to one of Pykka's own actors, such as a ThreadingActor."""


class ActorRef(pykka.ActorRef[A]):
    """A reference to an actor on an event loop: what Pykka's is, lanes, and futures that can be awaited. Any thread.

    It holds the actor: an actor that is not in the registry lives as long as one of its references, or mail for it. References to the
    same actor are equal.
    """

    def __init__(self, actor: A) -> None:
        # Not Pykka's: all that one keeps comes from the actor.
        self._actor = actor

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorRef) and other._actor is self._actor

    def __hash__(self) -> int:
        return hash(id(self._actor))

    @property
    def _actor_weakref(self) -> Callable[[], A | None]:  # type: ignore[override]
        return weakref.ref(self._actor)

    @property
    def actor_class(self) -> type[A]:  # type: ignore[override]
        """The class of the actor."""
        return type(self._actor)

    @property
    def actor_urn(self) -> str:  # type: ignore[override]
        """The actor's URN, of a UUID."""
        return self._actor.actor_urn

    @property
    def actor_inbox(self) -> Any:  # type: ignore[override]
        """The actor's inbox, as Pykka's code uses it."""
        return self._actor.actor_inbox

    @property
    def actor_stopped(self) -> Any:  # type: ignore[override]
        """Whether the actor has stopped, as Pykka has it: `is_set()`, `wait(timeout)`."""
        return StopFlag(self._actor)

    @property
    def _actor_unit(self) -> ActorUnit | None:
        return self._actor._actor_unit

    def is_alive(self) -> bool:
        """Whether the actor takes mail: it has not stopped and its loop is not closed."""
        return not self._actor._actor_is_dead()

    def tell(self, message: Any, *, control: bool = False) -> None:
        """Sends a message. `control`: ahead of all mail, behind other control mail.

        Raises ActorDeadError (with LoopClosedError as its cause when the actor's loop is closed), MailboxFullError.
        """
        refused = self._actor._actor_take(Envelope(message), "control" if control else "mail")
        if refused is not None:
            dead_letter(self, message, str(refused))
            raise refused

    def offer(self, message: Any, *, control: bool = False) -> Exception | None:
        """As `tell()`, but gives what that would raise; and what is refused is no dead letter: the sender still has it."""
        return self._actor._actor_take(Envelope(message), "control" if control else "mail")

    def monitor(self, watcher: pykka.ActorRef[Any] | None = None) -> Monitor:
        """Watches for the actor's end: a future of its `Down`, which `watcher` is also sent as mail. At once when it is dead already."""
        return monitor(self, watcher)

    @overload
    def ask(
        self, message: Any, *, block: Literal[False], timeout: float | None = None, control: bool = False
    ) -> Future[Any]: ...

    @overload
    def ask(
        self, message: Any, *, block: Literal[True], timeout: float | None = None, control: bool = False
    ) -> Any: ...

    @overload
    def ask(
        self, message: Any, *, block: bool = True, timeout: float | None = None, control: bool = False
    ) -> Any | Future[Any]: ...

    def ask(  # pyright: ignore[reportIncompatibleMethodOverride] - the same, and `control`
        self, message: Any, *, block: bool = True, timeout: float | None = None, control: bool = False
    ) -> Any | Future[Any]:
        """Sends a message and waits for the answer, or with `block=False` gives a future of it, to be awaited on any loop.

        It is answered exactly once: the value, the handler's exception, ActorDeadError (with LoopClosedError as its cause when the
        actor's loop is closed), or MailboxFullError. Blocking, on the actor's own loop, raises BlockingWaitError: nothing is waited for.
        """
        reply = Reply(None, self)
        self._send(message, reply, "control" if control else "mail")
        return reply.get(timeout=timeout) if block else reply

    @overload
    def stop(self, *, block: Literal[True], timeout: float | None = None, now: bool = False) -> bool: ...

    @overload
    def stop(self, *, block: Literal[False], timeout: float | None = None, now: bool = False) -> Future[bool]: ...

    @overload
    def stop(self, *, block: bool = True, timeout: float | None = None, now: bool = False) -> bool | Future[bool]: ...

    def stop(self, *, block: bool = True, timeout: float | None = None, now: bool = False) -> bool | Future[bool]:
        """Asks the actor to stop; True when it has, False when it was dead. What was sent before is processed first (Pykka's rule).

        `now`: ahead of all mail and control mail; the message in work is finished, `on_stop` runs, the rest is answered with
        ActorDeadError and becomes dead letters. `block` and `timeout` as in `ask()`.
        """
        future = self._send(Stop(), StopReply(None, self), "stop" if now else "mail")
        return future.get(timeout=timeout) if block else future

    @overload
    def kill(self, *, block: Literal[True] = True, timeout: float | None = None) -> bool: ...

    @overload
    def kill(self, *, block: Literal[False], timeout: float | None = None) -> Future[bool]: ...

    @overload
    def kill(self, *, block: bool, timeout: float | None = None) -> bool | Future[bool]: ...

    def kill(self, *, block: bool = True, timeout: float | None = None) -> bool | Future[bool]:
        """Ends the actor ahead of everything: a coroutine in work is cancelled, `on_stop` does not run. Else as `stop(now=True)`."""
        future = self._send(Kill(), StopReply(), "kill")
        return future.get(timeout=timeout) if block else future

    def _send(self, message: Any, reply: Reply, lane: Lane) -> Future[Any]:
        actor = self._actor
        refused = actor._actor_take(Envelope(message, reply), lane)
        reply._owner = (
            actor._actor_lives_on
        )  # known now: an actor started outside of all loops has one since its first message
        if refused is not None:
            if not isinstance(message, Stop | Kill):
                dead_letter(self, message, str(refused))
            answer_error(reply, refused)
        return reply


def ask(ref: pykka.ActorRef[Any], message: Any) -> Future[Any]:
    """Asks any actor, also one of Pykka's own, and gives a future of ours: it can be awaited. Any thread.

    The answer as in `ActorRef.ask()`; when it races the stop of one of Pykka's own, after up to a second.
    """
    if isinstance(ref, ActorRef):
        return ref.ask(message, block=False)
    reply = ForeignReply(ref)
    if ref.is_alive():
        ref.actor_inbox.put(Envelope(message, reply))
    else:
        dead_letter(ref, message, "the actor is dead")
        answer_error(reply, dead(f"{ref} not found"))
    return reply
