"""`actor.actor_stopped` as Pykka has it, without a threading.Event (1.2 KB) for each actor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykka import Timeout

from llm_actors.errors import LoopClosedError

if TYPE_CHECKING:
    from .actor import Actor


class StopFlag:
    """Whether an actor has stopped. A view: made when asked for. Any thread."""

    __slots__ = ("_actor",)

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def is_set(self) -> bool:
        """Whether it has stopped, or its loop is closed."""
        return self._actor._actor_is_dead()

    def set(self) -> None:
        """Has it take no more mail. What waits is answered when it next looks."""
        actor = self._actor
        loop = actor._actor_lives_on
        if actor._actor_die() and loop is not None and not actor._actor_awake:
            loop.post(actor._actor_over)

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks until it has stopped, or for `timeout` seconds; gives whether it has. Not on the actor's own loop (BlockingWaitError)."""
        stopped = self._actor._actor_when_dead()
        try:
            stopped.get(timeout=timeout)
        except Timeout:
            return False
        except LoopClosedError:
            return True
        return True
