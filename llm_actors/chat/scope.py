"""What a prompt inherits from where it was sent: a value, handed down from prompt to tool to prompt.

    Deadline   a point in time, and whose it is           Scope   deadline, budgets, groups, priority, tenant, trace, sender

A prompt's scope is made of four, the nearest first: what `prompt()` was given, what its conversation has, what the context of the call
carries (inheritance.py), what its system says. Of deadlines the earliest counts, budgets and groups all hold, of the rest the nearest that
says something. A timeout is a default, so there too the nearest counts: the prompt's, else the conversation's, else the system's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from llm_actors.observe import Sender

from .budget import Budget

Moment: TypeAlias = datetime | float
"""A point in time, as `deadline=` takes it: an aware datetime, or seconds on the monotonic clock (`asyncio.get_running_loop().time()`)."""


class Deadline(msgspec.Struct, frozen=True):
    """`when` in monotonic seconds; `what` it was given as; `owner`: whose it is, empty for the prompt's own. Any thread."""

    when: float
    what: str
    owner: str = ""

    def __str__(self) -> str:
        by = "within" if self.what.startswith("timeout") else "before"
        return f"{by} its {self.what}" if not self.owner else f"{by} the {self.what} of {self.owner}"

    def seen_by(self, owner: str) -> Deadline:
        """The same, as its owner speaks of it: `its timeout`."""
        return msgspec.structs.replace(self, owner="") if self.owner == owner else self


class Scope(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """See the head of this file. `priority`: None is 0, more goes first. `trace`: such as W3C `traceparent` and `baggage`.

    `sender`: the turn that a prompt was sent from, and which of its tool calls; None outside of all turns. Any thread.
    """

    deadline: Deadline | None = None
    budgets: tuple[Budget, ...] = ()
    groups: tuple[Any, ...] = ()
    priority: int | None = None
    tenant: str | None = None
    trace: Mapping[str, str] = {}
    sender: Sender | None = None

    @property
    def group(self) -> str | None:
        """The name of the innermost group."""
        return self.groups[-1].name if self.groups else None

    def within(self, outer: Scope | None) -> Scope:
        """Both hold; where only one can, this one."""
        if outer is None or outer is NOTHING:
            return self
        if self is NOTHING:
            return outer
        return Scope(
            deadline=earliest(self.deadline, outer.deadline),
            budgets=_together(outer.budgets, self.budgets),
            groups=_together(outer.groups, self.groups),
            priority=outer.priority if self.priority is None else self.priority,
            tenant=outer.tenant if self.tenant is None else self.tenant,
            trace={**outer.trace, **self.trace},
            sender=self.sender or outer.sender,
        )

    def under(self, budget: Any, owner: str) -> Scope:
        """The same, with this budget of this owner innermost. Raises TypeError for what is no Budget."""
        if budget is None:
            return self
        if not isinstance(budget, Budget):
            msg = f"budget= takes a Budget, as in budget=llm.Budget(requests=10), not {budget!r}"
            raise TypeError(msg)
        return msgspec.structs.replace(self, budgets=_together(self.budgets, (budget.named(owner),)))

    def shares_with(self, other: Scope) -> bool:
        """Whether one turn can be under both: who pays for it, and for whom it is. Their deadlines, senders and traces may differ."""
        mine, others = ((one.budgets, one.groups, one.priority, one.tenant) for one in (self, other))
        return mine == others

    def until(self, deadline: Deadline | None) -> Scope:
        """The same, ending at this deadline if it is the earlier one."""
        sooner = earliest(deadline, self.deadline)
        return self if sooner is self.deadline else msgspec.structs.replace(self, deadline=sooner)

    def passed_on(self, conversation: str, response: str) -> Scope:
        """What prompts inherit that this turn sends. A deadline of its own gets its name."""
        deadline = self.deadline
        if deadline is not None and not deadline.owner:
            deadline = msgspec.structs.replace(deadline, owner=f"response {response} in conversation {conversation}")
        return msgspec.structs.replace(self, deadline=deadline, sender=Sender(conversation, response))

    def unsent(self) -> Scope:
        """The same, for what is sent from elsewhere."""
        return self if self.sender is None else msgspec.structs.replace(self, sender=None)

    def called(self, tool_call_id: str | None) -> Scope:
        """What prompts inherit that this tool call of the turn sends."""
        sender = self.sender
        if sender is None:
            return self
        return msgspec.structs.replace(self, sender=msgspec.structs.replace(sender, tool_call_id=tool_call_id))


NOTHING = Scope()
"""The scope of code outside of all turns and groups."""


def earliest(one: Deadline | None, other: Deadline | None) -> Deadline | None:
    """The earlier deadline; the first where they are equal."""
    if one is None or other is None:
        return one or other
    return one if one.when <= other.when else other


def _together(outer: tuple[Any, ...], inner: tuple[Any, ...]) -> tuple[Any, ...]:
    """Each once, the outer first."""
    if not inner or not outer:
        return outer or inner
    return (*outer, *[one for one in inner if not any(one is other for other in outer)])


def after(timeout: float | None, now: float, owner: str = "") -> Deadline | None:
    """The deadline that a timeout sets from now on; None for none, and for infinity."""
    if timeout is None or timeout == math.inf:
        return None
    return Deadline(now + timeout, f"timeout of {timeout} seconds", owner)


def at(moment: Moment | None, now: float, utcnow: datetime, owner: str = "") -> Deadline | None:
    """The deadline at this moment; None for none, and for infinity. A datetime is placed by how far it is from `utcnow`."""
    if moment is None or moment == math.inf:
        return None
    if isinstance(moment, datetime):
        return Deadline(now + (moment - utcnow).total_seconds(), f"deadline of {moment.isoformat()}", owner)
    return Deadline(moment, "deadline", owner)
