"""Whether a model goes round in circles: the same tool calls with the same arguments and the same results, round after round."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from llm_actors.messages import ToolCall, ToolResult


class Repetition:
    """Counts equal rounds in a row. One that differs in a call, an argument, a result or their order begins anew."""

    __slots__ = ("_rounds", "_seen")

    def __init__(self) -> None:
        self._seen: bytes | None = None
        self._rounds = 0

    def round(self, calls: Sequence[ToolCall], results: Sequence[ToolResult]) -> int:
        """How many rounds in a row have been like this one, itself included."""
        said = [(call.name, call.arguments) for call in calls]
        got = [(result.name, result.output, len(result.attachments)) for result in results]
        seen = msgspec.json.encode((said, got), order="deterministic")
        self._rounds = self._rounds + 1 if seen == self._seen else 1
        self._seen = seen
        return self._rounds

    def forget(self) -> None:
        """Something new was said: what the model does next is no repetition."""
        self._seen = None
