"""Death watch: one `Down` to who monitors an actor, when that has ended.

A monitor is told exactly once, also when it is made while the actor stops, when the actor is dead already (then at once), and when its loop
ends or is closed. What the dead one had sent to its watcher before arrives before the `Down`. An actor that a supervisor restarts has not
ended: its monitors are told when it is not restarted any more.
"""

from __future__ import annotations

import contextlib
import queue
from typing import TYPE_CHECKING, Any, NamedTuple

import pykka
from pykka import ActorDeadError

from llm_actors.errors import ActorError, LoopClosedError, MailboxFullError

from .ending import Bell, Ending, Mortal, Reason, mortal
from .future import Future, Outcome

if TYPE_CHECKING:
    from .loop import Loop


class Down(NamedTuple):
    """What was monitored has ended. `ref`: as it was given to `monitor()`. `reason`: `stopped`, `killed`, `failed`, `loop ended`.

    `error`: what it failed of; LoopClosedError where its loop ended.
    """

    ref: Any
    reason: Reason
    error: BaseException | None = None


class Monitor(Future[Down]):
    """A future of the Down: await it on any loop, wait for it in any thread. With a watcher, that is sent the Down too. Any thread."""

    def __init__(self, target: Any, watched: Mortal, watcher: pykka.ActorRef[Any] | None, owner: Loop | None) -> None:
        super().__init__(owner)
        self._target = target
        self._watched = watched
        self._watcher = watcher
        if watcher is not None:  # one that has ended is sent nothing, and holds no place in what it watches
            mortal(watcher)._actor_watch(self._watcher_ended)
        if not self.done():
            watched._actor_watch(self._ended)
            if self.done():  # the watcher ended meanwhile
                watched._actor_unwatch(self._ended)

    def demonitor(self) -> bool:
        """Ends the watch; False when the Down was there before. What waits for this monitor gets ActorError. Any thread."""
        try:
            self.set_error(ActorError("this monitor was taken back by demonitor()"))
        except queue.Full:
            return False
        self._watched._actor_unwatch(self._ended)
        self._forget_watcher()
        return True

    def _ended(self, ending: Ending) -> None:
        down = Down(self._target, *ending)
        try:
            self.set(down)
        except queue.Full:
            return
        watcher = self._watcher
        self._forget_watcher()
        if watcher is not None:
            _send(watcher, down)

    def _watcher_ended(self, _: Ending) -> None:
        self._watcher = None
        self.demonitor()

    def _forget_watcher(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            mortal(watcher)._actor_unwatch(self._watcher_ended)

    def _may_be_lost(self, loop: Loop) -> bool:
        return isinstance(self._watched, Bell) or super()._may_be_lost(loop)

    def _lost(self) -> Outcome | None:
        if isinstance(self._watched, Bell):
            self._watched.look()
            return self._outcome or super()._lost()
        # Who looks whether the loop is closed has it noticed, and that tells this monitor too.
        lost = super()._lost()
        if lost is None or self._owner is None or not self._owner.closed:
            return lost
        return self._outcome or (Down(self._target, "loop ended", LoopClosedError("its event loop is closed")), None)


def _send(watcher: pykka.ActorRef[Any], down: Down) -> None:
    offer = getattr(watcher, "offer", None)
    if offer is None:
        with contextlib.suppress(ActorDeadError):
            watcher.tell(down)
    elif isinstance(offer(down), MailboxFullError):
        offer(down, control=True)  # never refused for want of room


def monitor(target: pykka.ActorRef[Any], watcher: pykka.ActorRef[Any] | None = None) -> Monitor:
    """Watches an actor of any kind, also one of Pykka's own; see Monitor. Any thread."""
    watched = mortal(target)
    return Monitor(target, watched, watcher, getattr(watched, "_actor_lives_on", None))
