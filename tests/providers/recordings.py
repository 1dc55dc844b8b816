"""Answers as servers send them, each with what it must come to."""

from typing import Any

import msgspec

from llm_actors.errors import ModelError, OverloadedError, RateLimitError
from llm_actors.messages import StopReason

from .feeding import JSON, SSE, USAGE, call, delta, sse

WEATHER = {"city": "Zürich", "unit": "°C"}


class Recording(msgspec.Struct, frozen=True):
    """An answer. `proof`: a cut before this piece of bytes must be an error, as the terminal fact has not come."""

    name: str
    body: bytes
    headers: dict[str, str] = msgspec.field(default_factory=lambda: SSE)
    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, dict[str, Any]]] = []
    stop_reason: StopReason | None = "stop"
    error: type[ModelError] | None = None
    proof: bytes = b'"finish_reason":"'

    def proof_ends(self) -> int:
        """Where the line with the terminal fact ends; all of the body if it has none."""
        at = self.body.find(self.proof)
        return len(self.body) if at < 0 else self.body.index(b"}]", at)


PLAIN = sse(
    delta(role="assistant", content="", refusal=None),
    delta(content="Hello"),
    delta(content=" wörld \u2028 👋🏽"),
    delta(content="!"),
    delta("stop"),
    USAGE,
)
PARALLEL = sse(
    delta(role="assistant", content=None),
    call(0, "call_a", "weather", ""),
    call(0, arguments='{"city":"Zür'),
    call(0, arguments='ich","unit":"°C"}'),
    call(1, "call_b", "time", ""),
    call(1, arguments="{}"),
    delta("tool_calls"),
    USAGE,
)
WHOLE = msgspec.json.encode(
    {
        "id": "chatcmpl-2",
        "object": "chat.completion",
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello 👋🏽", "refusal": None},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }
)

RECORDINGS = [
    Recording("plain", PLAIN, text="Hello wörld \u2028 👋🏽!"),
    Recording("crlf", PLAIN.replace(b"\n", b"\r\n"), text="Hello wörld \u2028 👋🏽!"),
    Recording("cr", PLAIN.replace(b"\n", b"\r"), text="Hello wörld \u2028 👋🏽!"),
    Recording("bom", b"\xef\xbb\xbf" + PLAIN, text="Hello wörld \u2028 👋🏽!"),
    Recording(
        "comments",
        b": OPENROUTER PROCESSING\n\n"
        + PLAIN.replace(
            b'data: {"choices":[]', b'id: 3\nretry: 10\n: ping\n\ndata: : keepalive\n\ndata:\n\ndata: {"choices":[]'
        ),
        text="Hello wörld \u2028 👋🏽!",
    ),
    Recording("no space", PLAIN.replace(b"data: ", b"data:"), text="Hello wörld \u2028 👋🏽!"),
    Recording("event names", PLAIN.replace(b"data: ", b"event: message\ndata: "), text="Hello wörld \u2028 👋🏽!"),
    Recording("no blank line at the end", PLAIN[:-2], text="Hello wörld \u2028 👋🏽!"),
    Recording("parallel calls", PARALLEL, calls=[("weather", WEATHER), ("time", {})], stop_reason="tool_calls"),
    Recording(
        "calls without index",
        sse(
            delta(tool_calls=[{"id": "a", "function": {"name": "weather", "arguments": '{"city":"Zürich",'}}]),
            delta(tool_calls=[{"function": {"arguments": '"unit":"°C"}'}}]),
            delta(tool_calls=[{"id": "b", "function": {"name": "time", "arguments": {"zone": 1}}}]),
            delta("stop"),
        ),
        calls=[("weather", WEATHER), ("time", {"zone": 1})],
        stop_reason="tool_calls",
    ),
    Recording(
        "reasoning",
        sse(
            delta(role="assistant", reasoning_content="Hm"),
            delta(reasoning_content=", well", content=None),
            delta(content="Yes"),
            delta("stop"),
            USAGE,
        ),
        text="Yes",
        reasoning="Hm, well",
    ),
    Recording(
        "llama.cpp",
        sse(
            delta(role="assistant", content=None),
            delta(content="Hi"),
            {
                "choices": [{"finish_reason": "length", "index": 0, "delta": {}}],
                "model": "smollm2-135m",
                "timings": {"n": 1},
            },
            {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}, "timings": {"n": 1}},
        ),
        text="Hi",
        stop_reason="length",
    ),
    Recording(
        "refusal",
        sse(delta(refusal="I can't"), delta(refusal=" help."), delta("stop")),
        text="I can't help.",
        stop_reason="refusal",
    ),
    Recording(
        "error in the middle",
        sse(
            delta(content="Hel"),
            {"error": {"message": "overloaded", "type": "server_error", "code": "server_is_overloaded"}},
        ),
        text="Hel",
        stop_reason=None,
        error=OverloadedError,
    ),
    Recording("whole", WHOLE, JSON, text="Hello 👋🏽"),
    Recording("whole with padding before it", b" \r\n\n \n" + WHOLE + b"\n", JSON, text="Hello 👋🏽"),
    Recording(
        "error in place of a stream",
        b'{"error":{"message":"slow","code":429}}',
        JSON,
        stop_reason=None,
        error=RateLimitError,
    ),
]
