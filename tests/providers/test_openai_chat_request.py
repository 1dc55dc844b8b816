"""Requests as they go over the wire."""

from typing import Any

import msgspec
import pytest

from llm_actors.errors import ModelError
from llm_actors.messages import (
    Attachment,
    AttachmentPart,
    Message,
    ModelRequest,
    ReasoningPart,
    Secret,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    assistant,
    system,
    tool_message,
    user,
)
from llm_actors.providers.openai_chat import OpenAIChat
from llm_actors.providers.openai_dialect import EMBEDDED, OPENAI, ChatDialect, ChatOptions

PNG = b"\x89PNG\r\n\x1a\n123"
SPEC = ToolSpec(
    "weather", "Looks it up", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
)
CALL = ToolCallPart("weather", {"city": "Zürich"}, "c1")
RESULT = ToolResultPart("weather", "sunny", "c1")


def body(
    *messages: Message,
    dialect: ChatDialect | None = None,
    extra_body: dict[str, Any] | None = None,
    name: str = "openai",
    model: str = "gpt-4o-mini",
    **fields: Any,
) -> dict[str, Any]:
    request = ModelRequest(model, list(messages) or [user("hi")], **fields)
    plain = msgspec.json.decode(OpenAIChat(name, dialect).encode(request, extra_body or {}).body)
    assert isinstance(plain, dict)
    return plain


def sent(*messages: Message, **settings: Any) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = body(*messages, **settings)["messages"]
    return result


def test_a_plain_prompt_is_exactly_these_bytes_each_time():
    request = ModelRequest(
        "gpt-4o-mini", [system("Be brief"), user("hi")], request_id="r1", options={"top_p": 1, "temperature": 0.5}
    )
    wire = OpenAIChat().encode(request, {})
    assert (wire.method, wire.path) == ("POST", "/chat/completions")
    assert wire.headers == {"content-type": "application/json", "accept": "text/event-stream", "idempotency-key": "r1"}
    assert wire.body == (
        b'{"model":"gpt-4o-mini","messages":[{"role":"system","content":"Be brief"},{"role":"user","content":"hi"}],"stream":true,'
        b'"stream_options":{"include_usage":true},"temperature":0.5,"top_p":1}'
    )
    again = msgspec.structs.replace(request, options={"temperature": 0.5, "top_p": 1})
    assert OpenAIChat().encode(again, {}) == wire


def test_without_a_stream_none_is_asked_for_unless_the_dialect_always_does():
    plain = ModelRequest("m", [user("hi")], stream=False)
    assert msgspec.json.decode(OpenAIChat().encode(plain, {}).body)["stream"] is False
    assert OpenAIChat().encode(plain, {}).headers["accept"] == "application/json"
    assert "stream_options" not in body(stream=False)
    assert body(stream=False, dialect=ChatDialect(always_stream=True))["stream"] is True
    assert "stream_options" not in body(dialect=ChatDialect(include_usage=False))


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("gpt-4o-mini", "max_tokens"),
        ("gpt-4.1", "max_tokens"),
        ("chatgpt-4o-latest", "max_tokens"),
        ("llama-o1", "max_tokens"),
        ("o1", "max_completion_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("openai/o4-mini", "max_completion_tokens"),
        ("gpt-5", "max_completion_tokens"),
        ("gpt-5.1-mini", "max_completion_tokens"),
        ("openai/gpt-6", "max_completion_tokens"),
    ],
)
def test_the_token_limit_is_named_as_the_model_wants_it(model: str, field: str):
    assert body(model=model, options={"max_tokens": 7})[field] == 7


def test_the_dialect_can_fix_the_name_of_the_token_limit():
    assert body(model="o1", options={"max_tokens": 7}, dialect=ChatDialect(token_limit="max_tokens"))["max_tokens"] == 7


def test_options_go_over_as_they_are_but_those_that_are_ours():
    options = {
        "json_object": True,
        "image_detail": "low",
        "seed": 3,
        "stop": ["x"],
        "logit_bias": {"5": 1},
        "top_p": None,
    }
    got = body(options=options)
    assert got["response_format"] == {"type": "json_object"}
    assert (got["seed"], got["stop"], got["logit_bias"]) == (3, ["x"], {"5": 1})
    assert not {"json_object", "image_detail", "top_p"} & set(got)
    assert "response_format" not in body(options={"json_object": False})


def test_a_schema_is_the_response_format():
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    expected = {"type": "json_schema", "json_schema": {"name": "output", "schema": schema}}
    assert body(schema=schema, options={"json_object": True})["response_format"] == expected
    strict = body(schema=schema, dialect=ChatDialect(strict_schema=True))["response_format"]
    assert strict["json_schema"]["strict"] is True


def test_tools_are_function_specs_and_server_tools_go_as_they_are():
    got = body(tools=[SPEC, ToolSpec("now", None, {})], server_tools=[{"type": "web_search"}])
    assert got["tools"] == [
        {
            "type": "function",
            "function": {"name": "weather", "description": "Looks it up", "parameters": SPEC.input_schema},
        },
        {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}},
        {"type": "web_search"},
    ]
    assert "parallel_tool_calls" not in got
    assert body(tools=[SPEC], dialect=ChatDialect(parallel_tool_calls=False))["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in body(dialect=ChatDialect(parallel_tool_calls=False))


def test_a_server_tool_that_is_no_raw_spec_is_a_model_error():
    with pytest.raises(ModelError, match="as a dict, not as object"):
        body(server_tools=[object()])


def test_extra_body_is_merged_last_and_none_takes_a_field_out():
    got = body(
        options={"temperature": 1}, extra_body={"temperature": 0, "top_k": 5, "stream_options": None, "absent": None}
    )
    assert (got["temperature"], got["top_k"]) == (0, 5)
    assert not {"stream_options", "absent"} & set(got)


def test_hiding_the_reasoning_asks_the_server_to():
    dialect = ChatDialect(hide_reasoning={"reasoning": {"exclude": True}})
    assert body(hide_reasoning=True, dialect=dialect)["reasoning"] == {"exclude": True}
    assert "reasoning" not in body(dialect=dialect)


def test_equal_system_messages_in_a_row_are_sent_once():
    messages = [system("A"), user("1"), assistant("2"), system("A"), user("3"), system("B"), system(""), system("A")]
    assert [m["content"] for m in sent(*messages) if m["role"] == "system"] == ["A", "B", "A"]
    assert sent(system("A"), dialect=ChatDialect(system_role="developer"))[0]["role"] == "developer"


def test_a_round_with_tools_goes_over_whole():
    got = sent(
        user("How is it?"),
        assistant("Let me see", CALL),
        tool_message(RESULT, ToolResultPart("f", "", "c2")),
        assistant("Sunny"),
        user("Thanks"),
    )
    function = {"name": "weather", "arguments": '{"city":"Zürich"}'}
    assert got == [
        {"role": "user", "content": "How is it?"},
        {
            "role": "assistant",
            "content": "Let me see",
            "tool_calls": [{"id": "c1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "c2", "content": ""},
        {"role": "assistant", "content": "Sunny"},
        {"role": "user", "content": "Thanks"},
    ]


def test_calls_alone_have_null_content_or_empty_where_a_server_can_not_take_null():
    assert sent(assistant(CALL))[0]["content"] is None
    assert sent(assistant(CALL), dialect=ChatDialect(null_content=False))[0]["content"] == ""


def test_no_empty_text_goes_over():
    got = sent(
        user(""), user("", TextPart("")), assistant(""), assistant(ReasoningPart("hm")), tool_message(), user("hi")
    )
    assert got == [{"role": "user", "content": "hi"}]
    with_image = sent(user("", Attachment(type="image/png", content=PNG)))
    assert [block["type"] for block in with_image[0]["content"]] == ["image_url"]


def test_calls_and_results_without_ids_are_given_matching_ones():
    calls = assistant(ToolCallPart("f", {}), ToolCallPart("g", {}), ToolCallPart("f", {}))
    results = tool_message(
        ToolResultPart("f", "1"), ToolResultPart("g", "2"), ToolResultPart("f", "3"), ToolResultPart("h", "4")
    )
    got = sent(user("x"), calls, results, calls, results)
    for at in (1, 6):
        f1, g, f2 = [entry["id"] for entry in got[at]["tool_calls"]]
        assert [entry["tool_call_id"] for entry in got[at + 1 : at + 5]] == [f1, g, f2, "call_h"]
    assert len({entry["id"] for at in (1, 6) for entry in got[at]["tool_calls"]}) == 6


@pytest.mark.parametrize("dialect", [None, OPENAI])
def test_an_id_that_openai_finds_too_long_is_shortened_in_call_and_result_alike_and_for_openai_only(dialect):
    long, other = "functions.look:" + "0" * 40, "functions.look:" + "0" * 39 + "1"
    messages = [
        assistant(ToolCallPart("f", {}, long), ToolCallPart("f", {}, other), ToolCallPart("f", {}, "c" * 40)),
        tool_message(*[ToolResultPart("f", "", call_id) for call_id in (long, other, "c" * 40)]),
    ]
    asked, *results = sent(*messages, dialect=dialect)
    ids = [call["id"] for call in asked["tool_calls"]]
    assert ids == [result["tool_call_id"] for result in results]
    assert len(set(ids)) == 3
    assert ids[2] == "c" * 40
    assert [len(call_id) for call_id in ids[:2]] == ([55, 55] if dialect is None else [40, 40])
    assert ids == [call["id"] for call in sent(*messages, dialect=dialect)[0]["tool_calls"]]


def test_what_a_provider_ran_itself_is_not_sent():
    part = assistant(
        ToolCallPart("search", {}, "s1", server_executed=True),
        ToolResultPart("search", "x", "s1", server_executed=True),
        "Found",
    )
    assert sent(part) == [{"role": "assistant", "content": "Found"}]


def test_arguments_that_were_no_json_go_back_as_valid_json():
    got = sent(assistant(ToolCallPart("f", {"_raw": "{x"}, "c1")))
    assert msgspec.json.decode(got[0]["tool_calls"][0]["function"]["arguments"]) == {"_raw": "{x"}


def test_extra_content_goes_back_to_the_provider_it_came_from_only():
    part = ToolCallPart(
        "f", {}, "c1", provider_metadata={"gemini": {"extra_content": {"google": {"thought_signature": "s"}}}}
    )
    assert sent(assistant(part), name="gemini")[0]["tool_calls"][0]["extra_content"] == {
        "google": {"thought_signature": "s"}
    }
    assert "extra_content" not in sent(assistant(part))[0]["tool_calls"][0]


def test_reasoning_goes_back_only_where_the_dialect_says_so():
    message = assistant(ReasoningPart("Hm"), "Yes", CALL, provider_metadata={"x": {"reasoning_field": "reasoning"}})
    plain = assistant(ReasoningPart("Hm"), "Yes")
    bare = assistant(CALL)
    with_tools, always = ChatDialect(reasoning_echo="with_tools"), ChatDialect(reasoning_echo="always")
    assert not {"reasoning", "reasoning_content"} & set(sent(message)[0])
    assert sent(message, name="x", dialect=with_tools)[0]["reasoning"] == "Hm"
    assert sent(message, name="y", dialect=with_tools)[0]["reasoning_content"] == "Hm"
    assert set(sent(plain, dialect=with_tools)[0]) == {"role", "content"}
    assert sent(plain, dialect=always)[0]["reasoning_content"] == "Hm"
    assert sent(bare, dialect=with_tools)[0]["reasoning_content"] == ""
    assert "reasoning_content" not in sent(bare, dialect=always)[0]
    named = ChatDialect(reasoning_echo="always", reasoning_field="thinking")
    assert sent(message, name="x", dialect=named)[0]["thinking"] == "Hm"


def test_reasoning_details_go_back_as_they_came():
    details = [{"type": "reasoning.encrypted", "data": "xyz"}]
    message = assistant("Yes", provider_metadata={"openrouter": {"reasoning_details": details}})
    dialect = ChatDialect(reasoning_echo="always")
    assert sent(message, name="openrouter", dialect=dialect)[0]["reasoning_details"] == details
    assert "reasoning_details" not in sent(message, name="other", dialect=dialect)[0]


@pytest.mark.parametrize(
    ("attachment", "block"),
    [
        (
            Attachment(type="image/png", content=PNG),
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgoxMjM="}},
        ),
        (
            Attachment(type="image/png", url="https://x/y.png"),
            {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
        ),
        (
            Attachment(type="audio/wav", content=b"abc"),
            {"type": "input_audio", "input_audio": {"data": "YWJj", "format": "wav"}},
        ),
        (
            Attachment(type="audio/mpeg", content=b"abc"),
            {"type": "input_audio", "input_audio": {"data": "YWJj", "format": "mp3"}},
        ),
        (
            Attachment(type="audio/flac", content=b"abc"),
            {"type": "input_audio", "input_audio": {"data": "YWJj", "format": "flac"}},
        ),
        (
            Attachment(type="application/pdf", content=b"abc"),
            {
                "type": "file",
                "file": {
                    "filename": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.pdf",
                    "file_data": "data:application/pdf;base64,YWJj",
                },
            },
        ),
    ],
)
def test_attachments_are_blocks_of_their_kind(attachment: Attachment, block: dict[str, Any]):
    assert sent(user("Look", attachment)) == [{"role": "user", "content": [{"type": "text", "text": "Look"}, block]}]


def test_a_text_file_is_text():
    assert sent(user("Read: ", Attachment(type="text/csv", content=b"a,b")))[0]["content"] == [
        {"type": "text", "text": "Read: "},
        {"type": "text", "text": "a,b"},
    ]


def test_the_detail_of_images_is_asked_for():
    image = Attachment(type="image/png", content=PNG)
    got = sent(user(image, "and", "this", image), options={"image_detail": "low"})[0]["content"]
    assert [block["type"] for block in got] == ["image_url", "text", "image_url"]
    assert got[0]["image_url"]["detail"] == "low"
    assert got[1]["text"] == "andthis"


@pytest.mark.parametrize(
    "attachment",
    [
        Attachment(type="video/mp4", content=b"x"),
        Attachment(type="application/pdf", url="https://x/y.pdf"),
        Attachment(type="audio/wav", path="x"),
    ],
)
def test_what_this_wire_can_not_carry_is_a_model_error(attachment: Attachment):
    with pytest.raises(ModelError, match=attachment.type):
        sent(user("x", attachment))


def test_attachments_of_results_come_as_a_user_message_after_them():
    got = sent(assistant(CALL), tool_message(RESULT), user(Attachment(type="image/png", content=PNG)))
    assert [entry["role"] for entry in got] == ["assistant", "tool", "user"]
    assert sent(user(AttachmentPart(None), "x"))[0]["content"] == "x"


def test_consecutive_user_messages_are_joined_where_the_server_wants_it():
    image = Attachment(type="image/png", content=PNG)
    merge = ChatDialect(merge_users=True)
    assert sent(user("a"), user("b"), assistant("c"), user("d"), dialect=merge)[0]["content"] == "a\n\nb"
    assert len(sent(user("a"), user("b"))) == 2
    joined = sent(user("a"), user(image), user("b"), dialect=merge)
    assert [block["type"] for block in joined[0]["content"]] == ["text", "image_url", "text"]


# The embedded model


def test_a_model_that_can_not_decide_is_forced_into_a_call_and_then_answers():
    first = body(user("How is it?"), tools=[SPEC], schema={"type": "object"}, dialect=EMBEDDED)
    assert first["tool_choice"] == "required"
    assert first["messages"][-1] == {"role": "assistant", "content": "<tool_call>\n"}
    assert first["tools"]
    assert "response_format" not in first  # no grammar beside tools
    done = [user("How is it?"), assistant(CALL), tool_message(RESULT)]
    for messages in (done, [*done, user(Attachment(type="image/png", content=PNG))]):
        second = body(*messages, tools=[SPEC], schema={"type": "object"}, dialect=EMBEDDED)
        assert not {"tools", "tool_choice"} & set(second)
        assert second["messages"][-1]["role"] in ("tool", "user")
        assert "response_format" in second


def test_a_new_prompt_after_a_tools_result_is_forced_again():
    again = body(user("?"), assistant(CALL), tool_message(RESULT), user("And now?"), tools=[SPEC], dialect=EMBEDDED)
    assert again["tool_choice"] == "required"
    assert "tool_choice" not in body(user("?"), dialect=EMBEDDED)
    assert "tool_choice" not in body(user(Attachment(type="image/png", content=PNG)), dialect=EMBEDDED)


def test_a_forced_call_is_one_call_and_its_end_stands_beside_the_prompts_own_stops():
    for given, sent_stop in (None, []), ("END", ["END"]), (["A", "B"], ["A", "B"]):
        forced = body(user("?"), tools=[SPEC], options={"stop": given}, dialect=EMBEDDED)
        assert forced["stop"] == [*sent_stop, "</tool_call>"]
    endless = msgspec.structs.replace(EMBEDDED, force_tool_stop=None)
    assert "stop" not in body(user("?"), tools=[SPEC], dialect=endless)
    assert "stop" not in body(user("?"), dialect=EMBEDDED)


def test_what_a_small_model_is_held_to_has_an_end():
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "tags": {"type": "array"}}}
    held = body(schema=schema, dialect=EMBEDDED)["response_format"]["json_schema"]["schema"]
    assert held["properties"] == {
        "name": {"type": "string", "maxLength": 100},
        "tags": {"type": "array", "maxItems": 10},
    }
    [tool] = body(user("?"), tools=[SPEC], dialect=EMBEDDED)["tools"]
    assert tool["function"]["parameters"]["properties"]["city"]["maxLength"] == 100
    assert body(schema=schema)["response_format"]["json_schema"]["schema"] == schema


# The provider


def test_the_key_goes_into_the_header_that_the_dialect_names():
    key = Secret("sk-test")
    assert OpenAIChat().key_header(key) == ("authorization", "Bearer sk-test")
    assert OpenAIChat("azure", ChatDialect(key_header="api-key")).key_header(key) == ("api-key", "sk-test")


def test_a_provider_says_who_it_is_and_what_it_takes():
    provider = OpenAIChat("local", EMBEDDED)
    assert repr(provider) == "OpenAIChat('local')"
    assert (provider.options, provider.fetches_urls, OpenAIChat().fetches_urls) == (ChatOptions, False, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 3},
        {"temperature": "hot"},
        {"top_p": -0.1},
        {"max_tokens": 0},
        {"frequency_penalty": 2.1},
        {"presence_penalty": -3},
        {"logit_bias": {"5": 101}},
        {"logit_bias": "[]"},
        {"logit_bias": "{"},
        {"reasoning_effort": "huge"},
        {"verbosity": "loud"},
        {"image_detail": "tiny"},
        {"unknown": 1},
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, Any]):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, ChatOptions)


def test_options_of_the_peer_are_taken():
    options = msgspec.convert(
        {
            "temperature": 0.5,
            "logit_bias": '{"1712": -100}',
            "stop": "x",
            "reasoning_effort": "low",
            "seed": 1,
            "service_tier": "flex",
        },
        ChatOptions,
    )
    assert options.logit_bias == {"1712": -100}
    assert msgspec.to_builtins(options)["reasoning_effort"] == "low"
