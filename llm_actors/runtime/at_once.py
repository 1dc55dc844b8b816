"""Mail that an actor handles at the moment it comes, in place of being kept, waking it and being drained in a later turn of the loop.

For what an actor started itself and that ends on its own loop, in a callback: a model call, a tool, a timer. Only where nothing waits in
its mailbox and nothing of it is at work, so the order of mail stays what it was. 9 us for such a message, in place of 18.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .mailbox import Envelope
from .work import work_of

if TYPE_CHECKING:
    from .actor import Actor


def handle_at_once(actor: Actor, message: Any) -> bool:
    """Has the actor handle this message. False where it has to be sent: from another thread, to one that has mail, is at work or has ended.

    The handler runs as in a drain: in a context of its own, one at a time, its step timed. What comes meanwhile is drained after it.
    """
    loop = actor._actor_lives_on
    if loop is None or not loop.is_current():
        return False
    with loop.lock:
        if actor._actor_awake or actor._actor_dead or loop.ended:
            return False
        actor._actor_awake = True
        loop.busy[actor] = None
    monotonic, stalls = loop.clock.monotonic, loop.stalls
    envelope = Envelope(message)
    outer, began = (stalls.inside, stalls.since), monotonic()
    stalls.inside, stalls.since = (actor, envelope), began
    goes_on = actor._actor_handlers_context().run(actor._actor_handle, envelope)
    (stalls.inside, stalls.since), now = outer, monotonic()
    if now - began > stalls.bound:
        stalls.took(work_of(actor, envelope), began, now)
    if goes_on:
        with loop.lock:
            if actor._actor_mailbox is None:
                actor._actor_rest()
            else:
                actor._actor_go_on()
    return True
