"""The two HTTP stacks, the default one and the extra `fast`: which is used, and that they do the same."""

import asyncio
import subprocess
import sys

import pytest

from llm_actors.errors import ConnectionFailedError, ModelError, ModelTimeoutError, ServerError, StreamTruncatedError
from llm_actors.messages import RoundResult
from llm_actors.providers.protocol import Endpoint, Timeouts
from llm_actors.runtime import loop as loops
from llm_actors.testing import Answer, Close, Gate, Reset, Send, Stall, chunk, head, reply
from llm_actors.transport import Clients, clients, library
from llm_actors.transport.fast import FastClient
from llm_actors.transport.pool import Pool
from tests.complaints import complaints
from tests.transport.line_wire import run

WHOLE = Answer([Send(head() + chunk(b"one\n= done\n") + chunk(b""))], times=0)
DONE = RoundResult(raw_stop_reason="done")


def made(base_url="https://model.invalid"):
    async def main():
        ours = Clients(loops.here())
        await ours.load(Endpoint(base_url), base_url)
        return type(ours.of(Endpoint(base_url)))

    return asyncio.run(main())


@pytest.mark.parametrize(("value", "kind"), [("0", Pool), ("1", FastClient), (None, FastClient)])
def test_the_extra_is_used_by_itself_unless_the_environment_says_no(monkeypatch, value, kind):
    if value is None:
        monkeypatch.delenv("LLM_ACTORS_FAST")
    else:
        monkeypatch.setenv("LLM_ACTORS_FAST", value)
    assert made() is kind


def test_without_the_extra_it_is_not_missed(monkeypatch):
    monkeypatch.delenv("LLM_ACTORS_FAST")
    monkeypatch.setattr(library, "_fast_installed", lambda: False)
    assert made() is Pool


@pytest.mark.parametrize(("version", "kind"), [("3.9.5", Pool), ("4.0.0a1", Pool), ("3.10.0", FastClient)])
def test_an_aiohttp_of_another_age_is_left_alone(monkeypatch, version, kind):
    import aiohttp

    monkeypatch.delenv("LLM_ACTORS_FAST")
    monkeypatch.setattr(library, "_loaded", set())
    monkeypatch.setattr(library, "_unfit", set())
    monkeypatch.setattr(aiohttp, "__version__", version)
    assert made() is kind


@pytest.mark.parametrize("proxy", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
def test_behind_a_proxy_of_the_environment_it_is_httpx_itself(monkeypatch, proxy, either_stack):
    import httpx

    monkeypatch.setenv(proxy, "http://127.0.0.1:1")
    assert made() is httpx.AsyncClient


FAULTS = {
    "refused": ("http://127.0.0.1:1/v1", None, ConnectionFailedError, "connect"),
    "closed before the head": ("http", Answer([Close()]), ConnectionFailedError, "first byte"),
    "reset before the head": ("http", Answer([Reset()]), ConnectionFailedError, "first byte"),
    "malformed head": ("http", Answer([Send(b"what\r\n\r\n"), Stall()]), ConnectionFailedError, "first byte"),
    "malformed header": (
        "http",
        Answer([Send(b"HTTP/1.1 200 OK\r\n: x\r\n\r\n"), Stall()]),
        ConnectionFailedError,
        "first byte",
    ),
    "silence before the head": ("http", Answer([Stall()]), ModelTimeoutError, "first byte"),
    "429": ("http", reply(429, "slow down"), ServerError, None),
    "closed in mid-stream": ("http", Answer([Send(head() + chunk(b"one\n")), Close()]), StreamTruncatedError, None),
    "reset in mid-stream": ("http", Answer([Send(head() + chunk(b"one\n")), Reset()]), StreamTruncatedError, None),
    "malformed chunk": (
        "http",
        Answer([Send(head() + chunk(b"one\n")), Gate("broken"), Send(b"zz\r\n"), Stall()]),
        StreamTruncatedError,
        None,
    ),
    "silence in mid-stream": ("http", Answer([Send(head() + chunk(b"one\n")), Stall()]), ModelTimeoutError, "idle"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_goes_wrong_is_the_same_error(server, either_stack, fault):
    url, answer, kind, phase = FAULTS[fault]

    async def body(bench):
        if answer is not None:
            server.play(answer)
        timeouts = Timeouts(
            first_byte=0.5 if fault == "silence before the head" else 30, idle=0.2 if phase == "idle" else 30
        )
        _, sink = bench.start(timeouts=timeouts)
        if fault == "malformed chunk":
            await sink.wrote.wait()
            server.release("broken")
        ending = await sink.over
        assert type(ending) is kind
        assert isinstance(ending, ModelError)
        assert getattr(ending, "phase", None) == phase
        assert ending.__cause__ is ending.__context__ is None
        assert sink.items in ([], ["one"])
        if fault != "429":
            assert "What to do" in str(ending)
            assert bench.pool() == []

    run(body, url if answer is None else server.base_url.replace("http:", f"{url}:"))


def test_what_speaks_no_tls_is_no_connection(either_stack):
    async def body(bench):
        async def answer(reader, writer):
            await reader.read(1)
            writer.write(b"no TLS\r\n")
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            bench.base_url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            _, ending = await bench.call()
        assert (type(ending), ending.phase) == (ConnectionFailedError, "connect")
        assert bench.pool() == []

    run(body, "")


def test_user_and_password_of_the_url_are_sent_as_such_and_shown_nowhere(server, either_stack):
    async def body(bench):
        server.play(WHOLE, Answer([Close()]))
        assert (await bench.call())[1] == DONE
        server.forget()
        server.play(Answer([Close()]))
        assert "p%40ss" not in repr((await bench.call())[1])

    run(body, server.base_url.replace("://", "://me:p%40ss@"))
    assert server.requests[0].headers["authorization"] == "Basic bWU6cEBzcw=="


def test_headers_of_a_server_may_be_long_and_come_twice(server, either_stack):
    async def body(bench):
        long = "x" * 30_000
        text = f"HTTP/1.1 500 No\r\nX-Long: {long}\r\nx-two: a\r\nX-Two: b\r\ncontent-length: 2\r\n\r\nno"
        server.play(Answer([Send(text.encode())]))
        _, ending = await bench.call()
        assert (ending.body["x-long"], ending.body["x-two"]) == (long, "a, b")

    run(body, server.base_url)


def test_no_more_connections_than_the_bound_are_open_and_each_is_used_again(server, either_stack):
    before = server.connections()

    async def body(bench):
        bench.clients._connections = 3
        server.play(
            *[Answer([Send(head()), Gate("go"), Send(chunk(b"= done\n") + chunk(b""))]) for _ in range(3)], WHOLE
        )
        sinks = [bench.start()[1] for _ in range(12)]
        stopped, last = bench.start()
        await server.until_requests(3)
        assert server.open_connections() == 3
        stopped.stop()  # while it waits in line
        assert await last.over == "stopped"
        server.release("go")
        assert [await sink.over for sink in sinks] == [DONE] * 12
        assert len(bench.pool()) == 3
        assert (await bench.call())[1] == DONE

    run(body, server.base_url)
    assert server.connections() == before + 3


def test_connections_that_nobody_uses_are_closed_after_a_while(server, either_stack, monkeypatch):
    monkeypatch.setattr(clients, "_KEEP_ALIVE_SECONDS", 0.05)

    async def body(bench):
        server.play(WHOLE)
        await asyncio.gather(*[bench.call() for _ in range(3)])
        async with asyncio.timeout(30):
            while server.open_connections():  # noqa: ASYNC110 - the server is another thread's
                await asyncio.sleep(0.01)
        assert bench.pool() == []
        assert (await bench.call())[1] == DONE

    run(body, server.base_url)


PROGRAM = """
import asyncio, sys, uvloop
import llm_actors as llm
from llm_actors.testing import Answer, ScriptedServer, Speak, Stall

async def main(server):
    pair = llm.endpoint("m", wire="openai-chat", base_url=server.base_url, key="sk-1")
    async with llm.ActorSystem() as system:
        conversation = pair.async_model.conversation()
        texts = [await response.text() for response in [conversation.prompt(str(number)) for number in range(5)]]
        said = [message.text for message in conversation.messages() if message.role == "user"]
        assert said == ["0", "1", "2", "3", "4"], said
        assert all(texts), texts
        server.play(Answer([Stall()]))
        response = conversation.prompt("never")
        await server.until_requests(6)
        await response.cancel()
        try:
            await response.text()
        except llm.ResponseCancelledError:
            print("cancelled")
        server.wait_until_idle()
        left = conversation.prompt("left behind by the shutdown")
    return server

with ScriptedServer() as server:
    for runner in (uvloop.run, asyncio.run):
        runner(main(server))
        server.wait_until_idle()
        assert server.open_connections() == 0
        server.forget()
    print(pair := llm.endpoint("m", wire="openai-chat", base_url=server.base_url, key="sk-1").model.prompt("sync").text() != "")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not for Windows")
def test_order_cancel_and_shutdown_hold_over_uvloop_and_nothing_is_left_open(either_stack):
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, complaints(done.stderr)) == ("cancelled\ncancelled\nTrue\n", "")
    assert done.returncode == 0
