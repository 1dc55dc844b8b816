"""Decodes Gemini's answer: a stream of GenerateContentResponses, or one of them (or a list) as a JSON body.

    above it   gemini.py
    below it   sse.py (bytes -> events), gemini_chunk.py (event -> struct), gemini_parts.py (parts -> items), gemini_errors.py

The terminal fact is a `finishReason`: no event says that the stream is over, the connection just ends. A prompt that was blocked has no
candidate but a `promptFeedback`: that is a ContentFilterError. An answer that a filter stopped is complete as sent, with the stop reason
`content_filter`; one that says nothing at all although the model stopped by itself has the stop reason `other`.
"""

from collections.abc import Mapping
from typing import Any

from llm_actors.errors import ProtocolError, StreamTruncatedError
from llm_actors.messages import Item, ModelRequest, RoundResult, StopReason, Usage
from llm_actors.messages.assembly import Assembler

from .answer_decoder import AnswerDecoder, Step
from .error_words import frame
from .gemini_chunk import ABOUT_CANDIDATE, Candidate, Chunk, decode_chunk, decode_chunks
from .gemini_errors import error_of_block, error_of_event, error_of_finish
from .gemini_parts import Parts
from .sse import Event, SSEDecoder

# https://ai.google.dev/api/generate-content#FinishReason, and the enum of Google's SDK (google-genai 3.6.1), which has some more.
_STOP_REASONS: dict[str, StopReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}
# The model failed, or was given what it does not take: no answer to use, and mostly worth another try.
_FAILED = frozenset(
    {"MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE"}
)
_UNSPECIFIED = "FINISH_REASON_UNSPECIFIED"


class GeminiDecoder(AnswerDecoder):
    """Decodes one answer. Its loop only; `provider` names the server in errors and metadata, `headers` are the answer's, in lower case."""

    def __init__(
        self, provider: str, request: ModelRequest, headers: Mapping[str, str], *, max_event: int, max_answer: int
    ) -> None:
        super().__init__(provider, headers, SSEDecoder(max_event), max_answer=max_answer)
        self._finish_reason: str | None = None
        self._usage: dict[str, Any] = {}
        self._about: dict[str, Any] = {}
        self._model: str | None = None
        self._parts = Parts(provider, f"{request.request_id}:{len(request.messages)}")
        self._assembler = Assembler()

    def _guarded(self, step: Step, data: bytes) -> list[Item]:
        items = super()._guarded(step, data)
        self._assembler.add(items)
        return items

    def _end(self, data: bytes, items: list[Item]) -> None:
        super()._end(data, items)
        self._parts.flush(items)

    def _events(self, events: list[Event], items: list[Item]) -> None:
        self._count(sum([len(data) for _, data in events]))
        for _, data in events:
            if data.lstrip().startswith(b"[DONE]"):
                continue  # none of Gemini's, but gateways that speak several wires end all of them so; it proves nothing
            try:
                chunks = [decode_chunk(data)] if not data.lstrip().startswith(b"[") else decode_chunks(data)
            except (ValueError, RecursionError) as error:
                msg = f"{self._provider} sent an event that is none of this wire: {error}"
                raise ProtocolError(msg, frame=frame(data)) from None
            for chunk in chunks:
                self._chunk(chunk, items)

    def _whole(self, data: bytes, items: list[Item]) -> None:
        """An answer that is one JSON body; without `alt=sse` a stream is a list of its events."""
        try:
            chunks = decode_chunks(data) if data.startswith(b"[") else [decode_chunk(data)]
        except (ValueError, RecursionError) as error:
            if "truncated" in str(error):
                return  # `close()` says so
            msg = f"{self._provider} sent a JSON body that is none of this wire: {error}"
            raise ProtocolError(msg, frame=frame(data)) from None
        for chunk in chunks:
            self._chunk(chunk, items)

    def _chunk(self, chunk: Chunk, items: list[Item]) -> None:
        if chunk.error:
            raise error_of_event(self._provider, chunk.error, self._headers)
        self._usage.update(chunk.usage_metadata or {})  # on every event, cumulative
        self._model = chunk.model_version or self._model
        for name, value in (("responseId", chunk.response_id), ("modelStatus", chunk.model_status)):
            if value:
                self._about[name] = value
        if chunk.prompt_feedback and chunk.prompt_feedback.get("blockReason"):
            raise error_of_block(self._provider, chunk.prompt_feedback, self._headers)
        for candidate in chunk.candidates or ():
            if not candidate.index:
                self._candidate(candidate, items)

    def _candidate(self, candidate: Candidate, items: list[Item]) -> None:
        for part in (candidate.content.parts if candidate.content else None) or ():
            self._parts.take(part, items)
        for name in ABOUT_CANDIDATE:
            value = getattr(candidate, name)
            if value:
                self._about[name] = value
        reason = candidate.finish_reason
        if not reason or reason == _UNSPECIFIED:
            return
        self._parts.flush(items)
        if reason in _FAILED:
            raise error_of_finish(self._provider, reason, candidate.finish_message, self._headers)
        self._finish_reason = reason
        if self._usage.get("thoughtsTokenCount"):
            self._parts.hidden_thinking(items)

    def _result(self) -> RoundResult:
        finish_reason = self._finish_reason
        if finish_reason is None:
            msg = f"the answer of {self._provider} is cut: it ended without a finishReason"
            raise StreamTruncatedError(msg)
        reason = _STOP_REASONS.get(finish_reason, "other")
        calls, cut_calls = self._parts.result(cut=reason in ("length", "content_filter"))
        if calls and reason in ("stop", "other"):
            reason = "tool_calls"  # STOP also with calls
        elif reason == "stop" and not self._parts.seen:
            reason = "other"
        return RoundResult(
            tool_calls=calls,
            messages=self._assembler.messages(),
            usage=_usage_of(self._usage),
            stop_reason=reason,
            raw_stop_reason=finish_reason,
            request_id=self._headers.get("x-request-id") or self._about.get("responseId"),
            resolved_model=self._model,
            raw=self._about or None,
            cut_calls=cut_calls,
        )


def _usage_of(plain: dict[str, Any]) -> Usage | None:
    """Tokens in the meaning of all providers: input with what was cached and what tools of Google's read, output with the thinking.

    `promptTokenCount` holds the cached ones; thoughts and the results of Google's own tools are counted apart, in none of the others
    (https://ai.google.dev/api/generate-content#UsageMetadata).
    """
    if not plain:
        return None
    prompt, written = _tokens(plain, "promptTokenCount"), _tokens(plain, "candidatesTokenCount")
    thoughts, by_tools = _tokens(plain, "thoughtsTokenCount"), _tokens(plain, "toolUsePromptTokenCount")
    counts = {
        "cached_tokens": _tokens(plain, "cachedContentTokenCount"),
        "reasoning_tokens": thoughts,
        "tool_use_prompt_tokens": by_tools,
    }
    details: dict[str, Any] = {name: count for name, count in counts.items() if count}
    details.update(
        {name: value for name, value in plain.items() if name.endswith("Details") or name == "trafficType" if value}
    )
    total = None if prompt is None else prompt + (by_tools or 0)
    output = None if written is None and thoughts is None and prompt is None else (written or 0) + (thoughts or 0)
    return Usage(total, output, details or None)


def _tokens(plain: Mapping[str, Any], name: str) -> int | None:
    value = plain.get(name)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None
