"""The blocks of an answer in the making: what came of each, as items for readers and as a part for the history.

    above it   anthropic_answer.py
    below it   messages

A block begins with `content_block_start`, grows by deltas, and ends. Anthropic sends the input of a call in pieces, and `{}` before them;
servers that speak its wire may send it whole in the beginning (earendil-works/pi#2593), or leave the beginning out.

What only Anthropic understands rides in `provider_metadata` under the provider's name: `signature` or `data` of thinking, `citations` of a
text, and `block` for what has no word of ours: all of a block that the provider ran or that is not known, what a call says beside its name
and input, and what thinking without a signature says beside its text.
"""

from typing import Any

import msgspec

from llm_actors.messages import Item, StreamEvent, ToolCall
from llm_actors.messages.assembly import parse_arguments
from llm_actors.messages.parts import AnyPart, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

_encode = msgspec.json.Encoder().encode
_CALLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
_SAID_BY_US = frozenset({"type", "id", "name", "input"})
_KIND_OF_DELTA = {
    "text_delta": "text",
    "citations_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "input_json_delta": "tool_use",
}


def kind_of_delta(delta: dict[str, Any]) -> str:
    """The kind of block that a delta belongs to, for one that never began."""
    return _KIND_OF_DELTA.get(delta.get("type") or "", "")


class Block:
    """One block. `call_id`: the id of a call, or of the call whose result it is; `name`: its tool."""

    __slots__ = ("call_id", "citations", "closed", "kind", "name", "pieces", "provider", "raw", "signature")

    def __init__(self, provider: str, raw: dict[str, Any], call_id: str | None, name: str) -> None:
        self.provider = provider
        self.kind = str(raw.get("type") or "")
        self.raw = raw
        self.call_id = call_id
        self.name = name
        self.pieces: list[str] = []
        self.signature = _text(raw.get("signature"))
        self.citations = [*raw["citations"]] if isinstance(raw.get("citations"), list) else []
        self.closed = False

    @property
    def is_call(self) -> bool:
        """Whether it is a call, whoever runs it."""
        return self.kind in _CALLS

    @property
    def is_ours(self) -> bool:
        """Whether it is a call that runs here."""
        return self.kind == "tool_use"

    @property
    def is_thinking(self) -> bool:
        """Whether it is thinking, shown or not."""
        return self.kind in ("thinking", "redacted_thinking")

    def begin(self) -> list[Item]:
        """The items of its beginning, which may hold all of it."""
        if self.kind in ("text", "thinking"):
            return self.grow(_text(self.raw.get(self.kind)))
        if self.is_call:
            server = not self.is_ours
            return [StreamEvent("tool_call_name", self.name, tool_call_id=self.call_id, server_executed=server)]
        return []

    def grow(self, text: str) -> list[Item]:
        """The items of a piece of its text, thinking or input."""
        if not text:
            return []
        self.pieces.append(text)
        if self.kind == "text":
            return [text]
        if self.kind == "thinking":
            return [StreamEvent("reasoning", text)]
        return [StreamEvent("tool_call_args", text, tool_call_id=self.call_id, server_executed=not self.is_ours)]

    def take(self, delta: dict[str, Any]) -> list[Item]:
        """The items of a delta of any kind; what is not known is kept with the block."""
        kind = delta.get("type")
        if kind == "signature_delta" and self.kind == "thinking":
            self.signature = _text(delta.get("signature")) or self.signature
        elif kind == "citations_delta" and self.kind == "text":
            self.citations.append(delta.get("citation"))
        elif kind == "input_json_delta" and self.is_call:
            return self.grow(_text(delta.get("partial_json")))
        elif kind in ("text_delta", "thinking_delta") and kind == f"{self.kind}_delta":
            return self.grow(_text(delta.get(self.kind)))
        else:
            self._keep(delta)
        return []

    def close(self) -> list[Item]:
        """The items of its end: what is known of it only now."""
        if self.closed:
            return []
        self.closed = True
        part = self.part()
        if part is None or self.kind == "text":
            metadata = part.provider_metadata if part is not None else None
            return [StreamEvent("text", provider_metadata=metadata)] if metadata else []
        if isinstance(part, ReasoningPart):
            return [StreamEvent("reasoning", redacted=part.redacted, provider_metadata=part.provider_metadata)]
        if isinstance(part, ToolResultPart):
            return [self._result(part)]
        whole = self._whole_input()
        if not whole and part.provider_metadata is None:
            return []
        server = not self.is_ours
        return [
            StreamEvent("tool_call_args", whole, None, self.call_id, server, provider_metadata=part.provider_metadata)
        ]

    def part(self) -> AnyPart | None:
        """Its part in the history; None if nothing came."""
        text = "".join(self.pieces)
        if self.kind == "text":
            return TextPart(text, self._metadata(citations=self.citations)) if text else None
        if self.kind == "thinking":
            if not (text or self.signature):
                return None
            unsigned = {} if self.signature else {name: value for name, value in self.raw.items() if name != "thinking"}
            return ReasoningPart(text, not text, self._metadata(signature=self.signature, block=unsigned))
        if self.kind == "redacted_thinking":
            return ReasoningPart("", redacted=True, provider_metadata=self._metadata(data=self.raw.get("data")))
        if self.is_call:
            server = not self.is_ours
            block = {
                name: value
                for name, value in self.raw.items()
                if value is not None and name != "input" and (server or name not in _SAID_BY_US)
            }
            return ToolCallPart(self.name, self.arguments(), self.call_id, server, self._metadata(block=block))
        if self.kind.endswith("_tool_result"):
            output = _readable(self.raw.get("content"))
            return ToolResultPart(
                self.name, output, self.call_id, server_executed=True, provider_metadata=self._metadata(block=self.raw)
            )
        return ReasoningPart("", provider_metadata=self._metadata(block=self.raw)) if self.kind else None

    def arguments(self) -> dict[str, Any]:
        """The input of a call; `{"_raw": text}` where it is no JSON object."""
        text = "".join(self.pieces) or self._whole_input()
        return parse_arguments(text)

    def is_broken(self, *, last: bool) -> bool:
        """Whether its input may have been cut, in an answer that ended early: also where a last call has none yet."""
        text = "".join(self.pieces) or self._whole_input()
        return parse_arguments(text) == {"_raw": text} or (last and not text.strip())

    def call(self) -> ToolCall:
        """The call, to be run."""
        return ToolCall(self.name, self.arguments(), self.call_id)

    def _whole_input(self) -> str:
        """The input that came with the beginning, where no piece of it followed."""
        given = self.raw.get("input")
        if self.pieces or given in (None, {}, ""):
            return ""
        return given if isinstance(given, str) else _encode(given).decode()

    def _keep(self, delta: dict[str, Any]) -> None:
        """What a later delta says stands in place of what came before, as the vendor's SDK has it for `compaction_delta`."""
        self.raw |= {name: value for name, value in delta.items() if name != "type"}

    def _metadata(self, **own: Any) -> dict[str, Any] | None:
        kept = {name: value for name, value in own.items() if value}
        return {self.provider: kept} if kept else None

    def _result(self, part: ToolResultPart) -> StreamEvent:
        return StreamEvent(
            "tool_result",
            part.output,
            tool_call_id=part.tool_call_id,
            server_executed=True,
            tool_name=part.name or None,
            provider_metadata=part.provider_metadata,
        )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _readable(content: Any) -> str:
    """What a provider's own tool gave, as text for whoever reads along; encrypted parts are for the provider alone."""
    if isinstance(content, str):
        return content
    return _encode(_open(content)).decode() if content is not None else ""


def _open(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _open(inner) for name, inner in value.items() if not str(name).startswith("encrypted")}
    return [_open(inner) for inner in value] if isinstance(value, list) else value
