"""Anthropic's messages from end to end: a program, the pump, and the scripted server in another process."""

import asyncio
import logging
import traceback

import msgspec
import pytest

import llm_actors as llm
from llm_actors.errors import (
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    OverloadedError,
    ProviderError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
    StreamTruncatedError,
)
from llm_actors.messages import ReasoningPart, RoundResult, Usage
from llm_actors.providers.anthropic import Anthropic
from llm_actors.testing import Answer, Close, Reset, Send, chunk, events, head, reply, wire_anthropic
from tests.strict import anthropic as strict
from tests.transport.line_wire import run

STREAM = b"".join(chunk(event) for event in wire_anthropic.stream_of([{"type": "text", "text": "echo: hi there"}]))
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


def call(server, **more):
    async def body(bench):
        return await bench.call(**more)

    return run(body, server.url, provider=Anthropic())


def model_of(server, **more):
    return llm.endpoint("claude-opus-5-5", wire="anthropic", base_url=server.url, key="sk-ant-1", **more).async_model


def bodies(server):
    found = [request.json() for request in server.requests]
    for body in found:
        strict.check_body(body)
    return found


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_comes_streamed_and_whole(server, stream):
    server.set(key="sk-line-1234")
    sink, ending = call(server, stream=stream)
    assert isinstance(ending, RoundResult)
    assert "".join(item for item in sink.items if isinstance(item, str)) == "echo: hi"
    assert (ending.stop_reason, ending.request_id is not None) == ("stop", True)
    assert ending.usage == Usage(1, 2, {"service_tier": "standard"})


def test_a_conversation_with_tools_and_thinking_goes_on(server):
    def add(a: int, b: int) -> int:
        """Adds."""
        return a + b

    async def main():
        conversation = model_of(server).conversation()
        options = {"thinking": True, "cache": True}
        chain = conversation.chain(
            'call add {"a": 1, "b": 2} and call add {"a": 3, "b": 4}', tools=[add], options=options
        )
        assert await chain.text() == "results: add=3; add=7"
        response = conversation.prompt("and now", tools=[add], options=options)
        assert await response.text() == "echo: and now"
        return [type(part) for message in await response.messages() for part in message.parts]

    kinds = asyncio.run(main())
    assert kinds[0] is ReasoningPart
    first, second, third = bodies(server)
    assert [block["type"] for block in second["messages"][1]["content"]] == ["thinking", "tool_use", "tool_use"]
    assert [message["content"][0]["type"] for message in third["messages"] if message["role"] == "assistant"] == [
        "thinking"
    ] * 2
    assert third["messages"][:1] != first["messages"]  # the marks of the cache have moved on


def test_a_search_of_the_provider_is_read_kept_and_sent_back(server):
    search = {"type": "web_search_20260209", "name": "web_search"}
    blocks = [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "weather"}},
        {
            "type": "web_search_tool_result",
            "tool_use_id": "srvtoolu_1",
            "content": [{"url": "u", "encrypted_content": "e"}],
        },
        {"type": "text", "text": "It is mild.", "citations": [{"type": "web_search_result_location", "url": "u"}]},
    ]
    stream = b"".join(chunk(event) for event in wire_anthropic.stream_of(blocks))
    server.play(Answer([Send(head() + stream + chunk(b""))]))

    async def main():
        model = model_of(server)
        model.server_side_tools = (llm.ServerSideTool,)
        conversation = model.conversation()
        tools = [llm.ServerSideTool(search)]
        first = conversation.prompt("How is the weather?", tools=tools)
        text = await first.text()
        assert not await first.tool_calls()
        return text, await conversation.prompt("And now?", tools=tools).text()

    assert asyncio.run(main()) == ("It is mild.", "echo: And now?")
    first, second = bodies(server)
    assert first["tools"] == [search]
    assert second["messages"][1] == {"role": "assistant", "content": blocks}


def test_a_paused_turn_goes_on_when_its_history_is_sent_again(server):
    blocks = [
        {"type": "text", "text": "Searching. "},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "weather"}},
    ]
    stream = b"".join(chunk(event) for event in wire_anthropic.stream_of(blocks, "pause_turn"))
    server.play(Answer([Send(head() + stream + chunk(b""))]))

    async def main():
        model = model_of(server)
        response = model.prompt("How is the weather?")
        await response.text()
        assert response.stop_reason == "pause"
        history = [llm.user("How is the weather?"), *await response.messages()]
        await model.prompt(messages=history).text()

    asyncio.run(main())
    assert bodies(server)[1]["messages"][1] == {"role": "assistant", "content": blocks}


def test_a_schema_and_a_picture(server):
    class Size(llm.Options):
        width: int

    async def main():
        picture = llm.Attachment(type="image/png", content=b"\x89PNG")
        response = model_of(server).prompt("how wide?", schema=Size, attachments=[picture])
        return await response.value()

    assert asyncio.run(main()) == Size(0)
    [body] = bodies(server)
    assert [block["type"] for block in body["messages"][0]["content"]] == ["text", "image"]


def test_a_model_is_found_by_its_id_its_alias_and_its_family(server, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-2")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    server.set(key="sk-ant-2")

    async def main():
        names = ("claude-opus-5-5", "opus", "claude-haiku-4-5-20251001", "anthropic/claude-next-9")
        return [await llm.get_async_model(name).prompt("hi").text() for name in names]

    assert asyncio.run(main()) == ["echo: hi"] * 4
    ids = ["claude-opus-5-5", "claude-opus-5-5", "claude-haiku-4-5", "claude-next-9"]
    assert [body["model"] for body in bodies(server)] == ids
    assert llm.get_model("claude-opus-5-5").prompt("hi").text() == "echo: hi"


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, "invalid_request_error", InvalidRequestError),
        (401, "authentication_error", AuthenticationError),
        (402, "billing_error", QuotaExhaustedError),
        (429, "rate_limit_error", RateLimitError),
        (500, "api_error", ServerError),
        (529, "overloaded_error", OverloadedError),
    ],
)
@pytest.mark.parametrize("html", [True, False])
def test_refusals_are_typed_whatever_their_body_is(server, status, kind, expected, html):
    if html:
        server.play(reply(status, "<html><h1>Sorry</h1></html>", content_type="text/html"))
    else:
        body = {"type": "error", "error": {"type": kind, "message": "Sorry"}}
        server.play(reply(status, body, headers={"request-id": "req_7"}))
    _, ending = call(server)
    assert type(ending) is expected
    assert "Sorry" in str(ending)
    assert (ending.status, ending.request_id) == (status, None if html else "req_7")


def test_an_error_can_come_with_status_200_first_or_in_the_middle_of_a_stream(server):
    begun = [*wire_anthropic.stream_of([{"type": "text", "text": "echo: hi"}])][:5]
    overloaded = wire_anthropic.event("error", error=OVERLOADED["error"])
    server.play(
        reply(200, OVERLOADED),
        Answer([Send(head() + chunk(overloaded)), Close()]),
        Answer([Send(head() + b"".join(map(chunk, [*begun, overloaded]))), Close()]),
    )
    for expected in ("", "", "echo: hi"):
        sink, ending = call(server)
        assert type(ending) is OverloadedError
        assert expected.startswith("".join(item for item in sink.items if isinstance(item, str)))


def test_a_stream_cut_at_any_byte_is_never_an_answer(server):
    proof = STREAM.index(b'"stop_reason":"end_turn"')

    async def body(bench):
        for size in range(0, len(STREAM), 29):
            server.play(Answer([Send(head() + STREAM[:size]), Reset() if size % 2 else Close()]))
            sink, ending = await bench.call()
            text = "".join(item for item in sink.items if isinstance(item, str))
            assert "echo: hi there".startswith(text)
            if isinstance(ending, RoundResult):
                assert size > proof
                assert text == "echo: hi there"
            else:
                assert isinstance(ending, StreamTruncatedError | ConnectionFailedError), (size, ending)

    run(body, server.url, provider=Anthropic())


def test_a_marked_key_appears_nowhere(server, caplog):
    key = "sk-ant-api03-MARKED_key-0123456789"
    caplog.set_level(logging.DEBUG)
    echoed = {"type": "error", "error": {"type": "authentication_error", "message": f"invalid key {key}"}, "at": key}
    in_stream = wire_anthropic.event("error", error={"type": "api_error", "message": f"bad {key}"})
    broken = wire_anthropic.event("content_block_delta").replace(b"{", key.encode() + b"{", 1)
    for answer in (
        reply(401, echoed),
        reply(500, f"<p>{key}</p>", content_type="text/html"),
        reply(200, echoed),
        events(msgspec.json.encode(echoed).decode()),
        Answer([Send(head() + chunk(in_stream)), Close()]),
        Answer([Send(head() + chunk(broken)), Close()]),
        Answer([Send(head() + STREAM[:200]), Reset()]),
    ):
        server.play(answer)
        _, ending = call(server, key=key)
        assert isinstance(ending, Exception)
        shown = (
            "".join(traceback.TracebackException.from_exception(ending, capture_locals=True).format())
            + repr(ending)
            + repr(vars(ending))
        )
        if isinstance(ending, ProviderError):
            shown += repr(ending.body)
        assert "MARKED" not in shown
    assert "MARKED" not in caplog.text
