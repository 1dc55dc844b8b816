"""The inbox of an actor on a loop, as Pykka's code and plain `ActorRef`s use one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from .carried import Floor
from .dead_letters import dead_letter
from .mailbox import Envelope
from .reply import Reply, answer_error

if TYPE_CHECKING:
    from .actor import Actor


class Inbox:
    """A view of the mailbox: made when asked for. Any thread."""

    __slots__ = ("_actor",)

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def put(self, envelope: Envelope[Any]) -> None:
        """Takes mail. What it can't take is answered, or without an asker raises what `tell()` raises."""
        if isinstance(envelope.reply_to, Reply):
            envelope.reply_to.is_asked_of(self._actor)
        refused = self._actor._actor_take(envelope, "mail")
        if refused is not None:
            dead_letter(self._actor, envelope.message, str(refused))
            if envelope.reply_to is None:
                raise refused
            answer_error(envelope.reply_to, refused)

    @property
    def floor(self) -> Floor | None:
        """What the actor's handlers run with, given what their mail carries; None: that."""
        return self._actor._actor_floor

    @floor.setter
    def floor(self, floor: Floor | None) -> None:
        self._actor._actor_floor = floor

    def empty(self) -> bool:
        """Whether no mail waits."""
        return self._actor.backlog == 0

    def get(self) -> NoReturn:
        """Nobody else takes mail out."""
        msg = "the mail of an actor on a loop is taken out by its loop"
        raise NotImplementedError(msg)
