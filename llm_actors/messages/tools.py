"""A tool call as the model asks for it, and what comes back."""

from typing import Any

import msgspec

from .attachment import Attachment


class ToolCall(msgspec.Struct, omit_defaults=True):
    """One call: the tool's name, its arguments as the model gave them, the provider's id."""

    name: str
    arguments: dict[str, Any]
    tool_call_id: str | None = None


class ToolOutput(msgspec.Struct, omit_defaults=True):
    """What a tool returns when it has files beside its output, and what a generator tool yields as its result."""

    output: Any = None
    attachments: list[Attachment] = []


class ToolResult(msgspec.Struct, omit_defaults=True):
    """What a call came to: `output` is the text for the model; `exception` what the tool raised, if it did.

    `instance` is the Toolbox the tool belongs to.
    """

    name: str
    output: str
    attachments: list[Attachment] = []
    tool_call_id: str | None = None
    instance: Any = None
    exception: BaseException | None = None
