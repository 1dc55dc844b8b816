"""The futures that answers to an ask come in. The asker brings them, so that an actor of any kind only has to set them."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pykka
from pykka import ActorDeadError

from llm_actors.errors import LoopClosedError

from .future import Future, Outcome
from .loop import Loop

if TYPE_CHECKING:
    from pykka._types import OptExcInfo

    from .wait_graph import Node


class Reply(Future[Any]):
    """The answer of an actor on `owner`."""

    __slots__ = ("_asked", "_inbox")
    traced = True

    def __init__(self, owner: Loop | None = None, asked: object = None) -> None:
        super().__init__(owner)
        self._asked = asked
        self._inbox: object = None

    def is_asked_of(self, inbox: object) -> None:
        """Whose inbox the message is in: for who is asked by a plain reference of Pykka's."""
        self._inbox = inbox

    def _blockers(self) -> Sequence[Node]:
        # What the actor works on now has to end, be it this message or one before.
        unit = getattr(self._inbox or self._asked, "_actor_unit", None)
        blockers = super()._blockers()
        return blockers if unit is None else (unit, *blockers)

    def _lost(self) -> Outcome | None:
        lost = super()._lost()
        if lost is not None and self._owner is not None and self._asked is not None:
            error = dead(
                f"{self._asked} stopped before handling the message", LoopClosedError("its event loop is closed")
            )
            return None, (ActorDeadError, error, None)
        return lost


class StopReply(Reply):
    """The answer to a stop: True when the actor was stopped by it or beside it, False when it was dead before."""

    def set(self, value: Any = None) -> None:  # noqa: ARG002 - what the actor answers is None
        """The actor has stopped."""
        super().set(True)

    def set_exception(self, exc_info: OptExcInfo | None = None) -> None:  # noqa: ARG002 - it can only be ActorDeadError
        """The actor could not be asked to: it was dead."""
        super().set(False)

    def _lost(self) -> Outcome | None:
        return None if super()._lost() is None else (False, None)


class ForeignReply(Reply):
    """The answer of one of Pykka's own ThreadingActors, whose inbox may take mail that nobody will ever look at (it races its stop)."""

    def __init__(self, ref: pykka.ActorRef[Any]) -> None:
        super().__init__(None, ref)
        self._ref = ref

    def _may_be_lost(self, loop: Loop) -> bool:  # noqa: ARG002 - on any loop
        return True

    def _lost(self) -> Outcome | None:
        # The stopped actor answers what is still in its inbox with ActorDeadError, or is gone and never will: the same to who asked.
        if not self._ref.is_alive():
            left = getattr(self._ref.actor_inbox, "queue", ())
            if any(mail.reply_to is self for mail in list(left)):
                return None, (ActorDeadError, dead(f"{self._ref} stopped before handling the message"), None)
        return super()._lost()


def dead(text: str, cause: BaseException | None = None) -> ActorDeadError:
    """An ActorDeadError, with what it comes from."""
    error = ActorDeadError(text)
    error.__cause__ = cause
    return error


def answer(future: pykka.Future[Any] | None, value: Any) -> None:
    """Gives the answer, if one was asked for and none was given."""
    if future is not None:
        try:
            future.set(value)
        except (
            queue.Full
        ):  # somebody else's future, set by somebody else, or the loop's end came first: the first answer counts
            return


def answer_error(future: pykka.Future[Any] | None, error: BaseException) -> None:
    """Gives an exception for the answer, as `answer()`."""
    if future is not None:
        try:
            future.set_exception((type(error), error, error.__traceback__))
        except queue.Full:  # as above
            return
