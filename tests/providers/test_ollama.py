"""Requests to Ollama, what its answers come to, and a thousand random conversations there and back."""

import base64
from random import Random

import msgspec
import pytest

from llm_actors.chat.history import repair
from llm_actors.errors import (
    ContextLengthError,
    InvalidRequestError,
    ModelError,
    OverloadedError,
    ProtocolError,
    ServerError,
    StreamTruncatedError,
)
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
    Usage,
    assistant,
    system,
    tool_message,
    user,
)
from llm_actors.providers.ollama import Ollama, OllamaOptions
from llm_actors.testing import wire_ollama
from tests.strict import ollama as strict
from tests.strict import openai_chat

from .feeding import JSON, decode
from .ollama_recordings import LINES, OLLAMA, PLAIN, THINKING, called, end, line
from .random_histories import random_answer, random_history
from .test_responses_round_trip import spoken_there

PNG = b"\x89PNG\r\n\x1a\n123"
FILES = ("image", "text")


def body(*messages, extra_body=None, **fields):
    request = ModelRequest("qwen3:8b", list(messages) or [user("hi")], **fields)
    return msgspec.json.decode(OLLAMA.encode(request, extra_body or {}).body)


def sent(*messages, **settings):
    plain = body(*messages, **settings)
    strict.check_body(plain)
    return plain["messages"]


def answer(*lines, headers=LINES, **settings):
    return decode([b"".join(lines)], headers, provider=OLLAMA, **settings)


# Requests


def test_a_plain_prompt_is_exactly_these_bytes_each_time():
    request = ModelRequest("qwen3:8b", [system("Be brief"), user("hi")], options={"temperature": 0.5, "max_tokens": 5})
    wire = OLLAMA.encode(request, {})
    assert (wire.method, wire.path) == ("POST", "/api/chat")
    assert wire.headers == {"content-type": "application/json", "accept": "application/x-ndjson"}
    assert wire.body == (
        b'{"model":"qwen3:8b","messages":[{"role":"system","content":"Be brief"},{"role":"user","content":"hi"}],"stream":true,'
        b'"truncate":false,"options":{"num_predict":5,"temperature":0.5}}'
    )
    assert OLLAMA.encode(msgspec.structs.replace(request, stream=False), {}).headers["accept"] == "application/json"


def test_options_go_where_the_wire_has_them():
    options = {
        "num_ctx": 8192,
        "stop": "x",
        "seed": None,
        "options": {"mirostat": 1, "num_ctx": 16},
        "think": "high",
        "keep_alive": "5m",
        "truncate": True,
    }
    plain = body(options=options)
    assert plain["options"] == {"num_ctx": 16, "stop": ["x"], "mirostat": 1}
    assert (plain["think"], plain["keep_alive"], plain["truncate"]) == ("high", "5m", True)
    assert body(options={"stop": ["a", "b"]})["options"] == {"stop": ["a", "b"]}


def test_an_answer_by_a_schema_and_some_json_object():
    assert body(schema={"type": "object"}, options={"json_object": True})["format"] == {"type": "object"}
    assert body(options={"json_object": True})["format"] == "json"
    assert "format" not in body(options={"json_object": False})


def test_tools_and_extra_fields():
    spec = ToolSpec("now", None, {})
    plain = body(tools=[spec, ToolSpec("f", "does", {"type": "object"})], extra_body={"shift": False, "truncate": None})
    assert plain["tools"] == [
        {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}},
        {"type": "function", "function": {"name": "f", "description": "does", "parameters": {"type": "object"}}},
    ]
    assert plain["shift"] is False
    assert "truncate" not in plain
    with pytest.raises(ModelError, match="as a dict"):
        body(server_tools=[5])


def test_calls_go_back_with_the_thinking_that_led_to_them_and_results_by_name():
    thought = ReasoningPart("hm", provider_metadata={"anthropic": {"signature": "s"}})
    assert sent(
        user("hi"),
        assistant(thought, "so", ToolCallPart("f", {"x": 1}, "a"), ToolCallPart("g", {})),
        tool_message(ToolResultPart("f", "1", "a"), ToolResultPart("g", "")),
        assistant(thought, "done"),
        user("go"),
    )[1:] == [
        {
            "role": "assistant",
            "content": "so",
            "thinking": "hm",
            "tool_calls": [
                {"id": "a", "function": {"name": "f", "arguments": {"x": 1}}},
                {"function": {"name": "g", "arguments": {}}},
            ],
        },
        {"role": "tool", "tool_name": "f", "content": "1", "tool_call_id": "a"},
        {"role": "tool", "tool_name": "g", "content": ""},
        {"role": "assistant", "content": "done"},
        {"role": "user", "content": "go"},
    ]


def test_files_go_as_bare_base64_or_as_text():
    picture, text = Attachment("image/png", content=PNG), Attachment("text/plain", content="ü".encode())
    encoded = base64.b64encode(PNG).decode()
    assert sent(user("see", AttachmentPart(text), AttachmentPart(picture), "and")) == [
        {"role": "user", "content": "see\n\nü\n\nand", "images": [encoded]}
    ]
    result = ToolResultPart("f", "1", "a", attachments=[picture])
    assert sent(user("hi"), assistant(ToolCallPart("f", {}, "a")), tool_message(result))[2]["images"] == [encoded]
    for kind, content in (("application/pdf", b"x"), ("audio/wav", b"x"), ("image/png", None)):
        with pytest.raises(ModelError, match=r"Ollama (can't carry|needs the bytes)"):
            body(user(AttachmentPart(Attachment(kind, content=content, url="https://example.com/x"))))


def test_what_a_provider_ran_itself_and_what_is_empty_is_not_sent():
    own = [ToolCallPart("s", {}, "1", server_executed=True), ToolResultPart("s", "2", "1", server_executed=True)]
    assert [
        message["role"] for message in sent(user("hi"), assistant(*own), assistant("", *own, "so"), user("go"))
    ] == [
        "user",
        "assistant",
        "user",
    ]
    with pytest.raises(ModelError, match="only load the model"):
        body(user(""))


def test_a_system_prompt_is_sent_again_only_when_it_changes():
    roles = [
        message["role"] for message in sent(system("a"), user("1"), system("a"), user("2"), system("b"), user("3"))
    ]
    assert roles == ["system", "user", "user", "system", "user"]


def test_a_provider_says_who_it_is_and_what_it_takes():
    assert repr(Ollama("mine")) == "Ollama('mine')"
    assert OLLAMA.key_header(Secret("k")) == ("authorization", "Bearer k")
    assert OLLAMA.options is OllamaOptions
    assert not OLLAMA.fetches_urls


# Answers


def test_the_usage_and_the_envelope_are_kept():
    result = answer(PLAIN).result
    assert result.usage == Usage(26, 282)
    assert (result.resolved_model, result.raw_stop_reason) == ("qwen3:8b", "stop")
    assert result.raw["total_duration"] == 4883583458
    assert answer(line("Hi"), end(prompt_eval_count=None)).result.usage == Usage(None, 282)
    assert answer(line("Hi", done=True)).result.usage is None


def test_thinking_and_calls_are_parts_and_events():
    outcome = answer(THINKING)
    thought, first, second = outcome.result.messages[0].parts
    assert thought == ReasoningPart("Hm, well")
    assert (first.tool_call_id, second.tool_call_id) == ("call_0", "call_1")
    assert [item.chunk for item in outcome.events("tool_call_name")] == ["weather", "now"]


def test_calls_without_ids_or_under_one_id_get_their_own():
    outcome = answer(called(("f", {}), ids=False), called(("f", {}), ids=False), end())
    assert len(set(outcome.ids)) == 2
    assert outcome.ids == answer(called(("f", {}), ids=False), called(("f", {}), ids=False), end()).ids
    assert len(set(answer(called(("f", {})), called(("f", {})), end()).ids)) == 2


def test_a_call_without_a_name_is_a_protocol_error():
    assert isinstance(answer(line(tool_calls=[{"function": {"arguments": {}}}]), end()).error, ProtocolError)


def test_an_end_without_done_is_an_error():
    outcome = answer(line("Hi"))
    assert isinstance(outcome.error, StreamTruncatedError)
    assert outcome.text == "Hi"


def test_two_objects_in_one_line_are_a_protocol_error_with_the_frame():
    outcome = answer(line("Hi"), b'{"done":false}{"done":true}\n')
    assert isinstance(outcome.error, ProtocolError)
    assert outcome.error.frame == b'{"done":false}{"done":true}'
    assert outcome.text == "Hi"


def test_fields_of_the_wrong_type_are_left_alone():
    odd = b'{"message":{"content":5,"thinking":[],"tool_calls":{}},"done":"no"}\n{"message":"x"}\n{"message":{"tool_calls":[5]}}\n'
    assert answer(odd, line("Hi"), end()).text == "Hi"


def test_an_answer_without_bound_is_a_protocol_error():
    for lines in ([line("x" * 40)] * 100, [line(thinking="x" * 40)] * 100, [called(("f", {"x": "y" * 40}))] * 100):
        assert isinstance(answer(*lines, end(), max_answer=2000).error, ProtocolError)


def test_a_json_body_without_an_answer_is_a_protocol_error():
    for bad in (b"{}", b"[]", b"5", b"oops", b'{"done":true}'):
        assert isinstance(answer(bad, headers=JSON).error, ProtocolError)
    assert isinstance(answer(b"<html>", headers=LINES).error, ProtocolError)


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (404, "model 'llama9' not found", InvalidRequestError),
        (400, "registry.ollama.ai/library/gemma:2b does not support tools", InvalidRequestError),
        (400, "the input length exceeds the context length", ContextLengthError),
        (500, "llama runner process has terminated", ServerError),
        (503, "server busy, please try again.  maximum pending requests exceeded", OverloadedError),
    ],
)
def test_errors_are_typed_with_the_servers_words(status, text, kind):
    error = OLLAMA.error(status, {}, msgspec.json.encode({"error": text}))
    assert type(error) is kind
    assert str(error).startswith(f"ollama answered {status}: {text.rstrip('.')}")


# There and back


def test_a_thousand_random_histories_are_taken_and_their_answers_come_back_as_they_were_sent():
    for seed in range(1000):
        random = Random(seed)
        messages = random_history(seed, "ollama", files=FILES)
        plain = strict.body_of(messages)
        strict.check_body(plain)
        wire_ollama.decode(msgspec.json.encode(plain))
        parts = random_answer(random, "ollama")
        wire = written(parts)
        cut = random.randint(0, len(wire))
        outcome = decode([wire[:cut], wire[cut:]], LINES, provider=OLLAMA)
        assert outcome.result is not None, (seed, outcome.error)
        [message] = outcome.result.messages or []
        assert said_of(message.parts) == said_of(parts), seed
        assert outcome.calls == [(part.name, part.arguments) for part in parts if isinstance(part, ToolCallPart)]
        strict.check(repair([*messages, message]))


def written(parts):
    """The answer as Ollama sends it."""
    lines = []
    for part in parts:
        if isinstance(part, ReasoningPart):
            lines.append(line(thinking=part.text))
        elif isinstance(part, TextPart):
            lines += [line(part.text[: len(part.text) // 2]), line(part.text[len(part.text) // 2 :])]
        else:
            lines.append(
                line(
                    tool_calls=[{"id": part.tool_call_id, "function": {"name": part.name, "arguments": part.arguments}}]
                )
            )
    return b"".join(lines) + end()


def said_of(parts):
    """Thinking and text joined, as this wire does not tell where one part ends."""
    return (
        "".join([part.text for part in parts if isinstance(part, ReasoningPart)]),
        "".join([part.text for part in parts if isinstance(part, TextPart)]),
        [(part.name, part.arguments) for part in parts if isinstance(part, ToolCallPart)],
    )


def test_what_was_said_called_and_returned_is_the_same_on_chat_completions_and_here():
    for seed in range(0, 1000, 5):
        messages = random_history(seed, "openai", files=("image",))
        there = msgspec.json.decode(openai_chat.body_of(messages))
        assert spoken_here(strict.body_of(messages)["messages"]) == spoken_there(there["messages"]), seed


def spoken_here(messages):
    found = []
    for message in messages:
        role = "output" if message["role"] == "tool" else message["role"]
        found += [(role, message["content"])] if message["content"] or role == "output" else []
        for call in message.get("tool_calls", ()):
            found.append((call["function"]["name"], msgspec.json.encode(call["function"]["arguments"]).decode()))
    return found
