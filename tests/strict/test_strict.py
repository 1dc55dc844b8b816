"""The validators themselves: each refuses what its provider has refused, and takes what `repair()` makes of it."""

import pytest

from llm_actors.chat.history import repair
from llm_actors.messages import Message
from llm_actors.messages.parts import AttachmentPart, ReasoningPart, ToolResultPart, assistant, user
from tests.strict import PROVIDERS, Refused, anthropic, check_all, check_next, gemini, ollama, openai_responses
from tests.strict.bad_histories import MENDED, REFUSED, WRONG_BODIES, call, result, tools


def said(messages: list[Message]) -> list[tuple[str, str]]:
    outputs = ["|".join([part.output for part in m.parts if isinstance(part, ToolResultPart)]) for m in messages]
    return [(message.role, output or message.text) for message, output in zip(messages, outputs, strict=True)]


@pytest.mark.parametrize("bad", REFUSED, ids=lambda bad: bad.name)
@pytest.mark.parametrize("name", PROVIDERS)
def test_a_history_that_was_refused_is_refused_by_those_who_did(name, bad):
    if name in bad.by:
        with pytest.raises(Refused):
            PROVIDERS[name].check(bad.messages)
    else:
        PROVIDERS[name].check(bad.messages)


@pytest.mark.parametrize("bad", REFUSED, ids=lambda bad: bad.name)
def test_what_repair_makes_of_a_refused_history_is_taken_by_all(bad):
    valid = repair(bad.messages)
    assert said(valid) == bad.said
    check_next(valid)
    assert repair(valid) == valid


@pytest.mark.parametrize(
    ("name", "rule", "body"),
    [(name, rule, body) for name, bodies in WRONG_BODIES.items() for rule, body in bodies],
)
def test_a_body_that_was_refused_is_refused_by_its_rule(name, rule, body):
    with pytest.raises(Refused, match=rule):
        PROVIDERS[name].check_body(body)


@pytest.mark.parametrize("messages", MENDED.values(), ids=list(MENDED))
def test_what_a_codec_mends_alone_is_taken_by_all_and_left_alone_by_repair(messages):
    check_all(messages)
    assert repair(messages) == messages


def test_a_refusal_names_the_provider_and_shows_the_messages():
    with pytest.raises(Refused, match=r"anthropic: .*immediately after.*\n.*ToolCallPart"):
        check_all([user("hi"), assistant(call("a"))])


def test_signed_reasoning_goes_back_in_its_place_and_a_call_keeps_its_signature():
    thought = ReasoningPart(
        "hm", provider_metadata={"anthropic": {"signature": "s"}, "gemini": {"thoughtSignature": "g"}}
    )
    secret = ReasoningPart("", redacted=True, provider_metadata={"anthropic": {"data": "d"}})
    openai = ReasoningPart("hm", provider_metadata={"openai": {"id": "rs_1", "encrypted_content": "e"}})
    messages = [user("hi"), assistant(thought, secret, openai, "let me", call("a")), tools(result("a"))]
    check_all(messages)
    blocks = anthropic.body_of(messages)["messages"][1]["content"]
    assert [block["type"] for block in blocks] == ["thinking", "redacted_thinking", "text", "tool_use"]
    items = openai_responses.body_of(messages)["input"]
    assert [item["type"] for item in items] == [
        "message",
        "reasoning",
        "message",
        "function_call",
        "function_call_output",
    ]
    assert gemini.body_of(messages)["contents"][1]["parts"][0] == {
        "text": "hm",
        "thought": True,
        "thoughtSignature": "g",
    }
    assert ollama.body_of(messages)["messages"][1]["thinking"] == "hmhm"


def test_a_prompt_behind_results_is_a_content_of_its_own_for_gemini_and_joins_the_results_for_anthropic():
    messages = [user("hi"), assistant(call("a")), tools(result("a")), user("next", AttachmentPart(None))]
    assert [list(part) for content in gemini.body_of(messages)["contents"][2:] for part in content["parts"]] == [
        ["functionResponse"],
        ["text"],
        ["inlineData"],
    ]
    blocks = anthropic.body_of(messages)["messages"][-1]["content"]
    assert [block["type"] for block in blocks] == ["tool_result", "text", "image"]
