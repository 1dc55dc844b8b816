"""Answers of OpenAI's Responses, each with what it must come to.

The events are those of OpenAI's reference (https://platform.openai.com/docs/api-reference/responses-streaming) and of the types of the
openai package 3.57.0 (types/responses/response_stream_event.py): each type of that union comes in one of the recordings.
"""

from typing import Any

import msgspec

from llm_actors.errors import ContentFilterError, InvalidRequestError, OverloadedError, RateLimitError
from llm_actors.providers.openai_responses import OpenAIResponses

from .feeding import JSON
from .wire_recording import WireRecording

RESPONSES = OpenAIResponses()
USAGE = {
    "input_tokens": 75,
    "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 0},
    "output_tokens": 1186,
    "output_tokens_details": {"reasoning_tokens": 1024},
    "total_tokens": 1261,
}


def stream(*events: dict[str, Any] | bytes, names: bool = True) -> bytes:
    """A stream as OpenAI sends it: each event with its name and a sequence number. Bytes go as they are."""
    lines = []
    for number, event in enumerate(events):
        if isinstance(event, bytes):
            lines.append(event)
            continue
        data = msgspec.json.encode({"sequence_number": number, **event})
        lines.append((f"event: {event['type']}\n".encode() if names else b"") + b"data: " + data + b"\n\n")
    return b"".join(lines)


def response(status: str = "completed", output: Any = (), **more: Any) -> dict[str, Any]:
    """The response object, with what our decoder reads and some of what it does not."""
    return {
        "id": "resp_67ca",
        "object": "response",
        "created_at": 1741476777,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": "gpt-5.4-2026-03-05",
        "output": list(output),
        "parallel_tool_calls": True,
        "service_tier": "default",
        "text": {"format": {"type": "text"}},
        "usage": USAGE if status in ("completed", "incomplete") else None,
        **more,
    }


def event(kind: str, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "output_index": index, **fields}


def started() -> list[dict[str, Any]]:
    return [
        {"type": f"response.{kind}", "response": response("in_progress")}
        for kind in ("queued", "created", "in_progress")
    ]


def ended(*output: dict[str, Any], status: str = "completed", **more: Any) -> dict[str, Any]:
    return {"type": f"response.{status}", "response": response(status, output, **more)}


def message(text: str, item_id: str = "msg_1", **more: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    return {"id": item_id, "type": "message", "status": "completed", "role": "assistant", "content": content, **more}


def said(*pieces: str, index: int = 0, item_id: str = "msg_1", **more: Any) -> list[dict[str, Any]]:
    """A text, streamed."""
    text = "".join(pieces)
    where = {"item_id": item_id, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    begun = {**message("", item_id, **more), "status": "in_progress", "content": []}
    return [
        event("output_item.added", index, item=begun),
        event("content_part.added", index, part=part, **where),
        *[event("output_text.delta", index, delta=piece, logprobs=[], obfuscation="xY7", **where) for piece in pieces],
        event("output_text.done", index, text=text, logprobs=[], **where),
        event("content_part.done", index, part={**part, "text": text}, **where),
        event("output_item.done", index, item=message(text, item_id, **more)),
    ]


def call(name: str, call_id: str, arguments: str, status: str = "completed") -> dict[str, Any]:
    ids = {"id": f"fc_{call_id}", "call_id": call_id}
    return {"type": "function_call", "status": status, **ids, "name": name, "arguments": arguments}


def called(name: str, call_id: str, *pieces: str, index: int = 0) -> list[dict[str, Any]]:
    """A call, streamed."""
    where = {"item_id": f"fc_{call_id}"}
    done = call(name, call_id, "".join(pieces))
    return [
        event("output_item.added", index, item=call(name, call_id, "", "in_progress")),
        *[event("function_call_arguments.delta", index, delta=piece, **where) for piece in pieces],
        event("function_call_arguments.done", index, arguments="".join(pieces), name=name, **where),
        event("output_item.done", index, item=done),
    ]


def reasoning(*summary: str, secret: str = "gAAAAABo", item_id: str = "rs_1") -> dict[str, Any]:
    texts = [{"type": "summary_text", "text": text} for text in summary]
    return {"id": item_id, "type": "reasoning", "summary": texts, "encrypted_content": secret}


def thought(*summary: str, index: int = 0, item_id: str = "rs_1") -> list[dict[str, Any]]:
    """Reasoning, its summary streamed in halves; its encrypted content is whole only at the end."""
    events = [event("output_item.added", index, item=reasoning(secret="gAA", item_id=item_id))]
    for number, text in enumerate(summary):
        where = {"item_id": item_id, "summary_index": number}
        half = len(text) // 2
        events += [
            event("reasoning_summary_part.added", index, part={"type": "summary_text", "text": ""}, **where),
            *[
                event("reasoning_summary_text.delta", index, delta=piece, **where)
                for piece in (text[:half], text[half:])
            ],
            event("reasoning_summary_text.done", index, text=text, **where),
            event("reasoning_summary_part.done", index, part={"type": "summary_text", "text": text}, **where),
        ]
    return [*events, event("output_item.done", index, item=reasoning(*summary, item_id=item_id))]


HELLO = "Hello wörld \u2028 👋🏽!"
PLAIN = stream(*started(), *said("Hello", " wörld \u2028 👋🏽", "!"), ended(message(HELLO)))
WEATHER = {"city": "Zürich", "unit": "°C"}
FIRST, SECOND = call("weather", "call_a", '{"city":"Zürich","unit":"°C"}'), call("time", "call_b", "{}")
PARALLEL = stream(
    *started(),
    *thought("**Looking**\n\nBoth", "at once"),
    *called("weather", "call_a", '{"city":"Zür', 'ich","unit":"°C"}', index=1),
    *called("time", "call_b", "{}", index=2),
    ended(reasoning("**Looking**\n\nBoth", "at once"), FIRST, SECOND),
)
SEARCH = {
    "id": "ws_1",
    "type": "web_search_call",
    "status": "completed",
    "action": {"type": "search", "query": "unicorns"},
}
CODE = {
    "id": "ci_1",
    "type": "code_interpreter_call",
    "status": "completed",
    "code": "print(1)",
    "container_id": "cntr_1",
    "outputs": [{"type": "logs", "logs": "1"}],
}
FILES = {"id": "fs_1", "type": "file_search_call", "status": "completed", "queries": ["x"], "results": None}
IMAGE = {
    "id": "ig_1",
    "type": "image_generation_call",
    "status": "completed",
    "result": "iVBORw0K",
    "output_format": "png",
}
MCP = {
    "id": "mcp_1",
    "type": "mcp_call",
    "name": "roll",
    "server_label": "dice",
    "arguments": '{"d":6}',
    "output": "4",
    "error": None,
    "approval_request_id": None,
}
MCP_TOOLS = {
    "id": "mcpl_1",
    "type": "mcp_list_tools",
    "server_label": "dice",
    "tools": [{"name": "roll", "input_schema": {}}],
}
SHELL = {
    "id": "sh_1",
    "type": "shell_call",
    "call_id": "call_sh",
    "status": "completed",
    "action": {"commands": ["ls"], "timeout_ms": None, "max_output_length": None},
}
SHELL_OUTPUT = {
    "id": "sho_1",
    "type": "shell_call_output",
    "call_id": "call_sh",
    "status": "completed",
    "output": [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}],
}
COMPACTION = {"id": "cmp_1", "type": "compaction", "encrypted_content": "gAAAB"}
CUSTOM = {
    "id": "ctc_1",
    "type": "custom_tool_call",
    "call_id": "call_c",
    "name": "sql",
    "input": "select 1",
    "status": "completed",
}
CITATION = {"type": "url_citation", "start_index": 0, "end_index": 3, "title": "U", "url": "https://example.com/u"}
CITED = {
    **message("Yes"),
    "content": [{"type": "output_text", "text": "Yes", "annotations": [CITATION], "logprobs": []}],
    "phase": "final_answer",
}


def worked(index: int, item: dict[str, Any], *events: dict[str, Any]) -> list[dict[str, Any]]:
    """An item of the provider's own: begun, its events, done."""
    begun = {**item, "status": "in_progress", "result": None, "outputs": None, "output": None}
    return [event("output_item.added", index, item=begun), *events, event("output_item.done", index, item=item)]


def steps(kind: str, index: int, item_id: str, *names: str, **fields: Any) -> list[dict[str, Any]]:
    return [event(f"{kind}.{name}", index, item_id=item_id, **fields) for name in names]


OWN_TOOLS = stream(
    *started(),
    *worked(0, SEARCH, *steps("web_search_call", 0, "ws_1", "in_progress", "searching", "completed")),
    *worked(1, FILES, *steps("file_search_call", 1, "fs_1", "in_progress", "searching", "completed")),
    *worked(
        2,
        CODE,
        *steps("code_interpreter_call", 2, "ci_1", "in_progress", "interpreting"),
        *steps("code_interpreter_call_code", 2, "ci_1", "delta", delta="print(1)"),
        *steps("code_interpreter_call_code", 2, "ci_1", "done", code="print(1)"),
        *steps("code_interpreter_call", 2, "ci_1", "completed"),
    ),
    *worked(
        3,
        IMAGE,
        *steps("image_generation_call", 3, "ig_1", "in_progress", "generating"),
        *steps("image_generation_call", 3, "ig_1", "partial_image", partial_image_b64="iVBO", partial_image_index=0),
        *steps("image_generation_call", 3, "ig_1", "completed"),
    ),
    *worked(4, MCP_TOOLS, *steps("mcp_list_tools", 4, "mcpl_1", "in_progress", "completed", "failed")),
    *worked(
        5,
        MCP,
        *steps("mcp_call", 5, "mcp_1", "in_progress"),
        *steps("mcp_call_arguments", 5, "mcp_1", "delta", delta='{"d":6}'),
        *steps("mcp_call_arguments", 5, "mcp_1", "done", arguments='{"d":6}'),
        *steps("mcp_call", 5, "mcp_1", "completed", "failed"),
    ),
    *worked(
        6,
        SHELL,
        *steps("shell_call_command", 6, "sh_1", "added", command_index=0, command=""),
        *steps("shell_call_command", 6, "sh_1", "delta", command_index=0, delta="ls"),
        *steps("shell_call_command", 6, "sh_1", "done", command_index=0, command="ls"),
    ),
    *worked(
        7,
        SHELL_OUTPUT,
        *steps("shell_call_output_content", 7, "sho_1", "delta", command_index=0, delta={"stdout": "a"}),
        *steps("shell_call_output_content", 7, "sho_1", "done", command_index=0, output=[]),
    ),
    *worked(8, COMPACTION, *steps("compaction", 8, "cmp_1", "compacting")),
    *said("Yes", index=9, phase="final_answer")[:3],
    event("output_text.annotation.added", 9, item_id="msg_1", content_index=0, annotation_index=0, annotation=CITATION),
    event("output_item.done", 9, item=CITED),
    ended(SEARCH, FILES, CODE, IMAGE, MCP_TOOLS, MCP, SHELL, SHELL_OUTPUT, COMPACTION, CITED),
)
REFUSAL_PART = {"type": "refusal", "refusal": "I can't help."}
REFUSAL = stream(
    *started(),
    event("output_item.added", item={**message(""), "content": []}),
    event("content_part.added", item_id="msg_1", content_index=0, part={"type": "refusal", "refusal": ""}),
    event("refusal.delta", item_id="msg_1", content_index=0, delta="I can't"),
    event("refusal.delta", item_id="msg_1", content_index=0, delta=" help."),
    event("refusal.done", item_id="msg_1", content_index=0, refusal="I can't help."),
    event("content_part.done", item_id="msg_1", content_index=0, part=REFUSAL_PART),
    event("output_item.done", item={**message(""), "content": [REFUSAL_PART]}),
    ended({**message(""), "content": [REFUSAL_PART]}),
)
OPEN_REASONING = {
    "id": "rs_9",
    "type": "reasoning",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "The user is asking..."}],
}
OPEN_WEIGHTS = stream(
    *started(),
    event("output_item.added", item={"id": "rs_9", "type": "reasoning", "summary": [], "content": []}),
    event("reasoning_text.delta", item_id="rs_9", content_index=0, delta="The user"),
    event("reasoning_text.delta", item_id="rs_9", content_index=0, delta=" is asking..."),
    event("reasoning_text.done", item_id="rs_9", content_index=0, text="The user is asking..."),
    event("output_item.done", item=OPEN_REASONING),
    *said("Yes", index=1),
    ended(OPEN_REASONING, message("Yes")),
)
CUSTOM_CALL = stream(
    *started(),
    event("output_item.added", item={**CUSTOM, "input": "", "status": "in_progress"}),
    event("custom_tool_call_input.delta", item_id="ctc_1", delta="select"),
    event("custom_tool_call_input.delta", item_id="ctc_1", delta=" 1"),
    event("custom_tool_call_input.done", item_id="ctc_1", input="select 1"),
    event("output_item.done", item=CUSTOM),
    ended(CUSTOM),
)
CUT = stream(
    *started(),
    *said("So"),
    *called("weather", "call_a", '{"city":"Zür', index=1)[:2],
    event("output_item.done", 1, item=call("weather", "call_a", '{"city":"Zür', "incomplete")),
    ended(
        message("So"),
        call("weather", "call_a", '{"city":"Zür', "incomplete"),
        status="incomplete",
        incomplete_details={"reason": "max_output_tokens"},
    ),
)
UNKNOWN = stream(
    *started(),
    {"type": "response.audio.delta", "delta": "UklG"},
    {"type": "response.audio.done"},
    {"type": "response.audio.transcript.delta", "delta": "hi"},
    {"type": "response.audio.transcript.done"},
    {"type": "response.steer.accepted", "steer": {"id": "steer_1", "previous_response_id": "resp_67ca"}},
    {"type": "response.of_next_year.delta", "delta": {"anything": [1]}, "output_index": "none"},
    event("output_item.added", 0, item={"id": "nx_1", "type": "next_years_item"}),
    event("output_item.done", 0, item={"id": "nx_1", "type": "next_years_item", "secret": "s"}),
    *said("Hi", index=1),
    ended({"id": "nx_1", "type": "next_years_item", "secret": "s"}, message("Hi")),
)
FAILED = stream(
    *started(),
    *said("Hel")[:3],
    {
        "type": "response.failed",
        "response": response("failed", error={"code": "server_is_overloaded", "message": "overloaded"}),
    },
)
ERROR = stream(
    *started()[:2],
    {"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": None},
)
WHOLE = msgspec.json.encode(response(output=[reasoning("Hm"), message(HELLO)]))

PROOF = b'"type":"response.completed"'
_SAID: dict[str, Any] = {"text": HELLO, "provider": RESPONSES, "proof": PROOF}
_PARALLEL: dict[str, Any] = {
    "reasoning": "**Looking**\n\nBoth\n\nat once",
    "calls": [("weather", WEATHER), ("time", {})],
    "stop_reason": "tool_calls",
    "provider": RESPONSES,
    "proof": PROOF,
}

RECORDINGS = [
    WireRecording("plain", PLAIN, **_SAID),
    WireRecording("crlf", PLAIN.replace(b"\n", b"\r\n"), **_SAID),
    WireRecording("cr", PLAIN.replace(b"\n", b"\r"), **_SAID),
    WireRecording("bom", b"\xef\xbb\xbf" + PLAIN, **_SAID),
    WireRecording(
        "comments",
        b": OPENROUTER PROCESSING\n\n"
        + PLAIN.replace(
            b"event: response.completed", b"id: 3\n: ping\n\ndata: : keepalive\n\ndata:\n\nevent: response.completed"
        ),
        **_SAID,
    ),
    WireRecording(
        "no event names, no spaces, and a marker that proves nothing",
        stream(*started(), *said("Hello", " wörld \u2028 👋🏽", "!"), ended(message(HELLO)), names=False).replace(
            b"data: ", b"data:"
        )
        + b"data: [DONE]\n\n",
        **_SAID,
    ),
    WireRecording("no blank line at the end", PLAIN[:-2], **_SAID),
    WireRecording(
        "an end that repeats nothing",  # the Codex back end, and servers that keep no output
        stream(
            *started(),
            *said("Hello", " wörld \u2028 👋🏽", "!"),
            {"type": "response.completed", "response": {"id": "r"}},
        ),
        **_SAID,
    ),
    WireRecording(
        "neither indexes nor ids, and the items only at the end",
        stream(
            {"type": "response.created", "response": {"id": "resp_1"}},
            {"type": "response.reasoning_summary_text.delta", "delta": "Hm"},
            {"type": "response.output_text.delta", "delta": "Hel"},
            {"type": "response.output_text.delta", "delta": "lo"},
            ended(reasoning("Hm"), message("Hello")),
        ),
        text="Hello",
        reasoning="Hm",
        provider=RESPONSES,
        proof=PROOF,
    ),
    WireRecording(
        "deltas without an index, items with one",
        stream(
            {"type": "response.reasoning_summary_text.delta", "delta": "Hm"},
            event("output_item.done", 0, item=reasoning("Hm")),
            {"type": "response.output_text.delta", "delta": "Hello"},
            event("output_item.done", 1, item=message("Hello")),
            {"type": "response.completed", "response": {"status": "completed"}},
        ),
        text="Hello",
        reasoning="Hm",
        provider=RESPONSES,
        proof=PROOF,
    ),
    WireRecording(
        "all items only in the last event", stream(ended(reasoning("Hm"), message(HELLO))), reasoning="Hm", **_SAID
    ),
    WireRecording("reasoning and parallel calls", PARALLEL, **_PARALLEL),
    WireRecording(
        "ids that change with every event",  # a gateway that makes them up; the numbers are right
        PARALLEL.replace(b'"item_id":"fc_call_a"', b'"item_id":"fc_1"').replace(
            b'"item_id":"rs_1"', b'"item_id":"rs_2"'
        ),
        **_PARALLEL,
    ),
    WireRecording("the provider's own tools", OWN_TOOLS, text="Yes", provider=RESPONSES, proof=PROOF),
    WireRecording("refusal", REFUSAL, text="I can't help.", stop_reason="refusal", provider=RESPONSES, proof=PROOF),
    WireRecording(
        "open weights", OPEN_WEIGHTS, text="Yes", reasoning="The user is asking...", provider=RESPONSES, proof=PROOF
    ),
    WireRecording(
        "custom tool",
        CUSTOM_CALL,
        calls=[("sql", {"input": "select 1"})],
        stop_reason="tool_calls",
        provider=RESPONSES,
        proof=PROOF,
    ),
    WireRecording(
        "cut by length", CUT, text="So", stop_reason="length", provider=RESPONSES, proof=b'"type":"response.incomplete"'
    ),
    WireRecording("unknown events and items", UNKNOWN, text="Hi", provider=RESPONSES, proof=PROOF),
    WireRecording("failed", FAILED, text="Hel", error=OverloadedError, provider=RESPONSES, proof=b"never"),
    WireRecording("error", ERROR, error=RateLimitError, provider=RESPONSES, proof=b"never"),
    WireRecording(
        "failed by a policy",
        stream(
            {"type": "response.failed", "response": response("failed", error={"code": "bio_policy", "message": "no"})}
        ),
        error=ContentFilterError,
        provider=RESPONSES,
        proof=b"never",
    ),
    WireRecording("whole", WHOLE, headers=JSON, text=HELLO, reasoning="Hm", provider=RESPONSES, proof=b"never"),
    WireRecording(
        "error in place of a stream",
        b'{"error":{"message":"no such model","type":"invalid_request_error","code":"model_not_found"}}',
        headers=JSON,
        error=InvalidRequestError,
        provider=RESPONSES,
        proof=b"never",
    ),
]
