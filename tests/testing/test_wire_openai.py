"""What the scripted server says when no script says it: the rules, as pure functions."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_actors.testing import wire_openai
from llm_actors.testing.wire_openai import Refusal, decode, reply, smallest, streamed, whole

TOOLS = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("add", "now")]


def ask(text, **more):
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def parsed_stream(request):
    *frames, done = streamed(request, 1)
    assert done == b"data: [DONE]\n\n"
    return [json.loads(frame.removeprefix(b"data: ")) for frame in frames]


@given(st.text())
def test_text_is_echoed_the_same_streamed_and_whole(text):
    request = ask(text)
    frames = parsed_stream(request)
    joined = "".join(frame["choices"][0]["delta"].get("content") or "" for frame in frames)
    message = json.loads(whole(request, 1))["choices"][0]["message"]
    assert joined.rstrip() == message["content"].rstrip() == f"echo: {text}".rstrip()
    assert frames[-1]["choices"][0]["finish_reason"] == "stop"


def test_parts_of_content_are_echoed_by_their_type():
    content = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:"}}]
    assert reply(ask(content)).text == "echo: look [image_url]"


def test_usage_counts_words_and_comes_last_without_choices():
    request = ask("one two three", stream_options={"include_usage": True})
    last = parsed_stream(request)[-1]
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert json.loads(whole(request, 1))["usage"] == last["usage"]


def test_tools_named_in_the_text_are_called_in_parallel_and_their_arguments_come_in_pieces():
    request = ask('call add {"a": 1} and call now {} and call add {broken', tools=TOOLS)
    calls: dict[int, dict[str, str]] = {}
    for frame in parsed_stream(request):
        for delta in frame["choices"][0]["delta"].get("tool_calls", []):
            call = calls.setdefault(delta["index"], {"arguments": ""})
            call["arguments"] += delta["function"]["arguments"]
            call.update({name: value for name, value in delta["function"].items() if name == "name"})
    assert calls == {0: {"name": "add", "arguments": '{"a": 1}'}, 1: {"name": "now", "arguments": "{}"}}
    answer = json.loads(whole(request, 1))["choices"][0]
    assert answer["finish_reason"] == "tool_calls"
    assert [call["function"]["name"] for call in answer["message"]["tool_calls"]] == ["add", "now"]


def described(name, text, **fields):
    parameters = {"type": "object", "properties": {field: {"type": kind} for field, kind in fields.items()}}
    parameters["required"] = list(fields)
    return {"type": "function", "function": {"name": name, "description": text, "parameters": parameters}}


def test_tools_that_share_words_with_the_text_are_called_as_by_the_demo_model():
    upper = described("upper", "Converts string to uppercase", string="string")
    answer = reply(ask("Convert panda to uppercase then pelican to uppercase", tools=[upper]))
    assert [(name, json.loads(arguments)) for _, name, arguments in answer.calls] == [
        ("upper", {"string": "panda"}),
        ("upper", {"string": "pelican"}),
    ]


def test_a_short_question_after_a_call_calls_that_tool_again():
    tools = [described("celsius_to_fahrenheit", "Convert a temperature.", celsius="number")]
    call = {"id": "c1", "function": {"name": "celsius_to_fahrenheit", "arguments": '{"celsius": 100}'}}
    request = ask("What is 100°C in Fahrenheit?", tools=tools)
    before = [
        *request["messages"],
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "212.0"},
        {"role": "assistant", "content": "results: celsius_to_fahrenheit=212.0"},
    ]
    request["messages"] = [*before, *ask("And -40°C?")["messages"]]
    [(_, name, arguments)] = reply(request).calls
    assert (name, json.loads(arguments)) == ("celsius_to_fahrenheit", {"celsius": -40})


@pytest.mark.parametrize("more", [{}, {"tools": TOOLS, "tool_choice": "none"}])
def test_nothing_is_called_that_is_not_offered(more):
    assert reply(ask("call add {}", **more)).calls == []


@pytest.mark.parametrize(
    ("choice", "name"), [("required", "add"), ({"type": "function", "function": {"name": "now"}}, "now")]
)
def test_a_forced_call_has_the_smallest_arguments(choice, name):
    ((_, called, arguments),) = reply(ask("hi", tools=TOOLS, tool_choice=choice)).calls
    assert (called, arguments) == (name, "null")


def history(*results):
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    second = {"id": "c2", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    assistant = {"role": "assistant", "content": None, "tool_calls": [call, second]}
    tools = [{"role": "tool", "tool_call_id": name, "content": text} for name, text in results]
    return [{"role": "user", "content": "call add {}"}, assistant, *tools]


def test_results_are_answered_by_name():
    request = {"messages": history(("c2", "noon"), ("c1", "3")), "tools": TOOLS}
    assert reply(request).text == "results: now=noon; add=3"


one = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
twice = {"role": "assistant", "tool_calls": [one, one]}


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        (history(("c1", "3")), "did not have response messages: c2"),
        ([*history(("c1", "3")), {"role": "user", "content": "hi"}], "did not have response messages: c2"),
        (history(("c1", "3"), ("c2", "x"), ("c2", "again")), "must be a response to a preceeding message"),
        ([{"role": "tool", "tool_call_id": "c9", "content": "x"}], "must be a response to a preceeding message"),
        ([{"role": "clown", "content": "x"}], "Invalid value: 'clown'"),
        ([{"role": "user"}], "Invalid value for 'content'"),
        ([{"role": "user", "content": []}], "Invalid value for 'content'"),
        ([{"role": "assistant", "content": ""}], "Invalid value for 'content'"),
        ([{"role": "assistant", "content": None}], "Invalid value for 'content'"),
        ([{"role": "assistant", "content": "x", "tool_calls": []}], "empty array"),
        ([{"role": "user", "content": "x", "tool_calls": [{"id": "c1"}]}], "Extra inputs are not permitted"),
        ([{"role": "assistant", "tool_calls": [{"id": "c1"}]}], "Missing or invalid id, type, name or arguments"),
        ([twice], "Duplicate value for 'tool_call_id'"),
        ([], "Missing required parameter: 'messages'"),
    ],
)
def test_a_history_that_openai_refuses_is_refused(messages, text):
    with pytest.raises(Refusal, match=text) as caught:
        decode(json.dumps({"messages": messages}).encode())
    assert caught.value.status == 400
    assert text in str(caught.value.body["error"]["message"])


def test_what_is_not_json_is_refused():
    with pytest.raises(Refusal, match="could not parse the JSON"):
        decode(b"{")


def test_a_valid_history_is_taken():
    messages = history(("c1", "3"), ("c2", "x"))
    assert decode(json.dumps({"messages": messages}).encode()) == {"messages": messages}


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_length_limit_cuts_words(name):
    answer = reply(ask("a b c d", **{name: 3}))
    assert (answer.text, answer.finish, answer.completion_tokens) == ("echo: a b", "length", 3)


def test_structured_output_is_the_smallest_instance_of_the_schema():
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 2},
            "age": {"type": "integer", "minimum": 18},
            "kind": {"enum": ["dog", "cat"]},
            "only": {"const": 7},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "maybe": {"type": ["boolean", "null"]},
            "nothing": {"type": "null"},
            "either": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "other": {"$ref": "#/$defs/Other"},
        },
        "$defs": {"Other": {"properties": {"x": {"type": "integer"}}}},
    }
    request = ask("hi", response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}})
    assert json.loads(reply(request).text) == smallest(schema)
    assert smallest(schema) == {
        "name": "xx",
        "age": 18,
        "kind": "dog",
        "only": 7,
        "tags": [""],
        "maybe": False,
        "nothing": None,
        "either": 0,
        "other": {"x": 0},
    }
    assert reply(ask("hi", response_format={"type": "json_object"})).text == "{}"


def test_the_list_of_models_is_in_the_wire_format():
    listed = json.loads(wire_openai.model_list())
    assert listed["object"] == "list"
    assert {model["object"] for model in listed["data"]} == {"model"}
