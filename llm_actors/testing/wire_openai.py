"""OpenAI chat completions, spoken by rule in place of a model: bytes of a request to the values of an answer, no I/O.

What it says depends on the request alone, so that tests can foretell it:

    "hi"                                          ->  "echo: hi"
    "call add {"a": 1} and call now {}", tools    ->  these calls, in parallel
    "Convert panda to uppercase", tools           ->  what `demo` would call: tools that share words with the prompt
    tool results                                  ->  "results: add=3; now=noon"
    response_format json_schema                   ->  the smallest instance of the schema
    tool_choice that forces a tool                ->  that tool, with the smallest instance of its schema
    max_tokens / max_completion_tokens            ->  so many words, finish_reason "length"

A history that OpenAI would refuse (a tool call without its result, a result without its call) is refused in OpenAI's words. Tokens are
words. The formats are those of OpenAI's API reference for chat completions, seen in the source of its Python SDK.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from llm_actors.messages import ToolSpec
from llm_actors.providers.scripted_calls import wanted_calls

CONTENT_TYPE = "text/event-stream"
STREAMS = False
"""Whether a request that says nothing of `stream` gets one."""
CREATED = 1_700_000_000
"""The `created` of every answer: a constant, so that answers can be compared."""
MODELS = ("gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "scripted")

_CALL = re.compile(r"\bcall ([\w.-]+)\s*(?=\{)")


class Refusal(Exception):  # noqa: N818 - it is the answer, not a fault
    """The request is answered with an error: `status` and the `body` to send."""

    def __init__(self, status: int, message: str, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Any = {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


class Reply(msgspec.Struct, frozen=True):
    """What the rules give: text, or calls as (id, name, arguments in JSON)."""

    text: str
    calls: list[tuple[str, str, str]]
    finish: str
    prompt_tokens: int
    completion_tokens: int

    @property
    def usage(self) -> dict[str, int]:
        """The counts in the wire's form."""
        total = self.prompt_tokens + self.completion_tokens
        return {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens, "total_tokens": total}


def decode(body: bytes) -> dict[str, Any]:
    """The request. Raises `Refusal` if it is not JSON, has no messages, or a history that OpenAI would refuse."""
    try:
        request: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Refusal(400, f"We could not parse the JSON body of your request. ({error})") from None
    messages = request.get("messages")
    if not messages or not isinstance(messages, list):
        raise Refusal(400, "Missing required parameter: 'messages'.", "missing_required_parameter", "messages")
    _check_history(messages)
    return request


def reply(request: dict[str, Any]) -> Reply:
    """The answer to a decoded request."""
    messages: list[dict[str, Any]] = request["messages"]
    calls = [] if messages[-1]["role"] == "tool" else _calls(request)
    text = "" if calls else _text(request)
    words = re.findall(r"\s*\S+", text)
    limit = request.get("max_completion_tokens") or request.get("max_tokens")
    cut = limit is not None and len(words) > limit
    text = "".join(words[:limit]) if cut else text
    said = min(len(words), limit) if cut and limit else len(words)
    return Reply(
        text=text,
        calls=calls,
        finish="length" if cut else "tool_calls" if calls else "stop",
        prompt_tokens=sum(len(_content(message).split()) for message in messages),
        completion_tokens=said + sum(1 + len(arguments.split()) for _, _, arguments in calls),
    )


def whole(request: dict[str, Any], number: int) -> bytes:
    """The answer to a request without `stream`."""
    answer = reply(request)
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.calls:
        message["tool_calls"] = [_call_value(*call) for call in answer.calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish}
    frame = {**_frame(request, number, "chat.completion"), "choices": [choice], "usage": answer.usage}
    return msgspec.json.encode(frame)


def streamed(request: dict[str, Any], number: int) -> Iterator[bytes]:
    """The answer to a request with `stream`, event by event."""
    answer = reply(request)
    frame = _frame(request, number, "chat.completion.chunk")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None if answer.calls else "", "refusal": None}]
    deltas += [{"content": word} for word in re.findall(r"\s*\S+|\s+$", answer.text)]
    for index, (call_id, name, arguments) in enumerate(answer.calls):
        deltas.append({"tool_calls": [{"index": index, **_call_value(call_id, name, "")}]})
        half = len(arguments) // 2
        for piece in (arguments[:half], arguments[half:]):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    for delta in deltas:
        yield _event({**frame, "choices": [_choice(delta, None)]})
    yield _event({**frame, "choices": [_choice({}, answer.finish)]})
    if (request.get("stream_options") or {}).get("include_usage"):
        yield _event({**frame, "choices": [], "usage": answer.usage})
    yield b"data: [DONE]\n\n"


def model_list() -> bytes:
    """The answer to `GET /v1/models`."""
    data = [{"id": name, "object": "model", "created": CREATED, "owned_by": "scripted"} for name in MODELS]
    return msgspec.json.encode({"object": "list", "data": data})


def smallest(schema: dict[str, Any], root: dict[str, Any] | None = None) -> Any:
    """A small instance that a JSON schema allows; knows what tool and answer schemas use, not all of JSON Schema."""
    root = schema if root is None else root
    if "$ref" in schema:
        target: Any = root
        for name in schema["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        return smallest(target, root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for word in ("anyOf", "oneOf", "allOf"):
        if schema.get(word):
            return smallest(schema[word][0], root)
    return _smallest_of_type(schema, root)


def _smallest_of_type(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "null")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: smallest(sub, root) for name, sub in schema.get("properties", {}).items()}
    if kind == "array":
        return [smallest(schema.get("items", {}), root) for _ in range(schema.get("minItems", 0))]
    if kind == "string":
        return "x" * int(schema.get("minLength", 0))
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    return False if kind == "boolean" else None


def _check_history(messages: list[dict[str, Any]]) -> None:
    waiting: list[str] = []
    for number, message in enumerate(messages):
        place = f"messages.[{number}]"
        if message.get("role") == "tool":
            if message.get("tool_call_id") not in waiting:
                text = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                raise Refusal(400, f"Invalid parameter: {text}", None, f"{place}.role")
            waiting.remove(message["tool_call_id"])
        elif message.get("role") in ("system", "developer", "user", "assistant"):
            _check_answered(waiting)
            waiting = _call_ids(message, place)
        else:
            raise Refusal(400, f"Invalid value: {message.get('role')!r}.", "invalid_value", f"messages[{number}].role")
        _check_content(message, place)
    _check_answered(waiting)


def _call_ids(message: dict[str, Any], place: str) -> list[str]:
    """The ids of an assistant message's calls, which are there, whole, and each its own."""
    calls = message.get("tool_calls")
    if calls is None:
        return []
    if message["role"] != "assistant":
        raise Refusal(400, f"Extra inputs are not permitted: '{place}.tool_calls'.", "invalid_request", place)
    if not calls:
        text = f"Invalid '{place}.tool_calls': empty array. Expected an array with minimum length 1."
        raise Refusal(400, text, "empty_array", f"{place}.tool_calls")
    for index, call in enumerate(calls):
        function = call.get("function") or {}
        named = [call.get("id"), call.get("type"), function.get("name"), function.get("arguments")]
        if not all(isinstance(value, str) for value in named) or not call["id"] or not function["name"]:
            text = f"Missing or invalid id, type, name or arguments of '{place}.tool_calls[{index}]'."
            raise Refusal(400, text, "invalid_value", f"{place}.tool_calls[{index}]")
    ids: list[str] = [call["id"] for call in calls]
    if len(set(ids)) < len(ids):
        raise Refusal(400, f"Duplicate value for 'tool_call_id' in {place}.", "invalid_value", f"{place}.tool_calls")
    return ids


def _check_content(message: dict[str, Any], place: str) -> None:
    """Something is said: a text, parts, or (an assistant) calls in its place. Not all providers take empty texts, so none passes."""
    content = message.get("content")
    if content is None and message.get("tool_calls"):
        return
    empty = content == "" and message["role"] not in ("tool", "user")
    if not isinstance(content, str | list) or content == [] or (empty and not message.get("tool_calls")):
        expected = "a string or array of objects"
        text = f"Invalid value for 'content': expected {expected}, got {content!r}."
        raise Refusal(400, text, "invalid_value", f"{place}.content")


def _check_answered(waiting: list[str]) -> None:
    if waiting:
        text = "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
        missing = f"The following tool_call_ids did not have response messages: {', '.join(waiting)}"
        raise Refusal(400, f"{text} {missing}", None, "messages")


def _calls(request: dict[str, Any]) -> list[tuple[str, str, str]]:
    tools = {tool["function"]["name"]: tool["function"] for tool in request.get("tools") or []}
    choice = request.get("tool_choice", "auto")
    if not tools or choice == "none":
        return []
    text = _content(request["messages"][-1])
    found: list[tuple[str, str]] = []
    for match in _CALL.finditer(text):
        try:
            arguments, _ = json.JSONDecoder().raw_decode(text, match.end())
        except ValueError:
            continue
        found.append((match[1], json.dumps(arguments)))
    if not found and choice == "auto":
        found = [
            (call.name, json.dumps(call.arguments)) for call in wanted_calls(text, _specs(tools), _last_call(request))
        ]
    elif not found:
        name = choice["function"]["name"] if isinstance(choice, dict) else next(iter(tools))
        found = [(name, json.dumps(smallest(tools[name].get("parameters", {"type": "object"}))))]
    turn = len(request["messages"])
    return [(f"call_{turn}_{index}", name, arguments) for index, (name, arguments) in enumerate(found)]


def _specs(tools: dict[str, dict[str, Any]]) -> list[ToolSpec]:
    return [ToolSpec(name, tool.get("description"), tool.get("parameters") or {}) for name, tool in tools.items()]


def _last_call(request: dict[str, Any]) -> str | None:
    calls = [call for message in request["messages"] for call in message.get("tool_calls") or []]
    name: str | None = calls[-1]["function"]["name"] if calls else None
    return name


def _text(request: dict[str, Any]) -> str:
    form = request.get("response_format") or {}
    if form.get("type") == "json_schema":
        return json.dumps(smallest(form["json_schema"]["schema"]))
    if form.get("type") == "json_object":
        return "{}"
    messages = request["messages"]
    if messages[-1]["role"] != "tool":
        return f"echo: {_content(messages[-1])}"
    names = {call["id"]: call["function"]["name"] for message in messages for call in message.get("tool_calls") or []}
    last = max(number for number, message in enumerate(messages) if message["role"] != "tool")
    results = [f"{names[message['tool_call_id']]}={_content(message)}" for message in messages[last + 1 :]]
    return f"results: {'; '.join(results)}"


def _content(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", f"[{part.get('type')}]") for part in content)


def _frame(request: dict[str, Any], number: int, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{number}", "object": kind, "created": CREATED, "model": request.get("model", "scripted")}


def _choice(delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _call_value(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"
