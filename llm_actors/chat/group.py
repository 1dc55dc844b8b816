"""Groups: what is started in a `with` block ends with it (structured concurrency, as asyncio.TaskGroup and trio's nursery have it).

    open        the block runs: its turns, tasks and actors are the group's, and inherit its deadline, budget, priority, tenant and trace
    closing     the block has ended by itself: tasks and turns are waited for, then actors stop behind their mail
    cancelling  an exception left the block, a task failed, the deadline came, or who runs the block was cancelled: all is cancelled
    ended       nothing of it runs, and it takes nothing more

Turns of the group are those of its conversations, and all prompts sent under it: in the block, in its tasks, by its actors, by tools of its
turns. A turn that fails raises where its response is read, and does not fail the group; a task does. Errors leave as an ExceptionGroup, the
group's own deadline as one DeadlineExceededError, a cancel from outside as itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from llm_actors.runtime import Actor, ActorRef, Future, PykkaRef, ThreadingActor, current, here, running
from llm_actors.runtime.body import Task

from . import arguments
from .budget import Budget, Spent
from .group_life import GroupLife
from .members import Cast, Work
from .scope import Moment, Scope
from .seams import engine_of
from .tool_outcome import is_async

if TYPE_CHECKING:
    from .conversation import AsyncConversation, Conversation
    from .model import AsyncModel, Model

T = TypeVar("T")
A = TypeVar("A", bound=Actor)
P = TypeVar("P", bound=ThreadingActor)


class Group(GroupLife):
    """Used once, by `async with` or `with`: `llm.Group()`, or `system.group()`. See the head of this file. Any thread.

    `timeout`: seconds from its beginning. `deadline`: as for prompts. `budget`: what all its turns may spend. `priority`, `tenant`, `trace`
    go to what is sent in it. What holds around it holds in it too: of deadlines the earliest, of budgets each.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        timeout: float | None = None,
        deadline: Moment | None = None,
        budget: Budget | None = None,
        priority: int | None = None,
        tenant: str | None = None,
        trace: Mapping[str, str] | None = None,
        system: Any = None,
    ) -> None:
        timeout, deadline = arguments.seconds("timeout", timeout), arguments.moment("deadline", deadline)
        name = name or current().new_id()[-8:]
        own = Scope(priority=priority, tenant=tenant, trace=dict(trace or {})).under(budget, f"group {name!r}")
        super().__init__(system, name, own, timeout, deadline)

    # ---- what can be seen of it ---------------------------------------------------------------------------------------------

    @property
    def spent(self) -> Spent:
        """What its model calls that have ended came to."""
        return self._counted.spent

    @property
    def reserved(self) -> Spent:
        """What is set aside for those under way."""
        return self._counted.reserved

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._state == "ended"

    # ---- what is started in it ----------------------------------------------------------------------------------------------

    @overload
    def conversation(self, model: AsyncModel, **given: Any) -> AsyncConversation: ...

    @overload
    def conversation(self, model: Model, **given: Any) -> Conversation: ...

    def conversation(self, model: Any, **given: Any) -> Any:
        """As `model.conversation(...)`: all its turns are the group's, whoever sends them. It is closed when the group ends."""
        self._admit()
        conversation = model.conversation(**given)
        conversation.scope = conversation.scope.within(self.scope)
        self._conversations[conversation.id] = conversation
        return conversation

    @overload
    def start(self, actor: type[A], *args: Any, **kwargs: Any) -> ActorRef[A]: ...

    @overload
    def start(self, actor: type[P], *args: Any, **kwargs: Any) -> PykkaRef[P]: ...

    def start(self, actor: Any, *args: Any, **kwargs: Any) -> Any:
        """As `ActorClass.start(...)`: it stops with the group. Its handlers send under the group, and under what their mail brings."""
        self._admit()
        ref = self._context().run(actor.start, *args, **kwargs)
        ref.actor_inbox.floor = self._floor
        self._join(Cast(ref))
        return ref

    def create_task(self, coroutine: Coroutine[Any, Any, T], *, name: str | None = None) -> Task[T]:
        """Runs a coroutine as a task of the running loop, as `asyncio.TaskGroup` does. Raises RuntimeError where no loop runs."""
        loop = running()
        if loop is None:
            coroutine.close()
            msg = "create_task() needs a running event loop; spawn() takes functions, plain and async, anywhere"
            raise RuntimeError(msg)
        work = Work(loop, name or f"a task of {self}", self._failed)
        try:
            self._join(work)
        except BaseException:
            coroutine.close()
            raise
        return work.run(coroutine, self._context())

    @overload
    def spawn(self, function: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> Future[T]: ...

    @overload
    def spawn(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> Future[T]: ...

    def spawn(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
        """Calls a plain function in a thread, an `async def` as a task, of the running loop or the background one; a future of the result.

        Cancelled, a thread is told as tools are (`llm.cancelled()`, and waits of ours raise); one that does not return is left alone.
        """
        loop, call, context = here(), partial(function, *args, **kwargs), self._context()
        threads = engine_of(loop).threads
        work = Work(loop, f"{getattr(function, '__qualname__', function)} of {self}", self._failed)
        self._join(work)
        if is_async(function):
            loop.post(lambda: work.run(_made(call), context))
        else:
            loop.post(work.run_in_thread, call, context, threads)
        return work.result


async def _made(call: Callable[[], Awaitable[T]]) -> T:
    return await call()
