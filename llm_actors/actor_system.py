"""ActorSystem: the configuration that conversations share, and one engine for each event loop they run on.

    ActorSystem      limits, bounds, observers: plain configuration, shared by all its loops; any thread
    loop_engine.py   LoopEngine: what one loop has

A program that makes none uses the default system. (The peer's message helper `system()` has the name that this module would else have.)
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextvars import Token
from typing import Any, Self

from llm_actors.catalogue.address import check_limits
from llm_actors.catalogue.keys import Keys
from llm_actors.catalogue.registry import get_async_model, get_model
from llm_actors.chat import arguments
from llm_actors.chat.budget import Budget
from llm_actors.chat.conversation import AnyConversation
from llm_actors.chat.failures import Failures, checked
from llm_actors.chat.group import Group
from llm_actors.chat.inheritance import scope_of_owner
from llm_actors.chat.scope import Moment
from llm_actors.chat.seams import MAILBOX, WhenBusy, busy_policy, install_key_source, install_model_source
from llm_actors.loop_engine import LoopEngine
from llm_actors.observe import DeadLetter, Observer, Record
from llm_actors.providers.protocol import Limits
from llm_actors.runtime import (
    Backoff,
    Loop,
    Monitor,
    Topic,
    current,
    here,
    install_system_factory,
    monitor,
    running,
    system_context,
)
from llm_actors.runtime.dead_letters import Tally, install_undertaker
from llm_actors.runtime.roster import check_settings
from llm_actors.runtime.supervising import Supervising, SupervisorOffice
from llm_actors.runtime.supervision import Restart, Strategy
from llm_actors.runtime.topic import Topics

logger = logging.getLogger("llm_actors")


class ActorSystem(Supervising):
    """Configuration for conversations: use it by `with ActorSystem(...)` or `async with`, or take the default by doing nothing.

    `tool_workers`: tools that run at once, sync and async, on one loop. `tool_timeout`: seconds for one tool call. `chain_limit`: model
    calls of one chain (0: no limit). `timeout`: seconds for each turn that says none of its own. `deadline`: the moment at which all its
    turns end, `budget`: what they may spend, as for prompts.
    `mailbox`: prompts that may wait in one conversation. `when_busy`: what becomes of a prompt to a busy conversation (`queue`, `reject`,
    `replace`, `coalesce`). `failures`: rows of the failure table (chat/failures.py). `limits`: how much may arrive, where an endpoint has
    none of its own. `observers` get a record of all that happens.
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
    ) -> None:
        self.tool_workers = arguments.count("tool_workers", tool_workers)
        self.tool_timeout = arguments.seconds("tool_timeout", tool_timeout)
        self.chain_limit = arguments.limit("chain_limit", chain_limit) or 0
        self.timeout = arguments.seconds("timeout", timeout)
        self.scope = scope_of_owner(deadline, budget, "the system")
        self.mailbox = arguments.count("mailbox", mailbox)
        self.when_busy: WhenBusy = busy_policy(when_busy) or "queue"
        self.failures = checked(failures)
        self.limits = check_limits(limits) or Limits()
        self.observers: list[Observer] = list(observers)
        check_settings(strategy, intensity, period)
        self.strategy: Strategy = strategy
        self.intensity = intensity
        self.period = period
        self.backoff = backoff
        self._dead_letters = Tally()
        self._topics = Topics(self)
        self._tokens: list[Token[Any]] = []

    def engine(self, loop: Loop) -> LoopEngine:
        """The engine that this system has on that loop, made at first use."""
        engine = loop.services.get(self)
        if engine is None:
            engine = loop.services.setdefault(self, LoopEngine(self, loop))
        return engine  # type: ignore[no-any-return]

    def _office(self) -> SupervisorOffice:
        """The root of the running loop, else of the background loop."""
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
        return self._topics.topic(name)

    def observe(self, record: Record) -> None:
        """Hands a record to all observers; what one raises is logged."""
        for observer in self.observers:
            try:
                observer(record)
            except Exception:
                logger.exception("the observer %r raised on %r", observer, type(record).__name__)

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
        self._tokens.append(system_context.set(self))
        return self

    def __exit__(self, *_: object) -> None:
        system_context.reset(self._tokens.pop())

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()
        loop = running()
        engine = loop.services.get(self) if loop is not None else None
        if engine is not None:
            await engine.close()


default_system = ActorSystem()
"""The system of every program that does not make one."""


def _bury(observed: Any, actor: object, message: Any, reason: str) -> None:
    system = observed.system if isinstance(observed, LoopEngine) else observed or default_system
    system.bury(DeadLetter(now=current().monotonic(), actor=str(actor), message=type(message).__name__, reason=reason))


install_system_factory(lambda: default_system)
install_undertaker(_bury)
install_key_source(Keys())
install_model_source(lambda name, *, is_async: get_async_model(name) if is_async else get_model(name))
