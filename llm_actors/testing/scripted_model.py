"""Models that say what a test tells them, at the level of events: no wire, no thread, no task.

model = ScriptedModel("Hello", says("Hel", 0.5, "lo"), calls(add={"a": 1, "b": 2}), fails(llm.RateLimitError("slow down")))
await model.async_model.prompt("hi").text()          # "Hello", from the first answer; the next request gets the next one

says("Hel", 0.5, "lo", thinks("hm"), ToolCall("add", {"a": 1}))     chunks, pauses in seconds, events, calls, in that order
calls(add={"a": 1}, now={})                                         one call a keyword, in one answer
fails(error, "Hel")                                                 what is said, and then the error
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from llm_actors.chat.model import AsyncModel, Model
from llm_actors.chat.script_model import script_pair
from llm_actors.errors import ModelError
from llm_actors.messages import Item, ModelRequest, RoundResult, StopReason, StreamEvent, ToolCall, Usage
from llm_actors.providers.protocol import Script, ScriptStep

Piece: TypeAlias = str | float | StreamEvent | ToolCall
"""A chunk of text, a pause in seconds, an event, a call."""


class Spoken(msgspec.Struct, frozen=True):
    """One answer: its pieces in order, and how it ends. Made by `says()`, `calls()`, `fails()`."""

    pieces: tuple[Piece, ...]
    stop_reason: StopReason | None = None
    usage: Usage | None = None
    error: ModelError | None = None


Reply: TypeAlias = str | Spoken | Script | Callable[[ModelRequest], str | Spoken | Script]
"""What a scripted model answers: a text, an answer, or what a function makes of the request."""


def says(*pieces: Piece, stop_reason: StopReason | None = None, usage: Usage | None = None) -> Spoken:
    """An answer of chunks, events and calls, each behind the pauses (in seconds) before it.

    Without `stop_reason` it is `tool_calls` where there are calls, else `stop`.
    """
    return Spoken(pieces, stop_reason, usage)


def calls(**arguments: dict[str, Any]) -> Spoken:
    """An answer of tool calls alone, all of one round: `calls(add={"a": 1, "b": 2})`."""
    return Spoken(tuple([ToolCall(name, given) for name, given in arguments.items()]))


def fails(error: ModelError, *pieces: Piece) -> Spoken:
    """An answer that breaks off with this error, behind what is said."""
    return Spoken(pieces, error=error)


def thinks(text: str) -> StreamEvent:
    """A chunk of reasoning."""
    return StreamEvent("reasoning", text)


class ScriptedModel:
    """Plays its answers in order, one a request, in both dresses: `.model` and `.async_model`. `requests` are those that came.

    A request more than there are answers fails with a ModelError that says so; `rest` answers it, if given.
    """

    def __init__(self, *answers: Reply, rest: Reply | None = None, model_id: str = "scripted") -> None:
        self._answers = list(answers)
        self._rest = rest
        self._calls = 0
        self.requests: list[ModelRequest] = []
        self.model: Model
        self.async_model: AsyncModel
        self.model, self.async_model = script_pair(model_id, self._play)

    def _play(self, request: ModelRequest) -> Script:
        self.requests.append(request)
        answer = self._answers.pop(0) if self._answers else self._rest
        if answer is None:
            answer = fails(ModelError(f"the scripted model has no answer for request {len(self.requests)}"))
        made = answer if isinstance(answer, str | Spoken | Script) else answer(request)
        if isinstance(made, Script):
            return made
        return self._script(Spoken((made,)) if isinstance(made, str) else made)

    def _script(self, spoken: Spoken) -> Script:
        steps: list[ScriptStep] = []
        found: list[ToolCall] = []
        pause = 0.0
        for piece in spoken.pieces:
            if isinstance(piece, int | float):
                pause += piece
                continue
            items: list[Item]
            if isinstance(piece, ToolCall):
                self._calls += 1
                found.append(ToolCall(piece.name, piece.arguments, piece.tool_call_id or f"call_{self._calls}"))
                items = _events(found[-1])
            else:
                items = [piece]
            steps.append(ScriptStep(pause, items))
            pause = 0.0
        if pause:
            steps.append(ScriptStep(pause, []))
        reason = spoken.stop_reason or ("tool_calls" if found else "stop")
        return Script(steps, spoken.error or RoundResult(tool_calls=found, usage=spoken.usage, stop_reason=reason))


def _events(call: ToolCall) -> list[Item]:
    """A call as it goes over a stream."""
    arguments = msgspec.json.encode(call.arguments).decode()
    known, name = call.tool_call_id, call.name
    return [
        StreamEvent("tool_call_name", name, tool_call_id=known, tool_name=name),
        StreamEvent("tool_call_args", arguments, tool_call_id=known, tool_name=name),
    ]
