"""The form that `to_dict()` writes and `from_dict()` reads, as types: the peer's (llm 0.32 and later), key by key.

For code that reads or writes such files itself; nothing here does anything at run time. Keys that may be missing are left out when empty.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict


class AttachmentDict(TypedDict, total=False):
    """A file, inside of a part; `content` in base64."""

    type: str
    url: str
    path: str
    content: str


class TextPartDict(TypedDict):
    """TextPart."""

    type: Literal["text"]
    text: str
    provider_metadata: NotRequired[dict[str, Any]]


class ReasoningPartDict(TypedDict):
    """ReasoningPart."""

    type: Literal["reasoning"]
    text: str
    redacted: NotRequired[bool]
    provider_metadata: NotRequired[dict[str, Any]]


class ToolCallPartDict(TypedDict):
    """ToolCallPart."""

    type: Literal["tool_call"]
    name: str
    arguments: dict[str, Any]
    tool_call_id: NotRequired[str]
    server_executed: NotRequired[bool]
    provider_metadata: NotRequired[dict[str, Any]]


class ToolResultPartDict(TypedDict):
    """ToolResultPart."""

    type: Literal["tool_result"]
    name: str
    output: str
    tool_call_id: NotRequired[str]
    server_executed: NotRequired[bool]
    exception: NotRequired[str]
    attachments: NotRequired[list[AttachmentDict]]
    provider_metadata: NotRequired[dict[str, Any]]


class AttachmentPartDict(TypedDict):
    """AttachmentPart."""

    type: Literal["attachment"]
    attachment: NotRequired[AttachmentDict]
    provider_metadata: NotRequired[dict[str, Any]]


PartDict: TypeAlias = TextPartDict | ReasoningPartDict | ToolCallPartDict | ToolResultPartDict | AttachmentPartDict
"""Any part; `type` tells which."""


class MessageDict(TypedDict):
    """Message."""

    role: str
    parts: list[PartDict]
    provider_metadata: NotRequired[dict[str, Any]]


class PromptDict(TypedDict):
    """What a response was asked: all messages of its first model call, and the options and system prompt it was given."""

    messages: list[MessageDict]
    options: NotRequired[dict[str, Any]]
    system: NotRequired[str]


class UsageDict(TypedDict, total=False):
    """Usage."""

    input: int
    output: int
    details: dict[str, Any]


class ResponseDict(TypedDict):
    """Response."""

    model: str
    prompt: PromptDict
    messages: list[MessageDict]
    id: NotRequired[str]
    usage: NotRequired[UsageDict]
    datetime_utc: NotRequired[str]


class ConversationDict(TypedDict):
    """Conversation; the peer has none."""

    id: str
    name: NotRequired[str]
    model: str
    messages: list[MessageDict]
