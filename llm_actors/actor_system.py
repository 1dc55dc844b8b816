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

from llm_actors.catalogue.keys import Keys
from llm_actors.chat import arguments
from llm_actors.chat.budget import Budget
from llm_actors.chat.failures import Failures, checked
from llm_actors.chat.group import Group
from llm_actors.chat.inheritance import deadline_at
from llm_actors.chat.scope import NOTHING, Moment
from llm_actors.chat.seams import MAILBOX, WhenBusy, busy_policy, install_key_source
from llm_actors.loop_engine import LoopEngine
from llm_actors.observe import Observer, Record
from llm_actors.providers.protocol import Limits
from llm_actors.runtime import Loop, install_system_factory, running, system_context

logger = logging.getLogger("llm_actors")


class ActorSystem:
    """Configuration for conversations: use it by `with ActorSystem(...)` or `async with`, or take the default by doing nothing.

    `tool_workers`: tools that run at once, sync and async, on one loop. `tool_timeout`: seconds for one tool call. `chain_limit`: model
    calls of one chain (0: no limit). `timeout`: seconds for each turn that says none of its own. `deadline`: the moment at which all its
    turns end, `budget`: what they may spend, as for prompts. `mailbox`: prompts that may wait in one conversation. `when_busy`: what
    becomes of a prompt to a busy conversation (`queue`, `reject`, `replace`, `coalesce`). `failures`: rows of the failure table
    (chat/failures.py). `observers` get a record of all that happens. Any thread.
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
    ) -> None:
        if tool_workers < 1 or mailbox < 1 or chain_limit < 0:
            msg = "tool_workers and mailbox are at least 1, chain_limit at least 0"
            raise ValueError(msg)
        self.tool_workers = tool_workers
        self.tool_timeout = tool_timeout
        self.chain_limit = chain_limit
        self.timeout = arguments.seconds("timeout", timeout)
        ends = deadline_at(arguments.moment("deadline", deadline), "the system")
        self.scope = NOTHING.until(ends).under(budget, "the system")
        self.mailbox = mailbox
        self.when_busy: WhenBusy = busy_policy(when_busy) or "queue"
        self.failures = checked(failures)
        self.limits = limits or Limits()
        self.observers: list[Observer] = list(observers)
        self._tokens: list[Token[Any]] = []

    def engine(self, loop: Loop) -> LoopEngine:
        """The engine that this system has on that loop, made at first use."""
        engine = loop.services.get(self)
        if engine is None:
            engine = loop.services.setdefault(self, LoopEngine(self, loop))
        return engine  # type: ignore[no-any-return]

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

install_system_factory(lambda: default_system)
install_key_source(Keys())
