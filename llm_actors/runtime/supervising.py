"""What can be asked of a supervisor: the same words on a reference to one and on a system, whose root is one."""

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
from .which_system import system_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from .backoff import Backoff
    from .supervision import Restart, Strategy

A = TypeVar("A", bound=Actor)


class Supervising:
    """See the head of this file. Any thread."""

    __slots__ = ()

    def _office(self) -> SupervisorOffice:
        """The post of the supervisor that is asked."""
        raise NotImplementedError

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
        post = self._office()
        child = name if name is not None else post.roster.new_id(actor_class.__name__)
        ref: ActorRef[Any] = post.start_child(Child(child, (actor_class, args, kwargs), restart, shutdown))
        return ref

    def start_child(self, child: Child) -> Any:
        """Starts a child by its specification; gives what reaches it. Otherwise as `start()`."""
        return self._office().start_child(child)

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
        post = self._office()
        mine = post.roster
        name = name if name is not None else mine.new_id("supervisor")
        more = {"strategy": strategy, "intensity": intensity, "period": period, "backoff": backoff}
        roster = Roster(mine.loop, name=name, observed=mine.observed, system=mine.system, **more)  # type: ignore[arg-type]
        child = Child(name, (Supervisor, (roster,)), restart, shutdown=None, kind="supervisor")
        return cast("SupervisorRef", post.begin_child(Charge(child, SupervisorOffice(roster))))

    def stop_child(self, id: str) -> Future[bool]:
        """Stops a child for good; True when it has ended, False where there was none of this id."""
        return self._office().ask_for(id, StopChild)

    def restart_child(self, id: str) -> Future[bool]:
        """Stops a child, where it is up, and starts it anew, which is no failure; True when that is done, False where there is none."""
        return self._office().ask_for(id, RestartChild)

    def children(self) -> Future[list[ChildStatus]]:
        """The children as they are now, in the order of their start."""
        future: Future[list[ChildStatus]] = self._office().ref.ask(ListChildren(), block=False)
        return future


class SupervisorRef(Supervising, SupervisedRef):
    """A reference to a supervisor; valid as any other to a supervised actor. Any thread."""

    _actor: SupervisorOffice  # pyright: ignore[reportIncompatibleVariableOverride]

    def _office(self) -> SupervisorOffice:
        return self._actor


class SupervisorOffice(LoopOffice):
    """The post of a supervisor: with it end the posts of its children. Any thread."""

    def __init__(self, roster: Roster) -> None:
        super().__init__(roster.loop, copy_context(), Supervisor, (roster,), {})
        self.roster = roster
        self.ref = SupervisorRef(self)  # pyright: ignore[reportArgumentType]

    def close(self, ending: Ending) -> None:
        """See Post."""
        super().close(ending)
        self.roster.close(ending)

    def start_child(self, child: Child) -> Any:
        """See Supervising."""
        roster = self.roster
        made, args, kwargs = child.called
        context = copy_context()
        if roster.system is not None:
            context.run(system_context.set, roster.system)
        return self.begin_child(Charge(child, office(roster.loop, context, made, tuple(args), dict(kwargs))))

    def begin_child(self, charge: Charge) -> Any:
        """Makes the first incarnation of a child and has the supervisor adopt it."""
        roster, post = self.roster, charge.post
        roster.add(charge)
        try:
            post.begin()
            self.ref.tell(Adopt(charge))
        except BaseException as error:
            roster.remove(charge)
            if post.held and not post.kill():
                post.stop(for_good=True)
            post.close(Ending("failed", error))
            raise
        return post.ref

    def ask_for(self, child: str, message: Callable[[str, Future[bool]], Any]) -> Future[bool]:
        """A future of what comes of it, or of why the supervisor could not be asked."""
        done: Future[bool] = Future(self.roster.loop)
        self.ref.ask(message(child, done), block=False).add_done_callback(partial(_pass_on, done))
        return done


def _pass_on(done: Future[bool], answered: Future[Any]) -> None:
    """The supervisor could not take the message: that is the answer."""
    try:
        answered.get(timeout=0)
    except Exception as error:  # noqa: BLE001 - whatever it is, who waits hears of it
        answer_error(done, error)


def root(roster: Roster) -> SupervisorRef:
    """Starts a supervisor that has none itself: when it has ended, all is over. Any thread."""
    post = SupervisorOffice(roster)
    post.begin()
    post.watch(post.close)
    return cast("SupervisorRef", post.ref)
