"""What a tool returned, as the text that the model reads. Pure; any thread."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from llm_actors.messages import Attachment, ToolOutput


def output_text(value: Any, limit: int | None = None) -> tuple[str, list[Attachment]]:
    """The text, at most `limit` bytes of UTF-8 (cut between characters, and marked), and the files that came along.

    A str stays as it is, a ToolOutput is unwrapped. Anything else becomes JSON: also Structs, dataclasses, pydantic
    objects, dates, sets; what has no JSON form is shown by its repr, as the peer does. Unlike the peer's, the JSON
    keeps letters beyond ASCII: a model reads them in fewer tokens.
    """
    attachments: list[Attachment] = []
    if isinstance(value, ToolOutput):
        value, attachments = value.output, list(value.attachments)
    text = value if isinstance(value, str) else _json(value)
    # Half a surrogate pair (from a file name, say) can't be sent to anybody.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return (text if limit is None else cut(text, limit)), attachments


def cut(text: str, limit: int) -> str:
    """The text in at most `limit` bytes; a cut one ends with a mark that says how much there was."""
    whole = text.encode("utf-8")
    if len(whole) <= limit:
        return text
    mark = f"\n[cut: this is the beginning of {len(whole)} bytes]"
    room = max(0, limit - len(mark))
    return whole[:room].decode("utf-8", "ignore") + mark[: limit - room]


def _json(value: Any) -> str:
    try:
        return json.dumps(value, default=_plain, ensure_ascii=False)
    except (TypeError, ValueError):  # keys that aren't strings, or a circle
        return repr(value)


def _plain(value: Any) -> Any:
    if callable(getattr(value, "model_dump", None)):
        return value.model_dump(mode="json")
    if isinstance(value, bytes | bytearray | memoryview):
        return repr(value)  # msgspec would make base64 of it, which no model reads
    return msgspec.to_builtins(value, str_keys=True, enc_hook=_custom)


def _custom(value: Any) -> Any:
    return value.model_dump(mode="json") if callable(getattr(value, "model_dump", None)) else repr(value)
