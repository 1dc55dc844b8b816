"""The post of a supervisor, and what the words of supervising.py come to there."""

from __future__ import annotations

from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from .child import Child, ChildStatus
from .ending import Ending
from .future import Future
from .office import LoopOffice, SupervisedRef, office
from .reply import answer_error
from .roster import Charge, Roster
from .supervising import Supervising
from .supervisor import Adopt, ListChildren, RestartChild, StopChild, Supervisor
from .which_system import system_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from .settings import Restart


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

    def start(self, called: tuple[Any, ...], name: str | None, restart: Restart, shutdown: float | None) -> Any:
        """See Supervising."""
        child = name if name is not None else self.roster.new_id(called[0].__name__)
        return self.start_child(Child(child, called, restart, shutdown))

    def start_supervisor(self, name: str | None, restart: Restart, **settings: Any) -> SupervisorRef:
        """See Supervising."""
        mine = self.roster
        name = name if name is not None else mine.new_id("supervisor")
        roster = Roster(mine.loop, name=name, observed=mine.observed, system=mine.system, **settings)
        child = Child(name, (Supervisor, (roster,)), restart, shutdown=None, kind="supervisor")
        return cast("SupervisorRef", self.begin_child(Charge(child, SupervisorOffice(roster))))

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

    def stop_child(self, id: str) -> Future[bool]:
        """See Supervising."""
        return self._ask_for(id, StopChild)

    def restart_child(self, id: str) -> Future[bool]:
        """See Supervising."""
        return self._ask_for(id, RestartChild)

    def children(self) -> Future[list[ChildStatus]]:
        """See Supervising."""
        future: Future[list[ChildStatus]] = self.ref.ask(ListChildren(), block=False)
        return future

    def _ask_for(self, child: str, message: Callable[[str, Future[bool]], Any]) -> Future[bool]:
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
