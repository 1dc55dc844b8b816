"""Answers as Anthropic, and servers that speak its messages, send them, each with what it must come to.

Sources, beside each: DOC is a page of https://platform.claude.com/docs/en/, SDK a file below tests/lib/streaming/fixtures/ of
anthropics/anthropic-sdk-python; the values are made up where length or letters matter to a test.
"""

from typing import Any

import msgspec

from llm_actors.errors import ModelError, OverloadedError, RateLimitError
from llm_actors.messages import StopReason
from llm_actors.testing.wire_anthropic import event, stream_of

SSE = {"content-type": "text/event-stream; charset=utf-8", "request-id": "req_7"}
JSON = {"content-type": "application/json", "request-id": "req_7"}
WEATHER = {"city": "Zürich", "unit": "°C"}
HELLO = "Hello wörld \u2028 👋🏽!"
SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds"


class AnthropicRecording(msgspec.Struct, frozen=True):
    """An answer. `proof`: a cut before this piece of bytes must be an error, as the terminal fact has not come."""

    name: str
    body: bytes
    headers: dict[str, str] = msgspec.field(default_factory=lambda: SSE)
    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, dict[str, Any]]] = []
    parts: list[str] = []
    stop_reason: StopReason | None = "stop"
    error: type[ModelError] | None = None
    proof: bytes = b'"stop_reason":"'

    def proof_ends(self) -> int:
        """Where the event with the terminal fact ends; all of the body if it has none, or is no stream."""
        at = self.body.find(self.proof)
        return len(self.body) if at < 0 or self.headers is JSON else self.body.index(b"}", at)


def started(**usage: Any) -> bytes:
    message = {
        "id": "msg_1nZdL29xx5MUA1yADyHTEsnR8uuvGzszyY",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": "claude-opus-5-5",
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 25, "output_tokens": 1, **usage},
    }
    return event("message_start", message=message)


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any], stop: bool = True) -> bytes:
    made = [event("content_block_start", index=index, content_block=start)]
    made += [event("content_block_delta", index=index, delta=delta) for delta in deltas]
    return b"".join([*made, event("content_block_stop", index=index) if stop else b""])


def text(index: int, *pieces: str) -> bytes:
    return block(index, {"type": "text", "text": ""}, *[{"type": "text_delta", "text": piece} for piece in pieces])


def tool(index: int, call_id: str, name: str, *pieces: str, **more: Any) -> bytes:
    start = {"type": "tool_use", "id": call_id, "name": name, "input": {}, **more}
    return block(index, start, *[{"type": "input_json_delta", "partial_json": piece} for piece in pieces])


def ended(reason: str = "end_turn", **delta: Any) -> bytes:
    told = {"stop_reason": reason, "stop_sequence": None, **delta}
    return event("message_delta", delta=told, usage={"output_tokens": 15}) + event("message_stop")


# DOC build-with-claude/streaming "Basic streaming request"
PLAIN = started() + text(0, "Hello", " wörld \u2028", " 👋🏽") + event("ping") + text(1, "!") + ended()
# DOC build-with-claude/streaming "Streaming request with tool use"; SDK tool_use_response.txt (caller)
TOOLS = b"".join(
    [
        started(),
        text(0, "Okay, let's check"),
        tool(1, "toolu_01T1", "weather", "", '{"city":', ' "Zür', 'ich", "unit": "°C"}', caller={"type": "direct"}),
        tool(2, "toolu_01T2", "time", ""),
        ended("tool_use"),
    ]
)
# DOC build-with-claude/streaming "Streaming request with extended thinking"
THINKING = b"".join(
    [
        started(),
        block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "Let me solve"},
            {"type": "thinking_delta", "thinking": " this"},
            {"type": "signature_delta", "signature": SIGNATURE},
        ),
        text(1, "27 * 453 = 12,231"),
        ended(),
    ]
)
# DOC build-with-claude/extended-thinking "Redacted thinking blocks"; it comes whole, here between others
REDACTED = b"".join(
    [
        started(),
        block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "Hm"},
            {"type": "signature_delta", "signature": SIGNATURE},
        ),
        block(
            1, {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3rAFBa8cr3qpP"}
        ),
        text(2, "Based on"),
        block(3, {"type": "redacted_thinking", "data": "EvEBCoYBGAIiQL7asaeVQ"}),
        tool(4, "toolu_01T1", "time", "{}"),
        ended("tool_use"),
    ]
)
SEARCHED = [
    {"type": "web_search_result", "url": "https://example.com", "title": "Ex", "encrypted_content": "EqgfCioIARgBIiQ3"}
]
# DOC agents-and-tools/tool-use/web-search-tool "Streaming"; SDK server_tool_use_response.txt, server_tool_result_response.txt
WEB_SEARCH = b"".join(
    [
        started(server_tool_use={"web_search_requests": 0}),
        text(0, "I'll search."),
        block(
            1,
            {"type": "server_tool_use", "id": "srvtoolu_014hJH82Qum7Td6UV8gDXThB", "name": "web_search", "input": {}},
            {"type": "input_json_delta", "partial_json": ""},
            {"type": "input_json_delta", "partial_json": '{"query": "weather'},
            {"type": "input_json_delta", "partial_json": ' NYC"}'},
        ),
        block(
            2,
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_014hJH82Qum7Td6UV8gDXThB", "content": SEARCHED},
        ),
        block(
            3,
            {"type": "text", "text": "", "citations": []},
            {
                "type": "citations_delta",
                "citation": {
                    "type": "web_search_result_location",
                    "cited_text": "Mild",
                    "url": "https://example.com",
                    "title": "Ex",
                    "encrypted_index": "Eo8BCioIAhgBIiQyYjQ0OWJmZi1lNm..",
                },
            },
            {"type": "text_delta", "text": " It is mild."},
        ),
        event(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"input_tokens": 10682, "output_tokens": 510, "server_tool_use": {"web_search_requests": 1}},
        ),
        event("message_stop"),
    ]
)
# SDK compaction_response.txt, fallback_response.txt, container_response.txt; and what nobody has heard of
UNKNOWN = b"".join(
    [
        started(),
        block(0, {"type": "fallback", "from": {"model": "claude-opus-4-7"}, "to": {"model": "claude-sonnet-4-5"}}),
        block(
            1,
            {"type": "compaction", "content": None, "encrypted_content": None},
            {"type": "compaction_delta", "content": "In short.", "encrypted_content": "EpwBCio"},
        ),
        event("moon_phase", phase="full"),
        block(2, {"type": "hologram", "shape": "cube"}, {"type": "hologram_delta", "spin": 1}),
        block(3, {"type": "container_upload", "file_id": "file_011CNha8iCJcU1wXNR6q4V8w"}),
        text(4, "Hi"),
        ended(container={"id": "container_011CPTa1PkYDZagcpQ8VZCcy", "expires_at": "2026-07-23T16:16:14Z"}),
    ]
)
# SDK incomplete_partial_json_response.txt
CUT = b"".join(
    [
        started(),
        text(0, "I'll write"),
        block(
            1,
            {"type": "tool_use", "id": "toolu_01E", "name": "make_file", "input": {}},
            {"type": "input_json_delta", "partial_json": ""},
            {"type": "input_json_delta", "partial_json": '{"filename": "taxes.txt", "lines": ["a'},
            stop=False,
        ),
        ended("max_tokens"),
    ]
)
# DOC build-with-claude/handling-stop-reasons "pause_turn"
PAUSED = b"".join(
    [
        started(),
        text(0, "Searching"),
        block(
            1,
            {"type": "server_tool_use", "id": "srvtoolu_01P", "name": "web_search", "input": {}},
            {"type": "input_json_delta", "partial_json": '{"query": "a"}'},
        ),
        ended("pause_turn"),
    ]
)
WHOLE = msgspec.json.encode(
    {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Hm", "signature": SIGNATURE},
            {"type": "text", "text": "Hello 👋🏽"},
            {"type": "tool_use", "id": "toolu_01T1", "name": "weather", "input": WEATHER},
        ],
        "model": "claude-opus-5-5",
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "cache_read_input_tokens": 30, "output_tokens": 6},
    }
)
# earendil-works/pi#2593: Kimi's endpoint gives the input whole at the start of the block, and no delta
KIMI = b"".join(
    [
        started(),
        block(0, {"type": "tool_use", "id": "weather:0", "name": "weather", "input": WEATHER}),
        block(1, {"type": "tool_use", "id": "time:1", "name": "time", "input": {}}),
        ended("tool_use"),
    ]
)

RECORDINGS = [
    AnthropicRecording("plain", PLAIN, text=HELLO, parts=["text", "text"]),
    AnthropicRecording("crlf", PLAIN.replace(b"\n", b"\r\n"), text=HELLO),
    AnthropicRecording("cr", PLAIN.replace(b"\n", b"\r"), text=HELLO),
    AnthropicRecording("bom", b"\xef\xbb\xbf" + PLAIN, text=HELLO),
    AnthropicRecording(
        "comments",
        b": OPENROUTER PROCESSING\n\n"
        + PLAIN.replace(
            b"event: ping\n", b"id: 3\nretry: 10\n: keepalive\n\ndata: : keepalive\n\ndata:\n\nevent: ping\n"
        ),
        text=HELLO,
    ),
    AnthropicRecording("no space", PLAIN.replace(b"data: ", b"data:").replace(b"event: ", b"event:"), text=HELLO),
    AnthropicRecording(
        "no event names",
        b"".join([line for line in PLAIN.splitlines(keepends=True) if b"event: " not in line]),
        text=HELLO,
    ),
    AnthropicRecording(
        "tools", TOOLS, text="Okay, let's check", calls=[("weather", WEATHER), ("time", {})], stop_reason="tool_calls"
    ),
    AnthropicRecording(
        "thinking", THINKING, text="27 * 453 = 12,231", reasoning="Let me solve this", parts=["reasoning", "text"]
    ),
    AnthropicRecording(
        "redacted thinking",
        REDACTED,
        text="Based on",
        reasoning="Hm",
        calls=[("time", {})],
        parts=["reasoning", "reasoning", "text", "reasoning", "tool_call"],
        stop_reason="tool_calls",
    ),
    AnthropicRecording(
        "web search", WEB_SEARCH, text="I'll search. It is mild.", parts=["text", "tool_call", "tool_result", "text"]
    ),
    AnthropicRecording(
        "unknown blocks and events",
        UNKNOWN,
        text="Hi",
        parts=["reasoning", "reasoning", "reasoning", "reasoning", "text"],
    ),
    AnthropicRecording("cut call", CUT, text="I'll write", parts=["text", "tool_call"], stop_reason="length"),
    AnthropicRecording("paused", PAUSED, text="Searching", parts=["text", "tool_call"], stop_reason="pause"),
    AnthropicRecording(
        "refusal",  # SDK refusal_response.txt
        started()
        + text(0)
        + ended(
            "refusal", stop_details={"type": "refusal", "category": "cyber", "explanation": "refused due to policy"}
        ),
        parts=[],
        stop_reason="refusal",
    ),
    AnthropicRecording(
        "window exceeded",
        started() + text(0, "So") + ended("model_context_window_exceeded"),
        text="So",
        stop_reason="length",
    ),
    AnthropicRecording(
        "stop sequence", started() + text(0, "So") + ended("stop_sequence", stop_sequence="."), text="So"
    ),
    AnthropicRecording("kimi", KIMI, calls=[("weather", WEATHER), ("time", {})], stop_reason="tool_calls"),
    AnthropicRecording("done of a gateway", started() + text(0, "Hi") + ended() + b"data: [DONE]\n\n", text="Hi"),
    AnthropicRecording(
        "error in the middle",  # DOC build-with-claude/streaming "Error events"
        started() + text(0, "Hel") + event("error", error={"type": "overloaded_error", "message": "Overloaded"}),
        text="Hel",
        stop_reason=None,
        error=OverloadedError,
    ),
    AnthropicRecording(
        "error at once",
        event("error", error={"type": "overloaded_error", "message": "Overloaded"}, request_id="req_9"),
        stop_reason=None,
        error=OverloadedError,
    ),
    AnthropicRecording(
        "whole",  # DOC api/messages/create
        WHOLE,
        JSON,
        text="Hello 👋🏽",
        reasoning="Hm",
        calls=[("weather", WEATHER)],
        stop_reason="tool_calls",
    ),
    AnthropicRecording(
        "whole with padding",
        b" \r\n\n" + WHOLE + b"\n",
        JSON,
        text="Hello 👋🏽",
        reasoning="Hm",
        calls=[("weather", WEATHER)],
        stop_reason="tool_calls",
    ),
    AnthropicRecording(
        "error in place of a stream",
        b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"},"request_id":"req_9"}',
        JSON,
        stop_reason=None,
        error=RateLimitError,
    ),
]
STREAM = b"".join(stream_of([{"type": "text", "text": "echo: hi there"}]))
