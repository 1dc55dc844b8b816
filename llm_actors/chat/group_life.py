"""The life of a group: what it holds, how it is cancelled, and how it comes to its end. The states are in group.py.

One way for both worlds: each thing that runs in a group has a future of its end; who leaves the block waits for one after the other, by
`await` or blocking, until nothing is left. That is decided under the guard, so that nothing can be added to a group that has ended.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

from llm_actors.errors import DeadlineExceededError, GroupEndedError, LoopClosedError, ResponseCancelledError
from llm_actors.observe import GroupEnded, GroupStarted
from llm_actors.runtime import Future, Loop, carried, current, guard, here, system_context, system_of
from llm_actors.runtime.body import Body, is_cancel

from .budget import Budget
from .inheritance import current_scope, deadline_at
from .scope import NOTHING, Deadline, Moment, Scope, after

if TYPE_CHECKING:
    from llm_actors.runtime import Timer

    from .event_log import EventLog
    from .members import Cast, Work

State = Literal["new", "open", "closing", "cancelling", "ended"]

TIDY = 32
"""Turns, and members, are looked through for ended ones when so many more have come."""


class GroupLife:
    """See the head of this file. Any thread."""

    def __init__(self, system: Any, name: str, own: Scope, timeout: float | None, deadline: Moment | None) -> None:
        self.name = name
        self.scope: Scope = NOTHING
        """What is sent in it inherits; complete when it has been entered."""
        self._system = system
        self._times = (timeout, deadline)
        self._counted = Budget(name=str(self))
        self._own = Scope(groups=(self,)).under(self._counted, "").within(own)
        self._state: State = "new"
        self._turns: dict[EventLog, None] = {}
        self._tidy_turns_at = self._tidy_members_at = TIDY
        self._members: dict[Work | Cast, None] = {}
        self._conversations: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
        self._errors: list[BaseException] = []
        self._late = False
        self._cut: BaseException | None = None
        self._body: Body | None = None
        self._home: Loop | None = None
        self._timer: Timer | None = None
        self._undo: list[Callable[[], object]] = []

    def __str__(self) -> str:
        return f"group {self.name!r}"

    def __repr__(self) -> str:
        return f"<Group {self.name!r} {self._state}>"

    # ---- what it holds ------------------------------------------------------------------------------------------------------

    def take_turn(self, log: EventLog) -> None:
        """The turn of this log is the group's. Raises GroupEndedError."""
        with guard:
            self._admit()
            self._turns[log] = None
            if len(self._turns) >= self._tidy_turns_at:
                self._turns = {turn: None for turn in self._turns if not turn.released}
                self._tidy_turns_at = 2 * len(self._turns) + TIDY

    def drop_turn(self, log: EventLog) -> None:
        """It was not sent after all, or has ended."""
        with guard:
            self._turns.pop(log, None)

    def _admit(self) -> None:
        if self._state in ("open", "closing"):
            return
        if self._state == "new":
            msg = f"{self} has not begun: use it by `async with` or `with`"
            raise RuntimeError(msg)
        what = "has ended" if self._state == "ended" else "is being cancelled"
        msg = f"{self} {what}: nothing more is started in it"
        raise GroupEndedError(msg)

    def _join(self, member: Work | Cast) -> None:
        with guard:
            if self._state in ("open", "closing"):
                self._members[member] = None
                member.ended.add_done_callback(lambda _: self._members.pop(member, None))
                if len(self._members) >= self._tidy_members_at:
                    for gone in [each for each in self._members if each.gone]:
                        del self._members[gone]
                    self._tidy_members_at = 2 * len(self._members) + TIDY
                return
        member.cancel()
        self._admit()

    def _context(self) -> Context:
        context = copy_context()
        context.run(carried.set, current_scope().within(self.scope))
        return context

    def _floor(self, brought: Any) -> Scope:
        return (brought if isinstance(brought, Scope) else NOTHING).within(self.scope)

    # ---- its beginning ------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        body = Body(here())
        self._begin()
        self._body = body
        self._arm()
        return self

    def __enter__(self) -> Self:
        self._begin()
        if self.scope.deadline is not None:
            here().post(self._arm)
        return self

    def _begin(self) -> None:
        with guard:
            if self._state != "new":
                msg = f"{self} is used once: make another"
                raise RuntimeError(msg)
            self._state = "open"
        timeout, deadline = self._times
        outer, now = current_scope(), current().monotonic()
        own = self._own.until(after(timeout, now, str(self))).until(deadline_at(deadline, str(self)))
        self.scope = own.within(outer.unsent())
        self._undo.append(partial(carried.set, carried.get()))
        carried.set(own.within(outer))
        if self._system is not None:
            self._undo.append(partial(system_context.set, system_context.get(None)))
            system_context.set(self._system)
        self._observe(GroupStarted(now=now, group=self.name, outer=outer.group))

    def _arm(self) -> None:
        deadline = self.scope.deadline
        if deadline is not None and self._state in ("open", "closing"):
            self._home = here()
            self._timer = self._home.call_at(deadline.when, self._time_is_up)

    # ---- cancelled ----------------------------------------------------------------------------------------------------------

    def _time_is_up(self) -> None:
        deadline = self.scope.deadline
        if self._state in ("open", "closing"):
            self._late = True
            self._abort(DeadlineExceededError(f"the turn did not end {deadline}", deadline))

    def _failed(self, error: BaseException) -> None:
        """A task, or a call in a thread, raised."""
        if self._caused(error):  # it was cancelled, and has not heard of it
            return
        with guard:
            self._errors.append(error)
        cut = ResponseCancelledError(f"{self} was cancelled: a task of it raised {error!r}")
        cut.__cause__ = error
        self._abort(cut)

    def _abort(self, cut: BaseException) -> None:
        with guard:
            if self._state not in ("open", "closing"):
                return
            self._state = "cancelling"
            self._cut = cut
            members, turns = tuple(self._members), tuple(self._turns)
        for member in members:
            member.cancel()
        for log in reversed(turns):  # what waits in line ends before the turn ahead of it, and does not begin
            log.cancel(cut)
        if self._body is not None:
            with contextlib.suppress(LoopClosedError):
                self._body.loop.post(self._body.interrupt)

    def _caused(self, error: BaseException) -> bool:
        """Whether it only says that the group was cancelled."""
        return error is self._cut or (isinstance(error, GroupEndedError) and self._cut is not None)

    # ---- its end ------------------------------------------------------------------------------------------------------------

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> bool | None:
        assert self._body is not None
        self._body.leave()
        outside: BaseException | None = None
        self._left_by(error)
        while (wait := self._next_wait()) is not None:
            try:
                await wait
            except LoopClosedError:
                self._forget(wait)
            except BaseException as cancel:
                if not is_cancel(cancel):
                    raise
                outside = cancel  # what is cancelled with it ends first, whoever is in a hurry
                self.cancel()
        by_others = self._body.cancelled()
        if is_cancel(error) and self._body.interrupted and not by_others:
            error = None
        return self._leave(error, outside)

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool | None:
        outside: BaseException | None = None
        self._left_by(error)
        while (wait := self._next_wait()) is not None:
            try:
                wait.get()
            except LoopClosedError:
                self._forget(wait)
            except BaseException as interrupt:
                self.cancel()
                if isinstance(interrupt, Exception) or outside is not None:  # it can't wait here, or the second Ctrl-C
                    self._leave(None, None)
                    raise
                outside = interrupt
        return self._leave(error, outside)

    def cancel(self) -> None:
        """Cancels all that runs in it, and who is in the block. To leave by that is no error. Returns at once; again is no error."""
        self._abort(ResponseCancelledError(f"{self} was cancelled"))

    def _left_by(self, error: BaseException | None) -> None:
        """The block has ended."""
        if error is not None:
            self._abort(ResponseCancelledError(f"{self} was cancelled: its block raised {error!r}"))
        with guard:
            if self._state == "open":
                self._state = "closing"

    def _next_wait(self) -> Future[Any] | None:
        """What is to be waited for next; None when nothing is left, and nothing comes any more."""
        while True:
            with guard:
                members = [member for member in self._members if not member.ended.done()]
                turns = tuple(self._turns)
                if not members and not turns:
                    self._state = "ended"
                    return None
            work = next((member for member in members if not member.stays), None)
            if work is not None:
                return work.ended
            for turn in turns:
                wait = turn.end()
                if wait is not None:
                    return wait
                self.drop_turn(turn)
            if not turns:
                for member in members:
                    member.finish()
                return members[0].ended

    def _forget(self, wait: Future[Any]) -> None:
        """Its loop has ended, and it with it."""
        with guard:
            for member in [member for member in self._members if member.ended is wait]:
                del self._members[member]

    def _leave(self, error: BaseException | None, outside: BaseException | None) -> bool:
        """All has ended. Raises what the group comes to; False lets the block's own exception go on."""
        self._state = "ended"
        if self._timer is not None and self._home is not None:
            with contextlib.suppress(LoopClosedError):
                self._home.post(self._timer.cancel)
        for undo in reversed(self._undo):
            undo()
        for conversation in tuple(self._conversations.values()):
            conversation.retire()
        verdict = self._verdict(error if error is not None else outside)
        self._observe_end(verdict)
        if verdict is None:
            return True
        if verdict is error:
            return False
        raise verdict

    def _verdict(self, error: BaseException | None) -> BaseException | None:
        errors = [*self._errors]
        if error is not None and not isinstance(error, Exception):
            if not (is_cancel(error) and errors):
                return error
        elif error is not None and not self._caused(error):
            errors.append(error)
        deadline = self.scope.deadline
        if deadline is not None and (self._late or errors):
            late = DeadlineExceededError(f"{self} did not end {deadline.seen_by(str(self))}", deadline)
            others = [each for each in errors if not _is_of(each, deadline)]
            if not others:
                return late
            if self._late:
                errors = [*others, late]
        return BaseExceptionGroup(f"unhandled errors in {self}", errors) if errors else None

    def _observe_end(self, verdict: BaseException | None) -> None:
        spent = self._counted.spent
        record = GroupEnded(
            now=current().monotonic(),
            group=self.name,
            requests=spent.requests,
            input_tokens=spent.input_tokens,
            output_tokens=spent.output_tokens,
            cost=spent.cost,
            error=repr(verdict) if verdict is not None else None,
        )
        self._observe(record)

    def _observe(self, record: Any) -> None:
        system = self._system if self._system is not None else system_of(here())
        system.observe(record)


def _is_of(error: BaseException, deadline: Deadline) -> bool:
    """Whether all that it says is that this deadline has come."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_of(each, deadline) for each in error.exceptions)
    return isinstance(error, DeadlineExceededError) and error.deadline == deadline
