"""Writes the parts of a message as Anthropic's blocks.

    above it   anthropic_messages.py
    below it   anthropic_files.py, messages

What only this provider understands comes out of `provider_metadata` under its name, as anthropic_blocks.py put it there: `signature` and
`data` of thinking, `citations` of a text, `block` for what has no word of ours; and `cache_control`, which users put there.
"""

import re
from typing import Any

from llm_actors.messages import Message
from llm_actors.messages.parts import (
    AnyPart,
    AttachmentPart,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

from .anthropic_files import block_of

Block = dict[str, Any]

_OF_FILES = ("citations", "title", "context", "cache_control")
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")


class BlockWriter:
    """Writes the messages of one request, in order: ids that this wire does not take are made anew, the same for a call and its result.

    `unsigned`: thinking goes back without a signature too. Anthropic refuses it (pydantic/pydantic-ai#7601); Kimi, which signs nothing,
    refuses a call without the thinking before it (NousResearch/hermes-agent#17455).
    """

    def __init__(self, provider: str, *, unsigned: bool = False) -> None:
        self._provider = provider
        self._unsigned = unsigned
        self._ids: dict[str, str] = {}
        self._used: set[str] = set()
        self._made: list[tuple[str, str]] = []  # name and id of calls that came without one, until their result comes
        self._number = 0

    def texts(self, message: Message) -> list[Block]:
        """The texts alone, for a system prompt; one block unless one of them carries a mark."""
        blocks = [
            self._text(part, cited=False) for part in message.parts if isinstance(part, TextPart) and part.text.strip()
        ]
        if len(blocks) > 1 and not any(block.get("cache_control") for block in blocks):
            return [{"type": "text", "text": message.text}]
        return blocks

    def blocks(self, message: Message) -> list[Block]:
        """The blocks of a message that is no system prompt. Raises `ModelError` for an attachment of a type that can't be carried."""
        assistant = message.role == "assistant"
        blocks = [self._assistant(part) if assistant else self._user(part) for part in message.parts]
        return [block for block in blocks if block is not None]

    def _user(self, part: AnyPart) -> Block | None:
        if isinstance(part, TextPart):
            return self._text(part, cited=False) if part.text.strip() else None
        if isinstance(part, ToolResultPart) and not part.server_executed:
            return self._result(part)
        if isinstance(part, AttachmentPart) and part.attachment is not None:
            block = block_of(part.attachment)
            given = self._given(part)
            return block if block is None else block | {name: given[name] for name in _OF_FILES if name in given}
        return None

    def _assistant(self, part: AnyPart) -> Block | None:
        """An assistant's part; one of another provider that only that one understands, and a file, is left out."""
        if isinstance(part, TextPart):
            return self._text(part, cited=True) if part.text.strip() else None
        own = self._own(part)
        raw = own.get("block")
        raw = raw if isinstance(raw, dict) else {}
        known = isinstance(raw.get("type"), str)
        if isinstance(part, ReasoningPart):
            return self._thinking(part, own, raw if known else {})
        if isinstance(part, ToolCallPart):
            if part.server_executed:
                return {**raw, "input": part.arguments, **self._mark(part)} if known else None
            called = {"type": "tool_use", "id": self._id(part), "name": _clean(part.name), "input": part.arguments}
            return {**raw, **called, **self._mark(part)}
        if isinstance(part, ToolResultPart):
            return {**raw, **self._mark(part)} if part.server_executed and known else None
        return None

    def _thinking(self, part: ReasoningPart, own: dict[str, Any], raw: Block) -> Block | None:
        """Thinking unchanged, or a block nobody knows."""
        if own.get("signature"):
            return {"type": "thinking", "thinking": part.text, "signature": own["signature"]}
        if own.get("data"):
            return {"type": "redacted_thinking", "data": own["data"]}
        if raw.get("type") == "thinking":
            return {**raw, "thinking": part.text} if self._unsigned else None
        return dict(raw) or None

    def _text(self, part: TextPart, *, cited: bool) -> Block:
        own = self._own(part)
        # In a user's message they are a 400 since API version 2026-10-21.
        citations = {"citations": own["citations"]} if cited and own.get("citations") else {}
        return {"type": "text", "text": part.text, **citations, **self._mark(part)}

    def _result(self, part: ToolResultPart) -> Block:
        content: list[Block] = [{"type": "text", "text": part.output}] if part.output.strip() else []
        content += [file for one in part.attachments if (file := block_of(one)) is not None]
        block: Block = {"type": "tool_result", "tool_use_id": self._answered(part), "content": content}
        if part.exception is not None:
            block["is_error"] = True
        return {**block, **self._mark(part)}

    def _own(self, part: AnyPart) -> dict[str, Any]:
        own = (part.provider_metadata or {}).get(self._provider)
        return own if isinstance(own, dict) else {}

    def _given(self, part: AnyPart) -> dict[str, Any]:
        """What users say of a part: under `anthropic` whatever the server's name, which for an endpoint of theirs is its host."""
        given = (part.provider_metadata or {}).get("anthropic")
        return {**given, **self._own(part)} if isinstance(given, dict) else self._own(part)

    def _mark(self, part: AnyPart) -> Block:
        mark = self._given(part).get("cache_control")
        return {"cache_control": mark} if mark else {}

    def _id(self, part: ToolCallPart) -> str:
        if part.tool_call_id:
            known = self._ids.get(part.tool_call_id)
            if known is None:
                known = self._ids[part.tool_call_id] = self._free(_clean(part.tool_call_id))
            return known
        self._number += 1
        made = self._free(f"toolu_{self._number}")
        self._made.append((part.name, made))
        return made

    def _answered(self, part: ToolResultPart) -> str:
        if part.tool_call_id:
            return self._ids.get(part.tool_call_id) or _clean(part.tool_call_id)
        # The first open call of its name that has no id either.
        found = next((made for made in self._made if made[0] == part.name), (part.name, f"toolu_{_clean(part.name)}"))
        self._made = [made for made in self._made if made != found]
        return found[1]

    def _free(self, name: str) -> str:
        """An id that no other call has got: two may differ in nothing but letters that are not taken."""
        free, number = name, 1
        while free in self._used:
            number += 1
            free = f"{name}_{number}"
        self._used.add(free)
        return free


def _clean(name: str) -> str:
    return _NOT_IN_IDS.sub("_", name)
