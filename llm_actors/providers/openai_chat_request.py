"""Writes the body of a chat completion.

    above it   openai_chat.py
    below it   openai_dialect.py, call_ids.py, messages

Plain values in, plain values out; the order of the fields is fixed, so that equal requests are equal bytes.
"""

import base64
import re
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

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

from .call_ids import id_of_length, short_id
from .openai_dialect import ChatDialect
from .schema_bounds import bounded

_Tooling = TypeVar("_Tooling", ToolCallPart, ToolResultPart)
_ENCODER = msgspec.json.Encoder()
# OpenAI's models that think take `max_completion_tokens` only: o1, o3-mini, gpt-5 and later, also behind a gateway's prefix.
_THINKS = re.compile(r"(?:^|/)(?:o[1-9]\d*|gpt-(?:[5-9]|[1-9]\d))(?:[-.]|$)")
_AUDIO = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


def encode_body(body: dict[str, Any]) -> bytes:
    """The body as JSON."""
    return _ENCODER.encode(body)


def body_of(request: ModelRequest, provider: str, dialect: ChatDialect) -> dict[str, Any]:
    """The body's fields. Raises `ModelError` for an attachment that this wire can't carry."""
    options = dict(request.options)
    writer = _Messages(provider, dialect, options.pop("image_detail", None))
    for message in request.messages:
        writer.add(message)
    answers = dialect.force_tool_prefill is not None and ends_in_tool_results(request.messages)
    own = [_tool(tool, dialect) for tool in request.tools]
    tools = [] if answers else [*own, *map(_server_tool, request.server_tools)]
    forced = bool(tools) and dialect.force_tool_prefill is not None
    stream = request.stream or dialect.always_stream
    body: dict[str, Any] = {"model": request.model, "messages": writer.messages, "stream": stream}
    if stream and dialect.include_usage:
        body["stream_options"] = {"include_usage": True}
    if tools:
        body["tools"] = tools
        if dialect.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = dialect.parallel_tool_calls
    json_object = options.pop("json_object", None)
    if request.schema is not None and not forced:  # one grammar at a time: the answer gets it, after the tools
        strict = {"strict": True} if dialect.strict_schema else {}
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "output", "schema": _bounded(request.schema, dialect), **strict},
        }
    elif json_object:
        body["response_format"] = {"type": "json_object"}
    if "max_tokens" in options:
        body[_token_limit(request.model, dialect)] = options.pop("max_tokens")
    renamed = dialect.renamed
    body.update(sorted((renamed.get(name, name), value) for name, value in options.items() if value is not None))
    if forced:
        _force_call(body, dialect)
    if request.hide_reasoning:
        body.update(dialect.hide_reasoning)
    return body


def ends_in_tool_results(messages: list[Message]) -> bool:
    """Whether the last word is a tool's: its results, and then at most a user message of the files that came with them."""
    for message in reversed(messages):
        if message.role != "user" or not all(isinstance(part, AttachmentPart) for part in message.parts):
            return message.role == "tool"
    return False


def _token_limit(model: str, dialect: ChatDialect) -> str:
    return dialect.token_limit or ("max_completion_tokens" if _THINKS.search(model) else "max_tokens")


def _force_call(body: dict[str, Any], dialect: ChatDialect) -> None:
    body["tool_choice"] = "required"
    body["messages"].append({"role": "assistant", "content": dialect.force_tool_prefill})
    if dialect.force_tool_stop is not None:
        stop = body.get("stop") or []
        body["stop"] = [*([stop] if isinstance(stop, str) else stop), dialect.force_tool_stop]


def _bounded(schema: dict[str, Any], dialect: ChatDialect) -> Any:
    return schema if dialect.bounds is None else bounded(schema, *dialect.bounds)


def _tool(tool: ToolSpec, dialect: ChatDialect) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = _bounded(tool.input_schema, dialect) or {"type": "object", "properties": {}}
    return {"type": "function", "function": function}


def _server_tool(spec: Any) -> dict[str, Any]:
    """A tool that the provider runs itself, as its own raw spec."""
    if not isinstance(spec, dict):
        msg = f"chat completions take a provider's own tool as a dict, not as {type(spec).__name__}"
        raise ModelError(msg)
    return spec


class _Messages:
    """The messages as this wire has them; `add` them in order."""

    def __init__(self, provider: str, dialect: ChatDialect, image_detail: str | None) -> None:
        self.messages: list[dict[str, Any]] = []
        self._provider = provider
        self._dialect = dialect
        self._image_detail = image_detail
        self._system: str | None = None
        self._made_ids: list[
            tuple[str, str]
        ] = []  # name and id of calls that came without an id, until their result comes
        self._made = 0

    def add(self, message: Message) -> None:
        if message.role == "system":
            self._add_system(message.text)
        elif message.role == "assistant":
            self._add_assistant(message)
        else:
            self.messages += [self._tool_result(part) for part in _ours(message.parts, ToolResultPart)]
            content = self._content(message.parts) if message.role != "tool" else None
            if content:
                self._add_user(message.role, content)

    def _add_system(self, text: str) -> None:
        """Not when it is the one in force: a conversation carries its system prompt with every turn."""
        if text and text != self._system:
            self._system = text
            self.messages.append({"role": self._dialect.system_role, "content": text})

    def _add_user(self, role: str, content: str | list[dict[str, Any]]) -> None:
        last = self.messages[-1] if self.messages else None
        if self._dialect.merge_users and role == "user" and last is not None and last["role"] == "user":
            before = last["content"]
            if isinstance(before, str) and isinstance(content, str):
                last["content"] = f"{before}\n\n{content}"
            else:
                last["content"] = [*_blocks(before), *_blocks(content)]
            return
        if self._dialect.after_results and last is not None and last["role"] == "tool":
            self.messages.append({"role": "assistant", "content": self._dialect.after_results})
        self.messages.append({"role": role, "content": content})

    def _add_assistant(self, message: Message) -> None:
        calls = [self._tool_call(part) for part in _ours(message.parts, ToolCallPart)]
        text = message.text
        entry: dict[str, Any] = {
            "role": "assistant",
            "content": text or (None if calls and self._dialect.null_content else ""),
        }
        entry.update(self._reasoning(message, with_tools=bool(calls)))
        if calls:
            entry["tool_calls"] = calls
        if text or len(entry) > 2:  # noqa: PLR2004 - more than role and content
            self.messages.append(entry)
        self.messages += [self._tool_result(part) for part in _ours(message.parts, ToolResultPart)]

    def _reasoning(self, message: Message, *, with_tools: bool) -> dict[str, Any]:
        """The thinking that goes back. Details of a provider only to itself; where a server insists on the field, it gets it empty."""
        echo = self._dialect.reasoning_echo
        if echo == "never" or (echo == "with_tools" and not with_tools):
            return {}
        metadata = (message.provider_metadata or {}).get(self._provider) or {}
        details = metadata.get("reasoning_details")
        if details:
            return {"reasoning_details": details}
        text = "".join([part.text for part in message.parts if isinstance(part, ReasoningPart)])
        field = self._dialect.reasoning_field or metadata.get("reasoning_field") or "reasoning_content"
        return {field: text} if text or echo == "with_tools" else {}

    def _tool_call(self, part: ToolCallPart) -> dict[str, Any]:
        call_id = part.tool_call_id
        if not call_id:
            self._made += 1
            call_id = f"call_{self._made}"
            self._made_ids.append((part.name, call_id))
        arguments = _ENCODER.encode(part.arguments).decode()
        call: dict[str, Any] = {
            "id": self._id(call_id),
            "type": "function",
            "function": {"name": part.name, "arguments": arguments},
        }
        extra = ((part.provider_metadata or {}).get(self._provider) or {}).get("extra_content")
        if extra:
            call["extra_content"] = extra
        return call

    def _tool_result(self, part: ToolResultPart) -> dict[str, Any]:
        call_id = part.tool_call_id
        if not call_id:  # answers the first open call of its name that has no id either
            found = next((made for made in self._made_ids if made[0] == part.name), (part.name, f"call_{part.name}"))
            self._made_ids = [made for made in self._made_ids if made != found]
            call_id = found[1]
        return {"role": "tool", "tool_call_id": self._id(call_id), "content": part.output}

    def _id(self, call_id: str) -> str:
        if self._dialect.call_id_length is not None:
            return id_of_length(call_id, self._dialect.call_id_length)
        longest = self._dialect.longest_call_id
        return call_id if longest is None else short_id(call_id, longest)

    def _content(self, parts: Iterable[Any]) -> str | list[dict[str, Any]]:
        """Text alone as a string; with attachments a list of blocks, in order, none of them empty."""
        blocks: list[dict[str, Any]] = []
        for part in parts:
            if isinstance(part, AttachmentPart) and part.attachment is not None:
                blocks.append(self._attachment(part.attachment))
            elif isinstance(part, TextPart) and part.text:
                if blocks and blocks[-1]["type"] == "text":
                    blocks[-1]["text"] += part.text
                else:
                    blocks.append({"type": "text", "text": part.text})
        if len(blocks) == 1 and blocks[0]["type"] == "text":
            text: str = blocks[0]["text"]
            return text
        return blocks

    def _attachment(self, attachment: Attachment) -> dict[str, Any]:
        kind = attachment.resolve_type()
        if kind.startswith("image/"):
            url = attachment.url if attachment.content is None and attachment.url else self._data_uri(attachment, kind)
            detail = {"detail": self._image_detail} if self._image_detail else {}
            return {"type": "image_url", "image_url": {"url": url, **detail}}
        if kind.startswith("audio/"):
            name = _AUDIO.get(kind) or kind.removeprefix("audio/")
            return {
                "type": "input_audio",
                "input_audio": {"data": _base64(self._bytes(attachment, kind)), "format": name},
            }
        if kind.startswith("text/"):
            return {"type": "text", "text": self._bytes(attachment, kind).decode("utf-8", "replace")}
        if kind.startswith("application/"):
            ending = kind.removeprefix("application/").removeprefix("x-")
            file = {"filename": f"{attachment.id()}.{ending}", "file_data": self._data_uri(attachment, kind)}
            return {"type": "file", "file": file}
        msg = f"chat completions can't carry an attachment of type {kind}"
        raise ModelError(msg)

    def _data_uri(self, attachment: Attachment, kind: str) -> str:
        return f"data:{kind};base64,{_base64(self._bytes(attachment, kind))}"

    def _bytes(self, attachment: Attachment, kind: str) -> bytes:
        if attachment.content is None:
            msg = f"chat completions need the bytes of an attachment of type {kind}, not only where it is"
            raise ModelError(msg)
        return attachment.content


def _blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _ours(parts: Iterable[Any], kind: type[_Tooling]) -> list[_Tooling]:
    """The calls, or results, of tools that run here, not at some provider."""
    return [part for part in parts if isinstance(part, kind) and not part.server_executed]


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
