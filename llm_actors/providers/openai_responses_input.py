"""Messages as the items of a request to OpenAI's Responses.

    above it   openai_responses_request.py
    below it   call_ids.py, messages

- Texts become `message` items, in place. An assistant's keep their `phase`: models since gpt-5.3-codex do worse without it.
- A call becomes a `function_call` without an item id (with one, the API wants the reasoning item that it was stored with), a result a
  `function_call_output` of the same `call_id`; an id of more than 64 characters is shortened, in both alike (openai/codex#14355).
- Reasoning goes back to the provider that wrote it, where it is whole: with its encrypted content, or as the plain text of an open model.
  It stands directly before an item of the same answer; behind the last one it is left out, and so is one that has been there before
  ("without its required following item", openai/openai-agents-python#1660; "Duplicate item found", vercel/ai#7883).
- Items of the provider's own tools, and those that nobody here knows, go back as they came. A call that somebody else than the provider
  should have answered, and has not, is left out: a request with an open call is refused.
"""

import base64
from collections.abc import Iterable
from typing import Any

import msgspec

from llm_actors.errors import ModelError
from llm_actors.messages import (
    Attachment,
    AttachmentPart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

from .call_ids import short_id

_LONGEST_ID = 64
CUSTOM = "custom_tool_call"
_CALLER = (
    "caller",
    "namespace",
)  # of a call that a program of the model's made: back with the call and with its output


class InputItems:
    """The items of a request; `add` the messages in order."""

    def __init__(self, provider: str, image_detail: str = "auto") -> None:
        self.items: list[dict[str, Any]] = []
        self._provider = provider
        self._image_detail = image_detail
        self._system: str | None = None
        self._thoughts: set[str] = set()
        self._calls: dict[str, dict[str, Any]] = {}
        self._made_ids: list[
            tuple[str, str]
        ] = []  # name and id of calls that came without an id, until their result comes
        self._made = 0

    def add(self, message: Message) -> None:
        """Adds what this message says."""
        if message.role == "system":
            text = message.text
            if text and text != self._system:  # a conversation carries its system prompt with every turn
                self._system = text
                self._say("system", [{"type": "input_text", "text": text}])
        elif message.role == "assistant":
            self._add_assistant(message)
        else:
            for part in message.parts:
                if isinstance(part, ToolResultPart) and not part.server_executed:
                    self._add_result(part)
            content = self._content(message.parts) if message.role != "tool" else []
            if content:
                self._say(message.role, content)

    def _say(self, role: str, content: list[dict[str, Any]], **more: Any) -> None:
        self.items.append({"type": "message", "role": role, "content": content, **more})

    # ---- an answer

    def _add_assistant(self, message: Message) -> None:
        own = _whole([item for item in map(self._raw, message.parts) if item is not None])
        waiting: list[dict[str, Any]] = []  # reasoning, until the item comes that it led to
        for part in message.parts:
            if isinstance(part, ReasoningPart) and self._raw(part) is None:
                waiting += self._reasoning(part)
                continue
            item = self._item(part, own)
            if item is None:
                continue
            self._join(item, waiting)
            waiting = []
        for part in message.parts:
            if isinstance(part, ToolResultPart) and not part.server_executed:
                self._add_result(part)

    def _join(self, item: dict[str, Any], waiting: list[dict[str, Any]]) -> None:
        """Adds an item behind its reasoning; text behind text of the same kind is one item."""
        self.items += waiting
        last = self.items[-1] if self.items else {}
        if (
            item["type"] == last.get("type") == "message"
            and last["role"] == "assistant"
            and last.get("phase") == item.get("phase")
        ):
            last["content"] += item["content"]
        else:
            self.items.append(item)

    def _item(self, part: Any, own: list[dict[str, Any]]) -> dict[str, Any] | None:
        """What a part of an answer goes back as; None: not at all. `own`: the provider's items that may go back."""
        raw = self._raw(part)
        if raw is not None:
            return raw if any(raw is item for item in own) else None
        if isinstance(part, TextPart) and part.text:
            return self._spoken(part)
        if isinstance(part, ToolCallPart) and not part.server_executed:
            return self._call(part)
        return None

    def _spoken(self, part: TextPart) -> dict[str, Any]:
        own = self._own(part)
        content = (
            {"type": "refusal", "refusal": part.text}
            if own.get("refusal")
            else {"type": "output_text", "text": part.text}
        )
        item: dict[str, Any] = {"type": "message", "role": "assistant", "content": [content]}
        return {**item, "phase": own["phase"]} if own.get("phase") else item

    def _reasoning(self, part: ReasoningPart) -> list[dict[str, Any]]:
        own = self._own(part)
        secret, name = own.get("encrypted_content"), own.get("id")
        content = own.get("content")
        if not (secret or content) or name in self._thoughts:
            return []
        if name:
            self._thoughts.add(name)
        summary = own.get("summary") or ([part.text] if part.text and not content else [])
        item: dict[str, Any] = {"type": "reasoning"}
        if name:
            item["id"] = name
        item["summary"] = [{"type": "summary_text", "text": text} for text in summary]
        if content:
            item["content"] = [{"type": "reasoning_text", "text": text} for text in content]
        return [{**item, "encrypted_content": secret} if secret else item]

    def _call(self, part: ToolCallPart) -> dict[str, Any]:
        own = self._own(part)
        name = part.tool_call_id
        if not name:
            self._made += 1
            name = f"call_{self._made}"
            self._made_ids.append((part.name, name))
        call_id = short_id(name, _LONGEST_ID)
        self._calls[call_id] = own
        more = {field: own[field] for field in _CALLER if own.get(field)}
        if own.get("type") == CUSTOM:
            text = part.arguments.get("input")
            text = text if isinstance(text, str) else msgspec.json.encode(part.arguments).decode()
            return {"type": CUSTOM, "call_id": call_id, "name": part.name, "input": text, **more}
        arguments = msgspec.json.encode(part.arguments).decode()
        return {"type": "function_call", "call_id": call_id, "name": part.name, "arguments": arguments, **more}

    def _add_result(self, part: ToolResultPart) -> None:
        name = part.tool_call_id
        if not name:  # answers the first open call of its name that has no id either
            found = next((made for made in self._made_ids if made[0] == part.name), (part.name, f"call_{part.name}"))
            self._made_ids = [made for made in self._made_ids if made != found]
            name = found[1]
        call_id = short_id(name, _LONGEST_ID)
        own = self._calls.get(call_id, {})
        kind = "custom_tool_call_output" if own.get("type") == CUSTOM else "function_call_output"
        output: str | list[dict[str, Any]] = part.output
        if part.attachments:
            said = [{"type": "input_text", "text": part.output}] if part.output else []
            output = [*said, *map(self._attachment, part.attachments)]
        more = {field: own[field] for field in _CALLER if own.get(field)}
        self.items.append({"type": kind, "call_id": call_id, "output": output, **more})

    def _own(self, part: Any) -> dict[str, Any]:
        own = (part.provider_metadata or {}).get(self._provider)
        return own if isinstance(own, dict) else {}

    def _raw(self, part: Any) -> dict[str, Any] | None:
        item = self._own(part).get("item")
        return item if isinstance(item, dict) else None

    # ---- files

    def _content(self, parts: Iterable[Any]) -> list[dict[str, Any]]:
        """A list of blocks, in order, none of them empty."""
        blocks: list[dict[str, Any]] = []
        for part in parts:
            if isinstance(part, AttachmentPart) and part.attachment is not None:
                blocks.append(self._attachment(part.attachment))
            elif isinstance(part, TextPart) and part.text:
                blocks.append({"type": "input_text", "text": part.text})
        return [block for block in blocks if block.get("text", True)]

    def _attachment(self, attachment: Attachment) -> dict[str, Any]:
        kind = attachment.resolve_type()
        if kind.startswith("image/"):
            url = attachment.url if attachment.content is None and attachment.url else _data_uri(attachment, kind)
            return {"type": "input_image", "image_url": url, "detail": self._image_detail}
        if kind.startswith("text/"):
            return {"type": "input_text", "text": _bytes(attachment, kind).decode("utf-8", "replace")}
        if kind.startswith("application/"):
            ending = kind.removeprefix("application/").removeprefix("x-")
            name = f"{attachment.id()}.{ending}"
            return {"type": "input_file", "filename": name, "file_data": _data_uri(attachment, kind)}
        msg = f"Responses can't carry an attachment of type {kind}"
        if kind.startswith("audio/"):
            msg += ": OpenAI takes audio by chat completions"
        raise ModelError(msg)


def _whole(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The provider's own items without calls that nobody answered, outputs that nobody asked for, and what waits for an approval."""
    kept: list[int] = []
    waiting: dict[str, int] = {}
    for place, item in enumerate(items):
        kind, call_id = str(item.get("type")), item.get("call_id")
        if isinstance(call_id, str) and call_id:
            if not kind.endswith("_output"):
                waiting[call_id] = place
            elif call_id in waiting:
                kept += [waiting.pop(call_id), place]
        elif kind != "mcp_approval_request":
            kept.append(place)
    return [items[place] for place in sorted(kept)]


def _data_uri(attachment: Attachment, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(_bytes(attachment, kind)).decode('ascii')}"


def _bytes(attachment: Attachment, kind: str) -> bytes:
    if attachment.content is None:
        msg = f"Responses need the bytes of an attachment of type {kind}, not only where it is"
        raise ModelError(msg)
    return attachment.content
