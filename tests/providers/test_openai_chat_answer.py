"""What servers of chat completions make of the wire: a test for each deviation that was seen in the wild."""

from typing import Any

import msgspec
import pytest

from llm_actors.errors import (
    ModelError,
    OverloadedError,
    ProtocolError,
    RateLimitError,
    ServerError,
    StreamTruncatedError,
)
from llm_actors.messages import ModelRequest, ReasoningPart, StreamEvent, TextPart, ToolCall, ToolCallPart, Usage, user
from llm_actors.providers.openai_chat import OpenAIChat
from llm_actors.providers.openai_dialect import ChatDialect

from .feeding import JSON, REQUEST, SSE, USAGE, Outcome, call, decode, delta, one_by_one, sse

HI = delta(content="Hi")
STOP = delta("stop")


def answer(*events: Any, **settings: Any) -> Outcome:
    return decode([sse(*events)], **settings)


# The stream


def test_text_comes_as_plain_strings_chunk_by_chunk():
    assert answer(delta(role="assistant", content=""), HI, delta(content=" there"), STOP).items == ["Hi", " there"]


def test_a_stream_without_a_finish_reason_is_an_error_even_with_done():
    outcome = answer(HI)
    assert isinstance(outcome.error, StreamTruncatedError)
    assert outcome.text == "Hi"


def test_a_finish_reason_without_done_is_complete():
    outcome = decode([sse(HI, STOP, done=False)])
    assert outcome.result is not None
    assert outcome.result.usage is None


def test_done_may_have_text_after_it_and_ends_the_reading():
    decoder = OpenAIChat().decoder(REQUEST, SSE, max_event=1000, max_answer=1000)
    assert decoder.feed(sse(HI, STOP, b"[DONE] bye", b"not json")) == ["Hi"]
    assert decoder.finished
    assert decoder.feed(b"data: not json either\n\n") == []
    assert decoder.tail() == []
    assert decoder.close().stop_reason == "stop"


def test_done_is_proof_where_the_dialect_says_so():
    outcome = answer(HI, dialect=ChatDialect(done_is_proof=True))
    assert outcome.result is not None
    assert (outcome.result.stop_reason, outcome.result.raw_stop_reason) == ("stop", None)
    cut = decode([sse(HI, done=False)], dialect=ChatDialect(done_is_proof=True))
    assert isinstance(cut.error, StreamTruncatedError)


def test_two_json_objects_glued_in_one_data_are_a_protocol_error_with_the_frame():
    outcome = answer(HI, b'{"choices":[]}{"choices":[]}', STOP)
    assert isinstance(outcome.error, ProtocolError)
    assert outcome.error.frame == b'{"choices":[]}{"choices":[]}'
    assert outcome.text == "Hi"


@pytest.mark.parametrize("data", [b"ping", b"null", b"3", b'"x"', b"[]", b"[1]", b'{"choices":' + b"[" * 5000])
def test_data_that_is_no_json_object_is_a_protocol_error(data: bytes):
    assert isinstance(answer(HI, data, STOP).error, ProtocolError)


def test_a_frame_in_an_error_holds_no_key():
    error = answer(b"oops sk-abcdefghijklmnop").error
    assert isinstance(error, ProtocolError)
    assert error.frame == b"oops ***"


def test_an_error_body_of_status_200_is_the_error():
    for body in (
        b'{"error":{"message":"no","code":"rate_limit_exceeded"}}',
        b'[{"error":{"message":"no","code":429}}]',
    ):
        for headers in (JSON, SSE, {}):
            assert isinstance(decode([body], headers).error, RateLimitError)


def test_a_whole_answer_although_a_stream_was_asked():
    message = {
        "content": "Hi",
        "reasoning": "Hm",
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}],
    }
    body = msgspec.json.encode({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})
    for headers in (JSON, SSE, {}):
        outcome = decode(one_by_one(body), headers)
        assert (outcome.text, outcome.reasoning, outcome.calls) == ("Hi", "Hm", [("f", {"x": 1})])


def test_a_stream_although_a_whole_answer_was_asked():
    request = ModelRequest("m", [user("hi")], stream=False)
    assert decode([sse(HI, STOP)], JSON, request=request).text == "Hi"


def test_a_whole_answer_without_usage_and_without_a_finish_reason_is_an_answer():
    outcome = decode([b'{"choices":[{"message":{"content":"Hi"}}]}'], JSON)
    assert outcome.result is not None
    assert (outcome.text, outcome.result.usage, outcome.result.raw_stop_reason) == ("Hi", None, None)


def test_a_whole_answer_that_is_cut_is_an_error():
    assert isinstance(decode([b'{"choices":[{"message":{"content":"Hi'], JSON).error, StreamTruncatedError)
    assert isinstance(decode([b'{"choices":[{"message":{"content":"Hi"}}'], JSON).error, StreamTruncatedError)
    assert isinstance(decode([b""], JSON).error, StreamTruncatedError)


@pytest.mark.parametrize("body", [b'{"choices":[]}', b"{}", b'{"choices":null}', b"{]", b"[]", b'"text"', b"oops"])
def test_a_json_body_without_an_answer_is_a_protocol_error(body: bytes):
    assert isinstance(decode([body], JSON).error, ProtocolError)


@pytest.mark.parametrize("headers", [{}, JSON, SSE, {"content-type": "text/html"}])
def test_a_page_in_place_of_an_answer_is_a_protocol_error(headers: dict[str, str]):
    error = decode([b"  <!doctype html><p>Please log in"], headers).error
    assert isinstance(error, ProtocolError)
    assert "base URL" in str(error)


def test_an_answer_without_bound_is_a_protocol_error():
    error = decode([sse(*[HI] * 100, STOP)], max_answer=150).error
    assert isinstance(error, ProtocolError)
    assert "limit of 150 bytes" in str(error)
    assert isinstance(
        decode([sse(call(name="f"), *[call(arguments="12")] * 100, STOP)], max_answer=150).error, ProtocolError
    )
    assert isinstance(decode([b"{" + b" " * 200], JSON, max_answer=150).error, ProtocolError)


def test_an_event_without_bound_is_a_protocol_error_after_what_came_before_it():
    outcome = decode([sse(HI, done=False) + b"data: " + b"x" * 2000], max_event=1000)
    assert isinstance(outcome.error, ProtocolError)
    assert outcome.text == "Hi"


# The chunk


def test_empty_choices_are_no_error_as_in_the_usage_chunk_and_azures_first():
    outcome = answer({"choices": [], "prompt_filter_results": [], "model": ""}, HI, STOP, USAGE)
    assert outcome.text == "Hi"
    assert outcome.result is not None
    assert outcome.result.usage == Usage(9, 12, {"prompt_tokens_details": {"cached_tokens": 4}})


def test_obfuscation_and_other_fields_that_are_not_needed_are_ignored():
    chunk = HI | {"obfuscation": "xY3", "moderation": None, "service_tier": "default", "provider": "Groq"}
    outcome = answer(chunk, STOP)
    assert outcome.text == "Hi"
    assert outcome.result is not None
    assert outcome.result.raw == {
        "id": "chatcmpl-1",
        "created": 1741569952,
        "service_tier": "default",
        "provider": "Groq",
    }
    assert outcome.result.resolved_model == "gpt-4o-mini-2024-07-18"


def test_only_one_choice_is_followed():
    other = {"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": None}]}
    both = {"choices": [*HI["choices"], *other["choices"]]}
    assert answer(HI, other, both, STOP).text == "HiHi"


@pytest.mark.parametrize(
    ("raw", "stop_reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("eos", "stop"),
        ("tool_calls", "stop"),
        ("function_call", "stop"),
        ("STOP", "stop"),
        ("whatever", "other"),
    ],
)
def test_finish_reasons_are_mapped_and_kept(raw: str, stop_reason: str):
    result = answer(HI, delta(raw)).result
    assert result is not None
    assert (result.stop_reason, result.raw_stop_reason) == (stop_reason, raw)


def test_a_finish_reason_that_is_empty_or_null_for_ever_is_none():
    empty: dict[str, Any] = {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": ""}]}
    assert isinstance(answer(empty, empty).error, StreamTruncatedError)
    assert answer(empty, empty, STOP).text == "aa"


def test_a_finish_reason_of_error_is_an_error():
    assert isinstance(answer(HI, delta("error")).error, ServerError)
    choice = {
        "choices": [{"index": 0, "delta": {}, "finish_reason": "error", "error": {"code": 429, "message": "slow"}}]
    }
    assert isinstance(answer(HI, choice).error, RateLimitError)


def test_usage_may_be_on_every_chunk_and_the_last_counts():
    chunks = [delta(content=str(n)) | {"usage": {"prompt_tokens": 5, "completion_tokens": n}} for n in range(1, 4)]
    outcome = answer(*chunks, STOP)
    assert outcome.text == "123"
    assert outcome.result is not None
    assert outcome.result.usage == Usage(5, 3)


def test_usage_may_be_on_the_finish_chunk_or_null_or_odd():
    for usage, expected in [
        ({"prompt_tokens": 1, "completion_tokens": 2.0, "cost": 0.5}, Usage(1, 2, {"cost": 0.5})),
        (None, None),
        ("many", None),
        ({"prompt_tokens": None, "completion_tokens": "x"}, Usage()),
        ({"prompt_tokens": 1, "prompt_tokens_details": None, "x": {"y": {"z": 0}}}, Usage(1)),
    ]:
        outcome = answer(HI, STOP | {"usage": usage})
        assert outcome.result is not None
        assert outcome.result.usage == expected


def test_a_message_that_says_the_deltas_once_more_is_not_said_twice():
    repeated = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}
    assert answer(HI, repeated).text == "Hi"
    assert answer(repeated).text == "Hi"


def test_types_that_are_not_what_they_should_be_are_read_as_far_as_they_make_sense():
    odd = {
        "choices": [
            None,
            {"index": "0", "delta": {"content": [{"type": "text", "text": "a"}, 3, {"text": 4}], "tool_calls": None}},
        ]
    }
    assert answer(odd, {"choices": [{"index": 0, "delta": {"content": "b", "refusal": 3}}]}, STOP).text == "ab"
    assert answer({"choices": [{"index": 0, "delta": 3}]}, STOP | {"usage": 3}, {"choices": 7, "usage": 1}).text == ""
    result = answer(HI, {"choices": [{"index": 0, "finish_reason": {"type": "stop"}}]}).result
    assert result is not None
    assert (result.stop_reason, result.raw_stop_reason) == ("other", '{"type":"stop"}')


def test_an_event_of_an_unknown_kind_is_passed_over():
    assert answer({"type": "ping"}, HI, {}, STOP).text == "Hi"


def test_text_that_is_no_utf_8_is_a_protocol_error_where_it_is_needed_only():
    assert isinstance(answer(b'{"choices":[{"index":0,"delta":{"content":"\xff"}}]}').error, ProtocolError)
    with_noise = b'{"provider":"\xff","choices":[{"index":0,"delta":{"content":"a"}}]}'
    assert answer(with_noise, STOP).text == "a"


# Errors in the stream


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"message": "busy", "code": "server_is_overloaded"}},
        {
            "error": {"message": "busy", "code": 503},
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        },
        {"object": "error", "message": "busy", "code": 503},
        {"message": "busy", "code": "503"},
        {"detail": "busy", "code": 503},
    ],
)
def test_an_error_in_the_stream_is_the_typed_error_after_what_came_before_it(event: dict[str, Any]):
    outcome = answer(HI, event)
    assert isinstance(outcome.error, OverloadedError)
    assert "busy" in str(outcome.error)
    assert outcome.error.request_id == "req_7"
    assert outcome.text == "Hi"
    assert isinstance(answer(event).error, OverloadedError)


def test_an_event_named_error_is_an_error_whatever_its_data():
    assert isinstance(decode([b'event: error\ndata: {"foo":"bar"}\n\n']).error, ServerError)
    assert isinstance(decode([b"event: error\ndata: upstream failed\n\n"]).error, ProtocolError)


def test_after_an_error_every_step_raises_it_again():
    decoder = OpenAIChat().decoder(REQUEST, SSE, max_event=1000, max_answer=1000)
    assert decoder.feed(sse(HI, {"error": "broken"})) == ["Hi"]
    assert decoder.finished
    for step in (lambda: decoder.feed(sse(HI)), decoder.tail, decoder.close):
        with pytest.raises(ServerError, match="broken"):
            step()


# Tool calls


def test_a_tool_call_comes_as_a_name_and_pieces_of_arguments_and_then_whole():
    outcome = answer(call(0, "c1", "f", ""), call(0, arguments='{"x":'), call(0, arguments="1}"), delta("tool_calls"))
    assert outcome.items == [
        StreamEvent("tool_call_name", "f", tool_call_id="c1"),
        StreamEvent("tool_call_args", '{"x":', tool_call_id="c1"),
        StreamEvent("tool_call_args", "1}", tool_call_id="c1"),
    ]
    assert outcome.result is not None
    assert outcome.result.tool_calls == [ToolCall("f", {"x": 1}, "c1")]
    assert outcome.result.messages is not None
    assert outcome.result.messages[0].parts == [ToolCallPart("f", {"x": 1}, "c1")]
    assert outcome.result.messages[0].parts[0].arguments is not outcome.result.tool_calls[0].arguments


ONE, TWO = '{"n":1}', '{"n":2}'
BOTH = [("f", {"n": 1}), ("g", {"n": 2})]
DEVIATIONS: dict[str, tuple[list[dict[str, Any]], list[tuple[str, dict[str, Any]]]]] = {
    "interleaved by index": (
        [
            call(0, "a", "f"),
            call(1, "b", "g"),
            call(0, arguments='{"n":'),
            call(1, arguments=TWO),
            call(0, arguments="1}"),
        ],
        BOTH,
    ),
    "index missing, by id": (
        [
            call(None, "a", "f", '{"n":'),
            call(None, None, None, "1}"),
            call(None, "b", "g", ""),
            call(None, None, None, TWO),
        ],
        BOTH,
    ),
    "index null": (
        [
            delta(tool_calls=[{"index": None, "id": "a", "function": {"name": "f", "arguments": ONE}}]),
            call(None, "b", "g", TWO),
        ],
        BOTH,
    ),
    "index 0 for all, each with its id": (
        [call(0, "a", "f", ONE), call(0, "b", "g", '{"n":'), call(0, None, None, "2}")],
        BOTH,
    ),
    "parallel calls in separate chunks, no index, each complete": (
        [call(None, "a", "f", ONE), call(None, "b", "g", TWO)],
        BOTH,
    ),
    "a new id at a used index before its name": ([call(0, "a", "f", ONE), call(0, "b"), call(0, "b", "g", TWO)], BOTH),
    "the same id on every fragment": (
        [call(0, "a", "f", ""), call(0, "a", None, '{"n":'), call(0, "a", "f", "1}"), call(1, "b", "g", TWO)],
        BOTH,
    ),
    "an empty id on later fragments": (
        [call(0, "a", "f", '{"n":'), call(0, "", None, "1}"), call(1, "b", "g", TWO)],
        BOTH,
    ),
    "first arguments null or absent": (
        [
            delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": None}}]),
            call(0, arguments=ONE),
            call(1, "b", "g"),
            call(1, arguments=TWO),
        ],
        BOTH,
    ),
    "arguments empty, blank or null for a tool without any": (
        [
            call(0, "a", "f", ""),
            call(1, "b", "g", "  "),
            call(2, "c", "h"),
            call(3, "d", "i", "null"),
            call(4, "e", "j", {}),
        ],
        [("f", {}), ("g", {}), ("h", {}), ("i", {}), ("j", {})],
    ),
    "arguments already an object": ([call(0, "a", "f", {"n": 1}), call(1, "b", "g", {"n": 2})], BOTH),
    "id missing": ([call(0, None, "f", '{"n":'), call(0, None, None, "1}"), call(1, None, "g", TWO)], BOTH),
    "id and index missing, each complete": ([call(None, None, "f", ONE), call(None, None, "g", TWO)], BOTH),
    "id missing, index 0 for all, the same tool twice": (
        [call(0, None, "f", ONE), call(0, None, "f", TWO)],
        [("f", {"n": 1}), ("f", {"n": 2})],
    ),
    "name repeated on every fragment, without id": (
        [call(0, None, "f", '{"n":'), call(0, None, "f", "1}")],
        [("f", {"n": 1})],
    ),
    "name in pieces": ([call(0, "a", "get_"), call(0, "a", "time", ONE)], [("get_time", {"n": 1})]),
    "arguments before the name": ([call(0, "a", None, '{"n":'), call(0, "a", "f", "1}")], [("f", {"n": 1})]),
    "the id comes late": (
        [call(0, None, "f", '{"n":'), call(0, "a", None, "1}"), call(0, "a", None, " ")],
        [("f", {"n": 1})],
    ),
    "one id for two calls": ([call(0, "a", "f", ONE), call(1, "a", "g", TWO)], BOTH),
    "all arguments once more at the end": (
        [call(0, "a", "f", '{"n":'), call(0, None, None, "1}"), call(0, "a", "f", ONE)],
        [BOTH[0]],
    ),
    "index as text and id as a number": ([call("0", 7, "f", ONE), call("1", 8, "g", TWO)], BOTH),
    "one call that is no list": (
        [delta(tool_calls={"id": "a", "function": {"name": "f", "arguments": ONE}})],
        [BOTH[0]],
    ),
    "the older function_call": (
        [delta(function_call={"name": "f", "arguments": '{"n"'}), delta(function_call={"arguments": ":1}"})],
        [BOTH[0]],
    ),
    "text beside the calls": (
        [delta(content="Let me see", tool_calls=call(0, "a", "f", ONE)["choices"][0]["delta"]["tool_calls"])],
        [BOTH[0]],
    ),
}


@pytest.mark.parametrize("case", DEVIATIONS)
@pytest.mark.parametrize("finish", ["tool_calls", "stop"])
def test_tool_calls_are_put_together_whatever_the_server_leaves_out(case: str, finish: str):
    chunks, expected = DEVIATIONS[case]
    outcome = answer(*chunks, delta(finish))
    assert outcome.calls == expected
    assert outcome.result is not None
    assert outcome.result.stop_reason == "tool_calls"  # the calls are trusted, not the reason
    assert len(set(outcome.ids)) == len(expected)
    [message] = outcome.result.messages or []
    parts = [part for part in message.parts if isinstance(part, ToolCallPart)]
    assert [(part.name, part.arguments) for part in parts] == expected
    assert [part.tool_call_id for part in parts] == outcome.ids


def test_missing_ids_are_made_the_same_way_each_time_and_differ_between_requests():
    chunks = [call(None, None, "f", ONE), call(None, None, "g", TWO), STOP]
    first, again = answer(*chunks), answer(*chunks)
    other = answer(*chunks, request=ModelRequest("m", [user("hi")] * 3, request_id="r1"))
    assert first.ids == again.ids
    assert len({*first.ids, *other.ids}) == 4
    assert all(made is not None and made.startswith("tc_") and len(made) == 29 for made in first.ids)


def test_arguments_cut_by_the_length_limit_are_never_executed_and_say_so():
    for finish in ("length", "content_filter"):
        outcome = answer(delta(content="Sure"), call(0, "a", "f", ONE), call(1, "b", "g", '{"n":'), delta(finish))
        assert outcome.calls == [("f", {"n": 1})]
        assert outcome.result is not None
        assert outcome.result.cut_calls == [ToolCall("g", {"_raw": '{"n":'}, "b")]
        assert outcome.result.stop_reason == finish
        assert outcome.result.messages is not None
        assert outcome.result.messages[0].parts == [
            TextPart("Sure"),
            ToolCallPart("f", {"n": 1}, "a"),
            ToolCallPart("g", {"_raw": '{"n":'}, "b"),
        ]


def test_a_last_call_cut_before_its_first_argument_is_cut_too():
    outcome = answer(call(0, "a", "f", ""), call(1, "b", "g"), delta("length"))
    assert outcome.calls == [("f", {})]
    assert outcome.result is not None
    assert [cut.name for cut in outcome.result.cut_calls] == ["g"]


@pytest.mark.parametrize("text", ['{"n":', "[1]", "3", "{'n': 1}", '"x"', '{"n":1}}'])
def test_bad_arguments_that_were_not_cut_go_to_the_tools_marked_as_raw(text: str):
    outcome = answer(call(0, "a", "f", text), delta("tool_calls"))
    assert outcome.calls == [("f", {"_raw": text})]
    outcome = answer(delta(tool_calls=[{"id": "a", "function": {"name": "f", "arguments": [1]}}]), STOP)
    assert outcome.calls == [("f", {"_raw": "[1]"})]


def test_a_call_without_a_name_is_a_protocol_error():
    assert isinstance(answer(call(0, "a", None, ONE), delta("tool_calls")).error, ProtocolError)


def test_extra_content_of_a_call_is_kept_under_the_providers_name():
    signature = {"google": {"thought_signature": "abc"}}
    piece = {"index": 0, "id": "a", "function": {"name": "f", "arguments": ONE}, "extra_content": signature}
    outcome = answer(delta(tool_calls=[piece]), STOP, name="gemini")
    assert outcome.result is not None
    [message] = outcome.result.messages or []
    assert message.parts == [
        ToolCallPart("f", {"n": 1}, "a", provider_metadata={"gemini": {"extra_content": signature}})
    ]


# Reasoning and refusal


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_comes_under_any_of_its_names_and_the_name_is_kept(field: str):
    outcome = answer(
        delta(**{field: "Hm", "content": None}), delta(**{field: "!", "content": "Yes"}), STOP, name="deepseek"
    )
    assert outcome.items == [StreamEvent("reasoning", "Hm"), StreamEvent("reasoning", "!"), "Yes"]
    assert outcome.result is not None
    [message] = outcome.result.messages or []
    assert message.parts == [ReasoningPart("Hm!"), TextPart("Yes")]
    assert message.provider_metadata == {"deepseek": {"reasoning_field": field}}


def test_reasoning_under_both_names_at_once_counts_once():
    assert answer(delta(reasoning_content="Hm", reasoning="Hm"), STOP).reasoning == "Hm"


def test_reasoning_details_are_put_together_again_to_go_back_as_they_were():
    first = {"type": "reasoning.text", "index": 0, "text": "Let", "format": "x", "signature": None}
    events = [
        delta(reasoning="Let", reasoning_details=[first]),
        delta(
            reasoning=" me",
            reasoning_details=[{"type": "reasoning.text", "index": 0, "text": " me", "signature": None}],
        ),
        delta(reasoning_details=[{"type": "reasoning.text", "index": 0, "signature": "sig"}]),
        delta(reasoning_details=[{"type": "reasoning.encrypted", "index": 1, "data": "xyz"}, 3]),
        delta(reasoning_details=[{"type": "reasoning.summary", "summary": "!"}]),
        delta(content="Yes"),
        STOP,
    ]
    outcome = answer(*events, name="openrouter")
    assert outcome.reasoning == "Let me!"
    assert outcome.result is not None
    [message] = outcome.result.messages or []
    assert message.provider_metadata == {
        "openrouter": {
            "reasoning_field": "reasoning",
            "reasoning_details": [
                {"type": "reasoning.text", "index": 0, "text": "Let me", "format": "x", "signature": "sig"},
                {"type": "reasoning.encrypted", "index": 1, "data": "xyz"},
                {"type": "reasoning.summary", "summary": "!"},
            ],
        }
    }


def test_thinking_among_the_parts_of_the_content_is_reasoning():
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}, {"type": "text", "text": "Yes"}]
    outcome = answer(delta(content=parts), STOP)
    assert (outcome.reasoning, outcome.text) == ("Hm", "Yes")


def test_reasoning_that_is_not_shown_is_marked_once_where_its_tokens_are_counted():
    usage = {"choices": [], "usage": {"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 5}}}
    outcome = answer(HI, STOP, usage, usage)
    assert outcome.items == ["Hi", StreamEvent("reasoning", redacted=True)]
    assert outcome.result is not None
    [message] = outcome.result.messages or []
    assert message.parts == [ReasoningPart("", redacted=True), TextPart("Hi")]
    assert answer(delta(reasoning="Hm"), HI, STOP, usage).items == [StreamEvent("reasoning", "Hm"), "Hi"]


def test_a_refusal_is_text_and_the_stop_reason():
    outcome = answer(delta(refusal="No"), delta(refusal="."), STOP)
    assert outcome.items == ["No", "."]
    assert outcome.result is not None
    assert (outcome.result.stop_reason, outcome.result.raw_stop_reason) == ("refusal", "stop")


def test_an_empty_answer_is_complete_and_has_no_message():
    result = answer(delta(role="assistant"), STOP).result
    assert result is not None
    assert (result.messages, result.tool_calls, result.stop_reason) == ([], [], "stop")


def test_the_decoder_raises_nothing_but_model_errors_for_a_body_that_nests_without_end():
    for body in (b'{"a":' * 100_000, b"data: " + b'{"a":' * 100_000 + b"\n\n", b"[" * 100_000):
        assert isinstance(decode([body], {}).error, ModelError)
