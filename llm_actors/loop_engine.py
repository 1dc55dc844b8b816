"""What one event loop has for its conversations: the pump with its HTTP clients, the tool pool, threads for Python models, who is at work.

An engine ends with its system's shutdown, else with its loop, where turns in flight end as LoopClosedError: see loop_engine_end.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from llm_actors.catalogue.registry import get_async_model, get_model
from llm_actors.chat.model import AnyModel, AsyncModel
from llm_actors.chat.python_threads import ThreadPool
from llm_actors.chat.tool_pool import ToolPool
from llm_actors.errors import LoopClosedError, UnknownModelError
from llm_actors.observe import EngineStarted, LoopStalled, Record
from llm_actors.runtime import Binding, Future, Loop, SupervisorRef
from llm_actors.runtime.roster import Roster
from llm_actors.runtime.stalls import Stall
from llm_actors.runtime.supervising import SupervisorOffice, root
from llm_actors.transport.clients import Clients
from llm_actors.transport.fetch import fetch
from llm_actors.transport.pump import Pump

from .counters import count
from .loop_engine_end import EngineEnd

if TYPE_CHECKING:
    from llm_actors.actor_system import ActorSystem
    from llm_actors.chat.conversation_actor import ConversationActor


class LoopEngine:
    """Implements `chat.seams.Engine` for one loop. Its loop only."""

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
        self.counts = system.sums.counts_of(self)
        self.store = MemoryStore()
        self.clients = Clients(loop, connections=system.connections, observed=self)
        self.pump = Pump(loop, self.clients)
        self.tools = ToolPool(loop, workers=system.tool_workers, timeout=system.tool_timeout, observed=self)
        self.threads = ThreadPool(loop)
        self._root: Binding[SupervisorRef] = Binding()
        self.ending = EngineEnd(self)
        self.closed = False
        self.asked: float | None = None
        """When it was first asked what goes on here, since it has last answered: see system_tree.py."""
        loop.stalls.listen(self.stalled, system.stall_bound)
        loop.on_end(self.close)

    @property
    def root(self) -> SupervisorOffice:
        """The supervisor of this loop's actors, made at first use, and anew when it has given up. Any thread."""
        return self._root.bind(self._new_root, stale=lambda ref: not ref.is_alive())._actor  # noqa: SLF001 - asked by its own words

    def _new_root(self) -> SupervisorRef:
        system = self.system
        settings: dict[str, Any] = {"strategy": system.strategy, "intensity": system.intensity, "period": system.period}
        return root(Roster(self.loop, **settings, backoff=system.backoff, observed=self, system=system))

    def stop_actors(self) -> Future[bool] | None:
        """Has the root stop its children, in the reverse order of their start; None where there are none."""
        actors = self._root.value
        return actors.stop(block=False, now=True) if actors is not None else None

    def announce(self) -> None:
        """Says that it is there. Any thread, not under a lock: observers are called."""
        if not self.observed:
            return
        record = EngineStarted(now=self.loop.clock.monotonic(), loop=self.loop.name)
        if self.loop.is_current():
            self.observe(record)
        else:
            self.loop.post(self.observe, record)

    @property
    def observed(self) -> bool:
        """Whether somebody listens."""
        return bool(self.system.observers)

    def stalled(self, stall: Stall) -> None:
        """Something held the loop for longer than the system's bound."""
        self.counts["stalls"] += 1
        if stall.told:
            self.observe(LoopStalled(now=stall.now, what=stall.what, seconds=stall.longest, times=stall.times))

    def observe(self, record: Record) -> None:
        """Counts a record, and hands it to the system's observers."""
        count(self.counts, record)
        if self.system.observers:
            self.system.observe(record, self.loop)

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
        """Keeps a conversation's actor alive while it has work. At the end nothing new begins: raises what turns end with then."""
        error = self.ending.refusal()
        if error is not None:
            raise error
        self.ending.busy[conversation] = None

    def drop(self, conversation: ConversationActor) -> None:
        """It has none any more."""
        self.ending.dropped(conversation)

    def beside(self, loop: Loop, coroutine: Coroutine[Any, Any, None], context: Context, what: str) -> None:
        """Runs an on_done callback that suspends, on the loop of its registration (which is the one that calls this)."""
        task = loop.spawn(coroutine, name="llm_actors on_done", context=context, watched=what)
        # asyncio.run() cancels all tasks it can list before the loop's end begins; this one is to have the time that the end gives it.
        asyncio.tasks._unregister_task(task)  # noqa: SLF001 - made for those who make tasks; there is no other name
        there = self.system.engine_there(loop)
        if there is not None:
            there.ending.callbacks.add(task)

    def admit(self) -> None:
        """Raises SystemShutdownError where the system takes no more prompts. Any thread."""
        self.system.admit()

    async def close(self) -> None:
        """The loop ends: ends all turns on it, waits (bounded) for what they started, closes the sockets. Idempotent."""
        await asyncio.wait([self.ending.begin(0.0, LoopClosedError("the event loop of this conversation ended"))])

    def leave(self) -> None:
        """All of it has ended."""
        self.closed = True
        self.loop.services.pop(self.system, None)
        self.loop.stalls.leave(self.stalled)
        for last in (self.close, self.pump.close, self.clients.close):
            self.loop.off_end(last)


class MemoryStore:
    """Where conversations live that have no journal: in their history, so there is nothing more to keep."""

    def append(self, _conversation: str, _entries: Sequence[Any], _done: Any) -> bool:
        """Kept already."""
        return True
