"""Ollama's own chat. The codec exists, so its own output is checked; `check_body` takes any body.

The server decodes the messages into its structs (ollama/ollama, api/types.go) and hands them to the model's own template. It has no rules
beyond their form; the order of calls and results is what the templates count on, since they know names at best and often no ids (wire
notes, section 6).
"""

import base64
import binascii
import json
from typing import Any

from llm_actors.messages import Message, ModelRequest
from llm_actors.messages.parts import AttachmentPart
from llm_actors.providers.ollama import Ollama

from .refused import Refused, demand

_KNOWN = {"role", "content", "thinking", "images", "tool_calls", "tool_name", "tool_call_id"}


def body_of(messages: list[Message]) -> dict[str, Any]:
    """The body of a request with these messages. Where nothing is said the codec itself refuses."""
    request = ModelRequest(model="m", messages=[_without_empty_files(message) for message in messages], request_id="r")
    try:
        body = Ollama().encode(request, {}).body
    except Exception as error:
        raise Refused(str(error)) from None
    plain = json.loads(body)
    assert isinstance(plain, dict)
    return plain


def _without_empty_files(message: Message) -> Message:
    parts = [part for part in message.parts if not isinstance(part, AttachmentPart) or part.attachment is not None]
    return Message(message.role, parts, message.provider_metadata)


def check_body(body: dict[str, Any]) -> None:
    """Raises `Refused` with the rule that this body breaks."""
    messages = body["messages"]
    demand(messages, "messages: empty, which only loads the model")  # wire notes section 6: done_reason "load"
    waiting: list[str] = []
    for place, message in enumerate(messages):
        role, name = message["role"], f"messages[{place}]"
        demand(role in ("system", "user", "assistant", "tool"), f"{name}: invalid role: {role!r}")
        demand(isinstance(message["content"], str), f"{name}: invalid message format: content is no string")
        demand(set(message) <= _KNOWN, f"{name}: fields that the server does not know: {set(message) - _KNOWN}")
        for image in message.get("images") or []:
            demand(_is_base64(image), f"{name}: illegal base64 data in images")
        if role == "tool":
            demand(waiting[:1] == [message["tool_name"]], f"{name}: a result of {message['tool_name']}, not {waiting}")
            waiting = waiting[1:]
            continue
        demand(not waiting, f"{name}: no results of {waiting}")
        calls = message.get("tool_calls") or []
        demand(not calls or role == "assistant", f"{name}: calls of a {role}")
        demand(message["content"] or calls or message.get("images"), f"{name}: nothing is said")
        for call in calls:
            demand(isinstance(call["function"]["arguments"], dict), f"{name}: arguments must be an object")
        waiting = [call["function"]["name"] for call in calls]
    demand(not waiting, f"no results of {waiting}")
    stop = (body.get("options") or {}).get("stop", [])
    demand(isinstance(stop, list), 'option "stop" must be of an array of strings')  # api/types.go, Options.FromMap


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except binascii.Error:
        return False


def check(messages: list[Message]) -> None:
    """Raises `Refused` with the rule that these messages break."""
    check_body(body_of(messages))
