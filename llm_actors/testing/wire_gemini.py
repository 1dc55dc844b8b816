"""Gemini's generateContent, spoken by rule in place of a model: it says what wire_openai.py says to the same history.

    answer(path, body)    the events of an answer (one for `generateContent`), or `Refusal`

The request is read into the form of chat completions, the reply written back in Gemini's (https://ai.google.dev/api/generate-content). A
call has an id and, the first of a batch, a thought signature, as Gemini 3 gives them; history that lost the signature, and function
responses that do not follow their calls, are refused in Google's words.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from . import wire_openai
from .wire_openai import Reply

SIGNATURE = "c2lnbmF0dXJl"
MODELS = ("gemini-3.8-flash", "gemini-2.5-pro", "gemini-embedding-2")


class Refusal(Exception):  # noqa: N818 - it is the answer, not a fault
    """The request is answered with an error: `status` and the `body` to send."""

    def __init__(self, status: int, message: str, word: str = "INVALID_ARGUMENT") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": status, "message": message, "status": word}}


def check_key(wanted: str | None, sent: str) -> None:
    """Raises `Refusal`, which shows the key that was sent, as providers do."""
    if wanted is not None and sent != wanted:
        raise Refusal(400, f"API key not valid. Please pass a valid API key. ({sent})")


def decode(body: bytes) -> dict[str, Any]:
    """The request. Raises `Refusal` if it is not JSON, or a history that Gemini would refuse."""
    try:
        request: dict[str, Any] = in_camel_case(msgspec.json.decode(body, type=dict[str, Any]))
    except msgspec.DecodeError as error:
        raise Refusal(400, f"Invalid JSON payload received. {error}") from None
    contents = request.get("contents")
    if not contents or not isinstance(contents, list):
        raise Refusal(400, "* GenerateContentRequest.contents: contents is not specified")
    waiting: list[str] = []
    for place, content in enumerate(contents):
        waiting = _check(content, place, waiting)
    if waiting:
        raise Refusal(400, _UNEQUAL)
    return request


def events(request: dict[str, Any], model: str, number: int) -> list[dict[str, Any]]:
    """The answer in the events of a stream: words one by one, then the end with the counts."""
    reply = wire_openai.reply(_as_chat(request))
    pieces = [[{"text": word}] for word in _words(reply.text)] or [_call_parts(reply, request)]
    made = [_event(parts, model, number) for parts in pieces]
    made[-1]["candidates"][0]["finishReason"] = "MAX_TOKENS" if reply.finish == "length" else "STOP"
    made[-1]["usageMetadata"] = {
        "promptTokenCount": reply.prompt_tokens,
        "candidatesTokenCount": reply.completion_tokens,
        "totalTokenCount": reply.prompt_tokens + reply.completion_tokens,
    }
    return made


def whole(request: dict[str, Any], model: str, number: int) -> bytes:
    """The answer to `generateContent`."""
    made = events(request, model, number)
    parts = [part for event in made for part in event["candidates"][0]["content"]["parts"]]
    if all("text" in part for part in parts):
        parts = [{"text": "".join([part["text"] for part in parts])}]
    made[-1]["candidates"][0]["content"]["parts"] = parts
    return msgspec.json.encode(made[-1])


def streamed(request: dict[str, Any], model: str, number: int) -> list[bytes]:
    """The answer to `streamGenerateContent?alt=sse`, event by event; nothing says that it is over."""
    return [b"data: " + msgspec.json.encode(event) + b"\r\n\r\n" for event in events(request, model, number)]


def model_list() -> bytes:
    """The answer to `GET /v1beta/models`."""
    models = [
        {
            "name": f"models/{name}",
            "displayName": name,
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["embedContent" if "embedding" in name else "generateContent"],
        }
        for name in MODELS
    ]
    return msgspec.json.encode({"models": models})


def in_camel_case(value: Any) -> Any:
    """Fields under one name: the API takes `mime_type` for `mimeType` too, as protocol buffers do, and Google's SDK mixes them."""
    if isinstance(value, list):
        return [in_camel_case(each) for each in value]
    if not isinstance(value, dict):
        return value
    named = {_UNDERLINED.sub(lambda found: found[1].upper(), name): each for name, each in value.items()}
    return {name: each if name in _FREE else in_camel_case(each) for name, each in named.items()}


_UNDERLINED = re.compile(r"_([a-z])")
_FREE = frozenset({"args", "response", "parametersJsonSchema", "responseJsonSchema"})
_UNEQUAL = (
    "Please ensure that the number of function response parts is equal to the number of function call parts of the "
    "function call turn."
)


def _check(content: dict[str, Any], place: int, waiting: list[str]) -> list[str]:
    """The names of the calls in this content, whose responses have to be in the next one."""
    parts = content.get("parts")
    if not parts or content.get("role") not in ("user", "model"):
        raise Refusal(400, f"* GenerateContentRequest.contents[{place}]: no parts, or no valid role")
    named = [part["functionResponse"]["name"] for part in parts if "functionResponse" in part]
    if named != waiting:
        raise Refusal(400, _UNEQUAL)
    calls = [part for part in parts if "functionCall" in part]
    if calls and not calls[0].get("thoughtSignature"):
        name = calls[0]["functionCall"]["name"]
        raise Refusal(400, f"Function call `{name}` in the `{place}.` content block is missing a `thought_signature`.")
    return [call["functionCall"]["name"] for call in calls]


def _as_chat(request: dict[str, Any]) -> dict[str, Any]:
    """The request as chat completions have it."""
    config = request.get("generationConfig") or {}
    tools = [
        {"function": {**tool, "parameters": tool.get("parametersJsonSchema") or tool.get("parameters")}}
        for group in request.get("tools") or []
        for tool in group.get("functionDeclarations") or []
    ]
    made: dict[str, Any] = {"messages": _messages(request), "tools": tools, "max_tokens": config.get("maxOutputTokens")}
    if config.get("responseJsonSchema"):
        made["response_format"] = {"type": "json_schema", "json_schema": {"schema": config["responseJsonSchema"]}}
    elif config.get("responseMimeType") == "application/json":
        made["response_format"] = {"type": "json_object"}
    return made


def _messages(request: dict[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    waiting: list[str] = []
    for place, content in enumerate(request["contents"]):
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        responses = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
        text = " ".join([part["text"] for part in content["parts"] if part.get("text") and not part.get("thought")])
        text += " ".join([f"[{part['inlineData']['mimeType']}]" for part in content["parts"] if "inlineData" in part])
        ids, waiting = waiting, [f"call_{place}_{number}" for number in range(len(calls))]
        for call_id, response in zip(ids, responses, strict=True):
            output = response["response"].get("output", response["response"].get("error"))
            messages.append({"role": "tool", "tool_call_id": call_id, "content": output})
        if calls:
            tool_calls = [
                {"id": call_id, "function": {"name": call["name"], "arguments": json.dumps(call.get("args") or {})}}
                for call_id, call in zip(waiting, calls, strict=True)
            ]
            messages.append({"role": "assistant", "content": text or None, "tool_calls": tool_calls})
        elif not responses:
            messages.append({"role": "assistant" if content["role"] == "model" else "user", "content": text})
    return messages


def _words(text: str) -> list[str]:
    words = text.split(" ")
    return [words[0], *[f" {word}" for word in words[1:]]] if text else []


def _call_parts(reply: Reply, request: dict[str, Any]) -> list[dict[str, Any]]:
    turn = len(request["contents"])
    parts: list[dict[str, Any]] = [
        {"functionCall": {"name": name, "args": json.loads(arguments), "id": f"fc_{turn}_{index}"}}
        for index, (_, name, arguments) in enumerate(reply.calls)
    ]
    if parts:
        parts[0]["thoughtSignature"] = SIGNATURE
    return parts


def _event(parts: list[dict[str, Any]], model: str, number: int) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
    return {"candidates": [candidate], "modelVersion": model, "responseId": f"resp_{number}"}
