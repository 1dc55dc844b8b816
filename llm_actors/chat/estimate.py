"""How many tokens a model call may take, before it is made: a guess from its size, on the high side. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from llm_actors.messages import AttachmentPart, Item, Message, ToolCallPart, ToolResultPart

from .budget import Asked

if TYPE_CHECKING:
    from .budget import Price
    from .sent_prompt import SentPrompt

BYTES = 3
"""Bytes of UTF-8 for each token: English text has 4, code 3, Chinese 4 and more."""
MESSAGE = 4
"""Tokens around each message."""
FILE = 1_500
"""Tokens of an attachment: about those of an image."""
OUTPUT = 1_000
"""Tokens of an answer that nothing limits."""
LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict")
"""Options that limit the output, in the words of the providers."""


def asked_by(sent: SentPrompt, model: str, price: Price | None) -> Asked:
    """What this call asks for."""
    options = sent.option_values
    limit = next((value for name in LIMITS if isinstance(value := options.get(name), int) and value > 0), None)
    size = sum(_of_message(message) for message in sent.messages) + _of(sent.schema)
    size += sum(
        _of([tool.name, getattr(tool, "description", ""), getattr(tool, "input_schema", "")]) for tool in sent.tools
    )
    return Asked(model, size, OUTPUT if limit is None else limit, limit is not None, price)


def tokens_in(items: Iterable[Item]) -> int:
    """Those of what has arrived."""
    return _tokens("".join([item if isinstance(item, str) else item.chunk for item in items]))


def _of_message(message: Message) -> int:
    size = MESSAGE
    for part in message.parts:
        if isinstance(part, AttachmentPart):
            size += FILE
        elif isinstance(part, ToolResultPart):
            size += _of(part.output) + FILE * len(part.attachments)
        else:
            size += _of(part.arguments if isinstance(part, ToolCallPart) else part.text)
    return size


def _of(value: Any) -> int:
    return _tokens(value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=repr)) if value else 0


def _tokens(text: str | bytes) -> int:
    size = len(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return -(-size // BYTES)
