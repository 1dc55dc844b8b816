"""What a conversation is doing, and for how long: values for people, made when somebody looks.

They are made on the conversation's loop; where that does not answer, in another thread too, of what stands there at that moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from .conversation import AnyConversation
    from .live_turn import LiveTurn
    from .turn_ending import State

SHOWN = 5
"""Turns of one conversation that a picture shows."""

_WORDS: dict[State, str] = {
    "opening": "keeping its prompt",
    "preparing": "getting its toolboxes ready",
    "keeping": "keeping the answer",
    "steering": "keeping what was steered in",
    "compacting": "making the history shorter",
    "stopping": "stopping what it had begun",
    "closing": "keeping its end",
    "over": "ended",
}


class TurnView(msgspec.Struct, frozen=True):
    """A turn: `state` as in turn.py, `doing` in words, for `seconds`."""

    response: str
    state: str
    doing: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.response}: {self.doing}, for {self.seconds:.1f} s"


class ConversationView(msgspec.Struct, frozen=True):
    """A conversation that has work. `turns`: the one that runs, then those that wait; `mail`: what it has not looked at yet."""

    id: str
    name: str | None
    model: str
    turns: tuple[TurnView, ...]
    mail: int

    def __str__(self) -> str:
        name = f' "{self.name}"' if self.name else ""
        lines = [f"conversation {self.id}{name} of {self.model}: {len(self.turns)} turns, {self.mail} in its mailbox"]
        lines += [f"  {turn}" for turn in self.turns[:SHOWN]]
        if len(self.turns) > SHOWN:
            lines.append(f"  and {len(self.turns) - SHOWN} more")
        return "\n".join(lines)


def view_of(
    id: str,
    handle: AnyConversation[Any] | None,
    running: LiveTurn | None,
    queue: list[LiveTurn],
    mail: int,
    now: float,
) -> ConversationView:
    """A conversation as it is now: its handle, if somebody holds it; the turn that runs, those in line, and how much mail waits."""
    at_work = [] if running is None else list(running.voices) if running.joint else [running, *running.voices]
    waiting = [live for live in queue if live.turn.state != "over"]
    turns = [_turn(live, now) for live in at_work]
    turns += [_waits(live, place, now) for place, live in enumerate(waiting, 1)]
    first = next(iter((*at_work, *waiting)), None)
    model = first.model.model_id if first is not None else handle.model.model_id if handle is not None else ""
    return ConversationView(id, handle.name if handle is not None else None, model, tuple(turns), mail)


def _waits(live: LiveTurn, place: int, now: float) -> TurnView:
    return TurnView(live.log.id, "queued", f"waiting in queue {place}", now - live.since)


def _turn(live: LiveTurn, now: float) -> TurnView:
    leader = live.leader or live
    state = leader.turn.state
    what, since = _WORDS.get(state, state), leader.since
    if state == "calling" and leader.writer is not None:
        what, since = f"model call round {leader.turn.round} of {leader.turn.model}", leader.writer.began
    elif state == "tools":
        what = f"tools: {_tools(leader, now) or 'between two'}"
    return TurnView(live.log.id, state, what, max(0.0, now - since))


def _tools(live: LiveTurn, now: float) -> str:
    jobs = [job for job in list(live.jobs.values()) if getattr(job, "state", "over") in ("queued", "running", "ending")]
    return ", ".join(
        f"{job.name} waits for a worker" if job.state == "queued" else f"{job.name} {now - job.began:.1f} s"
        for job in jobs
    )
