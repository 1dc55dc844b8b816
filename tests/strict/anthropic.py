"""Anthropic's messages. What the codec has to do with ours:

- the system prompt in force (the last system message) goes to the top, the others are left out: no message has the role `system`;
- a tool message becomes a user message of `tool_result` blocks, in order, each with a text block only where there is text to show;
- blocks of blank text are left out, and messages that have no block left;
- `thinking` goes back with its signature, `redacted_thinking` with its data, both from `provider_metadata["anthropic"]`; reasoning without
  them is left out, and reasoning behind which the message has nothing else;
- neighbours of the same role become one message: users after a withdrawn turn, the next prompt behind tool results, two answers in a row;
- a conversation that an assistant begins gets a user message in front of it;
- where an assistant's message ends the request (models up to 4.5 go on from it, later ones refuse), the blanks at its end are cut off;
- ids of calls, and of their results alike, get the letters that are allowed.
"""

import re
from typing import Any

from llm_actors.messages import Message
from llm_actors.messages.parts import AttachmentPart, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

from .refused import demand

Block = dict[str, Any]


def body_of(messages: list[Message]) -> dict[str, Any]:
    """The messages, and the system prompt, as blocks."""
    systems = [message.text for message in messages if message.role == "system" and message.text.strip()]
    merged: list[Block] = []
    for message in messages:
        content = [] if message.role == "system" else _content(message)
        role = "user" if message.role == "tool" else message.role
        if content and merged and merged[-1]["role"] == role:
            merged[-1]["content"] += content
        elif content:
            merged.append({"role": role, "content": content})
    if merged and merged[0]["role"] == "assistant":
        merged.insert(0, {"role": "user", "content": [{"type": "text", "text": "(the conversation begins)"}]})
    if merged and merged[-1]["role"] == "assistant" and merged[-1]["content"][-1]["type"] == "text":
        merged[-1]["content"][-1]["text"] = merged[-1]["content"][-1]["text"].rstrip()
    return {"system": systems[-1] if systems else None, "messages": merged}


def _content(message: Message) -> list[Block]:
    blocks = [block for part in message.parts if (block := _block(part)) is not None]
    while message.role == "assistant" and blocks and blocks[-1]["type"].endswith("thinking"):
        blocks.pop()
    return blocks


def _block(part: Any) -> Block | None:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text} if part.text.strip() else None
    if isinstance(part, ToolCallPart):
        return {"type": "tool_use", "id": _id(part.tool_call_id), "name": part.name, "input": part.arguments}
    if isinstance(part, ToolResultPart):
        text = [{"type": "text", "text": part.output}] if part.output.strip() else []
        return {
            "type": "tool_result",
            "tool_use_id": _id(part.tool_call_id),
            "content": text,
            "is_error": part.exception is not None,
        }
    if isinstance(part, AttachmentPart):
        return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="}}
    assert isinstance(part, ReasoningPart)
    own = (part.provider_metadata or {}).get("anthropic") or {}
    if own.get("signature"):
        return {"type": "thinking", "thinking": part.text, "signature": own["signature"]}
    return {"type": "redacted_thinking", "data": own["data"]} if own.get("data") else None


def _id(name: str | None) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name or "")


def check_body(body: dict[str, Any]) -> None:
    """Raises `Refused` with the rule that this body breaks."""
    messages = body["messages"]
    demand(messages, "messages: at least one message is required")
    demand(messages[0]["role"] == "user", 'messages: first message must use the "user" role')
    waiting: list[str] = []
    used: set[str] = set()
    for place, message in enumerate(messages):
        role, content = message["role"], message["content"]
        demand(role in ("user", "assistant"), f"messages.{place}: no role {role!r}; a system prompt stands at the top")
        # wire notes 7.5; the API's reference: "consecutive turns of the same role are combined", which older compatibles do not do
        demand(not place or messages[place - 1]["role"] != role, f"messages.{place}: roles must alternate")
        demand(content, f"messages.{place}: content must not be empty")
        for block in content:
            _check_block(block, role, f"messages.{place}")
        _check_results(waiting, content, place)
        waiting = [block["id"] for block in content if block["type"] == "tool_use"]
        for name in waiting:  # across the whole request: anthropics/claude-code#28515, HKUDS/nanobot#4444
            demand(name not in used, f"messages.{place}: `tool_use` ids must be unique ({name})")
            used.add(name)
    # wire notes section 4: a dangling tool_use is a 400
    demand(not waiting, f"`tool_use` ids were found without `tool_result` blocks immediately after: {waiting}")
    _check_end(messages[-1])


def _check_block(block: Block, role: str, place: str) -> None:
    kind = block["type"]
    if kind == "text":  # home-assistant/core#175637: empty or of whitespace only
        demand(block["text"].strip(), f"{place}: text content blocks must contain non-whitespace text")
    elif kind == "tool_use":
        demand(role == "assistant", f"{place}: `tool_use` blocks can only be in `assistant` messages")
        # langchain-ai/langchain#37756, maximhq/bifrost#5097
        demand(re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]), f"{place}: tool_use.id should match '^[a-zA-Z0-9_-]+$'")
        demand(isinstance(block["input"], dict), f"{place}: tool_use.input should be an object")
    elif kind == "tool_result":
        demand(role == "user", f"{place}: `tool_result` blocks can only be in `user` messages")
        for part in block["content"]:
            _check_block(part, role, place)
    elif kind.endswith("thinking"):
        demand(role == "assistant", f"{place}: thinking can only be in `assistant` messages")
        # wire notes section 4: never an empty signature (pydantic/pydantic-ai#7601)
        demand(block.get("signature") or block.get("data"), f"{place}: Invalid `signature` in `thinking` block")


def _check_results(waiting: list[str], content: list[Block], place: int) -> None:
    """Wire notes section 4: all results of one assistant turn in the next user message, before all else."""
    results = [block["tool_use_id"] for block in content if block["type"] == "tool_result"]
    for name in results:  # anthropics/claude-code#18947
        demand(name in waiting, f"messages.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {name}")
    demand(len(set(results)) == len(results), f"messages.{place}: each tool_use must have a single result: {results}")
    missing = [name for name in waiting if name not in results]
    demand(
        not missing,
        f"messages.{place}: `tool_use` ids were found without `tool_result` blocks immediately after: {missing}",
    )
    first = [block["type"] for block in content[: len(results)]]
    demand(set(first) <= {"tool_result"}, f"messages.{place}: tool_result blocks must come first")


def _check_end(message: dict[str, Any]) -> None:
    last = message["content"][-1]
    if message["role"] == "assistant":
        # tailcallhq/forgecode#1872
        blank = last["type"] == "text" and last["text"] != last["text"].rstrip()
        demand(not blank, "messages: final assistant content cannot end with trailing whitespace")
        demand(not last["type"].endswith("thinking"), "the final block in an assistant message cannot be `thinking`")


def check(messages: list[Message]) -> None:
    """Raises `Refused` with the rule that these messages break."""
    check_body(body_of(messages))
