"""What one event loop has for its conversations: the pump with its HTTP clients, the tool pool, threads for Python models, who is at work.

An engine ends with its loop: turns in flight end as LoopClosedError, callbacks are awaited up to 5 s, tools are told, sockets closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from llm_actors.catalogue.registry import get_async_model, get_model
from llm_actors.chat.conversation_actor import CancelMail
from llm_actors.chat.model import AnyModel, AsyncModel
from llm_actors.chat.python_threads import ThreadPool
from llm_actors.chat.tool_pool import ToolPool
from llm_actors.errors import LoopClosedError, UnknownModelError
from llm_actors.observe import Record
from llm_actors.runtime import ActorDeadError, Binding, Future, Loop, SupervisorRef
from llm_actors.runtime.roster import Roster
from llm_actors.runtime.supervising import SupervisorOffice, root
from llm_actors.transport.clients import Clients
from llm_actors.transport.fetch import fetch
from llm_actors.transport.pump import Pump

if TYPE_CHECKING:
    from llm_actors.actor_system import ActorSystem
    from llm_actors.chat.conversation_actor import ConversationActor

GRACE = 5.0


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
        self.timeout = system.timeout
        self.scope = system.scope
        self.intensity = system.intensity
        self.period = system.period
        self.store = MemoryStore()
        self.clients = Clients(loop)
        self.pump = Pump(loop, self.clients)
        self.tools = ToolPool(loop, workers=system.tool_workers, timeout=system.tool_timeout, observed=self)
        self.threads = ThreadPool(loop)
        self._root: Binding[SupervisorRef] = Binding()
        self._busy: dict[ConversationActor, None] = {}
        self._quiet: asyncio.Event | None = None
        self.closed = False
        self._closing = False
        self._beside: weakref.WeakSet[asyncio.Task[None]] = weakref.WeakSet()
        loop.on_end(self.close)

    @property
    def root(self) -> SupervisorOffice:
        """The supervisor of this loop's actors, made at first use, and anew when it has given up. Any thread."""
        return self._root.bind(self._new_root, stale=lambda ref: not ref.is_alive())._actor  # noqa: SLF001 - asked by its own words

    def _new_root(self) -> SupervisorRef:
        system = self.system
        settings: dict[str, Any] = {"strategy": system.strategy, "intensity": system.intensity, "period": system.period}
        return root(Roster(self.loop, **settings, backoff=system.backoff, observed=self, system=system))

    async def _stop_actors(self, stopping: Future[bool] | None) -> None:
        """Waits (bounded) until the root has stopped its children, in the reverse order of their start."""
        if stopping is not None:
            with contextlib.suppress(TimeoutError, ActorDeadError):
                async with asyncio.timeout(GRACE):
                    await stopping

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
        actors = self._root.value
        stopping = actors.stop(block=False, now=True) if actors is not None else None
        for actor in list(self._busy):
            actor.cancel(CancelMail(None, LoopClosedError("the event loop of this conversation ended")))
        await self._stop_actors(stopping)
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
