"""The script behind the model `demo`: no LLM inside. A request goes in, a Script comes out; the same for the same, always.

above it   catalogue/demo.py; chat's script models play it
below it   scripted_calls.py, scripted_values.py, scripted_answers.py, scripted_control.py

With tools it calls those that the prompt names or that have words in common with it; after their results it tells them. With a schema
it answers an instance. A JSON prompt says exactly what to do (see Control). Anything else is answered from a short list, or repeated.
"""

import json
import re
from typing import Annotated, Any

import msgspec

from llm_actors.errors import InvalidRequestError, ModelError
from llm_actors.messages import (
    AttachmentPart,
    Item,
    Message,
    ModelRequest,
    Options,
    RoundResult,
    StopReason,
    StreamEvent,
    ToolCall,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from llm_actors.messages.assembly import parse_arguments
from llm_actors.messages.parts import AnyPart

from .protocol import Script, ScriptStep
from .scripted_answers import about_results, prose
from .scripted_calls import arguments_that_do_not_fit, wanted_calls
from .scripted_control import AskedCall, AskedError, Control, control_of
from .scripted_values import NoInstanceError, instance

__all__ = ["DemoOptions", "Script", "ScriptStep", "demo"]

_PIECES = re.compile(r"\s*\S+\s*$|\s*\S+")


class DemoOptions(Options):
    """`pace`: seconds before each word. `thinking`: some reasoning before the answer."""

    pace: Annotated[float, msgspec.Meta(ge=0, le=60)] | None = None
    thinking: bool | None = None


class Said(msgspec.Struct):
    """An answer before it is cut into steps. `calls` hold arguments as text, as they go over a stream."""

    text: str | list[str] = ""
    reasoning: str = ""
    calls: list[AskedCall] = []
    stop_reason: StopReason | None = None
    usage: Usage | msgspec.UnsetType | None = msgspec.UNSET
    error: ModelError | None = None


def demo(request: ModelRequest, *, pace: float = 0.0) -> Script:
    """The script for one model call; `pace` is in seconds a word, 0 writes all at once. Reads `request.options["thinking"]`."""
    scene = Scene(request)
    try:
        control = control_of(scene.prompt)
        now = _round_of(control, scene) if control is not None else None
        said = _controlled(now, scene) if now is not None else _answered(scene)
    except ModelError as error:
        return Script([], error)
    if control is not None:
        pace = next((one.pace for one in (now, control) if one is not None and one.pace is not None), pace)
    return _script(said, scene, pace)


class Scene:
    """What the script looks at in a request."""

    def __init__(self, request: ModelRequest) -> None:
        self.request = request
        messages = request.messages
        self.prompts = [message.text for message in messages if message.role == "user" and message.text]
        asked = max(
            (place for place, message in enumerate(messages) if message.role == "user" and message.text), default=-1
        )
        self.rounds = sum(message.role == "assistant" for message in messages[asked + 1 :])
        answered = max((place for place, message in enumerate(messages) if message.role == "assistant"), default=-1)
        self.calls = [part for part in _parts(messages) if isinstance(part, ToolCallPart)]
        self.results = [part for part in _parts(messages[answered + 1 :]) if isinstance(part, ToolResultPart)]
        self.files = [
            part.attachment.resolve_type()
            for part in _parts(messages[max(asked, 0) :])
            if isinstance(part, AttachmentPart) and part.attachment is not None
        ]

    @property
    def prompt(self) -> str:
        """The user's last words."""
        return self.prompts[-1] if self.prompts else ""

    @property
    def system(self) -> str:
        """The last system message."""
        return next((message.text for message in reversed(self.request.messages) if message.role == "system"), "")

    def results_by_call(self) -> list[tuple[ToolCallPart | None, ToolResultPart]]:
        """The new results, each with the call it answers."""
        by_id = {call.tool_call_id: call for call in self.calls if call.tool_call_id is not None}
        return [(by_id.get(result.tool_call_id or ""), result) for result in self.results]

    def words(self) -> int:
        """How many words the request has: what counts as its tokens."""
        outputs = [part.output for part in _parts(self.request.messages) if isinstance(part, ToolResultPart)]
        return sum(len(text.split()) for text in (*(message.text for message in self.request.messages), *outputs))


def _parts(messages: list[Message]) -> list[AnyPart]:
    return [part for message in messages for part in message.parts]


def _answered(scene: Scene) -> Said:
    """What it does without a control prompt."""
    request = scene.request
    thoughts = ""
    if request.options.get("thinking") and not request.hide_reasoning:
        thoughts = f"This is a script. It looks for tools among {len(request.tools)}, then for words it knows."
    if not scene.results:
        last = scene.calls[-1].name if scene.calls else None
        wanted = wanted_calls(scene.prompt, request.tools, last)
        if wanted:
            return Said(reasoning=thoughts, calls=[AskedCall(call.name, call.arguments) for call in wanted])
    return Said(_last_words(scene), thoughts)


def _last_words(scene: Scene) -> str:
    """The answer when there is nothing to call: an instance of the schema, the tools' results, or prose."""
    if scene.request.schema is not None:
        known = " ".join([scene.prompt, *(result.output for result in scene.results)])
        try:
            return json.dumps(instance(scene.request.schema, known), ensure_ascii=False)
        except NoInstanceError as error:
            msg = f"the demo can't make an instance of this schema: {error}"
            raise InvalidRequestError(msg, provider="demo") from None
    if scene.results:
        return about_results(scene.results_by_call())
    return prose(scene.prompts, scene.system, scene.files)


def _round_of(control: Control, scene: Scene) -> Control | None:
    """What the control says of this model call; None when it has nothing more to say."""
    if control.rounds:
        return control.rounds[scene.rounds] if scene.rounds < len(control.rounds) else None
    if not control.calls_tools:
        return control
    if scene.rounds == 0 or control.repeat:
        # The error and the stop reason belong to the last call of the turn, the text and the usage too.
        return msgspec.structs.replace(control, text=None, error=None, usage=control.usage)
    return msgspec.structs.replace(control, tool_calls=[], wrong_tool=False, wrong_arguments=False, reasoning=None)


def _controlled(control: Control, scene: Scene) -> Said:
    calls = [AskedCall(call) if isinstance(call, str) else call for call in control.tool_calls]
    if control.wrong_tool:
        calls.append(AskedCall(control.wrong_tool if isinstance(control.wrong_tool, str) else "no_such_tool"))
    if control.wrong_arguments:
        if not scene.request.tools:
            msg = "wrong_arguments needs a tool to be offered"
            raise InvalidRequestError(msg, provider="demo")
        tool = scene.request.tools[0]
        calls.append(AskedCall(tool.name, arguments_that_do_not_fit(tool)))
    silent = calls or control.error or control.stop_reason
    text = control.text if control.text is not None else ("" if silent else _last_words(scene))
    return Said(text, control.reasoning or "", calls, control.stop_reason, control.usage, _asked_error(control.error))


def _asked_error(asked: str | AskedError | None) -> ModelError | None:
    if asked is None:
        return None
    try:
        return (AskedError(asked) if isinstance(asked, str) else asked).error()
    except ValueError as error:
        raise InvalidRequestError(str(error), provider="demo") from None


def _script(said: Said, scene: Scene, pace: float) -> Script:
    stream = scene.request.stream
    items: list[Item] = [StreamEvent("reasoning", piece) for piece in _pieces(said.reasoning, stream=stream)]
    items += _pieces(said.text, stream=stream)
    calls: list[ToolCall] = []
    for number, call in enumerate(said.calls, len(scene.calls) + 1):
        made, events = _call(call, call.id or f"call_{number}")
        calls.append(made)
        items += events
    steps = [ScriptStep(pace, [item]) for item in items] if pace > 0 else [ScriptStep(0.0, items)] if items else []
    return Script(steps, said.error or _result(said, calls, scene))


def _call(call: AskedCall, tool_call_id: str) -> tuple[ToolCall, list[Item]]:
    written = call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments, ensure_ascii=False)
    arguments = parse_arguments(written) if isinstance(call.arguments, str) else call.arguments
    events: list[Item] = [StreamEvent("tool_call_name", call.name, tool_call_id=tool_call_id, tool_name=call.name)]
    events += [
        StreamEvent("tool_call_args", piece, tool_call_id=tool_call_id) for piece in _pieces(written, stream=True)
    ]
    return ToolCall(call.name, arguments, tool_call_id), events


def _result(said: Said, calls: list[ToolCall], scene: Scene) -> RoundResult:
    reason: StopReason = said.stop_reason or ("tool_calls" if calls else "stop")
    # An answer that was cut has no call that may be run: that is what the reason means.
    cut = reason == "length"
    usage = said.usage if said.usage is not msgspec.UNSET else _usage(said, calls, scene)
    return RoundResult(
        tool_calls=[] if cut else calls,
        cut_calls=calls if cut else [],
        usage=usage,
        stop_reason=reason,
        raw_stop_reason=reason,
        resolved_model=scene.request.model,
    )


def _usage(said: Said, calls: list[ToolCall], scene: Scene) -> Usage:
    thoughts = len(said.reasoning.split())
    text = said.text if isinstance(said.text, str) else "".join(said.text)
    spoken = len(text.split()) + sum(1 + len(call.arguments) for call in calls)
    details: dict[str, Any] | None = {"reasoning_tokens": thoughts} if thoughts else None
    return Usage(scene.words(), spoken + thoughts, details)


def _pieces(text: str | list[str], *, stream: bool) -> list[str]:
    """Words with the space before them, which join to the text; a list is already cut."""
    if isinstance(text, list):
        return [piece for piece in text if piece] if stream else [piece for piece in ("".join(text),) if piece]
    if not stream or not text.strip():
        return [text] if text else []
    return _PIECES.findall(text)
