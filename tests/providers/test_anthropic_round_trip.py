"""Random histories there and back: history -> request -> strict validator -> events -> history, and across to OpenAI's wire."""

from random import Random
from typing import Any

import msgspec

from llm_actors.chat.history import repair
from llm_actors.messages import Message, ModelRequest, ToolSpec, user
from llm_actors.messages.parts import AnyPart, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from llm_actors.providers.anthropic import Anthropic
from llm_actors.providers.anthropic_messages import BEGINNING, BLANK
from llm_actors.providers.openai_chat import OpenAIChat
from llm_actors.testing import wire_openai
from llm_actors.testing.wire_anthropic import stream_of
from tests.strict import anthropic as strict
from tests.strict import openai_chat as strict_chat

from .feeding import SSE, call, decode, delta, message_of, sse
from .random_histories import TOOLS, random_answer, random_history, random_text

PROVIDER = Anthropic()
SPECS = [ToolSpec(name, None, {"type": "object"}) for name in TOOLS]
OPTIONS = ({}, {"cache": True}, {"thinking": True, "cache": "1h"}, {"parallel_tool_calls": False, "stop": ["x"]})
FILES = ("image", "image url", "pdf", "text")


def body_of(messages: list[Message], options: dict[str, Any]) -> dict[str, Any]:
    """The body of a request, after the validator has taken it."""
    request = ModelRequest("claude-opus-5-5", messages, SPECS, options=options, request_id="r")
    body: dict[str, Any] = msgspec.json.decode(PROVIDER.encode(request, {}).body)
    strict.check_body(body)
    return body


def as_block(part: AnyPart) -> dict[str, Any]:
    """A part of an answer as Anthropic would have written it."""
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, ToolCallPart):
        return {"type": "tool_use", "id": part.tool_call_id, "name": part.name, "input": part.arguments}
    assert isinstance(part, ReasoningPart)
    assert part.provider_metadata is not None
    own = part.provider_metadata["anthropic"]
    if "data" in own:
        return {"type": "redacted_thinking", "data": own["data"]}
    return {"type": "thinking", "thinking": part.text, "signature": own["signature"]}


def answered_with(parts: list[AnyPart], messages: list[Message]) -> Message:
    """What our decoder makes of an answer of these parts."""
    calls = any(isinstance(part, ToolCallPart) for part in parts)
    body = b"".join(stream_of([as_block(part) for part in parts], "tool_use" if calls else "end_turn"))
    request = ModelRequest("claude-opus-5-5", messages, SPECS, request_id="r")
    outcome = decode([body], SSE, provider=PROVIDER, request=request)
    assert outcome.error is None
    return message_of(outcome)


def results_of(random: Random, message: Message) -> list[Message]:
    calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
    parts = [ToolResultPart(part.name, random_text(random), part.tool_call_id) for part in calls]
    return [Message("tool", [*parts])] if parts else []


def said(messages: list[Message]) -> tuple[str, list[Any], list[str]]:
    """What no provider may lose: the texts, the calls, the results."""
    parts = [part for message in messages for part in message.parts if message.role != "system"]
    return (
        "".join([part.text for part in parts if isinstance(part, TextPart) and part.text.strip()]),
        [(part.name, part.arguments) for part in parts if isinstance(part, ToolCallPart)],
        [part.output for part in parts if isinstance(part, ToolResultPart) and part.output.strip()],
    )


def said_in(body: dict[str, Any]) -> tuple[str, list[Any], list[str]]:
    blocks = [block for message in body["messages"] for block in message["content"]]
    return (
        "".join(
            [block["text"] for block in blocks if block["type"] == "text" and block["text"] not in (BEGINNING, BLANK)]
        ),
        [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"],
        [part["text"] for block in blocks if block["type"] == "tool_result" for part in block["content"]],
    )


def test_a_thousand_random_histories_are_taken_answered_and_go_on():
    for seed in range(1_000):
        random = Random(seed)
        options = OPTIONS[seed % len(OPTIONS)]
        history = random_history(seed, "anthropic", files=FILES)
        first = body_of(history, options)
        assert said_in(first) == said(history), seed
        parts = random_answer(random, "anthropic")
        message = answered_with(parts, history)
        assert message.parts == parts, seed
        grown = repair([*history, message, *results_of(random, message), user("go on")])
        second = body_of(grown, options)
        assert said_in(second) == said(grown), seed
        assert _thinking(second) >= _thinking(first), seed  # nothing that went before it has changed
        expected = [as_block(part) for part in parts if not isinstance(part, TextPart) or part.text.strip()]
        while expected and expected[-1]["type"].endswith("thinking"):
            expected.pop()
        blocks = [_unmarked(block) for sent in second["messages"] for block in sent["content"]]
        if any(block["type"] != "text" for block in expected):
            assert _holds(blocks, expected), seed


def test_a_history_of_openai_chat_goes_on_here_and_one_of_here_there():
    chat = OpenAIChat()
    for seed in range(200):
        random = Random(seed)
        history = random_history(seed, "openai", files=("image", "pdf"), providers=("openai",))
        strict_chat.check(history)
        body_of(history, {})
        message = answered_with(random_answer(random, "anthropic"), history)
        grown = repair([*history, message, *results_of(random, message), user("over there")])
        strict_chat.check(grown)
        body = chat.encode(ModelRequest("gpt-4o", grown, request_id="r"), {}).body
        assert b"signature" not in body
        assert b"redacted" not in body
        theirs = message_of(decode([_by_openai(random_answer(random, "openai"))], SSE))
        back = repair([*grown, theirs, *results_of(random, theirs), user("back here")])
        sent = body_of(back, {})
        assert said_in(sent) == said(back), seed
        assert wire_openai.decode(body)["messages"]


def _thinking(body: dict[str, Any]) -> int:
    return sum(block["type"].endswith("thinking") for message in body["messages"] for block in message["content"])


def _unmarked(block: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name != "cache_control"}


def _holds(blocks: list[dict[str, Any]], expected: list[dict[str, Any]]) -> bool:
    """Whether the blocks stand there, one behind the other; ids of calls may have been made anew."""
    plain = [{name: value for name, value in block.items() if name != "id"} for block in blocks]
    wanted = [{name: value for name, value in block.items() if name != "id"} for block in expected]
    return any(plain[at : at + len(wanted)] == wanted for at in range(len(plain)))


def _by_openai(parts: list[AnyPart]) -> bytes:
    """These parts as a stream of chat completions."""
    chunks = [delta(content=part.text) for part in parts if isinstance(part, TextPart)]
    calls = [part for part in parts if isinstance(part, ToolCallPart)]
    for index, part in enumerate(calls):
        chunks.append(call(index, part.tool_call_id, part.name, msgspec.json.encode(part.arguments).decode()))
    return sse(*(chunks or [delta(content="so")]), delta("tool_calls" if calls else "stop"))
