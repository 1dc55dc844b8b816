"""The children of a supervisor with their posts, and what it goes by: what stays when the supervisor itself is restarted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pykka import ActorDeadError

from .backoff import Backoff
from .child import Child
from .ending import Ending
from .intensity import Intensity
from .post import Post
from .settings import Strategy, check_settings
from .supervision import Supervision

if TYPE_CHECKING:
    from llm_actors.observe import Observed

    from .loop import Loop


class Charge:
    """A child, with its post."""

    __slots__ = ("adopted", "child", "incarnation", "orphan", "post")

    def __init__(self, child: Child, post: Post) -> None:
        self.child = child
        self.post = post
        self.incarnation = 1  # who asks for a child makes the first one, and has the supervisor adopt it
        self.adopted = False
        self.orphan = False  # its supervisor was killed, and it is being stopped


class Roster:
    """See the head of this file. Guarded by the lock of the loop. Raises ValueError for what is no strategy, intensity or period."""

    def __init__(
        self,
        loop: Loop,
        *,
        name: str = "root",
        strategy: Strategy = "one_for_one",
        intensity: int = 3,
        period: float = 5.0,
        backoff: Backoff | None = None,
        observed: Observed | None = None,
        system: Any = None,
    ) -> None:
        check_settings(strategy, intensity, period)
        self.loop = loop
        self.name = name
        self.strategy: Strategy = strategy
        self.intensity = intensity
        self.period = period
        self.backoff = backoff or Backoff()
        self.observed = observed
        self.system = system  # which the children's code uses
        self._charges: dict[str, Charge] = {}
        self._numbers: dict[str, int] = {}
        self._closed: Ending | None = None

    def supervision(self) -> Supervision:
        """What a new incarnation of the supervisor decides with."""
        return Supervision(self.strategy, Intensity(self.intensity, self.period), self.backoff)

    @property
    def charges(self) -> list[Charge]:
        """In the order of their first start. Any thread."""
        with self.loop.lock:
            return list(self._charges.values())

    def new_id(self, name: str) -> str:
        """An id for a child that was given none. Any thread."""
        with self.loop.lock:
            number = self._numbers[name] = self._numbers.get(name, 0) + 1
        return f"{name}-{number}"

    def add(self, charge: Charge) -> None:
        """Takes a child in. Raises ValueError where its id is taken, ActorDeadError when the supervisor has ended. Any thread."""
        with self.loop.lock:
            if self._closed is not None:
                msg = "the supervisor has ended: it starts no child"
                raise ActorDeadError(msg)
            if charge.child.id in self._charges:
                msg = f"there is a child {charge.child.id!r} already: stop_child() or restart_child() it, or take another id"
                raise ValueError(msg)
            self._charges[charge.child.id] = charge

    def remove(self, charge: Charge) -> None:
        """Its id is free again. Any thread."""
        with self.loop.lock:
            if self._charges.get(charge.child.id) is charge:
                del self._charges[charge.child.id]

    def close(self, ending: Ending) -> None:
        """The supervisor has ended and is not restarted: no child of it is any more. Any thread; again is no error."""
        with self.loop.lock:
            if self._closed is None:
                self._closed = ending
            charges = list(self._charges.values())
            self._charges.clear()
        for charge in reversed(charges):
            charge.post.close(ending)
            if charge.post.held and not charge.post.kill():
                charge.post.stop(for_good=True)
