"""Ollama's own chat, spoken by rule in place of a model: bytes of a request to the values of an answer, no I/O.

What it says is what `wire_openai.py` says to the same conversation in chat completions, in lines of JSON. A request that thinks gets a
thought first. Messages whose form the server would refuse are refused in its words. The formats are those of the server's source
(ollama/ollama, api/types.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import msgspec

from . import wire_openai
from .wire_openai import Refusal

CONTENT_TYPE = "application/x-ndjson"
STREAMS = True
_ROLES = ("system", "user", "assistant", "tool")
_MADE = "2026-11-25T00:00:00Z"


class OllamaRefusal(Refusal):
    """The request is answered with `{"error": text}`."""

    def __init__(self, text: str) -> None:
        super().__init__(400, text)
        self.body: Any = {"error": text}


def decode(body: bytes) -> dict[str, Any]:
    """The request. Raises `Refusal` if it is not JSON, has no model or messages, or one that the server would refuse."""
    try:
        request: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        _refuse(str(error))
    if not request.get("model"):
        _refuse("model is required")
    if not request.get("messages"):
        _refuse("no messages: the model would only be loaded")
    for message in request["messages"]:
        if message.get("role") not in _ROLES:
            _refuse(f"invalid role: {message.get('role')!r}")
        if not isinstance(message.get("content", ""), str):
            _refuse("json: cannot unmarshal array into Go struct field Message.messages.content of type string")
        for call in message.get("tool_calls") or []:
            if not isinstance(call["function"]["arguments"], dict):
                _refuse("json: cannot unmarshal string into Go struct field ToolCallFunction.arguments")
    return request


def whole(request: dict[str, Any], number: int) -> bytes:
    """The answer to a request with `"stream": false`."""
    reply, thinking = _reply(request, number)
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if thinking:
        message["thinking"] = thinking
    if reply.calls:
        message["tool_calls"] = _calls(reply)
    return msgspec.json.encode({**_frame(request, message), **_end(reply)})


def streamed(request: dict[str, Any], number: int) -> Iterator[bytes]:
    """The answer to a request with a stream, line by line."""
    reply, thinking = _reply(request, number)
    pieces: list[dict[str, Any]] = [{"content": "", "thinking": word} for word in re.findall(r"\s*\S+", thinking)]
    pieces += [{"content": word} for word in re.findall(r"\s*\S+|\s+$", reply.text)]
    if reply.calls:
        pieces.append({"content": "", "tool_calls": _calls(reply)})
    for piece in pieces:
        yield _line({**_frame(request, {"role": "assistant", **piece}), "done": False})
    yield _line({**_frame(request, {"role": "assistant", "content": ""}), **_end(reply)})


def _refuse(text: str) -> NoReturn:
    raise OllamaRefusal(text) from None


def _reply(request: dict[str, Any], number: int) -> tuple[wire_openai.Reply, str]:
    messages: list[dict[str, Any]] = []
    waiting: list[tuple[str, str]] = []  # name and id of the calls that have no result yet
    for place, message in enumerate(request["messages"]):
        role, content = message["role"], message.get("content", "") + " [image]" * len(message.get("images") or ())
        if role == "tool":
            found = next((call for call in waiting if call[0] == message.get("tool_name")), None)
            if found is None:
                _refuse(f"a result of {message.get('tool_name')!r} without its call")
            waiting.remove(found)
            messages.append({"role": "tool", "tool_call_id": found[1], "content": content})
            continue
        calls = [
            (call["function"]["name"], f"call_{place}_{index}")
            for index, call in enumerate(message.get("tool_calls") or ())
        ]
        waiting += calls
        entry: dict[str, Any] = {"role": role, "content": content}
        if calls:
            entry["tool_calls"] = [{"id": call_id, "function": {"name": name}} for name, call_id in calls]
        messages.append(entry)
    chat: dict[str, Any] = {"messages": messages, "tools": request.get("tools") or []}
    chat["max_tokens"] = (request.get("options") or {}).get("num_predict")
    form = request.get("format")
    if isinstance(form, dict):
        chat["response_format"] = {"type": "json_schema", "json_schema": {"schema": form}}
    elif form == "json":
        chat["response_format"] = {"type": "json_object"}
    return wire_openai.reply(chat), f"Thinking of {number}." if request.get("think") else ""


def _calls(reply: wire_openai.Reply) -> list[dict[str, Any]]:
    return [
        {"id": call_id, "function": {"index": index, "name": name, "arguments": msgspec.json.decode(arguments)}}
        for index, (call_id, name, arguments) in enumerate(reply.calls)
    ]


def _frame(request: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    return {"model": request["model"], "created_at": _MADE, "message": message}


def _end(reply: wire_openai.Reply) -> dict[str, Any]:
    durations = dict.fromkeys(("total_duration", "load_duration", "prompt_eval_duration", "eval_duration"), 1_000_000)
    counts = {"prompt_eval_count": reply.prompt_tokens, "eval_count": reply.completion_tokens}
    return {"done": True, "done_reason": "length" if reply.finish == "length" else "stop", **durations, **counts}


def _line(value: dict[str, Any]) -> bytes:
    return msgspec.json.encode(value) + b"\n"
