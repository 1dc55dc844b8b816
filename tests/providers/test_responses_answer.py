"""What servers of Responses make of the wire, and what is kept of an answer."""

import msgspec
import pytest

from llm_actors.errors import (
    ContentFilterError,
    InvalidRequestError,
    ModelError,
    OverloadedError,
    ProtocolError,
    QuotaExhaustedError,
    ServerError,
    StreamTruncatedError,
)
from llm_actors.messages import (
    Attachment,
    ReasoningPart,
    StreamEvent,
    TextPart,
    ToolCall,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from llm_actors.providers.openai_responses import OpenAIResponses

from .feeding import JSON, REQUEST, SSE, decode
from .responses_recordings import (
    CITATION,
    CITED,
    COMPACTION,
    CUSTOM,
    CUSTOM_CALL,
    CUT,
    IMAGE,
    MCP,
    OPEN_WEIGHTS,
    OWN_TOOLS,
    PARALLEL,
    PLAIN,
    REFUSAL,
    RESPONSES,
    SEARCH,
    SHELL,
    SHELL_OUTPUT,
    UNKNOWN,
    call,
    called,
    ended,
    event,
    message,
    reasoning,
    response,
    said,
    started,
    stream,
    thought,
)


def answer(*events, **settings):
    return decode([stream(*events)], provider=RESPONSES, **settings)


def decoded(body):
    return decode([body], provider=RESPONSES)


def parts_of(body):
    outcome = decoded(body)
    assert outcome.result is not None, outcome.error
    [said] = outcome.result.messages
    return said.parts


# What an answer says


def test_text_comes_as_plain_strings_chunk_by_chunk():
    assert answer(*said("Hi", " there"), ended(usage=None)).items == ["Hi", " there"]


def test_the_envelope_the_usage_and_the_request_id_are_kept():
    result = decode([PLAIN], provider=RESPONSES).result
    assert result.usage == Usage(
        75,
        1186,
        {"input_tokens_details": {"cached_tokens": 64}, "output_tokens_details": {"reasoning_tokens": 1024}},
    )
    assert (result.request_id, result.resolved_model, result.raw_stop_reason) == (
        "req_7",
        "gpt-5.4-2026-03-05",
        "completed",
    )
    assert result.raw == {"id": "resp_67ca", "created_at": 1741476777, "service_tier": "default", "status": "completed"}


def test_a_plain_text_carries_nothing_else():
    assert parts_of(PLAIN)[-1] == TextPart("Hello wörld \u2028 👋🏽!")


def test_reasoning_keeps_what_goes_back_and_calls_have_their_call_id():
    thought, first, second = parts_of(PARALLEL)
    assert thought == ReasoningPart(
        "**Looking**\n\nBoth\n\nat once",
        provider_metadata={
            "openai": {"id": "rs_1", "encrypted_content": "gAAAAABo", "summary": ["**Looking**\n\nBoth", "at once"]}
        },
    )
    assert (first.tool_call_id, second.tool_call_id) == ("call_a", "call_b")
    assert first.provider_metadata is None


def test_a_call_is_streamed_under_its_call_id():
    events = decode([PARALLEL], provider=RESPONSES).events("tool_call_name", "tool_call_args")
    assert [(item.type[10:], item.chunk, item.tool_call_id) for item in events] == [
        ("name", "weather", "call_a"),
        ("args", '{"city":"Zür', "call_a"),
        ("args", 'ich","unit":"°C"}', "call_a"),
        ("name", "time", "call_b"),
        ("args", "{}", "call_b"),
    ]


def test_thinking_that_is_not_shown_is_told_and_kept():
    outcome = answer(event("output_item.done", item=reasoning()), *said("Yes", index=1), ended())
    metadata = {"openai": {"id": "rs_1", "encrypted_content": "gAAAAABo"}}
    assert outcome.items[0] == StreamEvent("reasoning", redacted=True, provider_metadata=metadata)
    assert outcome.result.messages[0].parts[0] == ReasoningPart("", redacted=True, provider_metadata=metadata)


def test_thinking_of_which_there_is_no_item_is_told_by_the_usage():
    assert answer(*said("Yes"), ended(message("Yes"))).items[-1] == StreamEvent("reasoning", redacted=True)


def test_thinking_of_an_open_model_is_kept_as_text_to_go_back():
    assert parts_of(OPEN_WEIGHTS)[0] == ReasoningPart(
        "The user is asking...", provider_metadata={"openai": {"id": "rs_9", "content": ["The user is asking..."]}}
    )


def test_a_refusal_is_text_that_is_known_to_be_one():
    assert parts_of(REFUSAL)[-1] == TextPart("I can't help.", {"openai": {"refusal": True}})


def test_the_phase_and_the_citations_of_a_text_are_kept():
    text = parts_of(OWN_TOOLS)[-1]
    assert text == TextPart("Yes", {"openai": {"phase": "final_answer", "annotations": [CITATION]}})


def test_two_messages_of_one_answer_stay_two_parts():
    outcome = answer(
        *said("Looking.", phase="commentary"), *said("Done.", index=1, item_id="msg_2", phase="final_answer"), ended()
    )
    assert [part.text for part in outcome.result.messages[0].parts] == ["Looking.", "Done."]
    assert [part.provider_metadata["openai"]["phase"] for part in outcome.result.messages[0].parts] == [
        "commentary",
        "final_answer",
    ]


def test_the_providers_own_tools_are_calls_and_results_that_nobody_here_runs():
    outcome = decoded(OWN_TOOLS)
    assert outcome.result.tool_calls == []
    parts = outcome.result.messages[0].parts
    calls = [(part.name, part.arguments) for part in parts if isinstance(part, ToolCallPart)]
    assert calls[:2] == [("web_search", {"action": SEARCH["action"]}), ("file_search", {"queries": ["x"]})]
    assert calls[2] == ("code_interpreter", {"code": "print(1)", "container_id": "cntr_1"})
    assert ("roll", {"d": 6}) in calls
    assert all(part.server_executed for part in parts if isinstance(part, ToolCallPart | ToolResultPart))
    results = {part.name: part for part in parts if isinstance(part, ToolResultPart)}
    assert results["code_interpreter"].output == '[{"type":"logs","logs":"1"}]'
    assert results["roll"].output == "4"
    assert results["image_generation"].attachments == [Attachment("image/png", content=b"\x89PNG\r\n")]
    own = [(part.provider_metadata or {}).get("openai", {}) for part in parts]
    kept = [metadata["item"] for metadata in own if "item" in metadata]
    assert [item["id"] for item in kept] == [
        "ws_1",
        "fs_1",
        "ci_1",
        "ig_1",
        "mcpl_1",
        "mcp_1",
        "sh_1",
        "sho_1",
        "cmp_1",
    ]
    assert {
        "ws_1": SEARCH,
        "ig_1": IMAGE,
        "mcp_1": MCP,
        "sh_1": SHELL,
        "sho_1": SHELL_OUTPUT,
        "cmp_1": COMPACTION,
    }.items() <= {item["id"]: item for item in kept}.items()
    assert [item.tool_name for item in outcome.events("tool_result")] == [
        "code_interpreter",
        "image_generation",
        "roll",
        "shell_call_output",
    ]


def test_what_nobody_knows_yet_goes_back_as_it_came():
    kept = parts_of(UNKNOWN)[0]
    assert kept.server_executed
    assert kept.provider_metadata == {"openai": {"item": {"id": "nx_1", "type": "next_years_item", "secret": "s"}}}


def test_a_custom_tool_is_called_with_its_text():
    outcome = decoded(CUSTOM_CALL)
    assert outcome.result.tool_calls == [ToolCall("sql", {"input": "select 1"}, "call_c")]
    assert outcome.result.messages[0].parts[0].provider_metadata == {"openai": {"type": "custom_tool_call"}}
    assert [item.chunk for item in outcome.events("tool_call_args")] == ['{"input":"select 1"}']


def test_a_call_that_was_cut_by_the_length_limit_is_no_call_to_run():
    result = decode([CUT], provider=RESPONSES).result
    assert (result.stop_reason, result.raw_stop_reason) == ("length", "max_output_tokens")
    assert result.tool_calls == []
    assert [call.name for call in result.cut_calls] == ["weather"]


@pytest.mark.parametrize(
    ("why", "reason"),
    [("max_output_tokens", "length"), ("content_filter", "content_filter"), ("steered", "other"), (None, "other")],
)
def test_why_an_answer_ended_early_is_said_in_one_set_of_words(why, reason):
    outcome = answer(*said("So"), ended(status="incomplete", incomplete_details={"reason": why}))
    assert outcome.result.stop_reason == reason
    assert outcome.result.raw_stop_reason == (why or "incomplete")


# What servers make of it


def test_an_end_without_the_last_event_is_an_error_even_with_done():
    for tail in ([], [b"data: [DONE]\n\n"]):
        outcome = answer(*said("Hi"), *tail)
        assert isinstance(outcome.error, StreamTruncatedError)
        assert outcome.text == "Hi"


def test_nothing_is_read_behind_the_last_event():
    decoder = RESPONSES.decoder(REQUEST, SSE, max_event=9999, max_answer=9999)
    assert decoder.feed(stream(*said("Hi"), ended(message("Hi"))) + b"data: not json\n\n")[0] == "Hi"
    assert decoder.finished
    assert decoder.tail() == []
    assert decoder.close().stop_reason == "stop"


def test_a_done_text_completes_what_the_pieces_left_out():
    outcome = answer(*said("Hel")[:3], event("output_item.done", item=message("Hello")), ended(message("Hello")))
    assert outcome.text == "Hello"
    assert outcome.result.messages[0].text == "Hello"


def test_a_piece_that_got_lost_in_the_middle_is_an_error_not_a_short_answer():
    outcome = answer(
        *said("Hel", "lo", "!")[:3], *said("!")[2:3], event("output_item.done", item=message("Hello!")), ended()
    )
    assert isinstance(outcome.error, ProtocolError)
    assert "missing" in str(outcome.error)


def test_blanks_that_a_server_strips_at_the_end_are_no_error():
    outcome = answer(*said(" Hi\n")[:3], event("output_item.done", item=message("Hi")), ended(message("Hi")))
    assert outcome.text == " Hi\n"
    assert outcome.error is None


def test_the_arguments_that_count_are_those_at_the_end():
    events = called("f", "a", '{"x":', "1}")
    events[-1]["item"]["arguments"] = '{"x":2}'
    assert answer(*events[:2], *events[4:], ended()).calls == [("f", {"x": 2})]


def test_encrypted_reasoning_that_is_not_whole_is_not_kept():
    outcome = answer(
        *thought("Hm")[:-1],
        ended(status="incomplete", incomplete_details={"reason": "max_output_tokens"}, usage=None),
    )
    assert outcome.result.messages[0].parts == [ReasoningPart("Hm", provider_metadata={"openai": {"id": "rs_1"}})]


def test_encrypted_reasoning_that_comes_only_with_the_end_is_kept():
    bare = {"id": "rs_1", "type": "reasoning", "summary": []}
    outcome = answer(event("output_item.done", item=bare), *said("Yes", index=1), ended(reasoning(), message("Yes")))
    own = outcome.result.messages[0].parts[0].provider_metadata["openai"]
    assert own == {"id": "rs_1", "encrypted_content": "gAAAAABo"}


def test_the_input_of_a_custom_tool_that_counts_is_that_at_the_end():
    begun = {**CUSTOM, "input": "", "status": "in_progress"}
    outcome = answer(
        event("output_item.added", item=begun),
        event("custom_tool_call_input.delta", item_id="ctc_1", delta="selekt"),
        event("output_item.done", item=CUSTOM),
        ended(),
    )
    assert outcome.calls == [("sql", {"input": "select 1"})]


def test_arguments_that_come_as_an_object_or_not_at_all_are_arguments():
    one, two = call("f", "a", ""), {**call("g", "b", ""), "arguments": {"x": 1}}
    outcome = answer(event("output_item.done", item=one), event("output_item.done", 1, item=two), ended())
    assert outcome.calls == [("f", {}), ("g", {"x": 1})]


def test_arguments_that_are_no_json_are_handed_on_as_they_are():
    assert answer(*called("f", "a", "{x"), ended()).calls == [("f", {"_raw": "{x"})]


def test_pieces_of_a_call_before_its_name_are_held_back_until_it_is_known():
    events = called("f", "a", '{"x":', "1}")
    outcome = answer(*events[1:], ended())
    assert [item.chunk for item in outcome.events("tool_call_name", "tool_call_args")] == ["f", '{"x":1}']
    assert outcome.calls == [("f", {"x": 1})]


def test_a_call_without_any_id_gets_one_that_is_the_same_each_time():
    item = {"type": "function_call", "name": "f", "arguments": "{}"}
    one, two = (answer(event("output_item.done", item=item), ended()) for _ in range(2))
    assert one.ids == two.ids
    assert one.ids[0].startswith("tc_")


def test_a_call_without_a_name_is_a_protocol_error():
    assert isinstance(answer(event("output_item.done", item=call("", "a", "{}")), ended()).error, ProtocolError)


def test_an_index_that_is_used_twice_stands_for_two_items():
    outcome = answer(*called("f", "a", "{}"), *called("g", "b", "{}"), ended())
    assert outcome.calls == [("f", {}), ("g", {})]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "server_error", "message": "m"}, ServerError),
        ({"code": "rate_limit_exceeded", "message": "m", "type": "insufficient_quota"}, ModelError),
        ({"code": "insufficient_quota", "message": "m"}, QuotaExhaustedError),
        ({"code": "invalid_prompt", "message": "m"}, ContentFilterError),
        ({"code": "vector_store_timeout", "message": "m"}, ServerError),
        ({"code": "image_too_large", "message": "m"}, InvalidRequestError),
        (None, ServerError),
        ("text", ServerError),
    ],
)
def test_a_response_that_failed_is_a_typed_error(error, kind):
    for body, headers in (
        (stream(*started(), {"type": "response.failed", "response": response("failed", error=error)}), SSE),
        (msgspec.json.encode(response("failed", error=error)), JSON),
    ):
        outcome = decode([body], headers, provider=RESPONSES)
        assert isinstance(outcome.error, kind)
        assert outcome.error.request_id == "req_7"


@pytest.mark.parametrize(
    "data",
    [
        {"type": "error", "code": "server_is_overloaded", "message": "later", "param": None},
        {"type": "error", "error": {"type": "server_error", "code": "server_is_overloaded", "message": "later"}},
        {"type": "response.error", "code": "server_is_overloaded", "message": "later"},
        {"error": {"code": 503, "message": "later"}},
    ],
)
def test_an_error_in_the_stream_is_the_error(data):
    outcome = answer(*said("Hi"), b"data: " + msgspec.json.encode(data) + b"\n\n", ended())
    assert isinstance(outcome.error, OverloadedError)
    assert "later" in str(outcome.error)
    assert outcome.text == "Hi"


def test_a_response_that_is_still_in_progress_is_no_answer():
    outcome = decode([msgspec.json.encode(response("in_progress"))], JSON, provider=RESPONSES)
    assert isinstance(outcome.error, StreamTruncatedError)
    assert "in_progress" in str(outcome.error)


@pytest.mark.parametrize("body", [b"{}", b'{"choices":[]}', b'"text"', b"[]", b"oops", b"{]"])
def test_a_json_body_without_an_answer_is_a_protocol_error(body):
    assert isinstance(decode([body], JSON, provider=RESPONSES).error, ProtocolError)


@pytest.mark.parametrize("data", [b"ping", b"null", b"3", b"[1]", b'{"type":"x"}{"type":"y"}', b'{"a":' + b"[" * 5000])
def test_data_that_is_no_json_object_is_a_protocol_error(data):
    assert isinstance(answer(b"data: " + data + b"\n\n", ended()).error, ProtocolError)


def test_fields_of_the_wrong_type_are_left_alone():
    odd = [
        {"type": "response.output_text.delta", "delta": 5, "output_index": "0"},
        {"type": "response.output_item.done", "item": "x"},
        {"type": "response.output_item.added", "item": {"type": 5}},
        {
            "type": "response.output_item.done",
            "output_index": None,
            "item": {"type": "message", "content": [None, {"text": 5}]},
        },
        {"type": "response.reasoning_summary_text.done", "text": ["x"], "summary_index": "x"},
    ]
    outcome = answer(
        *odd, *said("Hi", index=3), {"type": "response.completed", "response": {"output": ["x", {}], "usage": 5}}
    )
    assert (outcome.text, outcome.error) == ("Hi", None)


def test_an_answer_without_bound_is_a_protocol_error():
    for events in (
        said(*["x" * 40] * 100),
        called("f", "a", *["x" * 40] * 100),
        [event("output_item.added", n, item={"type": "message"}) for n in range(100)],
    ):
        error = answer(*events, ended(), max_answer=2000).error
        assert isinstance(error, ProtocolError)
        assert "limit of 2000 bytes" in str(error)


def test_what_came_before_an_error_in_the_same_bytes_is_given_first():
    decoder = OpenAIResponses("x").decoder(REQUEST, SSE, max_event=9999, max_answer=9999)
    items = decoder.feed(stream(*said("Hi")[:3], {"type": "error", "message": "no"}))
    assert items == ["Hi"]
    assert decoder.finished
    for step in (lambda: decoder.feed(b""), decoder.tail, decoder.close):
        with pytest.raises(ServerError, match="x answered with an error: no"):
            step()


def test_two_annotated_texts_in_one_message_are_two_parts():
    item = {**message("a"), "content": [*message("a")["content"], *CITED["content"]]}
    outcome = answer(event("output_item.done", item=item), ended())
    assert [
        (part.text, part.provider_metadata is None)
        for part in outcome.result.messages[0].parts
        if isinstance(part, TextPart)
    ] == [
        ("a", True),
        ("Yes", False),
    ]
