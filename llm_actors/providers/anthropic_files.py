"""Attachments as Anthropic's blocks: images, PDFs and texts.

above it   anthropic_messages.py
below it   messages
"""

import base64
from typing import Any

from llm_actors.errors import ModelError
from llm_actors.messages import Attachment

Block = dict[str, Any]

_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_PDF = "application/pdf"


def block_of(attachment: Attachment) -> Block | None:
    """The block; None for a text without any. Raises `ModelError` for a type that this wire can't carry."""
    kind = attachment.resolve_type()
    if kind in _IMAGES:
        return {"type": "image", "source": _source(attachment, kind)}
    if kind == _PDF:
        return {"type": "document", "source": _source(attachment, kind)}
    if kind.startswith("text/"):
        text = _bytes(attachment, kind).decode("utf-8", "replace")
        source = {"type": "text", "media_type": "text/plain", "data": text}
        return {"type": "document", "source": source} if text.strip() else None
    msg = f"Anthropic's messages can't carry an attachment of type {kind}"
    raise ModelError(msg)


def _source(attachment: Attachment, kind: str) -> Block:
    if attachment.content is None and attachment.url is not None:
        return {"type": "url", "url": attachment.url}
    data = base64.b64encode(_bytes(attachment, kind)).decode("ascii")
    return {"type": "base64", "media_type": kind, "data": data}


def _bytes(attachment: Attachment, kind: str) -> bytes:
    if attachment.content is None:
        msg = f"Anthropic's messages need the bytes of an attachment of type {kind}, not only where it is"
        raise ModelError(msg)
    return attachment.content
