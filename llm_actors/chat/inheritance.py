"""The scope that prompts inherit, where it is kept: in what the runtime has mail, tasks and threads carry from context to context.

A turn puts its own into the context that its tools, hooks, toolboxes, compaction policies and Python models run in. It goes on to tasks
and `asyncio.to_thread`, which copy the context, and to handlers of actors, with the mail. A bare `threading.Thread` begins without one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from llm_actors.runtime import carried, current

from . import arguments
from .scope import NOTHING, Deadline, Moment, Scope, after, at

if TYPE_CHECKING:
    from llm_actors.messages import Prompt

    from .branching import Branching
    from .budget import Budget
    from .event_log import EventLog


def current_scope() -> Scope:
    """What a prompt sent here inherits. Any thread."""
    found = carried.get()
    return found if isinstance(found, Scope) else NOTHING


@contextlib.contextmanager
def enter_scope(scope: Scope) -> Generator[Scope, None, None]:
    """Has prompts in the `with` block inherit this scope, in place of the one around it; `enter_scope(Scope())` leaves all behind.

    For what comes from outside (a tenant, a `traceparent`), and for mail brokers of your own. To add to what holds here:
    `enter_scope(Scope(tenant="acme").within(current_scope()))`. Any thread.
    """
    token = carried.set(scope)
    try:
        yield scope
    finally:
        carried.reset(token)


def deadline_at(moment: Moment | None, owner: str = "") -> Deadline | None:
    """The deadline at this moment, by the clock of this thread."""
    if moment is None:
        return None
    clock = current()
    return at(moment, clock.monotonic(), clock.utcnow(), owner)


def scope_of_owner(deadline: Moment | None, budget: Budget | None, owner: str) -> Scope:
    """What all is under that belongs to this conversation, or system. Raises TypeError, ValueError for what is no moment."""
    if deadline is None and budget is None:
        return NOTHING
    return NOTHING.until(deadline_at(arguments.moment("deadline", deadline), owner)).under(budget, owner)


def scope_of(said: Prompt, conversation: Branching[Any], budget: Budget | None) -> tuple[Scope, float | None]:
    """What a prompt that is sent here to this conversation is under; and from when on the system's timeout counts, if it does."""
    now, own = current().monotonic(), NOTHING
    untimed = said.timeout is None and conversation.timeout is None
    if said.timeout is not None:
        own = own.until(after(said.timeout, now))
    elif conversation.timeout is not None:
        own = own.until(after(conversation.timeout, now, f"conversation {conversation.id}"))
    if said.deadline is not None:
        own = own.until(deadline_at(said.deadline))
    if budget is not None:
        own = own.under(budget, f"a prompt to conversation {conversation.id}")
    return own.within(conversation.scope).within(current_scope()), now if untimed else None


def held(groups: tuple[Any, ...], log: EventLog) -> contextlib.AbstractContextManager[None]:
    """Has these groups take the turn of this log, before it is posted; not if that fails. Raises GroupEndedError."""
    return _held(groups, log) if groups else _free


_free = contextlib.nullcontext()


@contextlib.contextmanager
def _held(groups: tuple[Any, ...], log: EventLog) -> Generator[None, None, None]:
    taken = []
    try:
        for group in groups:
            group.take_turn(log)
            taken.append(group)
        yield
    except BaseException:
        for group in taken:
            group.drop_turn(log)
        raise
