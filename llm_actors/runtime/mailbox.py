"""What waits for an actor, in four lanes: kill before stop before control before mail. First in, first out in each.

With this file, the names that Pykka keeps to itself and that we need: the envelope, and the message that asks to stop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias

from pykka._envelope import Envelope
from pykka.messages import _ActorStop as Stop

from llm_actors.errors import MailboxFullError

__all__ = ["Envelope", "Kill", "Lane", "Mailbox", "Stop", "WhenFull", "drop_newest", "drop_oldest", "refuse"]

Lane: TypeAlias = Literal["kill", "stop", "control", "mail"]
_RANK: dict[Lane, int] = {"kill": 0, "stop": 1, "control": 2, "mail": 3}

Mail: TypeAlias = Envelope[Any]
WhenFull: TypeAlias = Callable[[deque[Mail], Mail], Mail]
"""The policy of a mailbox that is full: gets the waiting mail and the new one, gives the one to go without, or raises MailboxFullError.

It is called under the lock of the actor's loop: it decides at once, and sends nothing."""


class Kill:
    """Asks an actor to end at once. In the lane of its kind, it's the first to be taken."""

    __slots__ = ()


class Mailbox:
    """Made at the first message and dropped when empty, so that an idle actor has none. Guarded by the lock of the actor's loop."""

    __slots__ = ("_ahead", "mail")

    def __init__(self, mail: Iterable[Mail] = ()) -> None:
        self.mail: deque[Mail] = deque(mail) if mail else deque()
        self._ahead: list[tuple[int, Mail]] | None = None

    def __bool__(self) -> bool:
        return bool(self.mail or self._ahead)

    def put(self, lane: Lane, envelope: Mail) -> None:
        """At the end of its lane."""
        if lane == "mail":
            self.mail.append(envelope)
            return
        rank = _RANK[lane]
        ahead = self._ahead
        if not ahead:
            self._ahead = [(rank, envelope)]
            return
        behind = [index for index, (other, _) in enumerate(ahead) if other > rank]
        ahead.insert(behind[0] if behind else len(ahead), (rank, envelope))

    def take(self) -> Mail | None:
        """The next one, None when there is none."""
        if self._ahead:
            return self._ahead.pop(0)[1]
        return self.mail.popleft() if self.mail else None

    def take_all(self) -> list[Mail]:
        """All of them, in their order."""
        ahead, self._ahead = self._ahead or [], None
        all_mail = [*(envelope for _, envelope in ahead), *self.mail]
        self.mail.clear()
        return all_mail

    def take_stops(self) -> list[Mail]:
        """Those that ask for a stop, in their order: the rest stays."""
        ahead, mail = self._ahead or [], self.mail
        stops = [one for _, one in ahead if _stops(one)] + [one for one in mail if _stops(one)]
        if stops:
            self._ahead = [(rank, one) for rank, one in ahead if not _stops(one)]
            self.mail = deque([one for one in mail if not _stops(one)])
        return stops

    def extend(self, behind: Mailbox) -> None:
        """Takes over what is in the other, behind its own in each lane."""
        self._ahead = sorted([*(self._ahead or []), *(behind._ahead or [])], key=lambda one: one[0])
        self.mail.extend(behind.mail)

    @property
    def urgent(self) -> bool:
        """Whether there is any that goes before mail."""
        return bool(self._ahead)

    @property
    def killed(self) -> bool:
        """Whether a kill is the next one."""
        return bool(self._ahead) and self._ahead[0][0] == _RANK["kill"]  # type: ignore[index]


def _stops(envelope: Mail) -> bool:
    return isinstance(envelope.message, Stop | Kill)


def refuse(waiting: deque[Mail], new: Mail) -> Mail:
    """The new message is not taken, and its sender is told so: MailboxFullError."""
    msg = f"{len(waiting)} messages are waiting, which is the bound: {type(new.message).__name__} was not taken"
    raise MailboxFullError(msg)


def drop_oldest(waiting: deque[Mail], new: Mail) -> Mail:
    """The message that has waited longest becomes a dead letter."""
    return next((mail for mail in waiting if not isinstance(mail.message, Stop)), new)


def drop_newest(waiting: deque[Mail], new: Mail) -> Mail:  # noqa: ARG001 - the signature of a policy
    """The new message becomes a dead letter; its sender is not told."""
    return new
