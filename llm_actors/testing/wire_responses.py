"""OpenAI's Responses, spoken by rule in place of a model: bytes of a request to the values of an answer, no I/O.

What it says is what `wire_openai.py` says to the same conversation in chat completions, in the events and items of this wire. A model that
is asked for encrypted reasoning thinks first. A history that OpenAI would refuse is refused in OpenAI's words: a call without its output,
an output without its call, reasoning that is not whole or leads to nothing, an id that is too long. The formats are those of OpenAI's
reference (https://platform.openai.com/docs/api-reference/responses-streaming), seen in the source of its Python SDK.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from . import wire_openai
from .wire_openai import CONTENT_TYPE, CREATED, STREAMS, Refusal

__all__ = ["CONTENT_TYPE", "STREAMS", "Refusal", "decode", "streamed", "whole"]

_LONGEST_ID = 64


def decode(body: bytes) -> dict[str, Any]:
    """The request. Raises `Refusal` if it is not JSON, has no input, or a history that OpenAI would refuse."""
    try:
        request: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Refusal(400, f"We could not parse the JSON body of your request. ({error})") from None
    items = request.get("input")
    if isinstance(items, str):
        items = request["input"] = [{"type": "message", "role": "user", "content": items}]
    if not items or not isinstance(items, list):
        raise Refusal(400, "Missing required parameter: 'input'.", "missing_required_parameter", "input")
    _check_calls(items)
    _check_reasoning(items)
    return request


def whole(request: dict[str, Any], number: int) -> bytes:
    """The answer to a request without `stream`."""
    output, reply = _output(request, number)
    return msgspec.json.encode(_response(request, number, output, reply))


def streamed(request: dict[str, Any], number: int) -> Iterator[bytes]:
    """The answer to a request with `stream`, event by event."""
    output, reply = _output(request, number)
    begun = {**_response(request, number, [], reply), "status": "in_progress", "usage": None}
    events: list[dict[str, Any]] = [
        {"type": f"response.{kind}", "response": begun} for kind in ("created", "in_progress")
    ]
    for index, item in enumerate(output):
        events += [{**event, "output_index": index} for event in _item_events(item)]
    ended = _response(request, number, output, reply)
    events.append({"type": f"response.{ended['status']}", "response": ended})
    for sequence, event in enumerate(events):
        data = msgspec.json.encode({**event, "sequence_number": sequence})
        yield b"event: " + event["type"].encode() + b"\ndata: " + data + b"\n\n"


def _check_calls(items: list[dict[str, Any]]) -> None:
    waiting: list[str] = []
    for place, item in enumerate(items):
        kind, call_id = item.get("type", "message"), item.get("call_id", "")
        if kind.endswith("_call_output"):
            if call_id not in waiting:
                text = f"No tool call found for function call output with call_id {call_id}."
                raise Refusal(400, text, None, "input")
            waiting.remove(call_id)
        elif call_id:
            if len(call_id) > _LONGEST_ID:
                text = f"Invalid 'input[{place}].call_id': string too long. Expected a string with maximum length 64."
                raise Refusal(400, text, "string_above_max_length", f"input[{place}].call_id")
            waiting.append(call_id)
        elif kind == "message" and item.get("role") != "assistant" and waiting:
            break
    if waiting:
        raise Refusal(400, f"No tool output found for function call {waiting[0]}.", None, "input")


def _check_reasoning(items: list[dict[str, Any]]) -> None:
    for item, behind in zip(items, [*items[1:], {}], strict=True):
        if item.get("type") != "reasoning":
            continue
        name = item.get("id")
        if not (item.get("encrypted_content") or item.get("content")):
            text = f"Item with id '{name}' not found. Items are not persisted when `store` is set to false."
            raise Refusal(404, text, None, "input")
        if not behind or (behind.get("type") == "message" and behind.get("role") != "assistant"):
            text = f"Item '{name}' of type 'reasoning' was provided without its required following item."
            raise Refusal(400, text, None, "input")


def _output(request: dict[str, Any], number: int) -> tuple[list[dict[str, Any]], wire_openai.Reply]:
    """The items that the rules give."""
    reply = wire_openai.reply(_as_chat(request))
    output: list[dict[str, Any]] = []
    if "reasoning.encrypted_content" in (request.get("include") or []):
        shown = (
            [{"type": "summary_text", "text": "Thinking."}] if (request.get("reasoning") or {}).get("summary") else []
        )
        output.append(
            {"id": f"rs_{number}", "type": "reasoning", "summary": shown, "encrypted_content": f"secret-{number}"}
        )
    if reply.text or not reply.calls:
        content = [{"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}]
        output.append(
            {"id": f"msg_{number}", "type": "message", "role": "assistant", "status": "completed", "content": content}
        )
    for call_id, name, arguments in reply.calls:
        item = {"id": f"fc_{call_id}", "type": "function_call", "status": "completed"}
        output.append({**item, "call_id": call_id, "name": name, "arguments": arguments})
    return output, reply


def _as_chat(request: dict[str, Any]) -> dict[str, Any]:
    """The same request in chat completions, as far as the rules read it."""
    messages: list[dict[str, Any]] = []
    if request.get("instructions"):
        messages.append({"role": "system", "content": request["instructions"]})
    for item in request["input"]:
        kind = item.get("type", "message")
        if kind.endswith("_call_output"):
            messages.append({"role": "tool", "tool_call_id": item["call_id"], "content": _text(item["output"])})
        elif kind in ("function_call", "custom_tool_call"):
            function = {"name": item["name"], "arguments": item.get("arguments", "{}")}
            call = {"id": item["call_id"], "type": "function", "function": function}
            if not (messages and messages[-1].get("tool_calls")):
                messages.append({"role": "assistant", "content": None, "tool_calls": []})
            messages[-1]["tool_calls"].append(call)
        elif kind == "message":
            messages.append({"role": item["role"], "content": _text(item["content"])})
    tools = [{"function": tool} for tool in request.get("tools") or [] if tool.get("type") == "function"]
    chat: dict[str, Any] = {"messages": messages, "tools": tools, "max_tokens": request.get("max_output_tokens")}
    choice = request.get("tool_choice", "auto")
    chat["tool_choice"] = {"function": {"name": choice.get("name")}} if isinstance(choice, dict) else choice
    form = (request.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        chat["response_format"] = {"type": "json_schema", "json_schema": {"schema": form["schema"]}}
    elif form:
        chat["response_format"] = form
    return chat


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", f"[{part.get('type')}]") for part in content)


def _response(
    request: dict[str, Any], number: int, output: list[dict[str, Any]], reply: wire_openai.Reply
) -> dict[str, Any]:
    cut = reply.finish == "length"
    counts = {"input_tokens": reply.prompt_tokens, "input_tokens_details": {"cached_tokens": 0}}
    counts |= {"output_tokens": reply.completion_tokens, "output_tokens_details": {"reasoning_tokens": 0}}
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": CREATED,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "model": request.get("model", "scripted"),
        "output": output,
        "store": request.get("store", True),
        "usage": {**counts, "total_tokens": reply.prompt_tokens + reply.completion_tokens},
    }


def _item_events(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One item, streamed."""
    kind, where = item["type"], {"item_id": item["id"]}
    empty: dict[str, dict[str, Any]] = {
        "message": {"content": []},
        "reasoning": {"summary": [], "encrypted_content": ""},
        "function_call": {"arguments": ""},
    }
    yield {"type": "response.output_item.added", "item": {**item, "status": "in_progress", **empty[kind]}}
    if kind == "message":
        where |= {"content_index": 0}
        part = item["content"][0]
        yield {"type": "response.content_part.added", "part": {**part, "text": ""}, **where}
        for word in re.findall(r"\s*\S+|\s+$", part["text"]):
            yield {"type": "response.output_text.delta", "delta": word, "logprobs": [], **where}
        yield {"type": "response.output_text.done", "text": part["text"], "logprobs": [], **where}
        yield {"type": "response.content_part.done", "part": part, **where}
    elif kind == "reasoning":
        for part in item["summary"]:
            where |= {"summary_index": 0}
            yield {"type": "response.reasoning_summary_part.added", "part": {**part, "text": ""}, **where}
            yield {"type": "response.reasoning_summary_text.delta", "delta": part["text"], **where}
            yield {"type": "response.reasoning_summary_text.done", "text": part["text"], **where}
            yield {"type": "response.reasoning_summary_part.done", "part": part, **where}
    else:
        half = len(item["arguments"]) // 2
        for piece in (item["arguments"][:half], item["arguments"][half:]):
            yield {"type": "response.function_call_arguments.delta", "delta": piece, **where}
        yield {
            "type": "response.function_call_arguments.done",
            "arguments": item["arguments"],
            "name": item["name"],
            **where,
        }
    yield {"type": "response.output_item.done", "item": item}
