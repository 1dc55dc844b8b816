"""The pump with Ollama's codec against the scripted server: what a user sees of a model on the wire."""

import asyncio
import json
import traceback

import pytest

import llm_actors as llm
from llm_actors.errors import (
    ConnectionFailedError,
    InvalidRequestError,
    OverloadedError,
    ProviderError,
    ServerError,
    StreamTruncatedError,
)
from llm_actors.messages import RoundResult, Usage
from llm_actors.providers.ollama import Ollama
from llm_actors.testing import Answer, Close, Reset, Send, chunk, head, reply, wire_ollama
from tests.transport.line_wire import run

ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi there"}]}
STREAM = b"".join(chunk(line) for line in wire_ollama.streamed(ASKED, 1)) + chunk(b"")
LINES = head(content_type="application/x-ndjson")


def call(server, **more):
    async def body(bench):
        return await bench.call(**more)

    return run(body, server.url, provider=Ollama())


def model_of(server, **more):
    return llm.endpoint("qwen3", wire="ollama", base_url=server.url, **more).async_model


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_comes_streamed_and_whole(server, stream):
    sink, ending = call(server, stream=stream)
    assert isinstance(ending, RoundResult)
    assert "".join(sink.items) == "echo: hi"
    assert (ending.stop_reason, ending.usage) == ("stop", Usage(1, 2))
    assert server.requests[0].path == "/api/chat"


def test_a_stream_cut_at_any_byte_is_never_an_answer(server):
    proof = STREAM.index(b'"done":true')

    async def body(bench):
        for size in range(0, len(STREAM), 17):
            server.play(Answer([Send(LINES + STREAM[:size]), Reset() if size % 2 else Close()]))
            sink, ending = await bench.call()
            text = "".join(item for item in sink.items if isinstance(item, str))
            assert "echo: hi there".startswith(text)
            if isinstance(ending, RoundResult):
                assert size > proof
                assert text == "echo: hi there"
            else:
                assert isinstance(ending, StreamTruncatedError | ConnectionFailedError), (size, ending)

    run(body, server.url, provider=Ollama())


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(404, {"error": "model 'm' not found"}), InvalidRequestError),
        (reply(503, {"error": "server busy, please try again.  maximum pending requests exceeded"}), OverloadedError),
        (reply(502, "<html>bad gateway</html>", content_type="text/html"), ServerError),
        (reply(200, b'{"error":"it broke"}\n', content_type="application/x-ndjson"), ServerError),
    ],
)
def test_refusals_are_typed(server, answer, kind):
    server.play(answer)
    _, ending = call(server)
    assert type(ending) is kind
    assert "What to do" in str(ending)


def test_a_conversation_with_thinking_and_tools_goes_round_by_round(server):
    def add(a: int, b: int) -> int:
        return a + b

    async def main():
        conversation = model_of(server).conversation(tools=[add])
        text = 'call add {"a": 1, "b": 2} and call add {"a": 3, "b": 4}'
        return await conversation.chain(text, options={"think": True}).text()

    assert asyncio.run(main()) == "results: add=3; add=7"
    asked, answered = [request.json() for request in server.requests]
    assert (asked["think"], asked["truncate"]) == (True, False)
    assert [message["role"] for message in answered["messages"]] == ["user", "assistant", "tool", "tool"]
    assert answered["messages"][1]["thinking"].startswith("Thinking of")
    assert "authorization" not in server.requests[0].headers


def test_a_schema_asks_for_structured_output(server):
    async def main():
        schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
        return json.loads(await model_of(server).prompt("a dog", schema=schema).text())

    assert asyncio.run(main()) == {"age": 0}
    assert server.requests[0].json()["format"]["type"] == "object"


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
    for place in (2, 6):
        assert [message["content"] for message in bodies[place]["messages"] if message["role"] == "tool"] == ["noon"]


@pytest.mark.parametrize(
    "answer",
    [
        reply(401, {"error": "unauthorized: marked-1234567"}),
        reply(500, "<html>Bearer marked-1234567</html>", content_type="text/html"),
        reply(200, b'{"error":"key marked-1234567"}\n', content_type="application/x-ndjson"),
        reply(200, b"marked-1234567\n", content_type="application/x-ndjson"),
        reply(200, "<p>marked-1234567", content_type="text/html"),
    ],
)
def test_no_error_shows_the_key(server, answer, caplog):
    server.play(answer)
    caplog.set_level("DEBUG")
    _, ending = call(server, key="marked-1234567")
    assert server.requests[0].headers["authorization"] == "Bearer marked-1234567"
    assert isinstance(ending, llm.ModelError)
    frames = "".join(traceback.TracebackException.from_exception(ending, capture_locals=True).format())
    assert "marked" not in f"{ending!r} {vars(ending)} {frames} {caplog.text}"
    if isinstance(ending, ProviderError):
        assert "What to do" in str(ending)
