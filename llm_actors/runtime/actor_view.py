"""What the actors of a loop are doing, and for how long: values for people, made when somebody looks."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from .life import Life
from .loop import Loop
from .office import Office
from .roster import Charge
from .supervisor import Supervisor
from .threading_actor import ThreadingActor
from .work import work_of

Doing = Literal["idle", "waiting", "working", "restarting", "dead"]


class ActorView(NamedTuple):
    """An actor: `doing` what, for `seconds`; None when it does nothing. `mailbox`: messages that wait. `children`: of a supervisor.

    `child`: its id there, and `restarts` so far; `restarting`: nobody is there for now, and its mail waits. What an actor in a thread is
    doing is not known beyond whether it works.
    """

    name: str
    urn: str
    state: Doing
    doing: str | None
    seconds: float | None
    mailbox: int
    children: tuple[ActorView, ...] = ()
    child: str | None = None
    restarts: int = 0

    def __str__(self) -> str:
        what = f": {self.doing}" if self.doing is not None else ""
        what += f", for {self.seconds:.1f} s" if self.seconds is not None else ""
        who = f"{self.child}: " if self.child is not None else ""
        often = f", restarted {self.restarts} times" if self.restarts else ""
        lines = [f"{who}actor {self.name} ({self.urn}), {self.state}{often}, {self.mailbox} in its mailbox{what}"]
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
    """The registered actors that live on a loop, in the order of their start; supervised ones below their supervisors. Any thread."""
    actors = list(loop.residents)
    bosses = [actor for actor in actors if isinstance(actor, Supervisor)]
    below = {id(charge.post.incarnation) for boss in bosses for charge in boss._roster.charges}
    return tuple([_view(actor, now) for actor in actors if id(actor) not in below])


def _view(actor: Any, now: float) -> ActorView:
    children = [_child(actor, charge, now) for charge in actor._roster.charges] if isinstance(actor, Supervisor) else []
    return view_of(actor, now, tuple(children))


def _child(boss: Supervisor, charge: Charge, now: float) -> ActorView:
    post, child, actor = charge.post, charge.child.id, charge.post.incarnation
    ward = boss._supervision.wards.get(child)
    restarts = max(0, ward.restarts) if ward is not None else 0
    if actor is None or not post.held:
        mailbox = post.backlog if isinstance(post, Office) else 0
        name, urn = (post.actor_class.__qualname__, post.actor_urn) if isinstance(post, Office) else (str(post.ref), "")
        return ActorView(name, urn, "restarting", None, None, mailbox, (), child, restarts)
    view = _in_thread(actor) if isinstance(actor, ThreadingActor) else _view(actor, now)
    return view._replace(child=child, restarts=restarts)


def _in_thread(actor: ThreadingActor) -> ActorView:
    inbox = actor.actor_inbox
    work = inbox.in_work
    state: Doing = "working" if work is not None else "waiting" if len(inbox) else "idle"
    what = work_of(actor, work) if work is not None else None
    return ActorView(type(actor).__qualname__, actor.actor_urn, state, what, None, len(inbox))


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
