"""Decodes an answer of Anthropic's messages: a stream of events, or one JSON body.

    above it   anthropic.py
    below it   answer_decoder.py, sse.py (bytes -> events), anthropic_blocks.py (events -> items and parts), anthropic_usage.py,
               anthropic_errors.py

The terminal fact is `message_stop`, or a `message_delta` with a stop_reason (or, of one JSON body, that it is whole). An error may come at
any moment, also behind a status of 200; the connection is closed behind it without `message_stop`.

The parts of the message stand in the order of the blocks, hidden thinking among them: it is refused elsewhere than where it was. (Assembled
from the events, by the peer's rule, it would come first.)

An error never takes away what came before it in the same read: `feed()` gives those items first and raises when it is called again.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from llm_actors.errors import ProtocolError, StreamTruncatedError
from llm_actors.messages import Item, Message, ModelRequest, RoundResult, StopReason, ToolCall

from .answer_decoder import AnswerDecoder
from .anthropic_blocks import Block, kind_of_delta
from .anthropic_errors import error_of_event
from .anthropic_limits import anthropic_rate_limits
from .anthropic_request import prefix_of
from .anthropic_usage import later, usage_of
from .error_words import frame
from .sse import Event, SSEDecoder

_STOP_REASONS: dict[str, StopReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
}
_CUTS = frozenset({"length", "refusal", "pause"})
_NOT_KEPT = frozenset({"type", "role", "content", "model", "usage", "stop_reason"})


class _Delta(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None


class _TextEvent(msgspec.Struct, gc=False):
    """An event as far as the hot loop looks at it."""

    type: str = ""
    index: int | None = None
    delta: _Delta | None = None


_decode_event = msgspec.json.Decoder(_TextEvent).decode


class AnthropicDecoder(AnswerDecoder):
    """Decodes one answer. Its loop only; `provider` names the server in errors and metadata, `headers` are the answer's, in lower case."""

    def __init__(
        self, provider: str, request: ModelRequest, headers: Mapping[str, str], *, max_event: int, max_answer: int
    ) -> None:
        super().__init__(provider, headers, SSEDecoder(max_event), max_answer=max_answer)
        self._request = request
        self._blocks: list[Block] = []
        self._by_index: dict[Any, Block] = {}
        self._ids: set[str] = set()
        self._stop_reason: str | None = None
        self._stopped = False
        self._usage: dict[str, Any] = {}
        self._model: str | None = None
        self._envelope: dict[str, Any] = {}
        self._known: dict[str, Callable[[dict[str, Any], list[Item]], None]] = {
            "message_start": self._begin_message,
            "content_block_start": self._begin_block,
            "content_block_delta": self._grow_block,
            "content_block_stop": self._end_block,
            "message_delta": self._tell,
            "message_stop": self._stop,
            "message": self._message,
        }

    def _end(self, data: bytes, items: list[Item]) -> None:
        super()._end(data, items)
        for block in self._blocks:
            items += block.close()

    def _whole(self, data: bytes, items: list[Item]) -> None:
        """An answer that is one JSON body."""
        if _is_cut(data):
            return  # `close()` says so
        self._event(None, data, items)
        if self._stop_reason is None:
            msg = f"{self._provider} sent a JSON body without an answer"
            raise ProtocolError(msg, frame=frame(data))

    def _events(self, events: list[Event], items: list[Item]) -> None:
        """The hot loop: nearly all events only add text, and are done with in the first branch."""
        by_index = self._by_index
        for name, data in events:
            try:
                event = _decode_event(data)
            except (ValueError, RecursionError):
                event = None
            if event is not None and event.type == "content_block_delta":
                delta, block = event.delta, by_index.get(event.index)
                if delta and delta.text and block is not None and block.kind == "text" and delta.type == "text_delta":
                    block.pieces.append(delta.text)
                    items.append(delta.text)
                    continue
            self._event(name, data, items)
            if self.finished:
                break
        self._count(sum([len(data) for _, data in events]))

    def _event(self, name: str | None, data: bytes, items: list[Item]) -> None:
        if data.lstrip().startswith(b"[DONE]"):  # of gateways; it proves nothing
            return
        plain = self._plain(data)
        kind = plain.get("type")
        if kind == "error" or name == "error" or plain.get("error"):
            raise error_of_event(self._provider, plain, self._headers)
        known = self._known.get(kind if isinstance(kind, str) else name or "")
        if known is not None:
            known(plain, items)
        elif kind is None and ("detail" in plain or "message" in plain or plain.get("object") == "error"):
            raise error_of_event(self._provider, plain, self._headers)

    # ---- events -----------------------------------------------------------------------------------------------------------------

    def _begin_message(self, plain: dict[str, Any], items: list[Item]) -> None:  # noqa: ARG002 - one signature for all events
        message = plain.get("message")
        if isinstance(message, dict):
            self._note(message)

    def _begin_block(self, plain: dict[str, Any], items: list[Item]) -> None:
        raw = plain.get("content_block")
        block = self._new_block(plain.get("index"), dict(raw) if isinstance(raw, dict) else {}, items)
        items += block.begin()

    def _grow_block(self, plain: dict[str, Any], items: list[Item]) -> None:
        delta = plain.get("delta")
        if not isinstance(delta, dict):
            return
        block = self._by_index.get(_index(plain.get("index")))
        if block is None:  # its beginning was left out
            block = self._new_block(plain.get("index"), {"type": kind_of_delta(delta)}, items)
            items += block.begin()
        items += block.take(delta)

    def _end_block(self, plain: dict[str, Any], items: list[Item]) -> None:
        block = self._by_index.get(_index(plain.get("index")))
        if block is not None:
            items += block.close()

    def _tell(self, plain: dict[str, Any], items: list[Item]) -> None:  # noqa: ARG002 - as above
        delta = plain.get("delta")
        told = {name: value for name, value in plain.items() if name not in ("delta", "usage", "type")}
        self._note({**told, **(delta if isinstance(delta, dict) else {}), "usage": plain.get("usage")})

    def _stop(self, plain: dict[str, Any], items: list[Item]) -> None:  # noqa: ARG002 - as above
        for block in self._blocks:
            items += block.close()
        self._stopped = self.finished = True

    def _message(self, plain: dict[str, Any], items: list[Item]) -> None:
        """A message in one piece: a JSON body."""
        content = plain.get("content")
        for index, raw in enumerate(content if isinstance(content, list) else ()):
            if isinstance(raw, dict):
                block = self._new_block(index, dict(raw), items)
                items += block.begin()
                items += block.close()
        self._note(plain)
        if self._stop_reason is not None:
            self._stopped = self.finished = True

    def _new_block(self, index: Any, raw: dict[str, Any], items: list[Item]) -> Block:
        known = self._by_index.get(_index(index))
        if known is not None:  # some servers count anew
            items += known.close()
        call_id, name = _word(raw.get("id")), _word(raw.get("name")) or ""
        if raw.get("type") == "tool_use":
            if call_id is None or call_id in self._ids:
                call_id = self._make_id()
            self._ids.add(call_id)
        elif str(raw.get("type")).endswith("_tool_result"):
            call_id = _word(raw.get("tool_use_id"))
            name = next((block.name for block in self._blocks if block.is_call and block.call_id == call_id), "")
        elif raw.get("type") == "fallback" and isinstance(raw.get("to"), dict):  # another model answers from here on
            self._model = _word(raw["to"].get("model")) or self._model
        block = Block(self._provider, raw, call_id, name)
        self._blocks.append(block)
        self._by_index[_index(index)] = block
        return block

    def _make_id(self) -> str:
        """`tc_` and 26 characters, as the peer's; from a hash, as a codec has no randomness of its own."""
        seed = f"{self._request.request_id}:{len(self._request.messages)}:{len(self._blocks)}"
        return f"tc_{hashlib.sha256(seed.encode()).hexdigest()[:26]}"

    def _note(self, told: dict[str, Any]) -> None:
        """What is said of the whole message, in its beginning, at its end, or as one body."""
        self._usage = later(self._usage, told.get("usage"))
        self._model = _word(told.get("model")) or self._model
        self._stop_reason = _word(told.get("stop_reason")) or self._stop_reason
        kept = self._envelope | {name: value for name, value in told.items() if name not in _NOT_KEPT}
        self._envelope = {name: value for name, value in kept.items() if value not in (None, "", [], {})}

    # ---- the end ----------------------------------------------------------------------------------------------------------------

    def _result(self) -> RoundResult:
        if self._stop_reason is None and not self._stopped:
            msg = f"the answer of {self._provider} is cut: it ended without a stop_reason"
            raise StreamTruncatedError(msg)
        raw_reason = self._stop_reason
        reason: StopReason = _STOP_REASONS.get((raw_reason or "end_turn").lower(), "other")
        calls, cut_calls = self._calls(reason)
        if calls and reason not in _CUTS:
            reason = "tool_calls"  # the calls are to be trusted, not the reason
        elif reason == "tool_calls":
            reason = "stop"
        return RoundResult(
            tool_calls=calls,
            messages=self._messages(),
            usage=usage_of(self._usage),
            stop_reason=reason,
            raw_stop_reason=raw_reason,
            request_id=self._headers.get("request-id") or self._headers.get("x-request-id"),
            resolved_model=self._model,
            raw=self._envelope or None,
            cut_calls=cut_calls,
            rate_limits=anthropic_rate_limits(self._headers),
        )

    def _calls(self, reason: StopReason) -> tuple[list[ToolCall], list[ToolCall]]:
        """The calls to run, and those whose input was cut. Of an answer that was refused none is run."""
        calls: list[ToolCall] = []
        cut_calls: list[ToolCall] = []
        for block in self._blocks:
            if not block.is_ours:
                continue
            if not block.name:
                msg = f"{self._provider} sent a tool call without a name"
                raise ProtocolError(msg)
            broken = reason in _CUTS and block.is_broken(last=block is self._blocks[-1])
            (cut_calls if broken or reason == "refusal" else calls).append(block.call())
        return calls, cut_calls

    def _messages(self) -> list[Message]:
        """The answer as history, cut calls among it: whoever keeps it gives each call a result, executed or not."""
        parts = [part for block in self._blocks if (part := block.part()) is not None]
        if not parts:
            return []
        own: dict[str, Any] = {}
        if any(block.is_thinking for block in self._blocks):
            own["prefix"] = prefix_of(self._request, self._provider)
        container = self._envelope.get("container")
        if isinstance(container, dict) and _word(container.get("id")):
            own["container"] = container["id"]
        return [Message("assistant", parts, {self._provider: own} if own else None)]


def _index(value: Any) -> Any:
    return value if isinstance(value, int | str) else None


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _is_cut(data: bytes) -> bool:
    """Whether a JSON body ends before its end."""
    try:
        msgspec.json.decode(data)
    except (ValueError, RecursionError) as error:
        return "truncated" in str(error)
    return False
