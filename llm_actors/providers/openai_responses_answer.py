"""Decodes the answer to a request to OpenAI's Responses: a stream of events, or one JSON body.

    above it   openai_responses.py
    below it   answer_decoder.py, sse.py (bytes -> events), openai_responses_items.py (events -> items), openai_responses_output.py
               (items -> messages), openai_usage.py, openai_errors.py

The terminal fact is `response.completed` or `response.incomplete` (or, of one JSON body, its status). There is no `[DONE]`; where a server
sends one all the same it proves nothing. `response.failed` and `error` are errors. Events of other types, of which there are more every
month, say nothing here; items of other types are kept whole, for the provider to get them back.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from llm_actors.errors import ProtocolError, StreamTruncatedError
from llm_actors.messages import Item, ModelRequest, RoundResult, StopReason, StreamEvent

from .answer_decoder import AnswerDecoder
from .error_words import frame
from .openai_errors import error_of_event
from .openai_responses_items import CALLS, CUSTOM, Channel, Slot, Slots
from .openai_responses_output import calls_of, message_of, own_events, reasoning_event
from .openai_usage import responses_usage_of
from .rate_limits import openai_rate_limits
from .sse import Event, SSEDecoder

_STOP_REASONS: dict[str, StopReason] = {
    "completed": "stop",
    "max_output_tokens": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}
_TEXT = "response.output_text.delta"
# The events that stream an item: the kind of the item, its field, and where the whole of it is when it is done.
_STREAMED: dict[str, tuple[str, str, str]] = {
    "response.output_text": ("message", "content", "text"),
    "response.refusal": ("message", "refusal", "refusal"),
    "response.reasoning_summary_text": ("reasoning", "summary", "text"),
    "response.reasoning_text": ("reasoning", "content", "text"),
    "response.function_call_arguments": ("function_call", "arguments", "arguments"),
    "response.custom_tool_call_input": (CUSTOM, "input", "input"),
}
_ENDED = ("response.completed", "response.incomplete", "response.failed")
_ENVELOPE = ("id", "created_at", "service_tier", "status", "incomplete_details")
_KNOWN = ("message", "reasoning", *CALLS)


class _Delta(msgspec.Struct, gc=False):
    """What nearly all events are: a piece of an item."""

    type: str | None = None
    delta: str | None = None
    output_index: int | None = None
    item_id: str | None = None
    content_index: int | None = None
    summary_index: int | None = None


_decode_delta = msgspec.json.Decoder(_Delta).decode


class ResponsesDecoder(AnswerDecoder):
    """Decodes one answer. Its loop only."""

    def __init__(
        self, provider: str, request: ModelRequest, headers: Mapping[str, str], *, max_event: int, max_answer: int
    ) -> None:
        super().__init__(provider, headers, SSEDecoder(max_event), max_answer=max_answer)
        self._slots = Slots(provider, f"{request.request_id}:{len(request.messages)}")
        self._last: tuple[int | None, str | None, int | None, Slot, Channel] | None = None  # where text went last
        self._status: str | None = None
        self._response: dict[str, Any] = {}

    def _events(self, events: list[Event], items: list[Item]) -> None:
        """The hot loop: nearly all events add text to the same item, and are done with in the first branch."""
        size = 0
        for name, data in events:
            try:
                delta = _decode_delta(data)
            except (ValueError, RecursionError):
                if data.lstrip().startswith(b"[DONE]"):
                    self.finished = True
                    break
                plain = self._plain(data)
                delta = _Delta(type=_word(plain.get("type")))
            kind = delta.type or name or ""
            last = self._last
            if (
                kind == _TEXT
                and delta.delta
                and last
                and last[:3] == (delta.output_index, delta.item_id, delta.content_index)
            ):
                items += last[3].add(last[4], delta.delta)
                size += len(delta.delta)
                continue
            before = len(items)
            if not self._streamed(kind, delta, items):
                self._other(kind, data, items)
            size += 64 + sum([len(item) if isinstance(item, str) else len(item.chunk) for item in items[before:]])
            if self.finished:
                break
        self._count(size)

    def _streamed(self, kind: str, delta: _Delta, items: list[Item]) -> bool:
        """Takes an event that adds a piece to an item; False for others."""
        stem, _, act = kind.rpartition(".")
        known = _STREAMED.get(stem)
        if known is None or act != "delta":
            return False
        kind, field, _ = known
        slot = self._slots.find(kind, delta.output_index, delta.item_id)
        index = delta.summary_index if field == "summary" else delta.content_index
        channel = field, (index or 0) if field not in ("arguments", "input") else 0
        if delta.delta and not slot.done:
            items += slot.add(channel, delta.delta)
        self._last = (
            (delta.output_index, delta.item_id, delta.content_index, slot, channel) if field == "content" else None
        )
        if kind != "message" or slot.done:
            self._last = None
        return True

    def _other(self, kind: str, data: bytes, items: list[Item]) -> None:
        self._last = None
        if kind in ("response.output_item.added", "response.output_item.done"):
            plain = self._plain(data)
            self._item(plain.get("item"), _number(plain.get("output_index")), items, done=kind.endswith("done"))
            return
        if kind in _ENDED:
            self._ended(kind.removeprefix("response."), self._plain(data).get("response"), items)
            return
        stem, _, act = kind.rpartition(".")
        if stem in _STREAMED and act == "done":
            plain = self._plain(data)
            of, field, whole = _STREAMED[stem]
            slot = self._slots.find(of, _number(plain.get("output_index")), _word(plain.get("item_id")))
            slot.item.setdefault("name", plain.get("name"))
            index = plain.get("summary_index" if field == "summary" else "content_index")
            channel = field, (_number(index) or 0) if field not in ("arguments", "input") else 0
            items += slot.complete(channel, plain.get(whole)) if not slot.done else []
            return
        if kind.startswith("response.") and kind != "response.error":
            return  # an event that says nothing here, or of a kind we don't know
        plain = self._plain(data)
        if kind.endswith("error") or plain.get("error") or plain.get("detail"):
            said = {name: value for name, value in plain.items() if name not in ("type", "sequence_number")}
            raise error_of_event(self._provider, said if kind.endswith("error") else plain, self._headers)

    def _item(self, item: Any, index: int | None, items: list[Item], *, done: bool) -> None:
        """An item that begins or is done."""
        kind = _word(item.get("type")) if isinstance(item, dict) else None
        if kind is None:
            return
        slot = self._slots.find(kind, index, _word(item.get("id")))
        if not done:
            items += slot.begin(item)
        elif not slot.done:
            items += self._done(slot, item)

    def _done(self, slot: Slot, item: dict[str, Any]) -> list[Item]:
        found = slot.end(item)
        if slot.kind == "reasoning":
            found += reasoning_event(self._provider, slot)
        elif slot.kind == CUSTOM:
            arguments = msgspec.json.encode({"input": slot.text(("input", 0))}).decode()
            found.append(StreamEvent("tool_call_args", arguments, tool_call_id=slot.call_id))
        elif slot.kind not in _KNOWN:
            self._count(len(msgspec.json.encode(item)))  # it is kept whole
            found += own_events(self._provider, slot)
        return found

    def _ended(self, status: str, response: Any, items: list[Item]) -> None:
        """The last event, or the whole answer in one: it has all items once more, those that were streamed and those that were not."""
        self._response = response = response if isinstance(response, dict) else {}
        if status == "failed" or response.get("error"):
            error = response.get("error") or {"message": "the provider says that it failed, and not why"}
            raise error_of_event(self._provider, {"error": error}, self._headers)
        seen = dict.fromkeys([slot.kind for slot in self._slots], 0)
        output = response.get("output")
        for item in output if isinstance(output, list) else []:
            kind = _word(item.get("type")) if isinstance(item, dict) else None
            if kind is None:
                continue
            place = seen[kind] = seen.get(kind, 0) + 1
            same = self._slots.of(kind)  # by their order: the ids differ from those of the stream on some servers
            slot = same[place - 1] if place <= len(same) else self._slots.new(kind)
            if slot.done:
                slot.repeat(item)
            else:
                items += self._done(slot, item)
        if status in ("completed", "incomplete"):
            self._status = status
        self._mark_hidden_reasoning(items)
        self.finished = True

    def _mark_hidden_reasoning(self, items: list[Item]) -> None:
        """Tokens were spent on thinking of which there is no item: the peer says so with an empty, redacted event."""
        usage = self._response.get("usage")
        details = usage.get("output_tokens_details") if isinstance(usage, dict) else None
        if isinstance(details, dict) and details.get("reasoning_tokens") and not self._slots.of("reasoning"):
            items.append(StreamEvent("reasoning", redacted=True))

    def _whole(self, data: bytes, items: list[Item]) -> None:
        try:
            plain = self._plain(data)
        except ProtocolError as error:
            if "truncated" in str(error):
                return  # `close()` says so
            raise
        if "output" not in plain and "status" not in plain:
            if plain.get("error") or plain.get("detail") or "message" in plain:
                raise error_of_event(self._provider, plain, self._headers)
            msg = f"{self._provider} sent a JSON body without an answer"
            raise ProtocolError(msg, frame=frame(data))
        self._ended(_word(plain.get("status")) or "completed", plain, items)

    def _result(self) -> RoundResult:
        if self._status is None:
            said = self._response.get("status")
            how = f"its status is {said}" if said else "it ended without `response.completed`"
            msg = f"the answer of {self._provider} is cut: {how}"
            raise StreamTruncatedError(msg)
        details = self._response.get("incomplete_details")
        why = _word(details.get("reason")) if isinstance(details, dict) else None
        raw_reason = why or self._status
        reason = _STOP_REASONS.get(raw_reason, "other")
        calls, cut_calls = calls_of(self._provider, self._slots, cut=self._status == "incomplete")
        if any("refusal" in [field for field, _ in slot.pieces] for slot in self._slots):
            reason = "refusal"
        elif calls and self._status == "completed":
            reason = "tool_calls"
        usage = self._response.get("usage")
        envelope = {name: self._response.get(name) for name in _ENVELOPE}
        return RoundResult(
            tool_calls=calls,
            messages=message_of(self._provider, self._slots),
            usage=responses_usage_of(usage if isinstance(usage, dict) else None),
            stop_reason=reason,
            raw_stop_reason=raw_reason,
            request_id=self._headers.get("x-request-id"),
            resolved_model=_word(self._response.get("model")),
            raw={name: value for name, value in envelope.items() if value} or None,
            cut_calls=cut_calls,
            rate_limits=openai_rate_limits(self._headers),
        )


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> int | None:
    return value if type(value) is int else None
