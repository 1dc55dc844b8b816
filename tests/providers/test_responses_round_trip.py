"""History -> request -> the strict validator -> an answer on the wire -> history, for a thousand random conversations."""

from random import Random

import msgspec

from llm_actors.chat.history import repair
from llm_actors.messages import Message, ModelRequest, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from llm_actors.providers.openai_chat import OpenAIChat
from llm_actors.testing import wire_responses
from tests.strict import openai_chat, openai_responses

from .feeding import decode
from .random_histories import random_answer, random_history
from .responses_recordings import RESPONSES, called, ended, response, said, started, stream, thought

FILES = ("image", "image url", "pdf", "text")
SEEDS = range(1000)


def written(parts, random):
    """The answer as OpenAI sends it: streamed, with the items once more at the end or not; or whole."""
    events, output = [], []
    for index, part in enumerate(parts):
        if isinstance(part, ReasoningPart):
            own = (part.provider_metadata or {})["openai"]
            summary = [part.text] if part.text else []
            item = {
                "id": own["id"],
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": text} for text in summary],
            }
            item["encrypted_content"] = own["encrypted_content"]
            events += [*thought(*summary, index=index, item_id=own["id"])[:-1], done(index, item)]
        elif isinstance(part, TextPart):
            half = random.randint(0, len(part.text))
            events += said(
                *[piece for piece in (part.text[:half], part.text[half:]) if piece], index=index, item_id=f"msg_{index}"
            )
        else:
            arguments = msgspec.json.encode(part.arguments).decode()
            half = random.randint(0, len(arguments))
            events += called(part.name, part.tool_call_id, arguments[:half], arguments[half:], index=index)
        output.append(events[-1]["item"])
    if random.random() < 0.2:
        return msgspec.json.encode(response(output=output))
    return stream(*started(), *events, ended(*(output if random.random() < 0.5 else [])))


def done(index, item):
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def test_a_thousand_random_histories_are_taken_and_their_answers_come_back_as_they_were_sent():
    for seed in SEEDS:
        random = Random(seed)
        messages = random_history(seed, "openai-responses", files=FILES)
        body = openai_responses.body_of(messages)
        openai_responses.check_body(body)
        wire_responses.decode(msgspec.json.encode(body))
        parts = random_answer(random, "openai-responses")
        wire = written(parts, random)
        cut = random.randint(0, len(wire))
        outcome = decode([wire[:cut], wire[cut:]], provider=RESPONSES)
        assert outcome.result is not None, (seed, outcome.error)
        assert outcome.result.messages == [Message("assistant", parts)], seed
        assert outcome.calls == [(part.name, part.arguments) for part in parts if isinstance(part, ToolCallPart)]
        openai_responses.check(repair([*messages, *outcome.result.messages]))


def test_what_was_said_called_and_returned_is_the_same_on_chat_completions_and_here():
    for seed in SEEDS[::5]:
        messages = random_history(seed, "openai", files=FILES)
        here, there = openai_responses.body_of(messages), msgspec.json.decode(openai_chat.body_of(messages))
        openai_chat.check(messages)
        assert spoken_here(here["input"]) == spoken_there(there["messages"]), seed


def spoken_here(items):
    """Texts, calls and results, in order."""
    found = []
    for item in items:
        if item["type"] == "message":
            texts = [part["text"] for part in item["content"] if "text" in part]
            found += [(item["role"], "".join(texts))] if any(texts) else []
        elif item["type"] == "function_call":
            found.append((item["name"], item["arguments"]))
        elif item["type"] == "function_call_output":
            found.append(("output", item["output"]))
    return found


def spoken_there(messages):
    found = []
    for message in messages:
        content = message["content"]
        text = content if isinstance(content, str) else "".join([part.get("text", "") for part in content or ()])
        role = "output" if message["role"] == "tool" else message["role"]
        found += [(role, text)] if text or role == "output" else []
        found += [(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", ())]
    return found


def test_what_other_providers_alone_understand_is_not_sent():
    own = {
        "openai": {"id": "rs_1", "encrypted_content": "mine"},
        "anthropic": {"signature": "theirs"},
        "gemini": {"x": "theirs"},
    }
    messages = [
        Message("user", [TextPart("hi")]),
        Message(
            "assistant", [ReasoningPart("hm", provider_metadata=own), ToolCallPart("f", {}, "a", provider_metadata=own)]
        ),
        Message("tool", [ToolResultPart("f", "1", "a", provider_metadata=own)]),
    ]
    request = ModelRequest("gpt-5.4", messages)
    body = RESPONSES.encode(request, {}).body
    assert b"mine" in body
    assert b"theirs" not in body
    for provider in (type(RESPONSES)("other"), OpenAIChat()):
        assert b"mine" not in provider.encode(request, {}).body
