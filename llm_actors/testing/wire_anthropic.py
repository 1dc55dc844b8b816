"""Anthropic's messages, spoken by rule in place of a model: bytes of a request to the values of an answer, no I/O.

What it says depends on the request alone, by the rules of wire_openai.py: `hi` -> `echo: hi`, `call add {"a": 1}` -> that call, results ->
`results: add=3`, a schema -> its smallest instance, `max_tokens` -> so many words. With `thinking` asked for (`adaptive`, `enabled`) the
answer begins with a thinking block whose signature has to come back unchanged.

A history that Anthropic would refuse is refused in Anthropic's words. The formats are those of the API's reference and of the vendor's
Python SDK 2.13.0. `stream_of()` writes any content as the events of a stream.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from . import wire_openai
from .script import Recorded

Block = dict[str, Any]

MODELS = ("claude-opus-5-5", "claude-haiku-5-5")
_KINDS = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error"}
_SIGNATURE = "signed: "
_CHOICES = {"any": "required", "auto": "auto", "none": "none"}
_PIECES = re.compile(r"\s*\S+|\s+$")


class Refusal(Exception):  # noqa: N818 - it is the answer, not a fault
    """The request is answered with an error: `status` and the `body` to send."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "type": "error",
            "error": {"type": _KINDS[status], "message": message},
            "request_id": "req_refused",
        }


def listen(request: Recorded, key: str | None) -> dict[str, Any] | None:
    """The request, None for one that asks for the list of models. Raises `Refusal`, also for another key than this one."""
    path = request.path.partition("?")[0]
    sent = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
    if key is not None and sent != key:
        raise Refusal(401, f"invalid x-api-key: {sent}")
    if request.method == "GET" and path.endswith("/models"):
        return None
    if request.method == "POST" and path.endswith("/v1/messages"):
        return decode(request.body)
    raise Refusal(404, f"Not found: {path}")


def decode(body: bytes) -> dict[str, Any]:
    """The request. Raises `Refusal` if it is not JSON, lacks what it must have, or has a history that Anthropic would refuse."""
    try:
        request: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Refusal(400, f"The request body is not valid JSON: {error}") from None
    for field in ("model", "max_tokens", "messages"):
        if field not in request:
            raise Refusal(400, f"{field}: Field required")
    if not request["messages"] or not isinstance(request["messages"], list):
        raise Refusal(400, "messages: at least one message is required")
    _check_results(request["messages"])
    return request


def content_of(request: dict[str, Any]) -> tuple[list[Block], str, dict[str, Any]]:
    """The answer: its blocks, its stop reason, its usage."""
    reply = wire_openai.reply(_as_chat(request))
    thinking = (request.get("thinking") or {}).get("type") in ("adaptive", "enabled")
    shown = "" if (request.get("thinking") or {}).get("display") == "omitted" else "let me see"
    signed = {"type": "thinking", "thinking": shown, "signature": f"{_SIGNATURE}{len(request['messages'])}"}
    blocks: list[Block] = [signed] if thinking else []
    blocks += [{"type": "text", "text": reply.text}] if reply.text else []
    for call_id, name, arguments in reply.calls:
        blocks.append({"type": "tool_use", "id": call_id, "name": name, "input": json.loads(arguments)})
    reasons = {"length": "max_tokens", "tool_calls": "tool_use"}
    usage = {
        "input_tokens": reply.prompt_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": reply.completion_tokens,
        "service_tier": "standard",
    }
    return blocks, reasons.get(reply.finish, "end_turn"), usage


def whole(request: dict[str, Any], number: int) -> bytes:
    """The answer to a request without `stream`."""
    blocks, reason, usage = content_of(request)
    message = _message(request.get("model", "claude"), number, usage)
    return msgspec.json.encode({**message, "content": blocks, "stop_reason": reason})


def streamed(request: dict[str, Any], number: int) -> Iterator[bytes]:
    """The answer to a request with `stream`, event by event."""
    blocks, reason, usage = content_of(request)
    yield from stream_of(blocks, reason, usage, model=request.get("model", "claude"), number=number)


def stream_of(
    blocks: list[Block],
    reason: str = "end_turn",
    usage: dict[str, Any] | None = None,
    *,
    model: str = "claude",
    number: int = 1,
) -> Iterator[bytes]:
    """Any content as the events of a stream."""
    usage = usage or {"input_tokens": 1, "output_tokens": 1}
    yield event("message_start", message=_message(model, number, {**usage, "output_tokens": 1}))
    yield event("ping")
    for index, block in enumerate(blocks):
        start, deltas = _pieces(block)
        yield event("content_block_start", index=index, content_block=start)
        for delta in deltas:
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    told = {"stop_reason": reason, "stop_sequence": None}
    yield event("message_delta", delta=told, usage={"output_tokens": usage["output_tokens"]})
    yield event("message_stop")


def event(kind: str, **fields: Any) -> bytes:
    """One event."""
    return f"event: {kind}\ndata: ".encode() + msgspec.json.encode({"type": kind, **fields}) + b"\n\n"


def model_list() -> bytes:
    """The answer to `GET /v1/models`."""
    data = [
        {"id": name, "type": "model", "display_name": name, "created_at": "2026-01-01T00:00:00Z"} for name in MODELS
    ]
    return msgspec.json.encode({"data": data, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]})


def _message(model: str, number: int, usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _pieces(block: Block) -> tuple[Block, list[Block]]:
    """A block as it begins, and the deltas that complete it."""
    kind = block["type"]
    if kind == "text":
        cited = [{"type": "citations_delta", "citation": citation} for citation in block.get("citations") or ()]
        texts = [{"type": "text_delta", "text": piece} for piece in _PIECES.findall(block["text"])]
        return {"type": "text", "text": ""}, [*cited, *texts]
    if kind == "thinking":
        texts = [{"type": "thinking_delta", "thinking": piece} for piece in _PIECES.findall(block["thinking"])]
        signature = {"type": "signature_delta", "signature": block["signature"]}
        return {"type": "thinking", "thinking": "", "signature": ""}, [*texts, signature]
    if kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
        text = msgspec.json.encode(block["input"]).decode() if block["input"] else ""
        half = len(text) // 2
        parts = [""] if not text else ["", text[:half], text[half:]]
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in parts]
    return block, []


def _check_results(messages: list[dict[str, Any]]) -> None:
    """Each tool_use is answered in the next message, and no result stands without its call."""
    waiting: list[str] = []
    for place, message in enumerate(messages):
        blocks = _blocks(message)
        given = [block.get("tool_use_id", "") for block in blocks if block.get("type") == "tool_result"]
        for name in given:
            if name not in waiting:
                raise Refusal(400, f"messages.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {name}")
        _check_open(place, [name for name in waiting if name not in given])
        for block in blocks:
            if block.get("type") == "thinking" and not str(block.get("signature")).startswith(_SIGNATURE):
                raise Refusal(400, f"messages.{place}: Invalid `signature` in `thinking` block")
        waiting = [block["id"] for block in blocks if block.get("type") == "tool_use"]
    _check_open(len(messages), waiting)


def _check_open(place: int, missing: list[str]) -> None:
    if missing:
        text = "`tool_use` ids were found without `tool_result` blocks immediately after"
        raise Refusal(400, f"messages.{place}: {text}: {', '.join(missing)}")


def _as_chat(request: dict[str, Any]) -> dict[str, Any]:
    """The request in the words of chat completions, as far as the rules look at it."""
    chat: dict[str, Any] = {"model": request["model"], "max_tokens": request["max_tokens"], "messages": []}
    system = request.get("system")
    if system:
        chat["messages"].append({"role": "system", "content": _text(system)})
    for message in request["messages"]:
        chat["messages"] += _chat_messages(message)
    tools = [tool for tool in request.get("tools") or () if "input_schema" in tool]
    if tools:
        chat["tools"] = [
            {"type": "function", "function": {**tool, "parameters": tool["input_schema"]}} for tool in tools
        ]
        choice = request.get("tool_choice") or {"type": "auto"}
        named = {"type": "function", "function": {"name": choice.get("name")}}
        chat["tool_choice"] = _CHOICES.get(choice["type"], named)
    form = (request.get("output_config") or {}).get("format")
    if form:
        chat["response_format"] = {"type": "json_schema", "json_schema": {"schema": form["schema"]}}
    return chat


def _chat_messages(message: dict[str, Any]) -> list[dict[str, Any]]:
    blocks = _blocks(message)
    made = [
        {"role": "tool", "tool_call_id": block["tool_use_id"], "content": _text(block.get("content") or "")}
        for block in blocks
        if block["type"] == "tool_result"
    ]
    said = [
        block for block in blocks if block["type"] not in ("tool_result", "tool_use", "thinking", "redacted_thinking")
    ]
    calls = [
        {"id": block["id"], "function": {"name": block["name"], "arguments": json.dumps(block["input"])}}
        for block in blocks
        if block["type"] == "tool_use"
    ]
    if said or calls:
        own: dict[str, Any] = {"role": message["role"], "content": _text(said)}
        made.append({**own, "tool_calls": calls} if calls else own)
    return made


def _blocks(message: dict[str, Any]) -> list[Block]:
    content = message.get("content") or []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return " ".join([block.get("text", f"[{block.get('type')}]") for block in content])
