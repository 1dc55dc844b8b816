"""The thinking that servers of chat completions show. It's not in OpenAI's schema, so each has its own field for it.

above it   openai_chat_answer.py
below it   openai_chat_chunk.py
"""

from typing import Any

from .openai_chat_chunk import Delta


class Reasoning:
    """The thinking that a server shows, and what has to go back to it: the field's name, and OpenRouter's details."""

    def __init__(self) -> None:
        self.seen = False
        self._field: str | None = None
        self._details: list[dict[str, Any]] = []

    def take(self, delta: Delta) -> str:
        """The text that this delta adds; while servers move from one field to the other they send both."""
        text, field = (
            delta.reasoning_content or delta.reasoning or "",
            "reasoning_content" if delta.reasoning_content else "reasoning",
        )
        details = [detail for detail in delta.reasoning_details or () if isinstance(detail, dict)]
        for detail in details:
            self._merge(detail)
        if not text and details:
            text, field = "".join([_of_detail(detail) for detail in details]), "reasoning_details"
        if text:
            self.seen = True
            self._field = self._field or field
        return text

    def metadata(self) -> dict[str, Any]:
        """What goes into the message, under the name of the provider."""
        found = {"reasoning_field": self._field, "reasoning_details": self._details}
        return {name: value for name, value in found.items() if value}

    def _merge(self, detail: dict[str, Any]) -> None:
        """Pieces of one detail, by index and type, become one: it has to go back as it was before it was streamed."""
        last = self._details[-1] if self._details else None
        same = last is not None and all(last.get(key) == detail.get(key) for key in ("index", "type"))
        if last is None or not same or "index" not in detail:
            self._details.append(dict(detail))
            return
        for name, value in detail.items():
            old = last.get(name)
            if name in ("text", "summary", "data") and isinstance(old, str) and isinstance(value, str):
                last[name] = old + value
            elif value is not None:
                last[name] = value


def _of_detail(detail: dict[str, Any]) -> str:
    text = detail.get("text") or detail.get("summary")
    return text if isinstance(text, str) else ""
