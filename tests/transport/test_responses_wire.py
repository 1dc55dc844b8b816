"""The pump with the codec of Responses against the scripted server: what a user sees of a model on the wire."""

import asyncio
import json
import traceback

import pytest

import llm_actors as llm
from llm_actors.errors import (
    AuthenticationError,
    ConnectionFailedError,
    OverloadedError,
    ProviderError,
    QuotaExhaustedError,
    RateLimitError,
    StreamTruncatedError,
)
from llm_actors.messages import RateLimit, RoundResult, Usage
from llm_actors.providers.openai_responses import OpenAIResponses
from llm_actors.testing import Answer, Close, Reset, Send, chunk, head, reply, wire_responses
from tests.transport.line_wire import run

ASKED = {"type": "message", "role": "user", "content": "hi there"}
STREAM = b"".join(chunk(event) for event in wire_responses.streamed({"input": [ASKED]}, 1)) + chunk(b"")


def call(server, **more):
    async def body(bench):
        return await bench.call(**more)

    return run(body, server.base_url, provider=OpenAIResponses())


def model_of(server, name="gpt-5.4"):
    return llm.endpoint(name, wire="openai-responses", base_url=server.base_url, key="sk-marked-1234567").async_model


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_comes_streamed_and_whole(server, stream):
    sink, ending = call(server, stream=stream)
    assert isinstance(ending, RoundResult)
    assert "".join(sink.items) == "echo: hi"
    assert (ending.stop_reason, ending.request_id is not None) == ("stop", True)
    assert ending.usage == Usage(1, 2)
    assert server.requests[0].path == "/v1/responses"
    assert server.requests[0].headers["authorization"] == "Bearer sk-line-1234"


def test_a_stream_cut_at_any_byte_is_never_an_answer(server):
    proof = STREAM.index(b"event: response.completed")

    async def body(bench):
        for size in range(0, len(STREAM), 61):
            server.play(Answer([Send(head() + STREAM[:size]), Reset() if size % 2 else Close()]))
            sink, ending = await bench.call()
            text = "".join(item for item in sink.items if isinstance(item, str))
            assert "echo: hi there".startswith(text)
            if isinstance(ending, RoundResult):
                assert size > proof
                assert text == "echo: hi there"
            else:
                assert isinstance(ending, StreamTruncatedError | ConnectionFailedError), (size, ending)

    run(body, server.base_url, provider=OpenAIResponses())


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "invalid_api_key", AuthenticationError),
        (429, "rate_limit_exceeded", RateLimitError),
        (429, "insufficient_quota", QuotaExhaustedError),
        (503, None, OverloadedError),
    ],
)
def test_refusals_are_typed_and_tell_the_limits(server, status, code, kind):
    headers = {"x-request-id": "req_7", "retry-after": "3", "x-ratelimit-limit-requests": "500"}
    server.play(reply(status, {"error": {"message": "Sorry", "code": code}}, headers=headers))
    _, ending = call(server)
    assert type(ending) is kind
    assert (ending.status, ending.request_id, ending.retry_after) == (status, "req_7", 3.0)
    assert ending.rate_limits.requests == RateLimit(500)


def test_a_conversation_with_tools_and_encrypted_reasoning_goes_round_by_round(server):
    def add(a: int, b: int) -> int:
        return a + b

    async def main():
        conversation = model_of(server).conversation(tools=[add])
        first = await conversation.chain('call add {"a": 1, "b": 2} and call add {"a": 3, "b": 4}').text()
        second = await conversation.prompt("and now?").text()
        return first, second

    assert asyncio.run(main()) == ("results: add=3; add=7", "echo: and now?")
    asked, answered, last = [request.json() for request in server.requests]
    assert asked["store"] is False
    assert asked["include"] == ["reasoning.encrypted_content"]
    assert asked["tools"][0]["name"] == "add"
    kinds = [item["type"] for item in answered["input"]]
    assert kinds == [
        "message",
        "reasoning",
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
    ]
    thought = answered["input"][1]
    assert thought["encrypted_content"].startswith("secret-")
    assert thought == {**thought, "type": "reasoning", "summary": []}
    assert last["input"][1] == thought
    assert [item["type"] for item in last["input"][6:]] == ["reasoning", "message", "message"]


def test_a_tool_that_the_provider_runs_goes_along_and_what_it_did_goes_back(server):
    search = {
        "id": "ws_1",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "x"},
    }
    said = {"type": "output_text", "text": "Found it.", "annotations": []}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [said]}
    server.play(reply(200, {"id": "resp_1", "object": "response", "status": "completed", "output": [search, message]}))
    model = model_of(server)
    model.server_side_tools = (llm.ServerSideTool,)

    async def main():
        conversation = model.conversation()
        first = await conversation.prompt("look", tools=[llm.ServerSideTool({"type": "web_search"})]).text()
        return first, await conversation.prompt("and?").text()

    assert asyncio.run(main()) == ("Found it.", "echo: and?")
    asked, again = [request.json() for request in server.requests]
    assert asked["tools"] == [{"type": "web_search"}]
    assert again["input"][1] == search


def test_a_schema_asks_for_structured_output(server):
    async def main():
        schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
        response = model_of(server).prompt("a dog", schema=schema)
        return json.loads(await response.text())

    assert asyncio.run(main()) == {"age": 0}
    assert server.requests[0].json()["text"]["format"]["type"] == "json_schema"


def test_a_conversation_that_began_on_chat_completions_goes_on_here_and_the_other_way_round(server):
    def now() -> str:
        return "noon"

    chat = llm.endpoint("m", base_url=server.base_url).async_model

    async def main(first, second):
        begun = first.conversation(tools=[now])
        await begun.chain("call now {}").text()
        return await second.chain(messages=[*begun.messages(), llm.user("call now {}")], tools=[now]).text()

    for first, second in ((chat, model_of(server)), (model_of(server), chat)):
        assert asyncio.run(main(first, second)) == "results: now=noon"
    bodies = [request.json() for request in server.requests]
    assert [item.get("output") for item in bodies[2]["input"]].count("noon") == 1
    assert [message["content"] for message in bodies[6]["messages"] if message["role"] == "tool"] == ["noon"]
    assert all(isinstance(message["content"], str | None) for message in bodies[6]["messages"])


@pytest.mark.parametrize(
    "answer",
    [
        reply(401, {"error": {"message": "Incorrect API key provided: sk-marked-1234567.", "code": "invalid_api_key"}}),
        reply(500, "<html>Bearer sk-marked-1234567</html>", content_type="text/html"),
        reply(200, {"error": {"message": "key sk-marked-1234567", "code": "server_error"}}),
        reply(200, b'data: {"type": "error", "message": "sk-marked-1234567"}\n\n', content_type="text/event-stream"),
        reply(200, b"data: sk-marked-1234567\n\n", content_type="text/event-stream"),
        reply(200, "<p>sk-marked-1234567", content_type="text/html"),
    ],
)
def test_no_error_shows_the_key(server, answer, caplog):
    server.play(answer)
    caplog.set_level("DEBUG")
    _, ending = call(server, key="sk-marked-1234567")
    assert server.requests[0].headers["authorization"] == "Bearer sk-marked-1234567"
    assert isinstance(ending, llm.ModelError)
    frames = "".join(traceback.TracebackException.from_exception(ending, capture_locals=True).format())
    assert "marked" not in f"{ending!r} {vars(ending)} {frames} {caplog.text}"
    if isinstance(ending, ProviderError):
        assert "What to do" in str(ending)
