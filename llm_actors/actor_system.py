"""ActorSystem: the configuration that conversations share, and one engine for each event loop they run on.

    ActorSystem      limits, bounds, observers: plain configuration, shared by all its loops; any thread
    loop_engine.py   LoopEngine: what one loop has

A program that makes none uses the default system. (The peer's message helper `system()` has the name that this module would else have.)
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterable, Mapping
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Self

from llm_actors.catalogue.address import check_limits
from llm_actors.catalogue.keys import Keys
from llm_actors.catalogue.registry import get_async_model, get_model
from llm_actors.chat import arguments
from llm_actors.chat.budget import Budget
from llm_actors.chat.conversation import AnyConversation
from llm_actors.chat.failures import Failures, checked
from llm_actors.chat.inheritance import scope_of_owner
from llm_actors.chat.scope import Moment
from llm_actors.chat.seams import MAILBOX, WhenBusy, busy_policy, install_key_source, install_model_source
from llm_actors.counters import NAMES, Counters
from llm_actors.observe import DeadLetter, Observer, Record
from llm_actors.providers.protocol import CONNECTIONS, Limits
from llm_actors.runtime import (
    Binding,
    Future,
    Loop,
    current,
    here,
    install_system_factory,
    monitor,
    system_context,
)
from llm_actors.runtime.attendance import Attendance
from llm_actors.runtime.dead_letters import Tally, install_undertaker
from llm_actors.runtime.settings import Restart, Strategy, check_settings
from llm_actors.runtime.stalls import BOUND, checked_bound
from llm_actors.runtime.sums import Sums
from llm_actors.runtime.supervising import Supervising
from llm_actors.shutdown import Shutdown, ShutdownReport, checked_drain

if TYPE_CHECKING:
    from llm_actors.chat.group import Group
    from llm_actors.loop_engine import LoopEngine
    from llm_actors.runtime import Backoff, Monitor, Topic
    from llm_actors.runtime.supervisor_office import SupervisorOffice
    from llm_actors.runtime.topic import Topics
    from llm_actors.signals import ShutdownSignals
    from llm_actors.system_tree import Standing, SystemTree

logger = logging.getLogger("llm_actors")

_entered: ContextVar[tuple[Token[Any], ...]] = ContextVar("llm_actors_entered", default=())
"""The `with` blocks of systems that this context is in: of its own, as tasks and threads may be in one system at the same time."""


class ActorSystem(Supervising):
    """Configuration for conversations: use it by `with ActorSystem(...)` or `async with`, or take the default by doing nothing.

    Leaving `async with` shuts it down; leaving `with` does not: `shutdown()` does.

    `tool_workers`: tools that run at once, sync and async, on one loop. `tool_timeout`: seconds for one tool call. `chain_limit`: model
    calls of one chain (0: no limit). `timeout`: seconds for each turn that says none of its own. `deadline`: the moment at which all its
    turns end, `budget`: what they may spend, as for prompts.
    `mailbox`: prompts that may wait in one conversation. `when_busy`: what becomes of a prompt to a busy conversation (`queue`, `reject`,
    `replace`, `coalesce`). `failures`: rows of the failure table (chat/failures.py). `limits`: how much may arrive, where an endpoint has
    none of its own. `observers` get a record of all that happens. `drain`: seconds that turns have to finish in at a shutdown
    (`async with` that is left by an exception gives them none). `stall_bound`: seconds after which a step of users' code on a loop is
    told of as a stall; None: never. `connections`: requests that may be under way to one base URL from one loop, the next ones wait; each
    has a connection of its own, which is kept for four seconds for the next one.
    `strategy`, `intensity`, `period`, `backoff`: of the root supervisor, one on each loop, whose children `start()`, `supervisor()` and
    `supervise()` make; `intensity` and `period` also hold for each conversation that has none of its own. Any thread. Raises TypeError,
    ValueError for what is no such setting.
    """

    def __init__(
        self,
        *,
        tool_workers: int = 64,
        tool_timeout: float | None = 300.0,
        chain_limit: int = 100,
        timeout: float | None = None,
        deadline: Moment | None = None,
        budget: Budget | None = None,
        mailbox: int = MAILBOX,
        when_busy: WhenBusy = "queue",
        failures: Failures | None = None,
        limits: Limits | None = None,
        observers: Iterable[Observer] = (),
        strategy: Strategy = "one_for_one",
        intensity: int = 3,
        period: float = 5.0,
        backoff: Backoff | None = None,
        drain: float = 0.0,
        stall_bound: float | None = BOUND,
        connections: int = CONNECTIONS,
    ) -> None:
        self.tool_workers = arguments.count("tool_workers", tool_workers)
        self.tool_timeout = arguments.seconds("tool_timeout", tool_timeout)
        self.chain_limit = arguments.limit("chain_limit", chain_limit) or 0
        self.timeout = arguments.seconds("timeout", timeout)
        self.scope = scope_of_owner(deadline, budget, "the system")
        self.mailbox = arguments.count("mailbox", mailbox)
        self.when_busy: WhenBusy = busy_policy(when_busy) or "queue"
        self.failures = checked(failures)
        self.limits, self.connections = check_limits(limits) or Limits(), arguments.count("connections", connections)
        self.observers: list[Observer] = list(observers)
        check_settings(strategy, intensity, period)
        self.strategy: Strategy = strategy
        self.intensity, self.period, self.backoff = intensity, period, backoff
        self._dead_letters, self.sums = Tally(), Sums(NAMES)
        self._topics: Binding[Topics] = Binding()
        self.drain, self.stall_bound = checked_drain(drain), checked_bound(stall_bound)
        self._engines: Attendance[LoopEngine] = Attendance()
        self._shutdown: Binding[Shutdown] = Binding()

    def engine(self, loop: Loop) -> LoopEngine:
        """The engine that this system has on that loop, made at first use. Raises SystemShutdownError where it may have no new one."""
        engine = self.engine_there(loop)
        if engine is None:
            self.admit()
            from llm_actors.loop_engine import LoopEngine  # noqa: PLC0415 - 3 ms, with the pools: at the first prompt

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

    def _office(self) -> SupervisorOffice:
        """The root of the running loop, else of the background loop."""
        self.admit()
        return self.engine(here()).root

    def supervise(
        self, conversation: AnyConversation[Any], *, name: str | None = None, restart: Restart = "transient"
    ) -> None:
        """Has a conversation come back, with its history, also when it crashed more often than its own intensity allows.

        It becomes a child of the root on its loop, held until it is closed; a group's restart ends the turn that runs, and what waits goes
        on. `name`: its id as a child, else the conversation's. Raises ValueError where that is taken.
        """
        self.engine(conversation.loop).root.start_child(conversation.child(name=name, restart=restart))

    def monitor(self, target: Any, watcher: Any = None) -> Monitor:
        """Watches for the end of an actor of any kind, or of a conversation: a future of its `Down`, which `watcher` is also sent as mail.

        Both by their references. At once when it has ended already, exactly once, also when its loop ends.
        """
        return target.monitor(watcher) if isinstance(target, AnyConversation) else monitor(target, watcher)

    def topic(self, name: str) -> Topic:
        """The topic of this name: `publish()` and `subscribe()`, from any thread and any loop."""
        from llm_actors.runtime.topic import Topics  # noqa: PLC0415 - for who has topics

        return self._topics.bind(lambda: Topics(self), stale=lambda _: False).topic(name)

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

    def tree(self) -> SystemTree:
        """What goes on at this moment, on all its loops: who is at what, and for how long. `print()` shows it. Any thread.

        Waits for the loops for a quarter of a second at most, on a running loop not at all: system_tree.py has what happens then.
        """
        from llm_actors.system_tree import look  # noqa: PLC0415 - for who looks

        shutdown = self._shutdown.value
        standing: Standing = "open" if shutdown is None else "shut down" if shutdown.report.done() else "shutting down"
        return look(self._engines.all(), standing)

    def counters(self) -> Counters:
        """What has been counted since the system was made, on all its loops. Any thread."""
        return Counters(**self.sums.sums(), dead_letters=self.dead_letters)

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
        from llm_actors.signals import ShutdownSignals  # noqa: PLC0415 - for programs

        drain = self.drain if drain is None else checked_drain(drain)
        return ShutdownSignals(self, signals or (signal.SIGTERM, signal.SIGINT), drain)

    def group(
        self,
        name: str | None = None,
        *,
        timeout: float | None = None,
        deadline: Moment | None = None,
        budget: Budget | None = None,
        priority: int | None = None,
        tenant: str | None = None,
        trace: Mapping[str, str] | None = None,
    ) -> Group:
        """A group of conversations, tasks and actors that end together: `async with system.group(timeout=60) as group:`. See Group.

        In its block this system is in force, as in its own `with` block.
        """
        from llm_actors.chat.group import Group  # noqa: PLC0415 - for who has groups

        times: dict[str, Any] = {"timeout": timeout, "deadline": deadline}
        return Group(name, budget=budget, priority=priority, tenant=tenant, trace=trace, system=self, **times)

    def bury(self, record: DeadLetter) -> None:
        """Counts a dead letter, and hands it to all observers. Any thread."""
        self._dead_letters.add()
        self.observe(record)

    @property
    def dead_letters(self) -> int:
        """The dead letters of its actors and conversations so far."""
        return self._dead_letters.count

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


def _bury(observed: Any, actor: object, message: Any, reason: str) -> None:
    system = getattr(observed, "system", observed) or default_system  # an engine, a system, or nobody
    system.bury(DeadLetter(now=current().monotonic(), actor=str(actor), message=type(message).__name__, reason=reason))


install_system_factory(lambda: default_system)
install_undertaker(_bury)
install_key_source(Keys())
install_model_source(lambda name, *, is_async: get_async_model(name) if is_async else get_model(name))
