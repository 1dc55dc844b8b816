"""Parts and messages: the content of a conversation as values.

The dict form is the peer's (llm 0.32+, `llm.serialization`): `to_dict()` leaves out what is empty or default, bytes are
base64, so that files written by one load in the other.
"""

from __future__ import annotations

from typing import Any

import msgspec

from .attachment import Attachment


class Part(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True, gc=False):
    """One piece of a message. The role lives on the message around it. Any thread."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: `{"type": "text", "text": ...}`."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        if plain.get("provider_metadata", True) == {}:
            del plain["provider_metadata"]
        if "attachment" in plain:
            plain["attachment"] = _in_order(plain["attachment"])
        if "attachments" in plain:
            plain["attachments"] = [_in_order(attachment) for attachment in plain["attachments"]]
        return plain

    @staticmethod
    def from_dict(plain: dict[str, Any]) -> AnyPart:
        """The part that `to_dict()` wrote. Raises `ValueError` for an unknown type, `msgspec.ValidationError` otherwise."""
        if plain.get("type") not in _PART_TYPES:
            msg = f"Unknown part type: {plain.get('type')!r}"
            raise ValueError(msg)
        part: AnyPart = msgspec.convert(plain, AnyPart)
        return part


def _in_order(attachment: dict[str, Any]) -> dict[str, Any]:
    """The keys of an attachment as the peer writes them: what is empty is left out, the URL comes before the path."""
    return {name: attachment[name] for name in ("type", "url", "path", "content") if attachment.get(name)}


class TextPart(Part, frozen=True, tag="text"):
    """Text, for or from the model."""

    text: str
    provider_metadata: dict[str, Any] | None = None


class ReasoningPart(Part, frozen=True, tag="reasoning"):
    """Thinking that the provider shows (`text`), or only says has happened (`redacted`).

    Signatures and encrypted reasoning ride in `provider_metadata`, under the provider's name, and go back only to it.
    """

    text: str
    redacted: bool = False
    provider_metadata: dict[str, Any] | None = None


class ToolCallPart(Part, frozen=True, tag="tool_call"):
    """A call that the model asks for. `server_executed`: the provider runs it itself."""

    name: str
    arguments: dict[str, Any]
    tool_call_id: str | None = None
    server_executed: bool = False
    provider_metadata: dict[str, Any] | None = None


class ToolResultPart(Part, frozen=True, tag="tool_result"):
    """What a call came to. `exception` is `"ValueError: text"` when the tool failed."""

    name: str
    output: str
    tool_call_id: str | None = None
    server_executed: bool = False
    exception: str | None = None
    attachments: list[Attachment] = []
    provider_metadata: dict[str, Any] | None = None


class AttachmentPart(Part, frozen=True, tag="attachment"):
    """A file inside a message."""

    attachment: Attachment | None = None
    provider_metadata: dict[str, Any] | None = None


AnyPart = TextPart | ReasoningPart | ToolCallPart | ToolResultPart | AttachmentPart
_PART_TYPES = frozenset({"text", "reasoning", "tool_call", "tool_result", "attachment"})


class Message(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A role (`user`, `assistant`, `system`, `tool`) and its parts. A value: equal when the content is equal. Any thread."""

    role: str
    parts: list[AnyPart]
    provider_metadata: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: `{"role": ..., "parts": [...]}`."""
        plain: dict[str, Any] = {"role": self.role, "parts": [part.to_dict() for part in self.parts]}
        if self.provider_metadata:
            plain["provider_metadata"] = self.provider_metadata
        return plain

    @staticmethod
    def from_dict(plain: dict[str, Any]) -> Message:
        """The message that `to_dict()` wrote. Raises `ValueError` for an unknown part type."""
        return Message(
            role=plain["role"],
            parts=[Part.from_dict(part) for part in plain.get("parts", [])],
            provider_metadata=plain.get("provider_metadata"),
        )

    @property
    def text(self) -> str:
        """All its text parts, joined."""
        return "".join([part.text for part in self.parts if type(part) is TextPart])


def _normalize(items: tuple[Any, ...] | list[Any]) -> list[AnyPart]:
    parts: list[AnyPart] = []
    for item in items:
        if isinstance(item, AnyPart):
            parts.append(item)
        elif isinstance(item, str):
            parts.append(TextPart(item))
        elif isinstance(item, Attachment):
            parts.append(AttachmentPart(item))
        elif isinstance(item, list | tuple):
            parts.extend(_normalize(item))
        else:
            msg = f"Cannot convert {item!r} to an llm Part"
            raise TypeError(msg)
    return parts


def system(*items: Any, provider_metadata: dict[str, Any] | None = None) -> Message:
    """A message of role `system`. Items: str, Attachment, Part, or lists of these; else `TypeError`. Any thread."""
    return Message("system", _normalize(items), provider_metadata)


def user(*items: Any, provider_metadata: dict[str, Any] | None = None) -> Message:
    """A message of role `user`. Items: str, Attachment, Part, or lists of these; else `TypeError`. Any thread."""
    return Message("user", _normalize(items), provider_metadata)


def assistant(*items: Any, provider_metadata: dict[str, Any] | None = None) -> Message:
    """A message of role `assistant`. Items: str, Attachment, Part, or lists of these; else `TypeError`. Any thread."""
    return Message("assistant", _normalize(items), provider_metadata)


def tool_message(*items: Any, provider_metadata: dict[str, Any] | None = None) -> Message:
    """A message of role `tool`, usually of ToolResultParts. Items: as for `user`. Any thread."""
    return Message("tool", _normalize(items), provider_metadata)
