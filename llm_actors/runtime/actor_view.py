"""What the actors of a loop are doing, and for how long: values for people, made when somebody looks."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from .life import Life
from .loop import Loop
from .work import work_of

Doing = Literal["idle", "waiting", "working", "dead"]


class ActorView(NamedTuple):
    """An actor: `doing` what, for `seconds`; None when it does nothing. `mailbox`: messages that wait. `children`: of a supervisor."""

    name: str
    urn: str
    state: Doing
    doing: str | None
    seconds: float | None
    mailbox: int
    children: tuple[ActorView, ...] = ()

    def __str__(self) -> str:
        what = f": {self.doing}, for {self.seconds:.1f} s" if self.doing is not None else ""
        lines = [f"actor {self.name} ({self.urn}), {self.state}, {self.mailbox} in its mailbox{what}"]
        lines += ["  " + line for child in self.children for line in str(child).split("\n")]
        return "\n".join(lines)


class Inside(NamedTuple):
    """What runs on a loop at this moment, for `seconds`: it holds the loop until it is through."""

    what: str
    seconds: float


def view_of(actor: Any, now: float, children: tuple[ActorView, ...] = ()) -> ActorView:
    """An actor as it is at this moment of its loop's clock. Any thread."""
    work, mailbox, dead = actor._actor_work, actor.backlog, actor._actor_dead
    inside = inside_of(actor._actor_lives_on, now, actor) if actor._actor_lives_on is not None else None
    doing: str | None = None
    seconds: float | None = None
    state: Doing = "dead" if dead else "waiting" if mailbox else "idle"
    if inside is not None:
        state, (doing, seconds) = "working", inside
    elif work is not None:
        state, doing, seconds = "working", work.what, now - work.since
    return ActorView(type(actor).__qualname__, actor.actor_urn, state, doing, seconds, mailbox, children)


def residents_of(loop: Loop, now: float) -> tuple[ActorView, ...]:
    """The registered actors that live on a loop, in the order of their start. Any thread."""
    return tuple([view_of(actor, now) for actor in list(loop.residents)])


def inside_of(loop: Loop, now: float, actor: object | None = None) -> Inside | None:
    """What holds the loop at this moment: users' code that is at a step; of this actor, where one is given. Any thread."""
    inside, since = loop.stalls.inside, loop.stalls.since
    if isinstance(inside, tuple):
        who, envelope = inside
        if isinstance(who, Life) and actor in (None, who):
            return Inside(work_of(who, envelope), max(0.0, now - since))
    elif inside is not None and actor is None:
        return Inside(inside, max(0.0, now - since))
    return None
