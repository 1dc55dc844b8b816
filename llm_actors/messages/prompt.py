"""What one prompt asks: `Prompt`, the mail that starts a turn, and `Options`, the base of every model's settings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from .attachment import Attachment
from .parts import Message
from .tools import ToolResult


class Options(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A model's settings: subclass it inside the model as `class Options(llm.Options): temperature: float | None = None`.

    Fields with None are not sent. An unknown name or a wrong type is an `OptionsError` at the call.
    """


class Prompt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One prompt, copied at the call. Also the message that `conversation.ref.ask(Prompt("hi"), block=False)` takes.

    `text` is what the caller wrote; `prompt` and `system` join it with the fragments, as the peer does. `tools` hold Python
    functions, so only a prompt without tools encodes to bytes; everything else in it does. Any thread.
    """

    text: str | None = None
    fragments: tuple[str, ...] = ()
    system_text: str | None = None
    system_fragments: tuple[str, ...] = ()
    attachments: list[Attachment] = []
    given_messages: list[Message] | None = None
    schema: dict[str, Any] | None = None
    tools: list[Any] = []
    tool_results: list[ToolResult] = []
    options: dict[str, Any] = {}
    stream: bool = True
    hide_reasoning: bool = False
    chain: bool = False
    chain_limit: int | None = None
    timeout: float | None = None
    deadline: float | datetime | None = None

    @property
    def prompt(self) -> str:
        """Fragments and text, joined by newlines."""
        if not self.fragments:
            return self.text or ""
        return "\n".join([*self.fragments, *([self.text] if self.text else [])])

    @property
    def system(self) -> str:
        """System fragments and system text, stripped, joined by blank lines."""
        if not self.system_fragments:
            return self.system_text.strip() if self.system_text else ""
        bits = [bit.strip() for bit in (*self.system_fragments, self.system_text or "")]
        return "\n\n".join([bit for bit in bits if bit])
