"""Writes a conversation as Anthropic's messages.

    above it   anthropic_request.py
    below it   anthropic_blocks_sent.py (part -> block), anthropic_prefix.py (which thinking may go back), messages

What this wire wants, and tests/strict/anthropic.py checks: the system prompt in force on top, users and assistants in turn, a user first, a
call's results first in the message behind it, nothing blank, thinking in its place and unchanged, and none at an assistant's end.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from llm_actors.messages import Message

from .anthropic_blocks_sent import BlockWriter
from .anthropic_prefix import Prefix, binds_thinking

Block = dict[str, Any]

_SERVER_CALLS = ("server_tool_use", "mcp_tool_use")
BEGINNING = "(the conversation begins)"
"""What a user says in front of a conversation that an assistant begins."""
BLANK = "(blank)"
"""What a user says who said nothing but blanks: they are refused, and without the message the assistant would have the last word."""


class Turn(msgspec.Struct):
    """What one message of ours comes to. `prefix`: the mark of what its thinking was made from, if it is known."""

    role: str
    blocks: list[Block]
    prefix: str | None = None


class Conversation(msgspec.Struct, frozen=True):
    """The system prompt in force, and the turns of users and assistants, each as long as it is in the history."""

    system: list[Block]
    turns: list[Turn]

    def messages(self) -> list[Block]:
        """The turns as the wire has them: neighbours of one role are one message."""
        merged: list[Block] = []
        for turn in self.turns:
            if merged and merged[-1]["role"] == turn.role:
                merged[-1]["content"] += turn.blocks
            else:
                merged.append({"role": turn.role, "content": [*turn.blocks]})
        return merged

    def prefix(self, tools: Sequence[Any]) -> str:
        """The mark of all of it: what the thinking of the answer to it is made from."""
        mark = Prefix(self.system, tools)
        for turn in self.turns:
            mark.add(turn.role, turn.blocks)
        return mark.mark()


def conversation_of(messages: Iterable[Message], provider: str, model: str, tools: Sequence[Any]) -> Conversation:
    """The conversation within the wire's rules. Raises `ModelError` for an attachment that it can't carry.

    `provider`: the name under which `provider_metadata` holds what is ours. `model`, `tools`: as the request has them.
    """
    writer = BlockWriter(provider, unsigned="claude" not in model)
    system: list[Block] = []
    turns: list[Turn] = []
    for message in messages:
        if message.role == "system":
            system = writer.texts(message) or system
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = writer.blocks(message)
        if not blocks and message.role == "user" and message.parts:
            blocks = [{"type": "text", "text": BLANK}]
        own = (message.provider_metadata or {}).get(provider)
        prefix = own.get("prefix") if isinstance(own, dict) else None
        if blocks:
            turns.append(Turn(role, blocks, prefix if isinstance(prefix, str) else None))
    turns = _without_open_server_calls(turns)
    turns = _without_thinking_at_ends(turns)
    if turns and turns[0].role == "assistant":
        turns.insert(0, Turn("user", [{"type": "text", "text": BEGINNING}]))
    if turns and turns[-1].role == "assistant":
        _strip_end(turns[-1].blocks)
    conversation = Conversation(system, turns)
    if binds_thinking(model):
        _drop_stale_thinking(conversation, tools)
    return conversation


def _without_open_server_calls(turns: list[Turn]) -> list[Turn]:
    """Without calls that the provider was to run, and never did: a turn that was paused, and then left.

    One whose result may still come stays: where nothing, or only results of our tools, came behind it. Of a code that calls our tools, and
    of a search that was paused, the result comes with a later answer:
    https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
    """
    called: set[str] = set()
    for (
        turn
    ) in turns:  # nor a result whose call was before the beginning, which is refused too (anthropics/claude-code#95406)
        called.update([_id(block, "id") for block in turn.blocks])
        turn.blocks = [
            block for block in turn.blocks if not _is_server_result(block) or _id(block, "tool_use_id") in called
        ]
    answered = {_id(block, "tool_use_id") for turn in turns for block in turn.blocks if _is_server_result(block)}
    moved_on = False
    for turn in reversed(turns):
        if turn.role == "user":
            moved_on |= any(block["type"] != "tool_result" for block in turn.blocks)
        elif moved_on:
            turn.blocks = [
                block for block in turn.blocks if block["type"] not in _SERVER_CALLS or _id(block, "id") in answered
            ]
    return [turn for turn in turns if turn.blocks]


def _is_server_result(block: Block) -> bool:
    kind: str = block["type"]
    return kind.endswith("_tool_result")


def _id(block: Block, name: str) -> str:
    value = block.get(name)
    return value if isinstance(value, str) else ""


def _without_thinking_at_ends(turns: list[Turn]) -> list[Turn]:
    """Without thinking behind which the assistant said nothing more: it is refused as a message's last block."""
    following = "user"
    for turn in reversed(turns):
        while turn.role == "assistant" and following != "assistant" and turn.blocks and is_thinking(turn.blocks[-1]):
            turn.blocks.pop()
        following = turn.role if turn.blocks else following
    return [turn for turn in turns if turn.blocks]


def _strip_end(blocks: list[Block]) -> None:
    """A request that ends with an assistant's words (older models go on from there) must not end in blanks."""
    last = blocks[-1]
    if last["type"] == "text":
        blocks[-1] = {**last, "text": last["text"].rstrip()}


def _drop_stale_thinking(conversation: Conversation, tools: Sequence[Any]) -> None:
    """Takes thinking out that was made from another beginning than it would be sent behind."""
    if not any(turn.prefix for turn in conversation.turns):
        return
    mark = Prefix(conversation.system, tools)
    for turn in conversation.turns:
        if turn.prefix is not None and turn.prefix != mark.mark():
            turn.blocks = [block for block in turn.blocks if not is_thinking(block)]
        mark.add(turn.role, turn.blocks)
    conversation.turns[:] = [turn for turn in conversation.turns if turn.blocks]


def is_thinking(block: Block) -> bool:
    """Whether it is thinking, shown or not."""
    return block["type"] in ("thinking", "redacted_thinking")
