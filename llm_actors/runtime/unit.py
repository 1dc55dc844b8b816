"""Who does one thing at a time, and waits: an actor in a handler, a tool, a model's `execute()`. And a loop that is blocked.

The context variable `waiting` says whose code runs. Code that a unit starts beside itself (a task, a thread) inherits it, so a wait counts
as the unit's only where the unit itself can't go on meanwhile: see open_wait.py.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING

import pykka

from .holding_up import Place

if TYPE_CHECKING:
    from .loop import Loop
    from .open_wait import OpenWait
    from .wait_graph import Node


class Unit:
    """A `wait_graph.Node`: it needs the end of each wait that holds it up. Any thread."""

    __slots__ = ("_open", "place")
    either = False

    def __init__(self) -> None:
        self._open: list[OpenWait] = []
        self.place: Place = None
        """Where it is at work; None when it is not."""

    def runs_here(self) -> None:
        """It is at work from now on: in this task, or in this thread where no loop runs."""
        inside = asyncio._get_running_loop()
        self.place = threading.get_ident() if inside is None else asyncio.current_task(inside)

    def enter(self, wait: OpenWait) -> None:
        """A wait begins in its code, in the thread that waits. `wait.interrupt()` makes it raise asyncio.CancelledError."""

    def exit(self, wait: OpenWait) -> None:
        """That wait is over."""

    def opened(self, wait: OpenWait) -> None:
        """Keeps a wait, from before `enter()`."""
        self._open.append(wait)

    def closed(self, wait: OpenWait) -> None:
        """Lets go of it."""
        self._open.remove(wait)

    def needs(self) -> Sequence[Node]:
        """The waits that hold it up now."""
        return [wait for wait in tuple(self._open) if wait.holds(self)]

    def label(self) -> str:
        """See wait_graph.Node."""
        return ""


class ActorUnit(Unit):
    """An actor that has mail in work. It does not hold the actor: the context of a task that was left behind may hold this."""

    __slots__ = ("_actor",)

    def __init__(self, actor: pykka.Actor) -> None:
        self._open: list[OpenWait] = []
        self.place: Place = None
        self._actor = weakref.ref(actor)

    def label(self) -> str:
        """Its class and its URN: no code of the user's runs here."""
        actor = self._actor()
        return f"{type(actor).__name__} ({actor.actor_urn})" if actor is not None else "an actor that has ended"


class BlockedLoop(Unit):
    """A loop with a blocking wait in its own thread: nothing goes on there meanwhile, and so nothing that has to be done there."""

    __slots__ = ()

    @classmethod
    def of(cls, loop: Loop) -> BlockedLoop:
        """The one of this loop, made at its first such wait."""
        unit: BlockedLoop = loop.services.setdefault(cls, cls())
        return unit

    @classmethod
    def known(cls, loop: Loop | None) -> Sequence[Node]:
        """The same, where there has been such a wait."""
        unit = loop.services.get(cls) if loop is not None else None
        return () if unit is None else (unit,)

    def label(self) -> str:
        """See wait_graph.Node."""
        by = [name for wait in tuple(self._open) for unit in wait.units if unit is not self and (name := unit.label())]
        return f"an event loop that is blocked{f' by {by[0]}' if by else ''}"


waiting: ContextVar[Unit | None] = ContextVar("llm_actors_waiting", default=None)
"""The unit whose code runs here: set by actors around their handlers, by the tool pool around a tool."""
