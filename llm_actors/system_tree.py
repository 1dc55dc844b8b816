"""What goes on in a system: on which loops, who is at what, for how long. `print(system.tree())` shows it.

    SystemTree   a system                    ConversationView, TurnView   conversations that have work (chat/conversation_view.py)
    LoopView     what it has on one loop     ActorView                    registered actors of that loop (runtime/actor_view.py)

Each loop is asked to say it itself, by a call that is posted there. A thread waits for that, up to `WAIT` seconds in all; on a running loop
nothing is waited for. What a loop has not said in time is read from outside, as it stands at that moment: `silent` says for how long it
has not answered, once that is longer than `WAIT`, and `inside` what holds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from llm_actors.chat.conversation_view import ConversationView
from llm_actors.chat.tool_pool import PoolStats
from llm_actors.errors import LoopClosedError
from llm_actors.runtime import Future, Timeout, current, running
from llm_actors.runtime.actor_view import ActorView, inside_of, residents_of

if TYPE_CHECKING:
    from .loop_engine import LoopEngine

WAIT = 0.25
"""Seconds that loops have to answer in, together."""
_AGAIN = 5

Standing = Literal["open", "shutting down", "shut down"]


class LoopView(msgspec.Struct, frozen=True, kw_only=True):
    """What a system has on one loop. `model_threads`: of Python models and sync callbacks; `requests`: model calls over HTTP.

    `silent`: seconds for which the loop has not answered, None when it has; `inside`: what held it when it was looked at from outside.
    """

    name: str
    conversations: tuple[ConversationView, ...] = ()
    actors: tuple[ActorView, ...] = ()
    tools: PoolStats | None = None
    abandoned: tuple[str, ...] = ()
    model_threads: int = 0
    requests: int = 0
    silent: float | None = None
    inside: str | None = None

    def __str__(self) -> str:
        lines = [self.name]
        if self.silent is not None:
            held = (
                f"it is inside {self.inside}"
                if self.inside is not None
                else "it does not run, or is held by code that is not watched"
            )
            lines[0] += f", which has not answered for {self.silent:.1f} s: {held}"
        lines += ["  " + line for part in (*self.conversations, *self.actors) for line in str(part).split("\n")]
        if self.tools is not None:
            at = self.tools
            text = f"tools: {at.running} running, {at.waiting_in_waits} in waits, {at.queued} queued; "
            lines.append(f"  {text}{at.workers} threads, {at.idle} of them idle")
        lines += [f"    abandoned: {call}" for call in self.abandoned]
        lines.append(f"  {self.model_threads} threads of models, {self.requests} open requests")
        return "\n".join(lines)


class SystemTree(msgspec.Struct, frozen=True):
    """A system at one moment."""

    state: Standing
    loops: tuple[LoopView, ...]

    def __str__(self) -> str:
        conversations = sum(len(loop.conversations) for loop in self.loops)
        lines = [f"system, {self.state}: {len(self.loops)} loops, {conversations} conversations at work"]
        return "\n".join([*lines, *("  " + line for loop in self.loops for line in str(loop).split("\n"))])


def look(engines: list[LoopEngine], state: Standing) -> SystemTree:
    """The system of these engines. Any thread."""
    asked = [(engine, _ask(engine)) for engine in engines if not engine.closed and not engine.loop.closed]
    until = current().monotonic() + (WAIT if running() is None else 0.0)
    views: list[LoopView] = []
    for engine, answer in asked:
        try:
            views.append(answer.get(timeout=max(0.0, until - current().monotonic())))
        except Timeout:
            views.append(_from_outside(engine))
        except LoopClosedError:  # meanwhile
            continue
    return SystemTree(state, tuple(views))


def _ask(engine: LoopEngine) -> Future[LoopView]:
    answer: Future[LoopView] = Future()
    if engine.loop.is_current():
        answer.set(_view(engine))
        return answer
    engine.asked = engine.loop.clock.monotonic() if engine.asked is None else engine.asked
    try:
        engine.loop.post(_answer, engine, answer)
    except LoopClosedError as error:
        answer.set_error(error)
    return answer


def _answer(engine: LoopEngine, answer: Future[LoopView]) -> None:
    engine.asked = None
    answer.set(_view(engine))


def _from_outside(engine: LoopEngine) -> LoopView:
    now = engine.loop.clock.monotonic()
    inside = inside_of(engine.loop, now)
    seconds = inside.seconds if inside is not None else now - (engine.asked or now)
    silent = seconds if seconds >= WAIT else None
    what = inside.what if inside is not None and silent is not None else None
    for _ in range(_AGAIN):
        try:
            return msgspec.structs.replace(
                _view(engine), silent=silent, inside=inside.what if inside is not None else None
            )
        except RuntimeError:  # something changed while it was being counted: the loop runs after all
            continue
    return LoopView(name=engine.loop.name, silent=silent, inside=what)


def _view(engine: LoopEngine) -> LoopView:
    now = engine.loop.clock.monotonic()
    tools = engine.tools.stats()
    return LoopView(
        name=engine.loop.name,
        conversations=tuple([actor.view(now) for actor in list(engine.ending.busy)]),
        actors=residents_of(engine.loop, now),
        tools=tools,
        abandoned=tuple(
            [f"{call.tool} ({call.name}), which began {now - call.began:.1f} s ago" for call in tools.abandoned]
        ),
        model_threads=engine.threads.running,
        requests=engine.requests,
    )
