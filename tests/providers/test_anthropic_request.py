"""What a request to Anthropic's messages looks like: every part of ours, every option, and what may not be sent."""

import base64
from typing import Any

import msgspec
import pytest

from llm_actors.errors import ModelError
from llm_actors.messages import (
    Attachment,
    Message,
    ModelRequest,
    Secret,
    ToolSpec,
    assistant,
    system,
    tool_message,
    user,
)
from llm_actors.messages.parts import AttachmentPart, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from llm_actors.providers.anthropic import Anthropic
from llm_actors.providers.anthropic_options import AnthropicOptions
from llm_actors.providers.anthropic_request import default_max_tokens, prefix_of
from llm_actors.providers.anthropic_schema import supported

from .anthropic_recordings import SSE, STREAM, WEB_SEARCH, block, ended, started, text, tool
from .feeding import decode, message_of
from .random_histories import FILES, PDF, PNG

PROVIDER = Anthropic()
MARK = {"type": "ephemeral"}
LOOK = ToolSpec("look", "Looks.", {"type": "object", "properties": {"n": {"type": "integer"}}})


def request_of(*messages: Message, model: str = "claude-opus-5-5", **more: Any) -> ModelRequest:
    return ModelRequest(model, [*messages] or [user("hi")], request_id="r1", **more)


def body_of(*messages: Message, extra: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    wire = PROVIDER.encode(request_of(*messages, **more), extra or {})
    body: dict[str, Any] = msgspec.json.decode(wire.body)
    return body


def content(*messages: Message, **more: Any) -> list[Any]:
    return [message["content"] for message in body_of(*messages, **more)["messages"]]


def thought(text: str = "Hm", **own: Any) -> ReasoningPart:
    return ReasoningPart(text, provider_metadata={"anthropic": own or {"signature": "s"}})


def test_a_request_is_a_post_with_the_api_version():
    wire = PROVIDER.encode(request_of(), {})
    assert (wire.method, wire.path) == ("POST", "/v1/messages")
    assert wire.headers == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "anthropic-version": "2026-10-21",
        "idempotency-key": "r1",
    }
    assert wire == PROVIDER.encode(request_of(), {})
    assert PROVIDER.encode(request_of(stream=False), {}).headers["accept"] == "application/json"
    assert PROVIDER.key_header(Secret("sk-ant-1")) == ("authorization", "Bearer sk-ant-1")


def test_sampling_is_asked_for_in_the_last_version_that_has_it():
    assert PROVIDER.encode(request_of(options={"temperature": 0.0}), {}).headers["anthropic-version"] == "2023-06-01"
    assert PROVIDER.encode(request_of(options={"temperature": None}), {}).headers["anthropic-version"] == "2026-10-21"
    assert body_of(options={"temperature": 0.0, "top_p": 0.5, "top_k": 3}) | {
        "temperature": 0.0,
        "top_p": 0.5,
        "top_k": 3,
    } == body_of(options={"temperature": 0.0, "top_p": 0.5, "top_k": 3})


def test_betas_go_into_their_header():
    assert PROVIDER.encode(request_of(options={"betas": ["a-1", "b-2"]}), {}).headers["anthropic-beta"] == "a-1,b-2"


def test_a_plain_body():
    assert body_of(system("Be short."), user("hi")) == {
        "model": "claude-opus-5-5",
        "max_tokens": 32_000,
        "system": "Be short.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "stream": True,
    }


def test_options_become_fields():
    options = msgspec.structs.asdict(
        AnthropicOptions(
            max_tokens=9,
            stop="x",
            effort="low",
            service_tier="auto",
            speed="fast",
            user_id="u",
            container="c",
            parallel_tool_calls=False,
            tool_choice="look",
        )
    )
    body = body_of(options=options, tools=[LOOK])
    assert body["max_tokens"] == 9
    assert body["stop_sequences"] == ["x"]
    assert body["output_config"] == {"effort": "low"}
    assert body["metadata"] == {"user_id": "u"}
    assert (body["service_tier"], body["speed"], body["container"]) == ("auto", "fast", "c")
    assert body["tool_choice"] == {"type": "tool", "name": "look", "disable_parallel_tool_use": True}


@pytest.mark.parametrize(
    ("choice", "parallel", "sent"),
    [
        (None, None, None),
        ("auto", None, {"type": "auto"}),
        ("required", None, {"type": "any"}),
        ("none", False, {"type": "none"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"type": "any"}, None, {"type": "any"}),
    ],
)
def test_the_choice_of_tools(choice, parallel, sent):
    options = {"tool_choice": choice, "parallel_tool_calls": parallel}
    assert body_of(options=options, tools=[LOOK]).get("tool_choice") == sent
    assert "tool_choice" not in body_of(options=options)


@pytest.mark.parametrize(
    ("asked", "hide", "sent"),
    [
        (None, True, None),
        (True, False, {"type": "adaptive", "display": "summarized"}),
        (True, True, {"type": "adaptive", "display": "omitted"}),
        (False, True, {"type": "disabled"}),
        (2048, False, {"type": "enabled", "budget_tokens": 2048}),
        (2048, True, {"type": "enabled", "budget_tokens": 2048, "display": "omitted"}),
        ({"type": "between_tools"}, True, {"type": "between_tools"}),
        ({"type": "adaptive", "block_binding": {}}, False, {"type": "adaptive", "block_binding": {}}),
    ],
)
def test_thinking_is_asked_for_and_shown_unless_it_is_to_be_hidden(asked, hide, sent):
    assert body_of(options={"thinking": asked}, hide_reasoning=hide).get("thinking") == sent


def test_the_default_of_max_tokens_is_what_the_model_can_write_and_more_than_a_budget():
    assert [
        default_max_tokens(name) for name in ("claude-opus-5-5", "anthropic/claude-3-haiku-20240307", "kimi-k2")
    ] == [
        32_000,
        4_096,
        4_096,
    ]
    assert body_of(model="kimi-k2", options={"thinking": 10_000})["max_tokens"] == 14_096


def test_extra_fields_are_merged_last_and_none_takes_one_out():
    body = body_of(extra={"max_tokens": 5, "stream": None, "mcp_servers": []})
    assert (body["max_tokens"], body["mcp_servers"], "stream" in body) == (5, [], False)


def test_tools_of_ours_and_then_the_providers_own():
    server = {"type": "web_search_20260209", "name": "web_search"}
    assert body_of(tools=[LOOK, ToolSpec("now", None, {})], server_tools=[server])["tools"] == [
        {"name": "look", "description": "Looks.", "input_schema": LOOK.input_schema},
        {"name": "now", "input_schema": {"type": "object", "properties": {}}},
        server,
    ]
    with pytest.raises(ModelError, match="as a dict, not as str"):
        body_of(server_tools=["web_search"])


def test_an_answer_by_a_schema():
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}
    assert body_of(schema=schema, options={"effort": "max"})["output_config"] == {
        "effort": "max",
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {"n": {"type": "integer", "description": "{minimum: 1}"}},
                "required": ["n"],
                "additionalProperties": False,
            },
        },
    }


def test_a_schema_says_in_words_what_it_may_not_say_otherwise():
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"A": {"type": "array", "items": {"type": "string", "format": "date"}, "minItems": 1, "maxItems": 3}},
        "title": "T",
        "description": "All.",
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/A"},
            "b": {"oneOf": [{"type": "null"}, {"type": "object", "additionalProperties": {"type": "integer"}}]},
            "c": {"enum": ["x", 1], "default": 1},
            "d": {"type": "string", "pattern": "^a", "format": "color"},
        },
        "propertyNames": {"maxLength": 3},
    }
    assert supported(schema) == {
        "$defs": {
            "A": {
                "type": "array",
                "items": {"type": "string", "format": "date"},
                "minItems": 1,
                "description": "{maxItems: 3}",
            }
        },
        "title": "T",
        "description": 'All.\n\n{propertyNames: {"maxLength": 3}}',
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/A"},
            "b": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {}, "additionalProperties": False}]},
            "c": {"enum": ["x", 1], "default": 1},
            "d": {"type": "string", "description": '{pattern: "^a", format: "color"}'},
        },
        "additionalProperties": False,
    }
    assert "oneOf" in str(schema)  # a copy was changed


# ---- messages ---------------------------------------------------------------------------------------------------------------------


def test_files_become_blocks():
    parts = [AttachmentPart(FILES[kind]) for kind in ("image", "image url", "pdf", "text")]
    assert content(user("see", *parts)) == [
        [
            {"type": "text", "text": "see"},
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()},
            },
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.jpg"}},
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(PDF).decode()},
            },
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Grüße\n"}},
        ]
    ]


@pytest.mark.parametrize(
    "attachment",
    [FILES["audio"], Attachment(type="video/mp4", url="x"), Attachment(type="image/png", path="/nowhere.png")],
)
def test_a_file_that_this_wire_cant_carry_is_an_error(attachment):
    with pytest.raises(ModelError, match="Anthropic's messages"):
        body_of(user("see", AttachmentPart(attachment)))


def test_documents_take_what_is_theirs_from_their_metadata():
    part = AttachmentPart(FILES["pdf"], {"anthropic": {"title": "T", "citations": {"enabled": True}, "x": 1}})
    [[block]] = content(user(part))
    assert (block["title"], block["citations"], "x" in block) == ("T", {"enabled": True}, False)


def test_calls_and_results_with_errors_and_files():
    result = ToolResultPart("look", "no", "a", exception="ValueError: no", attachments=[FILES["image"]])
    empty = ToolResultPart("look", "", "b")
    calls = [ToolCallPart("look", {"n": 1}, "a"), ToolCallPart("look", {}, "b")]
    _, called, answered = content(user("hi"), assistant("so", *calls), tool_message(result, empty), user("next"))
    assert called[1:] == [
        {"type": "tool_use", "id": "a", "name": "look", "input": {"n": 1}},
        {"type": "tool_use", "id": "b", "name": "look", "input": {}},
    ]
    assert [block["type"] for block in answered] == ["tool_result", "tool_result", "text"]
    assert (answered[0]["is_error"], [block["type"] for block in answered[0]["content"]]) == (True, ["text", "image"])
    assert answered[1] == {"type": "tool_result", "tool_use_id": "b", "content": []}


def test_ids_get_the_letters_that_are_allowed_the_same_in_call_and_result_and_never_twice():
    calls = [
        ToolCallPart("f", {}, "a:1"),
        ToolCallPart("f", {}, "a.1"),
        ToolCallPart("f", {}, None),
        ToolCallPart("g", {}, None),
    ]
    results = [ToolResultPart(call.name, "", call.tool_call_id) for call in calls]
    _, called, answered = content(user("hi"), assistant(*calls), tool_message(*results))
    ids = [block["id"] for block in called]
    assert ids == ["a_1", "a_1_2", "toolu_1", "toolu_2"]
    assert [block["tool_use_id"] for block in answered] == ids


def test_thinking_goes_back_unchanged_and_in_its_place():
    hidden = ReasoningPart("", redacted=True, provider_metadata={"anthropic": {"data": "d"}})
    omitted = thought("", signature="t")
    call = ToolCallPart("look", {}, "a")
    sent = content(
        user("hi"), assistant(thought(), "so", hidden, omitted, call), tool_message(ToolResultPart("look", "1", "a"))
    )
    assert sent[1] == [
        {"type": "thinking", "thinking": "Hm", "signature": "s"},
        {"type": "text", "text": "so"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "thinking", "thinking": "", "signature": "t"},
        {"type": "tool_use", "id": "a", "name": "look", "input": {}},
    ]


def test_thinking_of_others_or_without_a_signature_or_at_an_end_stays_behind():
    other = ReasoningPart("Hm", provider_metadata={"gemini": {"signature": "s"}})
    assert content(user("hi"), assistant(other, "so", thought(signature="")), user("next"))[1] == [
        {"type": "text", "text": "so"}
    ]
    assert content(user("hi"), assistant("so", thought()), user("next"))[1] == [{"type": "text", "text": "so"}]
    assert content(user("hi"), assistant(thought()), user("next")) == [
        [{"type": "text", "text": "hi"}, {"type": "text", "text": "next"}]
    ]


def test_thinking_that_a_server_does_not_sign_goes_back_to_it_and_never_to_claude():
    start = {"type": "thinking", "thinking": "", "signature": ""}
    delta = {"type": "thinking_delta", "thinking": "Hm"}
    stream = started() + block(0, start, delta) + tool(1, "a", "look", "{}") + ended("tool_use")
    answer = message_of(decode([stream], SSE, provider=PROVIDER))
    talk = [user("hi"), answer, tool_message(ToolResultPart("look", "1", "a"))]
    assert content(*talk, model="kimi-k2.7")[1][0] == {"type": "thinking", "thinking": "Hm", "signature": ""}
    assert [sent["type"] for sent in content(*talk)[1]] == ["tool_use"]


def test_what_another_name_kept_does_not_go_back():
    body = Anthropic("kimi").encode(request_of(user("hi"), assistant(thought(), "so"), user("next")), {}).body
    assert b"thinking" not in body


def test_tools_of_the_provider_and_unknown_blocks_go_back_as_they_came():
    message = message_of(decode([WEB_SEARCH], SSE, provider=PROVIDER))
    assert [block["type"] for block in content(user("hi"), message, user("next"))[1]] == [
        "text",
        "server_tool_use",
        "web_search_tool_result",
        "text",
    ]
    found = content(user("hi"), message, user("next"))[1]
    assert found[1]["input"] == {"query": "weather NYC"}
    assert found[2]["content"][0]["encrypted_content"] == "EqgfCioIARgBIiQ3"
    assert found[3]["citations"][0]["encrypted_index"].startswith("Eo8B")
    unknown = ReasoningPart("", provider_metadata={"anthropic": {"block": {"type": "hologram", "shape": "cube"}}})
    assert content(user("hi"), assistant(unknown, "so"), user("next"))[1][0] == {"type": "hologram", "shape": "cube"}


def test_a_call_that_the_provider_never_ran_is_left_out_once_something_else_is_asked():
    raw = {"type": "server_tool_use", "id": "s1", "name": "web_search"}
    call = ToolCallPart(
        "web_search", {"q": 1}, "s1", server_executed=True, provider_metadata={"anthropic": {"block": raw}}
    )
    paused = assistant("Searching", call)
    assert content(user("hi"), paused)[1][-1] == {**raw, "input": {"q": 1}}
    assert content(user("hi"), paused, user("next"))[1] == [{"type": "text", "text": "Searching"}]
    ours = ToolCallPart("look", {}, "a")
    waiting = content(user("hi"), assistant(call, ours), tool_message(ToolResultPart("look", "1", "a")))
    assert [block["type"] for block in waiting[1]] == ["server_tool_use", "tool_use"]
    result = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
    late = ToolResultPart(
        "web_search", "", "s1", server_executed=True, provider_metadata={"anthropic": {"block": result}}
    )
    assert content(user("hi"), assistant(late, "so"), user("next"))[1] == [{"type": "text", "text": "so"}]


def test_results_that_a_code_of_the_provider_waits_for_go_to_its_container():
    caller = {"type": "code_execution_20260120", "tool_id": "srvtoolu_1"}
    code = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "code_execution", "input": {"code": "look()"}}
    stream = (
        started()
        + block(0, code)
        + tool(1, "a", "look", "{}", caller=caller)
        + ended("tool_use", container={"id": "c1"})
    )
    answer = message_of(decode([stream], SSE, provider=PROVIDER))
    waiting = [user("hi"), answer, tool_message(ToolResultPart("look", "1", "a"))]
    assert body_of(*waiting)["container"] == "c1"
    assert body_of(*waiting, options={"container": "c2"})["container"] == "c2"
    assert content(*waiting)[1][1]["caller"] == caller
    assert "container" not in body_of(*waiting, user("next"))
    direct = (
        started() + tool(0, "a", "look", "{}", caller={"type": "direct"}) + ended("tool_use", container={"id": "c1"})
    )
    answer = message_of(decode([direct], SSE, provider=PROVIDER))
    assert "container" not in body_of(user("hi"), answer, tool_message(ToolResultPart("look", "1", "a")))


def test_citations_and_files_of_an_assistant_stay_where_they_are_taken():
    cited = TextPart("so", {"anthropic": {"citations": [{"type": "char_location"}]}})
    sent = content(user(cited), assistant(cited, AttachmentPart(FILES["image"])), user("next"))
    assert sent[0] == [{"type": "text", "text": "so"}]
    assert sent[1] == [{"type": "text", "text": "so", "citations": [{"type": "char_location"}]}]


def test_a_user_who_says_nothing_but_blanks_still_has_the_last_word():
    assert content(user("hi"), assistant("so"), user(" \n"))[2] == [{"type": "text", "text": "(blank)"}]
    assert content(user("hi"), user(" ", AttachmentPart(FILES["image"])))[0][1]["type"] == "image"


def test_a_request_that_an_assistant_ends_has_no_blanks_at_its_end():
    assert content(user("hi"), assistant("so: \n"))[1] == [{"type": "text", "text": "so:"}]
    assert content(assistant("welcome"), user("hi"))[0] == [{"type": "text", "text": "(the conversation begins)"}]


# ---- thinking and what it was made from -------------------------------------------------------------------------------------------


def answered(*messages: Message, **more: Any) -> Message:
    """The answer to a request, with thinking, as the decoder makes it."""
    start = {"type": "thinking", "thinking": "", "signature": ""}
    deltas = [{"type": "thinking_delta", "thinking": "Hm"}, {"type": "signature_delta", "signature": "s"}]
    stream = started() + block(0, start, *deltas) + text(1, "So") + ended()
    return message_of(decode([stream], SSE, provider=PROVIDER, request=request_of(*messages, **more)))


def thinks(*messages: Message, **more: Any) -> list[bool]:
    """For each assistant message that is sent, whether it begins with thinking."""
    return [
        message["content"][0]["type"] == "thinking"
        for message in body_of(*messages, **more)["messages"]
        if message["role"] == "assistant"
    ]


def test_thinking_goes_back_as_long_as_nothing_before_it_has_changed():
    begin = [system("Be short."), user("hi", AttachmentPart(FILES["image"]))]
    first = answered(*begin, tools=[LOOK])
    second = answered(*begin, first, user("next"), tools=[LOOK])
    talk = [*begin, first, user("next"), second, user("last")]
    assert thinks(*talk, tools=[LOOK]) == [True, True]
    assert thinks(*talk, tools=[LOOK], options={"cache": True, "effort": "low"}) == [True, True]
    assert thinks(system("Be long."), *talk[1:], tools=[LOOK]) == [False, False]
    assert thinks(*talk, tools=[]) == [False, False]
    assert thinks(system("Be short."), user("In short."), *talk[2:], tools=[LOOK]) == [False, False]


def test_thinking_behind_a_change_stays_behind_and_thinking_before_it_goes_back():
    first = answered(user("hi"))
    second = answered(user("hi"), first, user("next"))
    assert thinks(user("hi"), first, user("another"), second, user("last")) == [True, False]


@pytest.mark.parametrize(
    ("model", "stays"),
    [
        ("claude-fable-5-1", True),
        ("claude-haiku-5-5", True),
        ("anthropic/claude-opus-6", True),
        ("claude-opus-5", False),
        ("claude-sonnet-5@20260701", False),
        ("claude-opus-4-8", False),
        ("claude-sonnet-4-5-20250929", False),
        ("claude-3-7-sonnet-20250219", False),
        ("kimi-k2-thinking", False),
    ],
)
def test_models_that_do_not_look_at_what_their_thinking_was_made_from_get_all_of_it_back(model, stays):
    first = answered(user("hi"), model=model)
    assert thinks(user("another"), first, user("next"), model=model) == [not stays]


def test_thinking_made_before_the_mark_was_kept_goes_back():
    assert thinks(user("hi"), assistant(thought(), "so"), user("next")) == [True]


def test_the_mark_does_not_hang_on_how_messages_are_cut():
    one = prefix_of(request_of(user("a"), user("b")), "anthropic")
    assert one == prefix_of(request_of(user("a", "b")), "anthropic")
    assert one != prefix_of(request_of(user("b"), user("a")), "anthropic")


def test_an_answer_without_thinking_carries_no_mark():
    message = message_of(decode([STREAM], SSE, provider=PROVIDER))
    assert message.provider_metadata is None


# ---- the prompt cache -------------------------------------------------------------------------------------------------------------


def marked(body: dict[str, Any]) -> list[str]:
    """Where the marks are."""
    found = [f"tools.{place}" for place, tool in enumerate(body.get("tools", ())) if "cache_control" in tool]
    if isinstance(body.get("system"), list):
        found += [f"system.{place}" for place, block in enumerate(body["system"]) if "cache_control" in block]
    for place, message in enumerate(body["messages"]):
        found += [f"{place}.{spot}" for spot, block in enumerate(message["content"]) if "cache_control" in block]
    return found


def test_nothing_is_marked_unless_it_is_asked_for():
    assert marked(body_of(system("s"), user("hi"), tools=[LOOK])) == []


def test_the_stable_beginning_is_marked_at_its_ends():
    talk = [system("s"), user("a"), assistant("b"), user("c", "d")]
    body = body_of(*talk, tools=[LOOK, LOOK], options={"cache": "1h"})
    assert marked(body) == ["tools.1", "system.0", "0.0", "2.1"]
    assert body["messages"][2]["content"][1]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert body["system"] == [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    assert body_of(user("a"), options={"cache": True})["messages"][0]["content"][0]["cache_control"] == MARK


def test_single_blocks_are_marked_by_their_metadata_and_never_more_than_four_in_all():
    def part(text):
        return TextPart(text, {"anthropic": {"cache_control": MARK}})

    assert marked(body_of(system(part("s"), "t"), user(part("a"), "b"))) == ["system.0", "0.0"]
    body = body_of(
        system(part("s")), user(part("a"), part("b")), assistant("c"), user("d"), tools=[LOOK], options={"cache": True}
    )
    assert marked(body) == ["system.0", "0.0", "0.1", "2.0"]


def test_marks_of_users_go_to_a_server_of_any_name():
    part = TextPart("a", {"anthropic": {"cache_control": MARK}})
    body = msgspec.json.decode(Anthropic("127.0.0.1:8080").encode(request_of(user(part)), {}).body)
    assert marked(body) == ["0.0"]


def test_a_mark_of_the_user_at_the_end_stands_and_blocks_that_take_none_are_passed_over():
    own = TextPart("a", {"anthropic": {"cache_control": {"type": "ephemeral", "ttl": "1h"}}})
    body = body_of(user(own), options={"cache": True})
    assert body["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    unknown = ReasoningPart("", provider_metadata={"anthropic": {"block": {"type": "hologram"}}})
    assert marked(body_of(user("hi"), assistant("so", unknown), options={"cache": True})) == ["1.0"]
    assert marked(body_of(user("hi"), assistant(unknown), options={"cache": True})) == []


def test_thinking_is_not_marked():
    call = ToolCallPart("look", {}, "a")
    talk = [
        user("hi"),
        assistant(thought(), call, thought(signature="t"), "x"),
        tool_message(ToolResultPart("look", "1", "a")),
    ]
    assert marked(body_of(*talk, options={"cache": True})) == ["0.0", "2.0"]
