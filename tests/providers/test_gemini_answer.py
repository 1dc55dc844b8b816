"""What Gemini's decoder makes of single answers: parts, signatures, ids, counts, ends."""

import msgspec
import pytest

from llm_actors.errors import ContentFilterError, ProtocolError, RateLimitError, ServerError, StreamTruncatedError
from llm_actors.messages import ReasoningPart, StreamEvent, TextPart, ToolCallPart, ToolResultPart, Usage
from llm_actors.messages.assembly import assemble

from .feeding import JSON, SSE
from .gemini_recordings import BLOCKED, COUNTS, END, RECORDINGS, call, decode, messages_of, said, stream, text


def parts_of(*events):
    [message] = messages_of(decode([stream(*events)]))
    return message.parts


def signed(signature, **more):
    return {"gemini": {"thoughtSignature": signature, **more}}


def test_the_counts_have_one_meaning_for_all_providers():
    outcome = decode([stream(said(text("x")), said(**END, usageMetadata={**COUNTS, "toolUsePromptTokenCount": 3}))])
    usage = outcome.result.usage
    assert (usage.input, usage.output) == (9 + 3, 12 + 5)
    assert usage.details == {
        "cached_tokens": 4,
        "reasoning_tokens": 5,
        "tool_use_prompt_tokens": 3,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}],
    }


def test_the_counts_of_the_last_event_stand_and_nothing_counted_is_no_usage():
    outcome = decode(
        [
            stream(
                said(text("x"), usageMetadata={"promptTokenCount": 9, "candidatesTokenCount": 1}),
                said(text("y"), **END, usageMetadata={"promptTokenCount": 9, "candidatesTokenCount": 2}),
            )
        ]
    )
    assert outcome.result.usage == Usage(9, 2)
    assert decode([stream(said(text("x"), **END))]).result.usage is None
    blocked_early = decode([stream(said(finishReason="SAFETY", usageMetadata={"promptTokenCount": 9}))])
    assert blocked_early.result.usage == Usage(9, 0)


def test_a_call_keeps_the_id_and_the_signature_it_came_with():
    parts = parts_of(said(call("a", {"x": 1}, "fc_1", thoughtSignature="s"), call("b", {}, "fc_2"), **END))
    assert parts == [
        ToolCallPart("a", {"x": 1}, "fc_1", provider_metadata=signed("s", id=True)),
        ToolCallPart("b", {}, "fc_2", provider_metadata={"gemini": {"id": True}}),
    ]


def test_calls_without_ids_get_ids_of_their_own_the_same_each_time():
    body = stream(said(call("a"), call("a"), call("a", call_id="x"), call("a", call_id="x"), **END))
    ids = decode([body]).ids
    assert len(set(ids)) == 4
    assert ids == decode([body]).ids
    assert ids[2] == "x"
    assert all(made.startswith("tc_") for made in (ids[0], ids[1], ids[3]))


def test_the_events_of_a_call_are_its_name_then_its_arguments():
    outcome = decode([stream(said(call("a", {"x": 1}, "fc_1")), said(text("so"), **END))])
    events = [(item.type, item.chunk) if isinstance(item, StreamEvent) else item for item in outcome.items]
    assert events == [("tool_call_name", "a"), ("tool_call_args", '{"x":1}'), "so"]


def test_neither_two_signed_texts_nor_a_signed_and_an_unsigned_one_are_joined():
    parts = parts_of(
        said(text("a")),
        said(text("b")),
        said(text("c", thoughtSignature="s1")),
        said(text("d", thoughtSignature="s2")),
        said(text("e")),
        said(text("f"), **END),
    )
    assert parts == [TextPart("ab"), TextPart("c", signed("s1")), TextPart("d", signed("s2")), TextPart("ef")]


def test_a_signature_on_an_empty_text_is_kept_in_its_place():
    parts = parts_of(said(text("", thoughtSignature="s0"), text("a")), said(text("", thoughtSignature="s1"), **END))
    assert parts == [
        ReasoningPart("", provider_metadata=signed("s0", thought=False)),
        TextPart("a"),
        ReasoningPart("", provider_metadata=signed("s1", thought=False)),
    ]


def test_thoughts_are_reasoning_and_their_signature_stays_with_them():
    parts = parts_of(
        said(text("hm", thought=True)),
        said(text("!", thought=True)),
        said(text("so", thought=True, thoughtSignature="s")),
        said(text("a"), **END),
    )
    assert parts == [ReasoningPart("hm!"), ReasoningPart("so", provider_metadata=signed("s")), TextPart("a")]


def test_thinking_that_is_not_shown_is_told_once():
    outcome = decode([stream(said(text("a")), said(**END, usageMetadata=COUNTS), {"usageMetadata": COUNTS})])
    assert [event.redacted for event in outcome.events("reasoning")] == [True]
    assert messages_of(outcome)[0].parts == [ReasoningPart("", redacted=True), TextPart("a")]


def test_tools_that_google_runs_are_parts_that_nobody_here_executes():
    [recording] = [each for each in RECORDINGS if each.name == "google's own tools"]
    outcome = decode([recording.body])
    assert outcome.result.tool_calls == []
    parts = messages_of(outcome)[0].parts
    assert [type(part) for part in parts] == [
        TextPart,
        ToolCallPart,
        ToolResultPart,
        TextPart,
        ToolCallPart,
        ToolResultPart,
        TextPart,
    ]
    assert all(part.server_executed for part in parts if not isinstance(part, TextPart))
    assert (parts[1].name, parts[1].arguments, parts[2].output) == (
        "code_execution",
        {"language": "PYTHON", "code": "print(1)"},
        "1\n",
    )
    assert parts[1].tool_call_id == parts[2].tool_call_id
    assert (parts[4].name, parts[4].tool_call_id, parts[5].tool_call_id) == ("google_search_web", "tc1", "tc1")
    assert (outcome.result.raw or {})["grounding_metadata"] == {"webSearchQueries": ["x"]}


def test_parts_that_nobody_knows_are_kept_as_they_are():
    parts = parts_of(said(text("A"), {"hologram": {"x": 1}, "thoughtSignature": "s"}, text("B"), **END))
    kept = {"gemini": {"part": {"hologram": {"x": 1}, "thoughtSignature": "s"}}}
    assert parts == [TextPart("A"), ReasoningPart("", provider_metadata=kept), TextPart("B")]


@pytest.mark.parametrize("recording", [each for each in RECORDINGS if each.error is None], ids=lambda each: each.name)
def test_items_assembled_by_others_are_the_messages_of_the_result(recording):
    outcome = decode([recording.body], recording.headers)
    assert assemble(outcome.items) == outcome.result.messages


def test_a_last_call_without_arguments_in_an_answer_that_was_cut_is_not_executed():
    outcome = decode([stream(said(call("a", {"x": 1}), call("b", {}), finishReason="MAX_TOKENS"))])
    assert [made.name for made in outcome.result.tool_calls] == ["a"]
    assert [made.name for made in outcome.result.cut_calls] == ["b"]
    assert outcome.result.stop_reason == "length"


def test_stop_with_calls_is_tool_calls():
    outcome = decode([stream(said(call("a"), **END))])
    assert (outcome.result.stop_reason, outcome.result.raw_stop_reason) == ("tool_calls", "STOP")


def test_who_answered_and_under_which_id_is_told():
    outcome = decode([stream(said(text("x"), **END))], {"content-type": "text/event-stream"})
    assert (outcome.result.request_id, outcome.result.resolved_model) == ("TPfBaZ", "gemini-3.8-flash")


def test_a_blocked_prompt_is_an_error_that_says_why():
    error = decode([stream(BLOCKED)]).error
    assert type(error) is ContentFilterError
    assert (error.code, error.provider, error.request_id) == ("PROHIBITED_CONTENT", "gemini", "req_7")
    assert str(error) == "gemini blocked the prompt: PROHIBITED_CONTENT. What to do: change the prompt."


def test_a_call_that_the_model_garbled_is_an_error_with_its_words():
    finish = {"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "Malformed function call: print(x"}
    error = decode([stream(said(**finish))]).error
    assert type(error) is ServerError
    assert "MALFORMED_FUNCTION_CALL (Malformed function call: print(x)" in str(error)


def test_a_whole_answer_without_a_reason_to_stop_is_cut():
    assert type(decode([b"{}"], JSON).error) is StreamTruncatedError
    assert type(decode([msgspec.json.encode(said(text("x")))], JSON).error) is StreamTruncatedError


def test_other_candidates_than_the_first_are_passed_over():
    two = {"candidates": [{"index": 1, "content": {"parts": [{"text": "B"}]}}, {"index": 0, "finishReason": "STOP"}]}
    assert decode([stream(said(text("A")), two)]).text == "A"


@pytest.mark.parametrize(
    "part", [call(None, {}), {"functionCall": {"name": "a", "args": [1]}}, {"functionCall": {"name": 1}}]
)
def test_a_call_that_is_none_is_a_protocol_error(part):
    error = decode([stream(said(part, **END))]).error
    assert type(error) is ProtocolError
    assert error.frame


def test_an_error_comes_behind_what_was_said_in_the_same_read():
    quota = {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}
    outcome = decode([stream(said(text("Hel")), quota)])
    assert (outcome.text, type(outcome.error)) == ("Hel", RateLimitError)


def test_what_is_too_large_is_refused():
    body = stream(said(text("x" * 5000), **END))
    assert "larger than the limit" in str(decode([body], max_event=1000).error)
    assert "larger than the limit" in str(decode([body], max_answer=1000).error)
    assert decode([body], SSE).error is None


def test_metadata_is_kept_under_the_name_of_the_server():
    outcome = decode([stream(said(call("a", thoughtSignature="s"), **END))], name="vertex")
    assert messages_of(outcome)[0].parts[0].provider_metadata == {"vertex": {"thoughtSignature": "s"}}
