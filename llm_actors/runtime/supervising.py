"""What can be asked of a supervisor: the same words on a reference to one and on a system, whose root is one.

supervisor_office.py has what they come to; it is imported with the first supervisor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from .actor import Actor
from .settings import GRACE

if TYPE_CHECKING:
    from .backoff import Backoff
    from .child import Child, ChildStatus
    from .future import Future
    from .ref import ActorRef
    from .settings import Restart, Strategy
    from .supervisor_office import SupervisorOffice, SupervisorRef
    from .threading_actor import ThreadingActor

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
        ref: ActorRef[Any] = self._office().start((actor_class, args, kwargs), name, restart, shutdown)
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
        settings: dict[str, Any] = {"strategy": strategy, "intensity": intensity, "period": period, "backoff": backoff}
        return self._office().start_supervisor(name, restart, **settings)

    def stop_child(self, id: str) -> Future[bool]:
        """Stops a child for good; True when it has ended, False where there was none of this id."""
        return self._office().stop_child(id)

    def restart_child(self, id: str) -> Future[bool]:
        """Stops a child, where it is up, and starts it anew, which is no failure; True when that is done, False where there is none."""
        return self._office().restart_child(id)

    def children(self) -> Future[list[ChildStatus]]:
        """The children as they are now, in the order of their start."""
        return self._office().children()
