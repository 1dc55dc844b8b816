"""Decodes the answer to a request to Ollama's chat: a line of JSON for each piece, or one JSON body.

    above it   ollama.py
    below it   answer_decoder.py, ndjson.py (bytes -> lines), openai_errors.py, messages/assembly.py

The terminal fact is `"done": true`. Calls come whole, often in a line before the last, and the reason stays "stop". An error in mid-stream
is a line `{"error": text}`, in an answer of status 200 (https://docs.ollama.com/api/errors).
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from llm_actors.errors import ProtocolError, StreamTruncatedError
from llm_actors.messages import Item, Message, ModelRequest, RoundResult, StopReason, StreamEvent, ToolCall, Usage
from llm_actors.messages.assembly import Assembler, parse_arguments

from .answer_decoder import AnswerDecoder
from .error_words import frame
from .ndjson import NDJSONDecoder
from .openai_errors import error_of_event

_STOP_REASONS: dict[str, StopReason] = {"stop": "stop", "length": "length"}
_ENVELOPE = (
    "created_at",
    "remote_model",
    "remote_host",
    "total_duration",
    "load_duration",
    "prompt_eval_duration",
    "eval_duration",
)


class _Said(msgspec.Struct, gc=False):
    """The message, or a piece of it."""

    content: str | None = None
    thinking: str | None = None
    tool_calls: list[Any] | None = None


class _Line(msgspec.Struct, gc=False):
    """A line, with what is read of nearly all of them."""

    message: _Said | None = None
    done: bool | None = None
    error: Any = None


_decode_line = msgspec.json.Decoder(_Line).decode


class OllamaDecoder(AnswerDecoder):
    """Decodes one answer. Its loop only."""

    def __init__(
        self, provider: str, request: ModelRequest, headers: Mapping[str, str], *, max_event: int, max_answer: int
    ) -> None:
        super().__init__(provider, headers, NDJSONDecoder(max_event), max_answer=max_answer)
        self._seed = f"{request.request_id}:{len(request.messages)}"
        self._assembler = Assembler()
        self._calls: list[ToolCall] = []
        self._last: dict[str, Any] | None = None

    def _is_whole(self, head: bytes, kind: str) -> bool:  # noqa: ARG002 - a line begins like a body
        return "json" in kind and "ndjson" not in kind and "jsonl" not in kind

    def _events(self, events: list[bytes], items: list[Item]) -> None:
        before, size = len(items), 0
        try:
            for data in events:
                try:
                    line = _decode_line(data)
                except (ValueError, RecursionError):
                    line = _lenient(self._plain(data))
                if line.error:
                    raise error_of_event(self._provider, self._plain(data), self._headers)
                if line.message is not None:
                    size += self._said(line.message, items)
                if line.done:
                    self._last = self._plain(data)
                    self.finished = True
                    break
        finally:
            self._assembler.add(items[before:])
        self._count(size)

    def _said(self, said: _Said, items: list[Item]) -> int:
        if said.thinking:
            items.append(StreamEvent("reasoning", said.thinking))
        if said.content:
            items.append(said.content)
        for call in said.tool_calls or ():
            if isinstance(call, dict):
                self._call(call, items)
        return len(said.thinking or "") + len(said.content or "") + 256 * len(said.tool_calls or ())

    def _call(self, plain: dict[str, Any], items: list[Item]) -> None:
        """A whole call. Raises `ProtocolError` for one without a name."""
        function = plain.get("function")
        function = function if isinstance(function, dict) else {}
        name, given, call_id = function.get("name"), function.get("arguments"), plain.get("id")
        if not isinstance(name, str) or not name:
            msg = f"{self._provider} sent a tool call without a name"
            raise ProtocolError(msg, frame=frame(msgspec.json.encode(plain)))
        text = given if isinstance(given, str) else msgspec.json.encode(given if given is not None else {}).decode()
        self._count(len(text))
        if not isinstance(call_id, str) or not call_id or call_id in {call.tool_call_id for call in self._calls}:
            digest = hashlib.sha256(f"{self._seed}:{len(self._calls)}".encode()).hexdigest()
            call_id = f"tc_{digest[:26]}"  # the peer's form of ids that it makes up
        self._calls.append(ToolCall(name, parse_arguments(text), call_id))
        items.append(StreamEvent("tool_call_name", name, tool_call_id=call_id))
        items.append(StreamEvent("tool_call_args", text, tool_call_id=call_id))

    def _whole(self, data: bytes, items: list[Item]) -> None:
        try:
            msgspec.json.decode(data)
        except (ValueError, RecursionError) as error:
            if "truncated" in str(error):
                return  # `close()` says so
            if b"\n" not in data.strip():
                self._plain(data)  # raises
            self._body = None  # a stream under another name
            self._events(self._splitter.feed(data), items)
            if not self.finished:
                self._end(b"", items)
            return
        plain = self._plain(data)
        if "message" not in plain and not plain.get("error"):
            msg = f"{self._provider} sent a JSON body without an answer"
            raise ProtocolError(msg, frame=frame(data))
        self._events([data], items)

    def _result(self) -> RoundResult:
        last = self._last
        if last is None:
            msg = f'the answer of {self._provider} is cut: it ended without "done": true'
            raise StreamTruncatedError(msg)
        raw_reason = last.get("done_reason")
        raw_reason = raw_reason if isinstance(raw_reason, str) and raw_reason else None
        reason = _STOP_REASONS.get(raw_reason or "stop", "other")
        if self._calls and reason == "stop":
            reason = "tool_calls"
        model = last.get("model")
        envelope = {name: last.get(name) for name in _ENVELOPE}
        return RoundResult(
            tool_calls=self._calls,
            messages=self._messages(),
            usage=_usage(last),
            stop_reason=reason,
            raw_stop_reason=raw_reason,
            request_id=self._headers.get("x-request-id"),
            resolved_model=model if isinstance(model, str) else None,
            raw={name: value for name, value in envelope.items() if value} or None,
        )

    def _messages(self) -> list[Message]:
        return self._assembler.messages()


def _usage(plain: dict[str, Any]) -> Usage | None:
    """Tokens. How many the prompt had is left out where all of it came from the cache."""
    read, written = (_number(plain.get(name)) for name in ("prompt_eval_count", "eval_count"))
    return None if read is None and written is None else Usage(read, written)


def _number(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _lenient(plain: dict[str, Any]) -> _Line:
    """A line whose fields are not all of the types they should be; what makes no sense is left out."""
    said = plain.get("message")
    message = None
    if isinstance(said, dict):
        content, thinking, calls = said.get("content"), said.get("thinking"), said.get("tool_calls")
        message = _Said(
            content if isinstance(content, str) else None,
            thinking if isinstance(thinking, str) else None,
            calls if isinstance(calls, list) else None,
        )
    return _Line(message, plain.get("done") is True, plain.get("error"))
