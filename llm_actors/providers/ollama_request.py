"""Writes the body of a request to Ollama's chat.

    above it   ollama.py
    below it   messages

- A role, and `content`, a string, for each message; pictures as bare base64 in `images`, texts of files behind what was said.
- A call in `tool_calls`, its arguments an object; a result is a message of its own, with `tool_name`, in the order of the calls: the
  templates of many models know names at best, and no ids.
- `thinking` goes back with the calls that it led to; other thinking, and what is empty, is left out.
"""

import base64
from collections.abc import Iterable
from typing import Any

from llm_actors.errors import ModelError
from llm_actors.messages import (
    Attachment,
    AttachmentPart,
    Message,
    ModelRequest,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
)

_TOP = ("think", "keep_alive", "truncate")  # options that are fields of the body; the others are of the model's run
_RENAMED = {"max_tokens": "num_predict"}


def body_of(request: ModelRequest) -> dict[str, Any]:
    """The body's fields. Raises `ModelError` for a file that this wire can't carry, and where nothing is said."""
    messages = _messages(request.messages)
    if not messages:
        msg = "nothing is said: without a message Ollama would only load the model"
        raise ModelError(msg)
    options = {name: value for name, value in request.options.items() if value is not None}
    body: dict[str, Any] = {"model": request.model, "messages": messages, "stream": request.stream}
    tools = [*map(_tool, request.tools), *map(_server_tool, request.server_tools)]
    if tools:
        body["tools"] = tools
    json_object = options.pop("json_object", None)
    if request.schema is not None:
        body["format"] = request.schema
    elif json_object:
        body["format"] = "json"
    # The server's own default is to drop the oldest messages in silence: an answer to half a conversation, and nobody knows.
    body["truncate"] = False
    body.update((name, options.pop(name)) for name in _TOP if name in options)
    more = options.pop("options", {})
    stop = options.get("stop")
    if isinstance(stop, str):
        options["stop"] = [stop]
    run = {_RENAMED.get(name, name): value for name, value in sorted(options.items())} | more
    if run:
        body["options"] = run
    return body


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.input_schema or {"type": "object", "properties": {}}
    return {"type": "function", "function": function}


def _server_tool(spec: Any) -> dict[str, Any]:
    if not isinstance(spec, dict):
        msg = f"Ollama takes a tool of its own as a dict, not as {type(spec).__name__}"
        raise ModelError(msg)
    return spec


def _messages(messages: Iterable[Message]) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = []
    system: str | None = None
    for message in messages:
        if message.role == "system":
            if message.text and message.text != system:  # a conversation carries its system prompt with every turn
                system = message.text
                written.append({"role": "system", "content": system})
            continue
        if message.role == "assistant":
            written += _answer(message)
        written += [
            _result(part) for part in message.parts if isinstance(part, ToolResultPart) and not part.server_executed
        ]
        if message.role == "user":
            content, images = _content(message.parts)
            if content or images:
                written.append({"role": "user", "content": content, **({"images": images} if images else {})})
    return written


def _answer(message: Message) -> list[dict[str, Any]]:
    calls = [_call(part) for part in message.parts if isinstance(part, ToolCallPart) and not part.server_executed]
    entry: dict[str, Any] = {"role": "assistant", "content": message.text}
    thinking = "".join([part.text for part in message.parts if isinstance(part, ReasoningPart)])
    if calls and thinking:
        entry["thinking"] = thinking
    if calls:
        entry["tool_calls"] = calls
    return [entry] if calls or message.text else []


def _call(part: ToolCallPart) -> dict[str, Any]:
    function = {"name": part.name, "arguments": part.arguments}
    return {"id": part.tool_call_id, "function": function} if part.tool_call_id else {"function": function}


def _result(part: ToolResultPart) -> dict[str, Any]:
    entry: dict[str, Any] = {"role": "tool", "tool_name": part.name, "content": part.output}
    if part.tool_call_id:
        entry["tool_call_id"] = part.tool_call_id
    if part.attachments:
        text, images = _content([TextPart(part.output), *map(AttachmentPart, part.attachments)])
        entry |= {"content": text, **({"images": images} if images else {})}
    return entry


def _content(parts: Iterable[Any]) -> tuple[str, list[str]]:
    """The text, and the pictures in base64."""
    texts: list[str] = []
    images: list[str] = []
    after_file = False
    for part in parts:
        if isinstance(part, TextPart) and part.text:
            texts.append(f"\n\n{part.text}" if after_file else part.text)
            after_file = False
        elif isinstance(part, AttachmentPart) and part.attachment is not None:
            kind = part.attachment.resolve_type()
            if kind.startswith("image/"):
                images.append(base64.b64encode(_bytes(part.attachment, kind)).decode("ascii"))
            elif kind.startswith("text/"):
                text = _bytes(part.attachment, kind).decode("utf-8", "replace")
                texts.append(f"\n\n{text}" if texts else text)
                after_file = True
            else:
                msg = f"Ollama can't carry an attachment of type {kind}"
                raise ModelError(msg)
    return "".join(texts), images


def _bytes(attachment: Attachment, kind: str) -> bytes:
    if attachment.content is None:
        msg = f"Ollama needs the bytes of an attachment of type {kind}, not only where it is"
        raise ModelError(msg)
    return attachment.content
