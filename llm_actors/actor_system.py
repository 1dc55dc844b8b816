"""ActorSystem: the configuration that conversations share, and one engine for each event loop they run on.

    ActorSystem      limits, bounds, observers: plain configuration, shared by all its loops; any thread
    loop_engine.py   LoopEngine: what one loop has

A program that makes none uses the default system. (The peer's message helper `system()` has the name that this module would else have.)
"""

from __future__ import annotations

import logging
import math
import signal
from collections.abc import Iterable
from contextvars import ContextVar, Token
from typing import Any, Self

from llm_actors.catalogue.keys import Keys
from llm_actors.chat.failures import Failures, checked
from llm_actors.chat.seams import MAILBOX, WhenBusy, busy_policy, install_key_source
from llm_actors.counters import NAMES, Counters
from llm_actors.loop_engine import LoopEngine
from llm_actors.observe import Observer, Record
from llm_actors.providers.protocol import Limits
from llm_actors.runtime import Binding, Future, Loop, Roster, install_system_factory, system_context
from llm_actors.runtime.stalls import BOUND
from llm_actors.runtime.tally import Tally
from llm_actors.shutdown import Shutdown, ShutdownReport, checked_drain
from llm_actors.signals import ShutdownSignals
from llm_actors.system_tree import Standing, SystemTree, look

logger = logging.getLogger("llm_actors")

_entered: ContextVar[tuple[Token[Any], ...]] = ContextVar("llm_actors_entered", default=())
"""The `with` blocks of systems that this context is in: of its own, as tasks and threads may be in one system at the same time."""


class ActorSystem:
    """Configuration for conversations: use it by `with ActorSystem(...)` or `async with`, or take the default by doing nothing.

    Leaving `async with` shuts it down; leaving `with` does not: `shutdown()` does.

    `tool_workers`: tools that run at once, sync and async, on one loop. `tool_timeout`: seconds for one tool call. `chain_limit`: model
    calls of one chain (0: no limit). `mailbox`: prompts that may wait in one conversation. `when_busy`:
    what becomes of a prompt to a busy conversation (`queue`, `reject`, `replace`, `coalesce`). `failures`: rows of the failure
    table (chat/failures.py). `observers` get a record of all that happens. `drain`: seconds that turns have to finish in at a shutdown
    (`async with` that is left by an exception gives them none). `stall_bound`: seconds after which a step of users' code on a loop is
    told of as a stall; None: never. Any thread.
    """

    def __init__(
        self,
        *,
        tool_workers: int = 64,
        tool_timeout: float | None = 300.0,
        chain_limit: int = 100,
        mailbox: int = MAILBOX,
        when_busy: WhenBusy = "queue",
        failures: Failures | None = None,
        limits: Limits | None = None,
        observers: Iterable[Observer] = (),
        drain: float = 0.0,
        stall_bound: float | None = BOUND,
    ) -> None:
        checked_drain(drain)
        if stall_bound is not None and stall_bound < 0:
            msg = f"stall_bound is in seconds and at least 0, or None, not {stall_bound!r}"
            raise ValueError(msg)
        if tool_workers < 1 or mailbox < 1 or chain_limit < 0:
            msg = "tool_workers and mailbox are at least 1, chain_limit at least 0"
            raise ValueError(msg)
        self.tool_workers = tool_workers
        self.tool_timeout = tool_timeout
        self.chain_limit = chain_limit
        self.mailbox = mailbox
        self.when_busy: WhenBusy = busy_policy(when_busy) or "queue"
        self.failures = checked(failures)
        self.limits = limits or Limits()
        self.observers: list[Observer] = list(observers)
        self.drain = drain
        self.stall_bound = math.inf if stall_bound is None else stall_bound
        self.tally = Tally(NAMES)
        self._engines: Roster[LoopEngine] = Roster()
        self._shutdown: Binding[Shutdown] = Binding()

    def engine(self, loop: Loop) -> LoopEngine:
        """The engine that this system has on that loop, made at first use. Raises SystemShutdownError where it may have no new one."""
        engine = self.engine_there(loop)
        if engine is None:
            self.admit()
            with loop.lock:
                engine = made = self.engine_there(loop)
                if engine is None:
                    engine = loop.services[self] = LoopEngine(self, loop)
                    self._engines.add(engine)
            if made is None:
                engine.announce()
            shutdown = self._shutdown.value
            if shutdown is not None:
                shutdown.include(engine)
        return engine

    def engine_there(self, loop: Loop) -> LoopEngine | None:
        """The engine that it has on that loop, if it has one."""
        return loop.services.get(self)

    def admit(self) -> None:
        """Raises SystemShutdownError for a prompt that comes now, once the system is shut down."""
        shutdown = self._shutdown.value
        if shutdown is not None:
            shutdown.admit()

    def tree(self) -> SystemTree:
        """What goes on at this moment, on all its loops: who is at what, and for how long. `print()` shows it. Any thread.

        Waits for the loops for a quarter of a second at most, on a running loop not at all: system_tree.py has what happens then.
        """
        shutdown = self._shutdown.value
        ending: Standing = "open" if shutdown is None else "shut down" if shutdown.report.done() else "shutting down"
        return look(self._engines.all(), ending)

    def counters(self) -> Counters:
        """What has been counted since the system was made, on all its loops. Any thread."""
        return Counters(**self.tally.sums())

    def shutdown(self, drain: float | None = None) -> Future[ShutdownReport]:
        """Takes no new mail, lets turns finish for up to `drain` seconds, then cancels: `await` it, or block with `.get()`.

        It has begun when this returns; what is left after `drain` (by default the system's own) ends with SystemShutdownError. No task,
        thread or socket is left behind, but for threads stuck in users' code: the report names them. Again: the shorter drain counts.
        For good: a system that is shut down takes nothing more. Any thread; raises ValueError for a drain below 0.
        """
        drain = self.drain if drain is None else checked_drain(drain)
        return self._shutdown.bind(Shutdown, stale=lambda _: False).begin(self._engines.all(), drain)

    def shutdown_on_signal(self, *signals: int, drain: float | None = None) -> ShutdownSignals:
        """Shuts the system down when one of these signals comes (SIGTERM and SIGINT, where none is named); a second one cancels at once.

        With the second, at the end of the `with` block, or when an asyncio program's system has ended, they do again what they did
        before. `drain`: as for `shutdown()`. In the main thread only; raises ValueError elsewhere, or for what can't be taken.
        """
        drain = self.drain if drain is None else checked_drain(drain)
        return ShutdownSignals(self, signals or (signal.SIGTERM, signal.SIGINT), drain)

    def observe(self, record: Record, loop: Loop | None = None) -> None:
        """Hands a record to all observers; what one raises is logged, and one that holds that loop is told of."""
        for observer in self.observers:
            began = loop.clock.monotonic() if loop is not None else 0.0
            try:
                observer(record)
            except Exception:
                logger.exception("the observer %r raised on %r", observer, type(record).__name__)
            if loop is not None and (now := loop.clock.monotonic()) - began > loop.stalls.bound:
                name = getattr(observer, "__qualname__", type(observer).__qualname__)
                loop.stalls.took(f"observer {name}", began, now)

    def __enter__(self) -> Self:
        _entered.set((*_entered.get(), system_context.set(self)))
        return self

    def __exit__(self, *_: object) -> None:
        *before, token = _entered.get()
        _entered.set(tuple(before))
        system_context.reset(token)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, kind: object, *_: object) -> None:
        self.__exit__()
        await self.shutdown(self.drain if kind is None else 0.0)


default_system = ActorSystem()
"""The system of every program that does not make one."""

install_system_factory(lambda: default_system)
install_key_source(Keys())
