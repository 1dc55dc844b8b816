"""How an actor ended, and who is told of it: once, when its last hook has run and no mail of it is left.

A watch is a call that gets the Ending, in the thread in which the actor ends; at once, in the caller's, where it has ended already. It
returns at once and raises nothing. Nothing of this is on an actor that nobody watches.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any, Literal, NamedTuple, TypeAlias, cast

import pykka

from .which_system import system_context

Reason: TypeAlias = Literal["stopped", "killed", "failed", "loop ended"]
"""`failed`: a message that nobody asked for, `on_start`, or what is no Exception, raised."""


class Ending(NamedTuple):
    """How an actor ended. `error`: what it failed of, or what its loop's end is told as."""

    reason: Reason
    error: BaseException | None = None


Watch: TypeAlias = Callable[[Ending], object]

_lock = threading.RLock()  # one for all: held for a few instructions; reentrant as Loop.lock is


class Mortal:
    """What can be watched. Any thread."""

    _actor_context: Context | None = None
    _actor_ending: Ending | None = None
    _actor_gone = False
    _actor_watches: tuple[Watch, ...] = ()

    def _actor_observed(self) -> Any:
        """Whose observers hear of its dead letters: the system that its code uses; None for the default one."""
        context = self._actor_context
        return context.get(system_context) if context is not None else None

    def _actor_watch(self, watch: Watch) -> None:
        """Has `watch(ending)` called at its end."""
        with _lock:
            if not self._actor_gone:
                self._actor_watches = (*self._actor_watches, watch)
                return
        watch(self._actor_ending or Ending("stopped"))

    def _actor_unwatch(self, watch: Watch) -> None:
        """Takes it back; where it was called already, that is no error."""
        with _lock:
            self._actor_watches = tuple([other for other in self._actor_watches if other != watch])

    def _actor_over(self) -> None:
        """It has ended. Again is no error."""
        with _lock:
            if self._actor_gone:
                return
            self._actor_gone = True
            watches, self._actor_watches = self._actor_watches, ()
        ending = self._actor_ending or Ending("stopped")
        for watch in watches:
            watch(ending)


class Bell(Mortal):
    """Stands in for `set` of the threading.Event by which one of Pykka's own actors stops, and tells of it.

    Those have no other moment that can be noticed without a thread that waits for it. It comes before their last hook has run.
    """

    def __init__(self, event: threading.Event) -> None:
        self._event = event
        self._set = event.set

    def look(self) -> None:
        """Rings where the actor stopped by the `set` that it had got hold of before the bell was there (found on a free-threaded build)."""
        if self._event.is_set():
            self._actor_over()

    def __call__(self) -> None:
        """In place of `event.set()`. Pykka calls it while it handles what a handler raised, if that is why the actor stops."""
        self._set()
        error = sys.exc_info()[1]
        with _lock:
            self._actor_ending = self._actor_ending or Ending("stopped" if error is None else "failed", error)
        self._actor_over()


def mortal(ref: pykka.ActorRef[Any]) -> Mortal:
    """What can be watched of an actor of any kind. Any thread."""
    actor = getattr(ref, "_actor", None) or ref._actor_weakref()
    if isinstance(actor, Mortal):
        return actor
    event = ref.actor_stopped
    with _lock:
        bell = event.__dict__.get("set")
        if bell is None:
            bell = event.__dict__["set"] = Bell(event)
    bell.look()
    return cast("Mortal", bell)


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - one for each process
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
