"""Requests to Responses as they go over the wire."""

import base64

import msgspec
import pytest

from llm_actors.errors import ModelError
from llm_actors.messages import (
    Attachment,
    AttachmentPart,
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
from llm_actors.providers.openai_responses import OpenAIResponses, ResponsesOptions
from tests.strict.openai_responses import check_body

from .feeding import decode
from .responses_recordings import COMPACTION, CUSTOM_CALL, OWN_TOOLS, PARALLEL, REFUSAL, RESPONSES, SHELL

PNG = b"\x89PNG\r\n\x1a\n123"
SPEC = ToolSpec("weather", "Looks it up", {"type": "object", "properties": {"city": {"type": "string"}}})
NOTHING = ToolSpec("now", None, {})


def body(*messages, extra_body=None, name="openai", model="gpt-4o-mini", **fields):
    request = ModelRequest(model, list(messages) or [user("hi")], **fields)
    return msgspec.json.decode(OpenAIResponses(name).encode(request, extra_body or {}).body)


def sent(*messages, **settings):
    plain = body(*messages, **settings)
    check_body(plain)
    return plain["input"]


def answer_of(recording):
    return decode([recording], provider=RESPONSES).result.messages


def test_a_plain_prompt_is_exactly_these_bytes_each_time():
    request = ModelRequest(
        "gpt-4o-mini", [system("Be brief"), user("hi")], request_id="r1", options={"top_p": 1, "temperature": 0.5}
    )
    wire = OpenAIResponses().encode(request, {})
    assert (wire.method, wire.path) == ("POST", "/responses")
    assert wire.headers == {"content-type": "application/json", "accept": "text/event-stream", "idempotency-key": "r1"}
    assert wire.body == (
        b'{"model":"gpt-4o-mini","input":[{"type":"message","role":"system","content":[{"type":"input_text","text":"Be brief"}]},'
        b'{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}],"stream":true,"store":false,'
        b'"temperature":0.5,"top_p":1}'
    )
    again = msgspec.structs.replace(request, options={"temperature": 0.5, "top_p": 1})
    assert OpenAIResponses().encode(again, {}) == wire


def test_without_a_stream_none_is_asked_for():
    plain = ModelRequest("m", [user("hi")], stream=False)
    wire = OpenAIResponses().encode(plain, {})
    assert msgspec.json.decode(wire.body)["stream"] is False
    assert wire.headers["accept"] == "application/json"
    assert "idempotency-key" not in wire.headers


@pytest.mark.parametrize("model", ["o3", "o4-mini", "gpt-5.4", "gpt-6-sol", "openai/gpt-5", "gpt-12"])
def test_models_that_think_are_asked_for_their_reasoning_in_encrypted_form(model):
    assert body(model=model)["include"] == ["reasoning.encrypted_content"]


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1", "llama-3", "my-o3x"])
def test_other_models_are_not(model):
    assert "include" not in body(model=model)


def test_options_go_where_the_wire_has_them():
    options = {
        "max_tokens": 5,
        "reasoning_effort": "low",
        "reasoning_summary": "auto",
        "verbosity": "high",
        "service_tier": "flex",
        "prompt_cache_key": None,
    }
    plain = body(options=options, schema={"type": "object"})
    assert plain["max_output_tokens"] == 5
    assert plain["reasoning"] == {"effort": "low", "summary": "auto"}
    assert plain["text"] == {
        "format": {"type": "json_schema", "name": "output", "schema": {"type": "object"}},
        "verbosity": "high",
    }
    assert plain["service_tier"] == "flex"
    assert "prompt_cache_key" not in plain
    assert body(options={"json_object": True})["text"] == {"format": {"type": "json_object"}}
    assert "text" not in body(options={"json_object": False})


def test_hiding_the_reasoning_asks_for_no_summary():
    options = {"reasoning_effort": "low", "reasoning_summary": "auto"}
    assert body(options=options, hide_reasoning=True)["reasoning"] == {"effort": "low"}


def test_extra_fields_are_merged_last_and_none_takes_one_out():
    plain = body(extra_body={"store": True, "include": None, "truncation": "auto"}, model="o3")
    assert (plain["store"], plain["truncation"]) == (True, "auto")
    assert "include" not in plain


def test_tools_say_that_they_are_not_strict_and_the_providers_own_go_as_they_are():
    search = {"type": "web_search", "search_context_size": "low"}
    plain = body(tools=[SPEC, NOTHING], server_tools=[search])
    check_body(plain)
    assert plain["tools"] == [
        {
            "type": "function",
            "name": "weather",
            "description": "Looks it up",
            "parameters": SPEC.input_schema,
            "strict": False,
        },
        {"type": "function", "name": "now", "parameters": {"type": "object", "properties": {}}, "strict": False},
        search,
    ]
    with pytest.raises(ModelError, match="as a dict, not as str"):
        body(server_tools=["web_search"])


def test_reasoning_calls_and_results_go_back_in_their_places():
    results = [ToolResultPart("weather", "sunny", "call_a"), ToolResultPart("time", "", "call_b")]
    items = sent(user("hi"), *answer_of(PARALLEL), tool_message(*results), user("thanks"))
    assert items[1:] == [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [
                {"type": "summary_text", "text": "**Looking**\n\nBoth"},
                {"type": "summary_text", "text": "at once"},
            ],
            "encrypted_content": "gAAAAABo",
        },
        {"type": "function_call", "call_id": "call_a", "name": "weather", "arguments": '{"city":"Zürich","unit":"°C"}'},
        {"type": "function_call", "call_id": "call_b", "name": "time", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_a", "output": "sunny"},
        {"type": "function_call_output", "call_id": "call_b", "output": ""},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "thanks"}]},
    ]


def test_reasoning_stays_out_where_it_is_not_whole_leads_to_nothing_or_was_there_before():
    def thought(name, **own):
        return ReasoningPart("hm", provider_metadata={"openai": {"id": name, **own}})

    items = sent(
        user("hi"),
        assistant(thought("rs_1"), "one"),
        assistant(thought("rs_2", encrypted_content="x"), "two"),
        assistant(thought("rs_2", encrypted_content="x"), "three"),
        assistant("four", thought("rs_4", encrypted_content="x")),
        assistant(ReasoningPart("hm"), ReasoningPart("hm", provider_metadata={"other": {"id": "rs_5"}}), "five"),
        user("go"),
    )
    assert [item.get("id") for item in items if item["type"] == "reasoning"] == ["rs_2"]


def test_thinking_of_an_open_model_goes_back_as_text():
    part = ReasoningPart("hm", provider_metadata={"openai": {"id": "rs_9", "content": ["hm"]}})
    assert sent(user("hi"), assistant(part, "so"), user("go"))[1] == {
        "type": "reasoning",
        "id": "rs_9",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "hm"}],
    }


def test_the_phase_of_a_text_and_a_refusal_go_back_as_what_they_were():
    own = {"openai": {"phase": "commentary"}}
    items = sent(
        user("hi"), assistant(TextPart("a", own), TextPart("b", own), "c", "d"), *answer_of(REFUSAL), user("go")
    )
    assert items[1:-1] == [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "a"}, {"type": "output_text", "text": "b"}],
            "phase": "commentary",
        },
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "c"},
                {"type": "output_text", "text": "d"},
                {"type": "refusal", "refusal": "I can't help."},
            ],
        },
    ]


def test_the_providers_own_items_go_back_whole_to_it_and_to_nobody_else():
    messages = [user("hi"), *answer_of(OWN_TOOLS), user("go")]
    items = sent(*messages)
    assert [item.get("id") for item in items[1:-1]] == [
        "ws_1",
        "fs_1",
        "ci_1",
        "ig_1",
        "mcpl_1",
        "mcp_1",
        "sh_1",
        "sho_1",
        "cmp_1",
        None,
    ]
    assert items[9] == COMPACTION
    assert [item["type"] for item in sent(*messages, name="other")] == ["message"] * 3


def test_a_call_of_the_providers_that_nobody_answered_is_left_out():
    open_shell = ToolCallPart(
        "shell", {}, "call_sh", server_executed=True, provider_metadata={"openai": {"item": SHELL}}
    )
    asked = ToolCallPart(
        "x",
        {},
        "a",
        server_executed=True,
        provider_metadata={"openai": {"item": {"type": "mcp_approval_request", "id": "a"}}},
    )
    secret = ReasoningPart("", redacted=True, provider_metadata={"openai": {"id": "rs_1", "encrypted_content": "x"}})
    assert [item["type"] for item in sent(user("hi"), assistant(secret, open_shell, asked), user("go"))] == [
        "message",
        "message",
    ]


def test_an_output_that_nobody_asked_for_is_left_out():
    output = {"type": "shell_call_output", "call_id": "call_sh", "output": []}
    part = ToolResultPart("shell", "", "call_sh", server_executed=True, provider_metadata={"openai": {"item": output}})
    assert [item["type"] for item in sent(user("hi"), assistant(part, "so"), user("go"))] == ["message"] * 3


def test_what_is_kept_is_not_written_into():
    item = {"type": "next_years_item", "role": "assistant", "content": []}
    part = ToolCallPart("x", {}, "a", server_executed=True, provider_metadata={"openai": {"item": item}})
    assert sent(user("hi"), assistant(part, "so"), user("go"))[1] == item == {**item, "content": []}


def test_a_custom_tool_is_answered_as_one():
    items = sent(user("hi"), *answer_of(CUSTOM_CALL), tool_message(ToolResultPart("sql", "1", "call_c")))
    assert items[1:] == [
        {"type": "custom_tool_call", "call_id": "call_c", "name": "sql", "input": "select 1"},
        {"type": "custom_tool_call_output", "call_id": "call_c", "output": "1"},
    ]


def test_who_called_goes_back_with_the_call_and_its_output():
    own = {"openai": {"caller": {"type": "program", "caller_id": "prog_1"}, "namespace": "crm"}}
    items = sent(
        user("hi"),
        assistant(ToolCallPart("f", {}, "a", provider_metadata=own)),
        tool_message(ToolResultPart("f", "1", "a")),
    )
    assert [(item["caller"]["caller_id"], item["namespace"]) for item in items[1:]] == [("prog_1", "crm")] * 2


def test_an_id_that_is_too_long_is_shortened_in_call_and_output_alike():
    long, other = "x" * 100, "x" * 99 + "y"
    items = sent(
        user("hi"),
        assistant(ToolCallPart("f", {}, long), ToolCallPart("f", {}, other)),
        tool_message(ToolResultPart("f", "1", long), ToolResultPart("f", "2", other)),
    )
    ids = [item["call_id"] for item in items[1:]]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2
    assert [len(call_id) for call_id in ids] == [64] * 4


def test_calls_and_results_without_ids_are_given_matching_ones():
    calls = [ToolCallPart("f", {}), ToolCallPart("g", {}), ToolCallPart("f", {})]
    results = [ToolResultPart("f", "1"), ToolResultPart("g", "2"), ToolResultPart("f", "3")]
    items = sent(user("hi"), assistant(*calls), tool_message(*results))
    assert [item["call_id"] for item in items[4:]] == [item["call_id"] for item in items[1:4]]


def test_files_go_as_the_wire_takes_them():
    parts = [
        AttachmentPart(Attachment("image/png", content=PNG)),
        AttachmentPart(Attachment("image/jpeg", url="https://example.com/a.jpg")),
        AttachmentPart(Attachment("application/pdf", content=b"%PDF-")),
        AttachmentPart(Attachment("text/csv", content="a,ü".encode())),
    ]
    [item] = sent(user("see", parts), options={"image_detail": "low"})
    picture, linked, pdf, text = item["content"][1:]
    assert picture == {
        "type": "input_image",
        "image_url": f"data:image/png;base64,{base64.b64encode(PNG).decode()}",
        "detail": "low",
    }
    assert linked == {"type": "input_image", "image_url": "https://example.com/a.jpg", "detail": "low"}
    assert pdf["filename"].endswith(".pdf")
    assert pdf["file_data"] == "data:application/pdf;base64,JVBERi0="
    assert text == {"type": "input_text", "text": "a,ü"}


def test_a_file_that_the_wire_does_not_take_is_refused():
    for kind, why in (("audio/wav", "takes audio by chat completions"), ("video/mp4", "can't carry an attachment")):
        with pytest.raises(ModelError, match=why):
            body(user(AttachmentPart(Attachment(kind, content=b"x"))))
    with pytest.raises(ModelError, match="need the bytes"):
        body(user(AttachmentPart(Attachment("application/pdf", url="https://example.com/a.pdf"))))


def test_files_of_a_result_go_with_it():
    result = ToolResultPart("f", "see", "a", attachments=[Attachment("image/png", content=PNG)])
    items = sent(user("hi"), assistant(ToolCallPart("f", {}, "a")), tool_message(result))
    assert [part["type"] for part in items[-1]["output"]] == ["input_text", "input_image"]
    empty = ToolResultPart("f", "", "a", attachments=[Attachment("image/png", content=PNG)])
    items = sent(user("hi"), assistant(ToolCallPart("f", {}, "a")), tool_message(empty))
    assert [part["type"] for part in items[-1]["output"]] == ["input_image"]


def test_a_system_prompt_is_sent_again_only_when_it_changes():
    items = sent(system("a"), user("1"), assistant("x"), system("a"), user("2"), assistant("y"), system("b"), user("3"))
    assert [item["role"] for item in items] == ["system", "user", "assistant", "user", "assistant", "system", "user"]


def test_a_provider_says_who_it_is_and_what_it_takes():
    provider = OpenAIResponses("mine")
    assert repr(provider) == "OpenAIResponses('mine')"
    assert provider.key_header(Secret("sk-1")) == ("authorization", "Bearer sk-1")
    assert provider.options is ResponsesOptions
    assert provider.fetches_urls
