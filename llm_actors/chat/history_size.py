"""How much of a model's window a history takes: what the provider counted last, and a guess for what came since.

A token is taken for four characters, a file for FILE tokens. That is a guess: it serves to act in time, not to fill the window to the brim.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from llm_actors.messages import Message, Usage
from llm_actors.messages.parts import AnyPart, AttachmentPart, ReasoningPart, TextPart, ToolCallPart

from .history import Answered, Entry, History, Replaced, Returned, Said, Withdrawn, raw_messages

CHARACTERS = 4
"""Characters of a token."""
FILE = 1000
"""Tokens of an attachment: an image of a page takes about that."""
FRAME = 4
"""Tokens that each message takes beside its content."""


def estimate(messages: Iterable[Message]) -> int:
    """The tokens of these messages, guessed."""
    return sum(FRAME + sum(map(_tokens, message.parts)) for message in messages)


def _tokens(part: AnyPart) -> int:
    if isinstance(part, AttachmentPart):
        return FILE
    if isinstance(part, TextPart | ReasoningPart):
        return -(-len(part.text) // CHARACTERS)
    if isinstance(part, ToolCallPart):
        return -(-len(part.name + msgspec.json.encode(part.arguments).decode()) // CHARACTERS)
    return -(-len(part.name + part.output) // CHARACTERS) + FILE * len(part.attachments)


def counted(usage: Usage | None) -> int | None:
    """What a model call says of the whole history, its own answer included; None where it does not tell."""
    if usage is None or usage.input is None or usage.output is None:
        return None
    return usage.input + usage.output


def grown(tokens: int, entries: Iterable[Entry]) -> int:
    """The size of a history of so many tokens with these entries behind it."""
    for entry in entries:
        if type(entry) is Replaced:
            tokens = estimate(entry.messages)
        elif type(entry) is Answered:
            known = counted(entry.record.usage)
            tokens = tokens + estimate(entry.messages) if known is None else known
        elif type(entry) is Said or type(entry) is Returned:
            tokens += estimate(raw_messages([entry]))
    return tokens


def size(history: History) -> int:
    """The tokens of a history. Looks back to the last call whose provider counted, or to where it began anew."""
    since: list[Entry] = []
    withdrawn: set[str] = set()
    link = history.head
    while link is not None:
        entry = link.entry
        if type(entry) is Withdrawn:
            withdrawn.add(entry.turn)
        elif entry.turn not in withdrawn:
            since.append(entry)
            if type(entry) is Replaced or (type(entry) is Answered and counted(entry.record.usage) is not None):
                break
        link = link.before
    return grown(0, reversed(since))
