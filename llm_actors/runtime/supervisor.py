"""The supervisor: an actor that starts, stops and restarts its children as supervision.py decides.

Its mail asks for something: Adopt, StopChild, RestartChild, ListChildren. What its children do reaches it as calls on its loop, so that it
hears of them also while its last hook stops them, in the reverse order of their start.

    stopped        its children are stopped; for good, unless it is restarted: then they are started again, by their roster
    gives up       its children are stopped; it fails with TooManyRestartsError, and its own supervisor decides what becomes of all of them
    killed         its children are killed; a thread can't be, and is asked to stop
    loop ended     as all actors there, its children are stopped with it
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Any, ClassVar, NamedTuple

from llm_actors.errors import LoopClosedError, TooManyRestartsError
from llm_actors.observe import ChildEnded, ChildRestarted, Record, SupervisorGaveUp

from .actor import Actor
from .child import ChildStatus
from .ending import Ending
from .future import Future
from .loop import Timer
from .reply import answer
from .roster import Charge, Roster
from .supervision import Command, Forget, GiveUp, Over, Start, State, Stop, WakeAt

logger = logging.getLogger("llm_actors.runtime")

KILL_GRACE = 1.0
"""Seconds that a killed child has; then it counts as ended."""


class Adopt(NamedTuple):
    """Watch over this child: it was started."""

    charge: Charge


class StopChild(NamedTuple):
    """Stop this child for good; `done` is set to True when it has ended, to False where there is none."""

    id: str
    done: Future[bool]


class RestartChild(NamedTuple):
    """Stop this child and start it anew; `done` is set to True when it is started, to False where there is none."""

    id: str
    done: Future[bool]


class ListChildren(NamedTuple):
    """Answered with a list of ChildStatus."""


class Supervisor(Actor):
    """See the head of this file. Its loop only."""

    def __init__(self, roster: Roster) -> None:
        super().__init__()
        self._roster = roster
        self._supervision = roster.supervision()
        self._charges: dict[str, Charge] = {}
        self._waiting: dict[str, list[Future[bool]]] = {}
        self._kills: dict[str, Timer] = {}
        self._timer: Timer | None = None
        self._listening = False
        self._over: Future[None] = Future(roster.loop)

    # ---- its life ---------------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Starts what its roster has: nothing, but after a restart."""
        for charge in self._roster.charges:
            if charge.adopted:
                held, orphan = charge.post.held, charge.orphan
                self._take_on(charge, "down" if not held else "stopping" if orphan else "up")

    def on_receive(self, message: Any) -> Any:
        """See the head of this file."""
        if isinstance(message, Adopt):
            message.charge.adopted = True
            self._take_on(message.charge, "up")
        elif isinstance(message, StopChild | RestartChild):
            if message.id not in self._supervision.wards:
                answer(message.done, False)
                return None
            self._waiting.setdefault(message.id, []).append(message.done)
            decide = self._supervision.stop if isinstance(message, StopChild) else self._supervision.restart
            self._do(decide(self._now(), message.id))
        elif isinstance(message, ListChildren):
            return [self._status(child) for child in self._supervision.wards]
        else:
            return super().on_receive(message)
        return None

    def on_stop(self) -> Any:
        """Stops its children: at once none of them is restarted any more."""
        self._do(self._supervision.shut(self._now()))
        return self._shut()

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> Any:  # noqa: ARG002 - Pykka's
        """The same, where it failed by a defect; when it gave up they are stopped."""
        return self.on_stop()

    async def _shut(self) -> None:
        await self._over

    def _actor_stopped(self, stops: list[Any], value: Any, error: BaseException | None) -> None:
        # Every way out ends here, also a kill, which runs no hook.
        self._leave_children()
        super()._actor_stopped(stops, value, error)

    def _actor_abandon(self) -> None:
        self._leave_children()
        super()._actor_abandon()

    def _leave_children(self) -> None:
        """Those that are still there end too; nobody waits for them."""
        for timer in (self._timer, *self._kills.values()):
            if timer is not None:
                timer.cancel()
        charges, self._charges = self._charges, {}
        for charge in reversed(charges.values()):
            if charge.post.held:
                charge.orphan = True
                if not charge.post.kill():
                    charge.post.stop(for_good=True)
        for waiting in self._waiting.values():
            for done in waiting:
                answer(done, False)
        self._waiting.clear()

    # ---- its children -----------------------------------------------------------------------------------------------

    def _take_on(self, charge: Charge, state: State) -> None:
        self._charges[charge.child.id] = charge
        charge.orphan = False
        self._do(self._supervision.add(self._now(), charge.child.id, charge.child.restart, state))
        if state != "down":
            self._watch(charge)

    def _watch(self, charge: Charge) -> None:
        charge.post.watch(partial(self._hear, charge, charge.incarnation))

    def _hear(self, charge: Charge, incarnation: int, ending: Ending) -> None:
        """An incarnation has ended. Any thread."""
        loop = self._roster.loop
        if self._supervision.ending and not self._listening and loop.is_current():
            # They are stopped one after the other: the next one's turn comes with this one's end, not a turn of the loop later.
            self._listening = True
            try:
                Context().run(self._ended, charge, incarnation, ending)
            finally:
                self._listening = False
            return
        with contextlib.suppress(LoopClosedError):
            loop.post(self._ended, charge, incarnation, ending)

    def _ended(self, charge: Charge, incarnation: int, ending: Ending) -> None:
        child = charge.child.id
        if self._charges.get(child) is not charge or charge.incarnation != incarnation:
            return
        timer = self._kills.pop(child, None)
        if timer is not None:
            timer.cancel()
        now = self._now()
        unexpected = self._supervision.wards[child].state in ("up", "starting")
        commands = self._supervision.ended(now, child, ending, self._roster.loop.clock.random())
        if unexpected:
            ward, (reason, error) = self._supervision.wards.get(child), ending
            text = repr(error) if error is not None else None
            due = max(0.0, ward.due - now) if ward is not None else None
            self._observe(ChildEnded(now=now, child=self._name(charge), reason=reason, error=text, restart_in=due))
        self._do(commands)

    def _status(self, id: str) -> ChildStatus:
        ward, charge = self._supervision.wards[id], self._charges[id]
        return ChildStatus(id, charge.post.ref, charge.child.kind, ward.state, max(0, ward.restarts), ward.last)

    # ---- what is decided --------------------------------------------------------------------------------------------

    def _do(self, commands: list[Command]) -> None:
        todo = deque(commands)
        while todo:
            command = todo.popleft()
            todo.extend(self._DO[type(command)](self, command) or ())

    def _start_child(self, command: Start) -> list[Command]:
        charge = self._charges[command.id]
        charge.incarnation += 1
        try:
            charge.post.begin()
        except Exception as error:
            logger.exception("%s can't be started", self._name(charge))
            self._ended(charge, charge.incarnation, Ending("failed", error))
            return []
        restarts = self._supervision.wards[command.id].restarts
        self._observe(ChildRestarted(now=self._now(), child=self._name(charge), restarts=restarts))
        self._watch(charge)
        self._answer(command.id, done=True)
        return self._supervision.started(self._now(), command.id)

    def _stop_child(self, command: Stop) -> None:
        charge = self._charges[command.id]
        seconds = charge.child.shutdown
        if seconds == 0:
            self._kill_child(charge)
            return
        charge.post.stop(for_good=command.for_good)
        if seconds is not None:
            self._kills[command.id] = self._roster.loop.call_later(seconds, self._kill_child, charge)

    def _kill_child(self, charge: Charge) -> None:
        seconds = KILL_GRACE
        if not charge.post.kill():
            charge.post.stop(for_good=True)
            seconds = KILL_GRACE if charge.child.shutdown == 0 else 0.0
        self._kills[charge.child.id] = self._roster.loop.call_later(seconds, self._write_off, charge)

    def _write_off(self, charge: Charge) -> None:
        logger.warning("%s did not stop, and is left alone", self._name(charge))
        charge.post.let_go()
        self._ended(charge, charge.incarnation, Ending("killed"))

    def _forget(self, command: Forget) -> None:
        charge = self._charges.pop(command.id)
        if command.for_good:
            self._roster.remove(charge)
            charge.post.close(command.ending or Ending("stopped"))
        self._answer(command.id, done=True)

    def _wake_at(self, command: WakeAt) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._roster.loop.call_at(command.when, self._woken)

    def _woken(self) -> None:
        self._timer = None
        self._do(self._supervision.woken(self._now()))

    def _give_up(self, command: GiveUp) -> None:
        roster = self._roster
        text = f"{command.id} failed more than {roster.intensity} times within {roster.period:g} s"
        error = TooManyRestartsError(f"supervisor {roster.name} gives up: {text}", command.id)
        error.__cause__ = command.ending.error
        self._observe(SupervisorGaveUp(now=self._now(), supervisor=roster.name, child=command.id, error=str(error)))
        answer(self._over, None)
        if not self._actor_dead:
            self._actor_fail(error)

    def _finish(self, _: Over) -> None:
        answer(self._over, None)

    def _answer(self, id: str, *, done: bool) -> None:
        for waiting in self._waiting.pop(id, ()):
            answer(waiting, done)

    def _now(self) -> float:
        return self._roster.loop.clock.monotonic()

    def _name(self, charge: Charge) -> str:
        return f"{charge.child.id} of {self._roster.name}"

    def _observe(self, record: Record) -> None:
        if self._roster.observed is not None:
            self._roster.observed.observe(record)

    _DO: ClassVar[dict[type, Callable[[Supervisor, Any], list[Command] | None]]] = {
        Start: _start_child,
        Stop: _stop_child,
        Forget: _forget,
        WakeAt: _wake_at,
        GiveUp: _give_up,
        Over: _finish,
    }
