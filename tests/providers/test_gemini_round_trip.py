"""Random histories to Gemini and back: each request passes the strict rules, each answer is what the model said."""

from random import Random

import msgspec
import pytest

from llm_actors.errors import ModelError
from llm_actors.messages import (
    AttachmentPart,
    Message,
    ModelRequest,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from llm_actors.providers.gemini import Gemini
from llm_actors.providers.openai_chat import OpenAIChat
from tests.strict import gemini as strict
from tests.strict import openai_chat as strict_chat

from .gemini_recordings import decode, messages_of, stream
from .random_histories import random_answer, random_history

SEEDS = range(1000)
MODEL = "gemini-3.8-flash"


def encoded(messages, model=MODEL):
    return msgspec.json.decode(Gemini().encode(ModelRequest(model, messages), {}).body)


def without_urls(messages):
    """As the library gives them to a provider that fetches nothing itself."""

    def resolved(part):
        if isinstance(part, AttachmentPart) and part.attachment is not None and part.attachment.content is None:
            file = msgspec.structs.replace(part.attachment, url=None, content=b"\xff\xd8\xff")
            return msgspec.structs.replace(part, attachment=file)
        return part

    return [Message(each.role, [resolved(part) for part in each.parts], each.provider_metadata) for each in messages]


def said(messages):
    """What must survive: texts, calls, results; blank texts and thinking apart."""
    parts = [part for message in messages if message.role != "system" for part in message.parts]
    texts = "".join([part.text for part in parts if isinstance(part, TextPart)])
    calls = [(part.name, part.arguments) for part in parts if isinstance(part, ToolCallPart)]
    results = [(part.name, part.output) for part in parts if isinstance(part, ToolResultPart)]
    return texts, calls, results


def said_to_gemini(body):
    parts = [part for content in body["contents"] for part in content["parts"]]
    texts = "".join([part["text"] for part in parts if part.get("text") and not part.get("thought")])
    calls = [(part["functionCall"]["name"], part["functionCall"]["args"]) for part in parts if "functionCall" in part]
    results = [part["functionResponse"] for part in parts if "functionResponse" in part]
    outputs = [(one["name"], one["response"].get("output", one["response"].get("error"))) for one in results]
    return texts, calls, outputs


def test_a_thousand_random_histories_pass_gemini_s_rules_and_nothing_said_is_lost():
    for seed in SEEDS:
        messages = without_urls(random_history(seed, "gemini", files=("image", "image url", "pdf", "audio")))
        body = encoded(messages)
        strict.check_request(body)
        if messages[0].role != "assistant":
            assert said_to_gemini(body) == said(messages), seed


def test_a_thousand_random_answers_come_back_as_they_were_sent():
    for seed in SEEDS:
        random = Random(seed)
        history = without_urls(random_history(seed, "gemini"))
        answer = random_answer(random, "gemini", ids=random.random() < 0.7)
        if all(isinstance(part, ReasoningPart) and not part.provider_metadata for part in answer):
            continue  # nothing of it would be on the wire
        wire = encoded([*history, Message("assistant", answer)])["contents"]
        parts = next(content["parts"] for content in reversed(wire) if content["role"] == "model")
        events = [[part] for part in parts] if random.random() < 0.5 else [parts]
        chunks = [{"candidates": [{"content": {"parts": each}}]} for each in events]
        outcome = decode([stream(*chunks, {"candidates": [{"finishReason": "STOP"}]})])
        messages = messages_of(outcome)
        again = [*history, *messages, *answered(messages)]
        strict.check_request(encoded(again))
        resent = [each["parts"] for each in encoded(again)["contents"] if each["role"] == "model"][-1]
        assert merged(resent) == merged(parts), seed


def answered(messages):
    calls = [part for message in messages for part in message.parts if isinstance(part, ToolCallPart)]
    return [Message("tool", [ToolResultPart(call.name, "x", call.tool_call_id) for call in calls])] if calls else []


def merged(parts):
    """The parts with unsigned texts joined, which a stream may cut anywhere; made ids left out."""
    made = []
    for part in parts:
        plain = part.keys() == {"text"}
        if plain and made and made[-1].keys() == {"text"}:
            made[-1] = {"text": made[-1]["text"] + part["text"]}
        elif part.get("text") or "text" not in part or part.get("thoughtSignature"):
            made.append(part)
    return made


@pytest.mark.parametrize("other", ["openai", "anthropic", "openai-responses", "ollama"])
def test_a_history_that_began_elsewhere_goes_on_at_gemini_and_back_again(other):
    for seed in range(200):
        began = without_urls(random_history(seed, other, providers=(other,), files=("image", "pdf")))
        strict.check_request(encoded(began))
        answer = messages_of(
            decode([stream({"candidates": [{"content": {"parts": _ANSWER}, "finishReason": "STOP"}]})])
        )
        went_on = [*began, *answer, *answered(answer), Message("user", [TextPart("next")])]
        strict.check_request(encoded(went_on))
        chat = strict_chat.check_body(OpenAIChat().encode(ModelRequest("gpt-4o", went_on), {}).body)
        assert "signature" not in str(chat).lower()
        texts, calls, results = said(went_on)
        assert "".join(_texts(chat)) == texts
        assert len([call for each in chat["messages"] for call in each.get("tool_calls") or ()]) == len(calls)
        assert [each["content"] for each in chat["messages"] if each["role"] == "tool"] == [out for _, out in results]


_ANSWER = [
    {"text": "hm", "thought": True, "thoughtSignature": "s1"},
    {"text": "so"},
    {"functionCall": {"name": "look", "args": {"n": 1}, "id": "fc_9"}, "thoughtSignature": "s2"},
    {"functionCall": {"name": "now", "args": {}, "id": "fc_10"}},
]


def _texts(chat):
    for message in chat["messages"]:
        if message["role"] in ("user", "assistant"):
            content = message["content"] or ""
            yield content if isinstance(content, str) else "".join([block.get("text", "") for block in content])


def test_an_attachment_without_its_bytes_is_refused_before_anything_is_sent():
    messages = next(
        found
        for found in (random_history(seed, "gemini", files=("image url",)) for seed in SEEDS)
        if any(isinstance(part, AttachmentPart) for message in found for part in message.parts)
    )
    with pytest.raises(ModelError, match="needs the bytes"):
        encoded(messages)


def test_thinking_of_others_is_not_sent_to_gemini():
    thought = ReasoningPart("secret plan", provider_metadata={"anthropic": {"signature": "s"}})
    messages = [Message("user", [TextPart("hi")]), Message("assistant", [thought, TextPart("so")])]
    assert "secret plan" not in str(encoded([*messages, Message("user", [TextPart("next")])]))
