"""What is published of an answer."""

from __future__ import annotations

import msgspec


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A complete answer, as it goes to the subscribers of a topic; a conversation that hears it is prompted with its text.

    `response` and `conversation` are ids, `name` the conversation's; the last two are empty for `model.prompt()`.
    """

    text: str
    model: str
    response: str
    conversation: str = ""
    name: str = ""
