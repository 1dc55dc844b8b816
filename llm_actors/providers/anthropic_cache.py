"""Marks for Anthropic's prompt cache: up to where the beginning of a request is kept for the next one.

above it   anthropic_request.py
below it   nothing

At most four marks a request; none on thinking. A look-up goes back some 20 blocks from a mark, so that a turn of many blocks finds what
the one before it wrote only by a mark at its end: https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from collections.abc import Iterator
from typing import Any

Block = dict[str, Any]

_MARKS = 4
_MARKABLE = frozenset({"text", "image", "document", "tool_use", "tool_result"})


def mark_stable_prefix(body: dict[str, Any], ttl: str | None) -> None:
    """Puts marks at the end of the request, of the system prompt, of the tools, and of the user's turn before: as many as are left.

    `body` is changed in place, its tools and system prompt are replaced. `ttl`: `5m` or `1h`, None for the provider's default.
    """
    mark: Block = {"type": "ephemeral", **({"ttl": ttl} if ttl else {})}
    users = [message for message in body["messages"] if message["role"] == "user"]
    left = _MARKS - sum(1 for _ in _marked(body))
    for spot in ("last", "system", "tools", "before"):
        if left <= 0:
            return
        if spot == "system":
            left -= _mark_system(body, mark)
        elif spot == "tools":
            left -= _mark_tools(body, mark)
        else:
            messages = body["messages"][-1:] if spot == "last" else users[-2:-1]
            left -= any(_mark_last(message["content"], mark) for message in messages)


def _marked(body: dict[str, Any]) -> Iterator[Block]:
    """The blocks that are marked already."""
    system = body.get("system")
    blocks = [*(body.get("tools") or ()), *(system if isinstance(system, list) else ())]
    for message in body["messages"]:
        for block in message["content"]:
            blocks.append(block)
            content = block.get("content")
            blocks += content if isinstance(content, list) else ()
    yield from (block for block in blocks if isinstance(block, dict) and block.get("cache_control"))


def _mark_last(content: list[Block], mark: Block) -> bool:
    """Marks the last block that takes a mark; False if none does, or it has one."""
    for place in range(len(content) - 1, -1, -1):
        block = content[place]
        if block["type"] not in _MARKABLE:
            continue
        if block.get("cache_control"):
            return False
        content[place] = {**block, "cache_control": mark}
        return True
    return False


def _mark_system(body: dict[str, Any], mark: Block) -> bool:
    system = body.get("system")
    if not system:
        return False
    blocks = [{"type": "text", "text": system}] if isinstance(system, str) else [*system]
    body["system"] = blocks
    return _mark_last(blocks, mark)


def _mark_tools(body: dict[str, Any], mark: Block) -> bool:
    tools = body.get("tools")
    if not tools or tools[-1].get("cache_control"):
        return False
    body["tools"] = [*tools[:-1], {**tools[-1], "cache_control": mark}]
    return True
