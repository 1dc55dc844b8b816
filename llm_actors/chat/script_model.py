"""Models that play a script.

What they say is decided at once by a pure function, and streamed by the loop's timers: no task, no thread, no wire.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from llm_actors.errors import ModelError
from llm_actors.messages import Message, ModelRequest, Options
from llm_actors.providers.protocol import Script

from .model import AnyModel, AsyncModel, Model
from .tools import ServerSideTool, tool_spec

if TYPE_CHECKING:
    from llm_actors.providers.protocol import Flight, FlightSink
    from llm_actors.runtime import Timer

    from .live_turn import LiveTurn
    from .seams import Engine


_field: Any = vars(ModelRequest)["messages"]


class ScriptRequest(ModelRequest, frozen=True):
    """A request whose `messages` are made of the history when the script looks at them: most don't.

    Made for each request they would make a turn cost as much as all turns before it: 30 ms at 10,000 turns.
    """

    @property  # type: ignore[misc]
    def messages(self) -> list[Message]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The whole valid history with the new turn."""
        transcript: Any = _field.__get__(self)
        return transcript.messages()  # type: ignore[no-any-return]


class AnyScriptModel(AnyModel):
    """What both dresses share. `play` gives the script for a request."""

    play: Callable[[ModelRequest], Script]

    def open_round(self, live: LiveTurn, sink: FlightSink, engine: Engine) -> Flight:
        """Asks for the script and starts to play it."""
        sent = live.sent
        transcript: Any = sent.transcript
        request = ScriptRequest(
            model=self.model_id,
            messages=transcript,
            tools=[tool_spec(tool) for tool in sent.tools if not isinstance(tool, ServerSideTool)]
            if sent.tools
            else [],
            schema=sent.schema,
            options=sent.option_values,
            stream=sent.stream,
            hide_reasoning=sent.hide_reasoning,
            request_id=f"{live.log.id}-{live.turn.round}",
        )
        return ScriptFlight(self.play(request), sink, engine)


class ScriptFlight:
    """Plays one script. Steps without a delay follow each other in one turn of the loop, written together."""

    __slots__ = ("_engine", "_next", "_over", "_script", "_sink", "_timer")

    def __init__(self, script: Script, sink: FlightSink, engine: Engine) -> None:
        self._script = script
        self._sink = sink
        self._engine = engine
        self._next = 0
        self._over = False
        self._timer: Timer | None = None
        delay = script.steps[0].delay if script.steps else 0.0
        if delay > 0:
            self._timer = engine.loop.call_later(delay, self._play)
        else:
            engine.loop.call_soon(self._play)

    def _play(self) -> None:
        self._timer = None  # it knows this flight: a circle, if the flight knew it still
        if self._over:
            return
        steps = self._script.steps
        items = []
        first = True
        while self._next < len(steps) and (first or steps[self._next].delay <= 0):
            items.extend(steps[self._next].items)
            self._next += 1
            first = False
        if items:
            self._sink.write(items)
        if self._next < len(steps):
            self._timer = self._engine.loop.call_later(steps[self._next].delay, self._play)
            return
        self._over = True
        outcome = self._script.outcome
        if isinstance(outcome, ModelError):
            self._sink.failed(outcome)
        else:
            self._sink.ended(outcome)

    def stop(self) -> None:
        """Plays no further."""
        if self._over:
            return
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._engine.loop.call_soon(self._sink.stopped)


class ScriptModel(AnyScriptModel, Model):
    """A script model whose responses block."""


class AsyncScriptModel(AnyScriptModel, AsyncModel):
    """A script model whose responses are awaited."""


def script_pair(
    model_id: str, play: Callable[[ModelRequest], Script], options: type[Options] = Options
) -> tuple[Model, AsyncModel]:
    """The two dresses of one scripted model; it takes tools, schemas and attachments of every type."""
    pair = (ScriptModel(), AsyncScriptModel())
    for model in pair:
        vars(model).update(
            model_id=model_id,
            play=play,
            Options=options,
            can_stream=True,
            supports_schema=True,
            supports_tools=True,
            attachment_types=frozenset({"*/*"}),
        )
    return pair
