"""What users hold of a supervisor: a reference by which its children are started, stopped, restarted and listed."""

from __future__ import annotations

from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from .actor import Actor
from .child import GRACE, Child, ChildStatus
from .ending import Ending
from .future import Future
from .office import LoopOffice, SupervisedRef, office
from .ref import ActorRef
from .reply import answer_error
from .roster import Charge, Roster
from .supervisor import Adopt, ListChildren, RestartChild, StopChild, Supervisor
from .threading_actor import ThreadingActor

if TYPE_CHECKING:
    from collections.abc import Callable

    from .backoff import Backoff
    from .supervision import Restart, Strategy

A = TypeVar("A", bound=Actor)


class SupervisorRef(SupervisedRef):
    """A reference to a supervisor; valid as any other to a supervised actor. Any thread."""

    _actor: SupervisorOffice  # pyright: ignore[reportIncompatibleVariableOverride]

    @overload
    def start(
        self,
        actor_class: type[A],
        *args: Any,
        name: str | None = None,
        restart: Restart = "permanent",
        shutdown: float | None = GRACE,
        **kwargs: Any,
    ) -> ActorRef[A]: ...

    @overload
    def start(
        self,
        actor_class: type[ThreadingActor],
        *args: Any,
        name: str | None = None,
        restart: Restart = "permanent",
        shutdown: float | None = GRACE,
        **kwargs: Any,
    ) -> ActorRef[Any]: ...

    def start(
        self,
        actor_class: type[Any],
        *args: Any,
        name: str | None = None,
        restart: Restart = "permanent",
        shutdown: float | None = GRACE,
        **kwargs: Any,
    ) -> ActorRef[Any]:
        """Starts an actor as a child: an Actor on the supervisor's loop, or a ThreadingActor. Gives a reference that outlives restarts.

        `name`: its id, else one is made; `restart` and `shutdown` as in Child. What the class's `__init__` raises is raised here, the
        first time. Raises also TypeError, ValueError (a name that is taken), ActorDeadError (the supervisor has ended).
        """
        roster = self._actor.roster
        child = name if name is not None else roster.new_id(actor_class.__name__)
        return self.start_child(Child(child, (actor_class, args, kwargs), restart, shutdown))

    def start_child(self, child: Child) -> ActorRef[Any]:
        """Starts a child by its specification. Otherwise as `start()`."""
        roster = self._actor.roster
        made, args, kwargs = child.called
        charge = Charge(child, office(roster.loop, copy_context(), made, tuple(args), dict(kwargs)))
        ref: ActorRef[Any] = self._begin(charge)
        return ref

    def _begin(self, charge: Charge) -> Any:
        roster, post = self._actor.roster, charge.post
        roster.add(charge)
        try:
            post.begin()
            self.tell(Adopt(charge))
        except BaseException as error:
            roster.remove(charge)
            if post.held and not post.kill():
                post.stop(for_good=True)
            post.close(Ending("failed", error))
            raise
        return post.ref

    def supervisor(
        self,
        *,
        strategy: Strategy = "one_for_one",
        intensity: int = 3,
        period: float = 5.0,
        backoff: Backoff | None = None,
        name: str | None = None,
        restart: Restart = "permanent",
    ) -> SupervisorRef:
        """Starts a supervisor as a child; its children come back with it. `intensity` restarts within `period` seconds, then it gives up.

        Raises ValueError, ActorDeadError.
        """
        mine = self._actor.roster
        name = name if name is not None else mine.new_id("supervisor")
        more = {"strategy": strategy, "intensity": intensity, "period": period, "backoff": backoff}
        roster = Roster(mine.loop, name=name, observed=mine.observed, **more)  # type: ignore[arg-type]
        child = Child(name, (Supervisor, (roster,)), restart, shutdown=None, kind="supervisor")
        return cast("SupervisorRef", self._begin(Charge(child, SupervisorOffice(roster))))

    def stop_child(self, id: str) -> Future[bool]:
        """Stops a child for good; True when it has ended, False where there was none of this id."""
        return self._ask_for(id, StopChild)

    def restart_child(self, id: str) -> Future[bool]:
        """Stops a child, where it is up, and starts it anew, which is no failure; True when that is done, False where there is none."""
        return self._ask_for(id, RestartChild)

    def _ask_for(self, id: str, message: Callable[[str, Future[bool]], Any]) -> Future[bool]:
        done: Future[bool] = Future(self._actor.roster.loop)
        self.ask(message(id, done), block=False).add_done_callback(partial(_pass_on, done))
        return done

    def children(self) -> Future[list[ChildStatus]]:
        """Its children as they are now, in the order of their start."""
        return self.ask(ListChildren(), block=False)


def _pass_on(done: Future[bool], answered: Future[Any]) -> None:
    """The supervisor could not take the message: that is the answer."""
    try:
        answered.get(timeout=0)
    except Exception as error:  # noqa: BLE001 - whatever it is, who waits hears of it
        answer_error(done, error)


class SupervisorOffice(LoopOffice):
    """The post of a supervisor: with it end the posts of its children."""

    def __init__(self, roster: Roster) -> None:
        super().__init__(roster.loop, copy_context(), Supervisor, (roster,), {})
        self.roster = roster
        self.ref = SupervisorRef(self)  # pyright: ignore[reportArgumentType]

    def close(self, ending: Ending) -> None:
        """See Post."""
        super().close(ending)
        self.roster.close(ending)


def root(roster: Roster) -> SupervisorRef:
    """Starts a supervisor that has none itself: when it has ended, all is over. Any thread."""
    post = SupervisorOffice(roster)
    post.begin()
    post.watch(post.close)
    return cast("SupervisorRef", post.ref)
