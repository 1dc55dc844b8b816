"""Actors on asyncio, and what they stand on: loops, clocks, futures. Knows nothing of language models.

`Actor` is a pykka.Actor on an event loop, `ThreadingActor` one with a thread of its own; both take `tell`, `ask`, `proxy` and `stop` from
anywhere. `Future` is what `ask(block=False)` gives: await it on any loop, `get()` it in any thread.
"""

from typing import TYPE_CHECKING

from pykka import ActorDeadError, ActorProxy, ActorRegistry, Timeout, get_all, traversable

from .actor import Actor
from .binding import Binding
from .carried import Floor, carried
from .clock import Clock, SystemClock, current, install
from .dead_letters import DeadLetterHook, dead_letters
from .future import Future, waiting
from .gathering import Gathering
from .guard import guard
from .later import later
from .loop import Loop, Timer, background, here, is_background, retire_background, running
from .mailbox import WhenFull, drop_newest, drop_oldest, refuse
from .monitor import Down, Monitor, monitor
from .ref import ActorRef, PykkaRef, ask
from .threading_actor import ThreadingActor
from .unit import Unit
from .which_system import install_system_factory, system_context, system_in_use, system_of

if TYPE_CHECKING:
    from .backoff import Backoff
    from .child import Child, ChildStatus
    from .supervisor_office import SupervisorRef
    from .topic import Topic
else:
    # Imported when they are first named: 5 ms for who has no supervisor and no topic.
    __getattr__, __dir__ = later(
        __name__,
        Backoff="backoff",
        Child="child",
        ChildStatus="child",
        SupervisorRef="supervisor_office",
        Topic="topic",
    )

__all__ = [
    "Actor",
    "ActorDeadError",
    "ActorProxy",
    "ActorRef",
    "ActorRegistry",
    "Backoff",
    "Binding",
    "Child",
    "ChildStatus",
    "Clock",
    "DeadLetterHook",
    "Down",
    "Floor",
    "Future",
    "Gathering",
    "Loop",
    "Monitor",
    "PykkaRef",
    "SupervisorRef",
    "SystemClock",
    "ThreadingActor",
    "Timeout",
    "Timer",
    "Topic",
    "Unit",
    "WhenFull",
    "ask",
    "background",
    "carried",
    "current",
    "dead_letters",
    "drop_newest",
    "drop_oldest",
    "get_all",
    "guard",
    "here",
    "install",
    "install_system_factory",
    "is_background",
    "monitor",
    "refuse",
    "retire_background",
    "running",
    "system_context",
    "system_in_use",
    "system_of",
    "traversable",
    "waiting",
]
