"""ActorSystem: the configuration that conversations share, and one engine for each event loop they run on.

    ActorSystem    limits, bounds, observers: plain configuration, shared by all its loops; any thread
    LoopEngine     what one loop has: the pump with its HTTP clients, the tool pool, threads for Python models, who is at work

A program that makes none uses the default system. An engine ends with its loop: turns in flight end as LoopClosedError, callbacks are
awaited up to 5 s, tools are told, sockets closed. (The peer's message helper `system()` has the name that this module would else have.)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextvars import Context, Token, copy_context
from typing import TYPE_CHECKING, Any, Self

from llm_actors.catalogue.keys import Keys
from llm_actors.catalogue.registry import get_async_model, get_model
from llm_actors.chat.conversation_actor import CancelMail
from llm_actors.chat.failures import Failures, checked
from llm_actors.chat.model import AnyModel, AsyncModel
from llm_actors.chat.python_threads import ThreadPool
from llm_actors.chat.seams import MAILBOX, WhenBusy, busy_policy, install_key_source
from llm_actors.chat.tool_pool import ToolPool
from llm_actors.errors import LoopClosedError, UnknownModelError
from llm_actors.observe import Observer, Record
from llm_actors.providers.protocol import Limits
from llm_actors.runtime import Future, Loop, install_system_factory, running, system_context
from llm_actors.transport.clients import Clients
from llm_actors.transport.fetch import fetch
from llm_actors.transport.pump import Pump

if TYPE_CHECKING:
    from llm_actors.chat.conversation_actor import ConversationActor

logger = logging.getLogger("llm_actors")

GRACE = 5.0


class ActorSystem:
    """Configuration for conversations: use it by `with ActorSystem(...)` or `async with`, or take the default by doing nothing.

    `tool_workers`: tools that run at once, sync and async, on one loop. `tool_timeout`: seconds for one tool call. `chain_limit`: model
    calls of one chain (0: no limit). `mailbox`: prompts that may wait in one conversation. `when_busy`:
    what becomes of a prompt to a busy conversation (`queue`, `reject`, `replace`, `coalesce`). `failures`: rows of the failure
    table (chat/failures.py). `observers` get a record of all that happens. Any thread.
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
    ) -> None:
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


class LoopEngine:
    """Implements `chat.seams.Engine` for one loop. Its loop only, but for `observe()`."""

    def __init__(self, system: ActorSystem, loop: Loop) -> None:
        self.loop = loop
        self.system = system
        self.limits = system.limits
        self.mailbox = system.mailbox
        self.when_busy = system.when_busy
        self.failures = system.failures
        self.chain_limit = system.chain_limit
        self.store = MemoryStore()
        self.clients = Clients(loop)
        self.pump = Pump(loop, self.clients)
        self.tools = ToolPool(loop, workers=system.tool_workers, timeout=system.tool_timeout, observed=self)
        self.threads = ThreadPool(loop)
        self._busy: dict[ConversationActor, None] = {}
        self._quiet: asyncio.Event | None = None
        self.closed = False
        self._closing = False
        self._beside: weakref.WeakSet[asyncio.Task[None]] = weakref.WeakSet()
        loop.on_end(self.close)

    def observe(self, record: Record) -> None:
        """Hands a record to the system's observers. Any thread."""
        if self.system.observers:
            self.system.observe(record)

    def find_model(self, name: str, *, like: AnyModel) -> AnyModel:
        """The model of this id or alias, in the dress of the other where there is one. Raises UnknownModelError."""
        dressed, other = (get_async_model, get_model) if isinstance(like, AsyncModel) else (get_model, get_async_model)
        try:
            return dressed(name)
        except UnknownModelError:
            return other(name)

    async def fetch(self, url: str, *, limit: int) -> tuple[str, bytes]:
        """The media type and the bytes behind a URL. Raises AttachmentError."""
        return await fetch(self.clients, url, limit=limit)

    async def run_blocking(self, function: Callable[[], Any]) -> Any:
        """What `function()` gives, called in a thread."""
        ended: Future[Any] = Future(self.loop)
        self.threads.start(function, copy_context(), ended.set)
        outcome = await ended
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def hold(self, conversation: ConversationActor) -> None:
        """Keeps a conversation's actor alive while it has work. Raises LoopClosedError at the end: nothing new begins then."""
        if self._closing:
            msg = "the event loop of this conversation ended"
            raise LoopClosedError(msg)
        self._busy[conversation] = None

    def drop(self, conversation: ConversationActor) -> None:
        """It has none any more."""
        self._busy.pop(conversation, None)
        if not self._busy and self._quiet is not None:
            self._quiet.set()

    def beside(self, loop: Loop, coroutine: Coroutine[Any, Any, None], context: Context) -> None:
        """Runs an on_done callback that suspends, on the loop of its registration (which is the one that calls this)."""
        task = loop.spawn(coroutine, name="llm_actors on_done", context=context)
        # asyncio.run() cancels all tasks it can list before the loop's end begins; this one is to have the time that close() gives it.
        asyncio.tasks._unregister_task(task)  # noqa: SLF001 - made for those who make tasks; there is no other name
        self.system.engine(loop)._beside.add(task)  # noqa: SLF001 - another one of these

    async def close(self) -> None:
        """Ends all turns on this loop, waits (bounded) for what they started, closes the sockets. Idempotent."""
        self._closing = True
        self._quiet = asyncio.Event()
        for actor in list(self._busy):
            actor.cancel(CancelMail(None, LoopClosedError("the event loop of this conversation ended")))
        with contextlib.suppress(TimeoutError):
            if self._busy:
                async with asyncio.timeout(GRACE):
                    await self._quiet.wait()
        beside: Sequence[asyncio.Task[None]] = list(self._beside)
        if beside:
            await asyncio.wait(beside, timeout=GRACE)
        for actor in list(self._busy):  # what did not end in time
            actor.abandon()
        await self.tools.close(0.0)
        await self.threads.close(0.0)
        await self.clients.close()
        self.closed = True
        self.loop.services.pop(self.system, None)


class MemoryStore:
    """Where conversations live that have no journal: in their history, so there is nothing more to keep."""

    def append(self, _conversation: str, _entries: Sequence[Any], _done: Any) -> bool:
        """Kept already."""
        return True


default_system = ActorSystem()
"""The system of every program that does not make one."""

install_system_factory(lambda: default_system)
install_key_source(Keys())
