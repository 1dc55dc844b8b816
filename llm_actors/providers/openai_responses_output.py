"""The items of a complete answer of OpenAI's Responses as a message and tool calls, and the provider's own tools as events.

    above it   openai_responses_answer.py
    below it   openai_responses_items.py, messages

What only this provider understands goes into `provider_metadata` under its name: the id and the encrypted content of reasoning, the phase
of a text, and, as `item`, whole items that are nobody else's.
"""

from typing import Any

import msgspec

from llm_actors.errors import ProtocolError
from llm_actors.messages import (
    Attachment,
    Message,
    ReasoningPart,
    StreamEvent,
    TextPart,
    ToolCall,
    ToolCallPart,
    ToolResultPart,
)
from llm_actors.messages.assembly import parse_arguments
from llm_actors.messages.parts import AnyPart

from .openai_responses_items import CALLS, CUSTOM, Slot, Slots

_OPAQUE = frozenset({"compaction", "compaction_summary", "context_compaction"})
_OUTPUTS = ("output", "outputs", "results")
_NOT_ARGUMENTS = frozenset({"id", "type", "status", "call_id", "name", "error", "result", *_OUTPUTS})


def message_of(provider: str, slots: Slots) -> list[Message]:
    """The answer as history, cut calls among it: whoever keeps it gives each call a result, executed or not."""
    parts: list[AnyPart] = []
    for slot in slots:
        if slot.kind == "message":
            parts += _texts(provider, slot)
        elif slot.kind == "reasoning":
            parts += _reasoning(provider, slot)
        elif slot.kind in CALLS:
            parts.append(_call_part(provider, slot))
        elif slot.done:
            parts += own_parts(provider, slot)
    return [Message("assistant", parts)] if parts else []


def calls_of(provider: str, slots: Slots, *, cut: bool) -> tuple[list[ToolCall], list[ToolCall]]:
    """The calls, and those whose arguments were cut. `cut`: the provider ended its answer early.

    Raises `ProtocolError` for a call without a name.
    """
    calls: list[ToolCall] = []
    cut_calls: list[ToolCall] = []
    for slot in slots:
        if slot.kind not in CALLS:
            continue
        if not slot.name:
            msg = f"{provider} sent a tool call without a name"
            raise ProtocolError(msg, frame=slot.text(("arguments", 0)).encode("utf-8", "replace")[:256])
        text = slot.text(("arguments", 0))
        call = ToolCall(slot.name, _arguments(slot), slot.call_id)
        unfinished = not slot.done or slot.item.get("status") == "incomplete"
        broken = call.arguments == {"_raw": text} or (unfinished and (not text.strip() or slot.kind == CUSTOM))
        (cut_calls if cut and broken else calls).append(call)
    return calls, cut_calls


def own_events(provider: str, slot: Slot) -> list[StreamEvent]:
    """What readers are told of a done item that the provider worked on itself."""
    found: list[StreamEvent] = []
    for part in own_parts(provider, slot):
        if isinstance(part, ReasoningPart):
            found.append(StreamEvent("reasoning", redacted=True, provider_metadata=part.provider_metadata))
        elif isinstance(part, ToolCallPart):
            arguments = msgspec.json.encode(part.arguments).decode()
            same: dict[str, Any] = {"tool_call_id": part.tool_call_id, "server_executed": True}
            found.append(StreamEvent("tool_call_name", part.name, **same))
            found.append(StreamEvent("tool_call_args", arguments, provider_metadata=part.provider_metadata, **same))
        elif isinstance(part, ToolResultPart):
            same = {"tool_call_id": part.tool_call_id, "tool_name": part.name, "server_executed": True}
            found.append(StreamEvent("tool_result", part.output, **same))
    return found


def reasoning_event(provider: str, slot: Slot) -> list[StreamEvent]:
    """What a done reasoning item adds to its text: what has to go back, and, without a text, that there was some."""
    return [
        StreamEvent("reasoning", redacted=part.redacted, provider_metadata=part.provider_metadata)
        for part in _reasoning(provider, slot)
        if part.redacted or part.provider_metadata
    ]


def own_parts(provider: str, slot: Slot) -> list[AnyPart]:
    """The parts of an item that is the provider's own; the item itself rides on the first."""
    item = slot.item
    metadata = {provider: {"item": item}}
    if slot.kind in _OPAQUE:
        return [ReasoningPart("", redacted=True, provider_metadata=metadata)]
    known_name = item.get("name")
    name = known_name if isinstance(known_name, str) and known_name else slot.kind.removesuffix("_call")
    if slot.kind.endswith("_output"):
        return [ToolResultPart(name, _output(item), slot.call_id, server_executed=True, provider_metadata=metadata)]
    parts: list[AnyPart] = [
        ToolCallPart(name, _own_arguments(item), slot.call_id, server_executed=True, provider_metadata=metadata)
    ]
    error = item.get("error")
    image = _image(item) if slot.kind == "image_generation_call" else []
    if error or image or any(item.get(field) for field in _OUTPUTS):
        text = error.get("message") if isinstance(error, dict) else error
        exception = (text if isinstance(text, str) else msgspec.json.encode(error).decode()) if error else None
        parts.append(
            ToolResultPart(
                name, _output(item), slot.call_id, server_executed=True, exception=exception, attachments=image
            )
        )
    return parts


def _texts(provider: str, slot: Slot) -> list[AnyPart]:
    parts: list[AnyPart] = []
    phase = slot.item.get("phase")
    content = slot.item.get("content")
    for field, index in sorted(slot.pieces, key=lambda channel: channel[1]):
        text = slot.text((field, index))
        said = content[index] if isinstance(content, list) and index < len(content) else None
        annotations = said.get("annotations") if isinstance(said, dict) else None
        own = {"phase": phase, "refusal": field == "refusal", "annotations": annotations}
        kept = {name: value for name, value in own.items() if value}
        if text:
            parts.append(TextPart(text, {provider: kept} if kept else None))
    return parts


def _reasoning(provider: str, slot: Slot) -> list[ReasoningPart]:
    texts = {
        field: [slot.text(channel) for channel in slot.pieces if channel[0] == field]
        for field in ("summary", "content")
    }
    summary, content = texts["summary"], texts["content"]
    own = {
        "id": slot.item_id,
        # What the item began with may be a part of it, and a part is refused.
        "encrypted_content": slot.item.get("encrypted_content") if slot.done else None,
        "summary": summary if len(summary) > 1 or content else None,  # else it is the text of the part
        "content": content,
    }
    kept = {name: value for name, value in own.items() if value}
    text = "\n\n".join([slot.text(channel) for channel in slot.pieces])
    if not (text or slot.done):
        return []
    return [ReasoningPart(text, not text, {provider: kept} if kept else None)]


def _call_part(provider: str, slot: Slot) -> ToolCallPart:
    own = {name: slot.item.get(name) for name in ("caller", "namespace")}
    kept = {name: value for name, value in own.items() if value}
    if kept.get("caller") == {"type": "direct"}:
        del kept["caller"]
    if slot.kind == CUSTOM:
        kept["type"] = CUSTOM
    return ToolCallPart(slot.name, _arguments(slot), slot.call_id, provider_metadata={provider: kept} if kept else None)


def _arguments(slot: Slot) -> dict[str, Any]:
    if slot.kind == CUSTOM:
        return {"input": slot.text(("input", 0))}  # a custom tool takes a text
    return parse_arguments(slot.text(("arguments", 0)))


def _own_arguments(item: dict[str, Any]) -> dict[str, Any]:
    given = item.get("arguments")
    if isinstance(given, str):
        return parse_arguments(given)
    if isinstance(given, dict):
        return given
    return {name: value for name, value in item.items() if name not in _NOT_ARGUMENTS and value is not None}


def _output(item: dict[str, Any]) -> str:
    value = next((item[field] for field in _OUTPUTS if item.get(field)), "")
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _image(item: dict[str, Any]) -> list[Attachment]:
    """The picture that was made."""
    try:
        content = msgspec.convert(item.get("result"), bytes)  # base64
    except msgspec.ValidationError:
        return []
    kind = item.get("output_format")
    return [Attachment(type=f"image/{kind}" if isinstance(kind, str) else None, content=content)]
