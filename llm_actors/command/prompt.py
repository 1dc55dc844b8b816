"""One prompt: from the arguments and standard input to an answer on the screen."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import llm_actors as llm

from . import flag_values, interrupt, models, screen
from .flag_values import WrongFlag


class Asked:
    """What the flags say of every prompt, read once. Raises `WrongFlag` and `OSError`."""

    def __init__(self, flags: argparse.Namespace) -> None:
        self.tools = [flag_values.tool(name) for name in flags.tool]
        self.attachments = [flag_values.attachment(where) for where in flags.attachment]
        self.whole: bool = flags.no_stream
        self.usage: bool = flags.usage
        self.how: dict[str, Any] = {
            "system": flags.system,
            "options": dict(flag_values.option(*pair) for pair in flags.option),
            "schema": flag_values.schema(flags.schema) if flags.schema is not None else None,
            "key": flags.key,
            "timeout": flags.timeout,
            "stream": not flags.no_stream,
        }

    def ask(self, conversation: llm.Conversation, text: str) -> llm.Response:
        """Sends one prompt, as a chain when there are tools. Attachments go with the first one that stays in the history."""
        try:
            text.encode()
        except UnicodeEncodeError:
            msg = "the prompt is not valid UTF-8 text"
            raise ValueError(msg) from None
        files = [] if conversation.messages() else self.attachments
        if self.tools:
            return conversation.chain(text, attachments=files, **self.how)
        return conversation.prompt(text, attachments=files, **self.how)


def run(flags: argparse.Namespace) -> int:
    """Asks, streams the answer, prints the usage if wanted."""
    text = _text(flags)
    asked = Asked(flags)
    if not text.strip() and not asked.attachments:
        msg = 'there is no prompt: llm-actors "a prompt", or pipe one in'
        raise WrongFlag(msg)
    conversation = models.choose(flags.model).conversation(tools=asked.tools)
    with interrupt.caught() as presses:
        response = presses.cancel(asked.ask(conversation, text))
        try:
            screen.show(response, whole=asked.whole)
        except OSError:  # nobody reads our output any more: what runs is ended before we go
            response.cancel()
            raise
        screen.about(response, usage=asked.usage)
    return 0


def _text(flags: argparse.Namespace) -> str:
    """The words of the command line, then what comes in by standard input unless `-a -` takes that."""
    words = " ".join(flags.prompt)
    if sys.stdin is None or sys.stdin.isatty() or "-" in flags.attachment:
        return words
    try:
        piped = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        piped = "\0"
    if "\0" in piped:
        msg = "standard input is not UTF-8 text: `-a -` sends it as an attachment"
        raise WrongFlag(msg)
    return f"{words}\n{piped}" if words and piped.strip() else words or piped
