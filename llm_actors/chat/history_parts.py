"""Two passes of `repair()` over a whole conversation: each part in a message that may hold it, each call under an id of its own.

    above it   history.py, which matches calls and results between the two
    below it   messages

Both give a message that needs nothing as it is: the beginning of a conversation stays the same while it grows, which is what the prompt
caches of the providers go by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from llm_actors.messages import Message
from llm_actors.messages.parts import AttachmentPart, ReasoningPart, TextPart, ToolCallPart, ToolResultPart


def placed(messages: Iterable[Message]) -> Iterator[Message]:
    """The messages with each part where it belongs: calls with the assistant, results in tool messages, and in these nothing else.

    What is empty is left out, part or message. Results that stand in another message (a model in Python code that ran the tool itself, a
    file of another library) go into a tool message of their own: behind an assistant's, before a user's.
    """
    for message in messages:
        if is_text(message):
            yield message  # nine in ten are no more than this
            continue
        parts = [part for part in message.parts if not _is_empty(part)]
        results = [part for part in parts if _is_our_result(part)]
        if message.role == "assistant":
            parts = [part for part in parts if not _is_our_result(part)]
        elif message.role == "tool":
            parts, results = results, []
        else:
            parts = [part for part in parts if isinstance(part, TextPart | AttachmentPart)]
        answer = [Message("tool", [*results])] if results else []
        if message.role != "assistant":
            yield from answer
        if parts:
            same = len(parts) == len(message.parts)
            yield message if same else Message(message.role, [*parts], message.provider_metadata)
        if message.role == "assistant":
            yield from answer


def is_text(message: Message) -> bool:
    """Whether this is one text that somebody said: valid as it is."""
    parts = message.parts
    return len(parts) == 1 and type(parts[0]) is TextPart and parts[0].text != "" and message.role != "tool"


def _is_our_result(part: Any) -> bool:
    return type(part) is ToolResultPart and not part.server_executed


def _is_empty(part: Any) -> bool:
    if type(part) is TextPart:
        return not part.text
    if type(part) is ReasoningPart:
        return not (part.text or part.redacted or part.provider_metadata)
    return type(part) is AttachmentPart and part.attachment is None


def distinct(messages: list[Message]) -> list[Message]:
    """The messages with an id of its own for each call, and for its result: the first call keeps an id, later ones get a number.

    Servers count their ids anew in each answer (`call_0`), or a history was put together from two; Anthropic and OpenAI's Responses take an
    id once in a whole request. Expects each tool message directly behind its calls, in call order.
    """
    seen: set[str] = set()
    made: list[Message] = []
    ids: list[str | None] = []
    for message in messages:
        if len(message.parts) == 1 and type(message.parts[0]) is TextPart:
            made.append(message)
            continue
        if message.role == "tool":
            made.append(_under(message, iter(ids), ToolResultPart))
            continue
        calls = [part for part in message.parts if type(part) is ToolCallPart]
        seen.update([part.tool_call_id for part in calls if part.server_executed and part.tool_call_id])
        ids = [_own(part.tool_call_id, seen) for part in calls if not part.server_executed]
        made.append(_under(message, iter(ids), ToolCallPart))
    return made


def _own(name: str | None, seen: set[str]) -> str | None:
    """An id that nobody has: this one if it is. Calls without an id get theirs from the codec."""
    if not name:
        return name
    own, number = name, 1
    while own in seen:
        number += 1
        own = f"{name}_{number}"
    seen.add(own)
    return own


def _under(message: Message, ids: Iterator[str | None], kind: type[ToolCallPart | ToolResultPart]) -> Message:
    parts = [
        _named(part, next(ids)) if isinstance(part, kind) and not part.server_executed else part
        for part in message.parts
    ]
    return message if parts == message.parts else Message(message.role, parts, message.provider_metadata)


def _named(part: Any, name: str | None) -> Any:
    return part if part.tool_call_id == name else msgspec.structs.replace(part, tool_call_id=name)
