"""What an answer of Anthropic's messages comes to: items for readers, a message for the history, usage, reasons, limits."""

import msgspec
import pytest

from llm_actors.errors import ModelError, OverloadedError, ProtocolError, ServerError, StreamTruncatedError
from llm_actors.messages import ModelRequest, RateLimit, RateLimits, StreamEvent, Usage, user
from llm_actors.messages.parts import ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from llm_actors.providers.anthropic import Anthropic
from llm_actors.testing.wire_anthropic import event

from .anthropic_recordings import (
    CUT,
    JSON,
    KIMI,
    PAUSED,
    REDACTED,
    SEARCHED,
    SIGNATURE,
    SSE,
    THINKING,
    TOOLS,
    UNKNOWN,
    WEATHER,
    WEB_SEARCH,
    WHOLE,
    block,
    ended,
    started,
    text,
    tool,
)
from .feeding import decode as feed

PROVIDER = Anthropic()
REQUEST = ModelRequest("claude-opus-5-5", [user("hi")], request_id="r1")


def decode(*pieces, headers=SSE, provider=PROVIDER, **more):
    return feed(pieces, headers, provider=provider, request=REQUEST, **more)


def parts(outcome):
    [message] = outcome.result.messages
    return message.parts


def own(part):
    return part.provider_metadata["anthropic"]


def test_thinking_comes_as_it_is_thought_and_its_signature_behind_it():
    outcome = decode(THINKING)
    assert outcome.events("reasoning") == [
        StreamEvent("reasoning", "Let me solve"),
        StreamEvent("reasoning", " this"),
        StreamEvent("reasoning", "", provider_metadata={"anthropic": {"signature": SIGNATURE}}),
    ]
    assert parts(outcome) == [
        ReasoningPart("Let me solve this", provider_metadata={"anthropic": {"signature": SIGNATURE}}),
        TextPart("27 * 453 = 12,231"),
    ]


def test_hidden_thinking_stays_in_its_place_in_the_message():
    outcome = decode(REDACTED)
    thought, hidden, said, again, call = parts(outcome)
    assert (own(thought)["signature"], own(hidden)["data"][:4], said.text) == (SIGNATURE, "EmwK", "Based on")
    assert hidden.redacted
    assert again == ReasoningPart("", redacted=True, provider_metadata={"anthropic": {"data": "EvEBCoYBGAIiQL7asaeVQ"}})
    assert call == ToolCallPart("time", {}, "toolu_01T1")
    assert [item.redacted for item in outcome.events("reasoning")] == [False, False, True, True]


def test_thinking_that_is_not_shown_is_kept_for_its_signature():
    start = {"type": "thinking", "thinking": "", "signature": ""}
    outcome = decode(started(), block(0, start, {"type": "signature_delta", "signature": "s"}), text(1, "Hi"), ended())
    assert parts(outcome)[0] == ReasoningPart("", redacted=True, provider_metadata={"anthropic": {"signature": "s"}})
    assert outcome.reasoning == ""


def test_thinking_without_a_signature_is_kept_as_text_alone():
    start = {"type": "thinking", "thinking": ""}
    outcome = decode(started(), block(0, start, {"type": "thinking_delta", "thinking": "Hm"}), ended("max_tokens"))
    assert parts(outcome) == [ReasoningPart("Hm", provider_metadata={"anthropic": {"block": {"type": "thinking"}}})]


def test_calls_come_in_pieces_and_what_else_is_said_of_them_is_kept():
    outcome = decode(TOOLS)
    assert outcome.ids == ["toolu_01T1", "toolu_01T2"]
    assert [item.chunk for item in outcome.events("tool_call_name")] == ["weather", "time"]
    assert "".join([item.chunk for item in outcome.events("tool_call_args")]) == '{"city": "Zürich", "unit": "°C"}'
    assert own(parts(outcome)[1]) == {"block": {"caller": {"type": "direct"}}}
    assert parts(outcome)[2] == ToolCallPart("time", {}, "toolu_01T2")
    assert outcome.result.raw_stop_reason == "tool_use"


def test_an_input_given_whole_at_the_beginning_of_its_block_counts_unless_pieces_follow():
    assert decode(KIMI).calls == [("weather", WEATHER), ("time", {})]
    assert [item.chunk for item in decode(KIMI).events("tool_call_args")] == [msgspec.json.encode(WEATHER).decode()]
    start = {"type": "tool_use", "id": "a", "name": "f", "input": {"old": 1}}
    outcome = decode(
        started(), block(0, start, {"type": "input_json_delta", "partial_json": '{"n":1}'}), ended("tool_use")
    )
    assert outcome.calls == [("f", {"n": 1})]


def test_calls_without_an_id_or_with_one_that_is_taken_get_their_own_always_the_same():
    pieces = [started(), tool(0, "a", "f"), tool(1, "a", "g"), tool(2, None, "h"), ended("tool_use")]
    ids = decode(*pieces).ids
    assert ids[0] == "a"
    assert len(set(ids)) == 3
    assert decode(*pieces).ids == ids
    assert [part.tool_call_id for part in parts(decode(*pieces))] == ids


def test_arguments_that_are_no_object_go_to_the_model_as_they_came():
    outcome = decode(started(), tool(0, "a", "f", '{"n": '), tool(1, "b", "g", "[1]"), ended("tool_use"))
    assert outcome.calls == [("f", {"_raw": '{"n": '}), ("g", {"_raw": "[1]"})]


def test_a_call_that_the_length_limit_cut_is_never_run():
    outcome = decode(CUT)
    assert outcome.result.tool_calls == []
    assert [call.name for call in outcome.result.cut_calls] == ["make_file"]
    assert decode(started(), tool(0, "a", "f", ""), ended("max_tokens")).result.cut_calls
    outcome = decode(started(), tool(0, "a", "f", ""), tool(1, "b", "g", '{"n":1}'), ended("max_tokens"))
    assert outcome.calls == [("f", {}), ("g", {"n": 1})]


def test_no_call_of_a_refused_answer_is_run():
    outcome = decode(started(), tool(0, "a", "f", '{"n":1}'), ended("refusal"))
    assert (outcome.result.tool_calls, len(outcome.result.cut_calls)) == ([], 1)
    assert outcome.result.stop_reason == "refusal"


def test_a_refusal_says_why():
    details = {"type": "refusal", "category": "cyber", "explanation": "refused due to policy"}
    result = decode(started(), text(0), ended("refusal", stop_details=details)).result
    assert (result.stop_reason, result.raw_stop_reason, result.messages) == ("refusal", "refusal", [])
    assert result.raw["stop_details"] == details


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
        ("tool_use", "stop"),  # without a call there is none to run
        ("compaction", "other"),
    ],
)
def test_stop_reasons_come_in_the_words_of_all(raw, reason):
    result = decode(started(), text(0, "Hi"), ended(raw)).result
    assert (result.stop_reason, result.raw_stop_reason) == (reason, raw)


def test_the_calls_are_trusted_not_the_reason():
    assert decode(started(), tool(0, "a", "f", "{}"), ended("end_turn")).result.stop_reason == "tool_calls"


def test_tools_of_the_provider_are_never_run_and_kept_as_they_came():
    outcome = decode(WEB_SEARCH)
    _, call, found, cited = parts(outcome)
    assert outcome.calls == []
    assert call.server_executed
    assert (call.name, call.arguments) == ("web_search", {"query": "weather NYC"})
    assert isinstance(found, ToolResultPart)
    assert (found.name, found.server_executed) == ("web_search", True)
    assert own(found)["block"]["content"] == SEARCHED
    assert "encrypted" not in found.output
    assert "https://example.com" in found.output
    assert own(cited)["citations"][0]["cited_text"] == "Mild"
    [result] = outcome.events("tool_result")
    assert (result.tool_name, result.server_executed) == ("web_search", True)
    assert all(item.server_executed for item in outcome.events("tool_call_name", "tool_call_args"))


def test_a_paused_turn_keeps_the_call_that_has_no_result_yet():
    outcome = decode(PAUSED)
    assert outcome.result.stop_reason == "pause"
    assert parts(outcome)[-1].server_executed


def test_blocks_nobody_knows_are_kept_whole():
    outcome = decode(UNKNOWN)
    assert [own(part)["block"] for part in parts(outcome)[:4]] == [
        {"type": "fallback", "from": {"model": "claude-opus-4-7"}, "to": {"model": "claude-sonnet-4-5"}},
        {"type": "compaction", "content": "In short.", "encrypted_content": "EpwBCio"},
        {"type": "hologram", "shape": "cube", "spin": 1},
        {"type": "container_upload", "file_id": "file_011CNha8iCJcU1wXNR6q4V8w"},
    ]
    assert outcome.result.resolved_model == "claude-sonnet-4-5"
    assert outcome.result.raw["container"]["id"] == "container_011CPTa1PkYDZagcpQ8VZCcy"


def test_the_usage_counts_the_cache_into_the_input_and_later_numbers_stand_for_all_before():
    usage = {"input_tokens": 3, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 1}
    told = {"output_tokens": 20, "cache_read_input_tokens": None, "output_tokens_details": {"thinking_tokens": 7}}
    message = {"type": "message", "usage": usage, "model": "claude-opus-5-5-20261101", "id": "msg_1"}
    last = event("message_delta", delta={"stop_reason": "end_turn"}, usage=told)
    result = decode(event("message_start", message=message), text(0, "Hi"), last).result
    details = {
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 100,
        "output_tokens_details": {"thinking_tokens": 7},
    }
    assert result.usage == Usage(108, 20, details)
    assert (result.resolved_model, result.raw["id"]) == ("claude-opus-5-5-20261101", "msg_1")


def test_a_gateway_that_tells_the_input_at_the_end_is_believed():
    last = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"input_tokens": 9, "output_tokens": 2})
    assert decode(started(input_tokens=0), text(0, "Hi"), last).result.usage == Usage(9, 2)


def test_an_answer_without_usage_has_none():
    last = event("message_delta", delta={"stop_reason": "end_turn"})
    assert decode(event("message_start", message={}), text(0, "Hi"), last).result.usage is None


def test_the_limits_of_the_key_ride_on_the_result():
    headers = {
        **SSE,
        "date": "Wed, 25 Nov 2026 08:00:00 GMT",
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-11-25T08:00:01Z",
        "anthropic-ratelimit-input-tokens-limit": "30000",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-25T08:00:30Z",
        "anthropic-ratelimit-output-tokens-remaining": "many",
    }
    limits = decode(THINKING, headers=headers).result.rate_limits
    assert limits == RateLimits(requests=RateLimit(50, 49, 1.0), input_tokens=RateLimit(30000, 0, 30.0))
    assert decode(THINKING).result.rate_limits is None


def test_an_error_in_a_stream_is_typed_and_keeps_what_came_before():
    outcome = decode(
        started()
        + text(0, "Hel")
        + event("error", error={"type": "overloaded_error", "message": "Overloaded"}, request_id="req_9"),
        headers={"content-type": "text/event-stream"},
    )
    assert outcome.text == "Hel"
    assert type(outcome.error) is OverloadedError
    assert (outcome.error.code, outcome.error.status, outcome.error.request_id) == ("overloaded_error", None, "req_9")
    assert "Overloaded. What to do: try again later." in str(outcome.error)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"type":"error","error":{"type":"api_error","message":"Internal server error"}}', ServerError),
        (b'{"detail":"Not Found"}', ModelError),
        (b"{}", ProtocolError),
        (b"[]", ProtocolError),
        (b'{"type":"message","content":[]}', ProtocolError),
        (b"<html>Bad gateway</html>", ProtocolError),
        (WHOLE[:-20], StreamTruncatedError),
        (b"", StreamTruncatedError),
    ],
)
def test_a_body_that_is_no_answer_is_a_typed_error(body, kind):
    assert isinstance(decode(body, headers=JSON).error, kind)


def test_an_event_that_is_not_json_is_a_protocol_error_without_keys():
    outcome = decode(started(), b"event: content_block_start\ndata: sk-ant-api03-abcdefgh {\n\n")
    assert type(outcome.error) is ProtocolError
    assert b"abcdefgh" not in outcome.error.frame


def test_an_answer_beyond_the_limits_is_a_protocol_error():
    assert type(decode(started(), text(0, "x" * 5000), ended(), max_event=1000).error) is ProtocolError
    assert type(decode(started(), *[text(0, "x" * 100)] * 99, ended(), max_answer=5000).error) is ProtocolError
    assert type(decode(WHOLE, headers=JSON, max_answer=50).error) is ProtocolError


def test_a_block_whose_beginning_was_left_out_is_taken_by_its_deltas():
    outcome = decode(
        started(),
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hi"}),
        event("content_block_delta", index=1, delta={"type": "thinking_delta", "thinking": "Hm"}),
        ended(),
    )
    assert (outcome.text, outcome.reasoning) == ("Hi", "Hm")


def test_a_server_that_counts_its_blocks_anew_loses_none():
    outcome = decode(started(), text(0, "a"), text(0, "b"), tool(0, "x", "f", "{}"), ended("tool_use"))
    assert (outcome.text, outcome.calls) == ("ab", [("f", {})])


def test_what_only_this_provider_understands_is_kept_under_its_name():
    [message] = decode(THINKING, provider=Anthropic("kimi")).result.messages
    assert list(message.provider_metadata) == ["kimi"]
    assert list(message.parts[0].provider_metadata) == ["kimi"]
