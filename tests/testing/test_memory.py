"""A scripted server in memory: what it does to the byte, and what a client sees of it."""

import asyncio

import httpx
import pytest

import llm_actors as llm
from llm_actors import testing
from llm_actors.testing import (
    Answer,
    Close,
    Gate,
    Reset,
    Send,
    Speak,
    Stall,
    Trickle,
    chunk,
    events,
    head,
    reply,
    wire_openai,
)
from llm_actors.testing.memory import MemoryServer


def model_of(server, **more):
    return llm.endpoint("m", base_url=server.base_url, client=server.client, **more).async_model


async def error_of(model):
    response = model.prompt("hi")
    with pytest.raises(llm.ModelError) as caught:
        await response.text()
    return caught.value


def test_without_a_script_it_speaks_openai_chat_completions_by_rule():
    async def main():
        server = MemoryServer(key="sk-1")
        assert await model_of(server, key="sk-1").prompt("hi").text() == "echo: hi"
        assert await model_of(server, key="sk-1").prompt("hi", stream=False).text() == "echo: hi"
        assert isinstance(await error_of(model_of(server, key="sk-2")), llm.AuthenticationError)
        models = await server.client.get(f"{server.base_url}/models", headers={"authorization": "Bearer sk-1"})
        assert models.json()["object"] == "list"
        assert (await server.client.get("http://memory/nowhere")).status_code == 401
        await asyncio.sleep(1)
        assert [request.open for request in server.requests] == [False] * 5
        assert server.requests[0].json()["messages"] == [{"role": "user", "content": "hi"}]
        assert server.requests[0].headers["authorization"] == "Bearer sk-1"

    testing.run(main())


@pytest.mark.parametrize(
    ("answer", "error", "seconds"),
    [
        (reply(429, {"error": {"message": "slow down"}}), llm.RateLimitError, 0),
        (reply(529, b"<html>busy</html>", content_type="text/html"), llm.OverloadedError, 0),
        (Answer([Send(head()), Send(b"5\r\nabc"), Close()]), llm.StreamTruncatedError, 0),
        (Answer([Send(head()), Send(chunk(b"data: {}\n\n")), Reset()]), llm.StreamTruncatedError, 0),
        (events('{"choices": []}'), llm.StreamTruncatedError, 0),
        (Answer([Send(b"HTTP/1.1 2"), Reset()]), llm.ConnectionFailedError, 0),
        (Answer([Send(b"garbage\r\n\r\n")]), llm.ConnectionFailedError, 0),
        (Answer([Close()]), llm.ConnectionFailedError, 0),
        (Answer([Stall()]), llm.ModelTimeoutError, 300),
        (Answer([Send(head()), Trickle(chunk(b": ping\n\n"), 50, 2), Stall()]), llm.ModelTimeoutError, 220),
        (events("not json"), llm.ProtocolError, 0),
    ],
)
def test_what_breaks_breaks_as_over_a_socket_and_waits_in_virtual_time(answer, error, seconds):
    with testing.Simulation() as world:
        server = MemoryServer(answer)
        assert type(world.run(error_of(model_of(server)))) is error
        assert world.now == seconds
        assert server.open_requests() == 0


@pytest.mark.parametrize("cut", range(0, 700, 23))
def test_an_answer_cut_anywhere_is_never_handed_out_as_complete(cut):
    request = {"messages": [{"role": "user", "content": "one two"}], "stream": True}
    pieces = [chunk(piece) for piece in wire_openai.streamed(request, 1)]
    written = b"".join([head(), *pieces, chunk(b"")])
    assert cut < written.index(b'"finish_reason":"stop"')
    server = MemoryServer(Answer([Send(written[:cut], each=7), Reset()]))
    assert isinstance(testing.run(error_of(model_of(server))), llm.ModelError)


def test_gates_answers_that_fit_and_what_was_seen():
    async def main():
        server = MemoryServer(
            Answer([Gate("go"), Speak()], body="first"), Answer([Speak(pace=2)], path="/chat", times=0)
        )
        first = model_of(server).prompt("first")
        second = model_of(server).prompt("second")
        assert await second.text() == "echo: second"
        assert not first.done
        assert server.open_requests() == 1
        server.release("go")
        assert await first.text() == "echo: first"
        server.forget()
        assert server.requests == []
        server.set(key="other", pace=1.0)
        assert isinstance(await error_of(model_of(server)), llm.AuthenticationError)

    with testing.Simulation() as world:
        world.run(main())
        assert 5 < world.now < 30


def test_a_cancel_closes_the_request_and_stops_the_answer():
    async def main():
        server = MemoryServer(Answer([Send(head()), Trickle(chunk(b": on\n\n"), 1)]), delay=lambda: 0.25)
        response = model_of(server).prompt("hi")
        await asyncio.sleep(10)
        assert server.open_requests() == 1
        await response.cancel()
        (request,) = server.requests
        assert (server.open_requests(), request.closed_early) == (0, True)
        sent = request.sent
        await asyncio.sleep(10)
        assert request.sent == sent

    testing.run(main())


def test_httpx_timeouts_obey_virtual_time():
    async def main():
        server = MemoryServer(Answer([Stall()]))
        with pytest.raises(httpx.ReadTimeout):
            await server.client.get("http://memory/", timeout=7)
        return asyncio.get_running_loop().time()

    assert testing.run(main()) == 7


def test_it_works_in_real_time_too():
    async def main():
        server = MemoryServer()
        async with asyncio.timeout(10):
            return await model_of(server).prompt("hi").text()

    assert asyncio.run(main()) == "echo: hi"
