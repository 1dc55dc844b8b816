"""Clients: shared, closed with their loop; proxies of the environment; the user's own client; a server that is started for us."""

import asyncio
import sys

import httpx
import pytest

from llm_actors.errors import ConnectionFailedError, EngineError, LoopClosedError
from llm_actors.messages import Secret
from llm_actors.providers.protocol import Endpoint, Server, Timeouts
from llm_actors.runtime import loop as loops
from llm_actors.testing import Answer, Close, Gate, ScriptedServer, Send, Stall, chunk, head, reply
from llm_actors.transport import Clients
from tests.transport.line_wire import Bench, run

pytestmark = pytest.mark.usefixtures("either_stack")

DONE = Answer([Send(head() + chunk(b"= done\n") + chunk(b""))])


def test_a_client_is_shared_by_base_url():
    async def main():
        clients = Clients(loops.here())
        one = clients.of(Endpoint("https://a/v1"))
        assert clients.of(Endpoint("https://a/v1", headers={"x": "y"})) is one
        other = clients.of(Endpoint("https://b/v1"))
        assert other is not one
        assert clients.fetching() not in (one, other)
        return [one, other, clients]

    one, other, clients = asyncio.run(main())
    assert one.is_closed
    assert other.is_closed
    with pytest.raises(LoopClosedError):
        clients.of(Endpoint("https://a/v1"))


def test_a_server_that_moves_keeps_its_client():
    async def main():
        clients = Clients(loops.here())
        engine = Engine("http://127.0.0.1:1")
        assert clients.of(Endpoint("http://one", server=engine)) is clients.of(Endpoint("http://two", server=engine))

    asyncio.run(main())


def test_a_proxy_of_the_environment_is_used(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", server.url)

    async def body(bench):
        server.play(DONE)
        _, ending = await bench.call()
        assert ending.raw_stop_reason == "done"

    run(body, "http://model.invalid/v1")
    assert server.requests[0].path == "http://model.invalid/v1/lines"
    assert server.requests[0].headers["host"] == "model.invalid"


def test_a_proxy_that_refuses_is_a_connection_that_failed(server, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", server.url)

    async def body(bench):
        server.play(reply(407, "who are you?"))
        _, ending = await bench.call()
        assert type(ending) is ConnectionFailedError
        assert "407" in str(ending)
        assert "HTTPS_PROXY" in str(ending)

    run(body, "https://model.invalid/v1")
    assert server.requests[0].method == "CONNECT"


def test_the_users_client_is_used_as_it_is_and_never_closed(server):
    async def body(bench):
        server.play(DONE, DONE)
        headers = {"x-mine": "yes", "user-agent": "my-service"}
        async with httpx.AsyncClient(headers=headers, params={"team": "a"}, trust_env=False, timeout=0.5) as client:
            for _ in range(2):
                _, ending = await bench.call(client=client, query={"v": "1"})
                assert ending.raw_stop_reason == "done"
            assert not client.is_closed
            assert bench.clients.of(Endpoint("x", client=client)) is client
            assert client.timeout.read == 0.5

    run(body, server.base_url)
    for request in server.requests:
        assert (request.headers["x-mine"], request.headers["user-agent"]) == ("yes", "my-service")
        assert set(request.path.partition("?")[2].split("&")) == {"team=a", "v=1"}
    assert len({request.connection for request in server.requests}) == 1


def test_a_users_client_that_is_closed_is_a_typed_error(server):
    async def body(bench):
        client = httpx.AsyncClient()
        await client.aclose()
        _, ending = await bench.call(client=client)
        assert type(ending) is ConnectionFailedError
        assert "client has been closed" in str(ending)

    run(body, server.base_url)


def test_a_transport_of_the_users_own_is_read_to_its_end_or_left():
    class Endless(httpx.AsyncByteStream):
        def __init__(self):
            self.closed = False

        async def __aiter__(self):
            yield b"one\n"
            while True:
                yield b"= done\n"

        async def aclose(self):
            self.closed = True

    stream = Endless()

    async def body(bench):
        transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=stream))
        async with httpx.AsyncClient(transport=transport) as client:
            sink, ending = await bench.call(client=client)
            assert (sink.items, ending.raw_stop_reason) == (["one"], "done")
            assert stream.closed
            # The cancel that ended the body was for the body alone.
            await bench.call(client=client)

    run(body, "http://model.invalid")


class Engine(Server):
    """A server that is started for us."""

    def __init__(self, url, *, dead_after=None, fails=False):
        self.url, self.dead_after, self.fails = url, dead_after, fails
        self.held = 0
        self.asked = 0

    async def acquire(self):
        if self.fails:
            raise EngineError("it did not start")
        self.held += 1
        return self.url, Secret("sk-engine-1")

    def release(self):
        self.held -= 1

    def died(self):
        self.asked += 1
        return (
            EngineError("killed: sk-engine-1") if self.dead_after is not None and self.asked > self.dead_after else None
        )


def test_a_server_is_acquired_for_the_call_with_its_url_and_key(server):
    async def body(bench):
        server.play(Answer([Send(head() + chunk(b"one\n")), Gate("engine"), Send(chunk(b"= done\n") + chunk(b""))]))
        engine = Engine(server.base_url)
        _, sink = bench.start(server=engine)
        await sink.wrote.wait()
        assert engine.held == 1
        server.release("engine")
        await sink.over
        assert engine.held == 0

    run(body, "http://nowhere.invalid")
    assert server.requests[0].headers["x-key"] == "sk-engine-1"


def test_a_server_that_does_not_start_is_its_own_error():
    async def body(bench):
        engine = Engine("", fails=True)
        _, ending = await bench.call(server=engine)
        assert (type(ending), str(ending), engine.held) == (EngineError, "it did not start", 0)

    run(body, "http://nowhere.invalid")


@pytest.mark.parametrize("steps", [[Close()], [Send(head() + chunk(b"one\n")), Close()]])
@pytest.mark.parametrize("dead_after", [0, 1, 3])
def test_a_server_that_died_says_why_in_place_of_a_broken_connection(server, steps, dead_after):
    async def body(bench):
        server.play(Answer(steps))
        engine = Engine(server.base_url, dead_after=dead_after)
        _, ending = await bench.call(server=engine)
        assert (type(ending), str(ending), engine.held) == (EngineError, "killed: ***", 0)

    run(body, "http://nowhere.invalid")


def test_a_server_that_lives_leaves_the_error_as_it_is(server):
    async def body(bench):
        server.play(Answer([Close()]))
        engine = Engine(server.base_url)
        _, ending = await bench.call(server=engine)
        assert (type(ending), engine.held) == (ConnectionFailedError, 0)
        server.play(Answer([Stall()]))
        flight, sink = bench.start(server=engine)
        await server.until_requests(2)
        flight.stop()
        assert await sink.over == "stopped"
        assert engine.held == 0

    run(body, "http://nowhere.invalid")


def test_the_total_timeout_counts_the_servers_start():
    class Slow(Engine):
        async def acquire(self):
            await asyncio.Event().wait()

    async def body(bench):
        _, ending = await bench.call(server=Slow(""), timeouts=Timeouts(total=0.05))
        assert ending.phase == "total"

    run(body, "http://nowhere.invalid")


def test_a_killed_server_is_a_broken_connection():
    async def body(bench):
        server.play(Answer([Send(head() + chunk(b"one\n")), Stall()]))
        _, sink = bench.start()
        await sink.wrote.wait()
        server.kill()
        assert "broke while the answer was streaming" in str(await sink.over)
        _, ending = await bench.call()
        assert (type(ending), ending.phase) == (ConnectionFailedError, "connect")

    with ScriptedServer() as server:
        run(body, server.base_url)


@pytest.mark.parametrize("fast", ["0", "1"])
def test_the_ssl_context_is_made_once_and_only_for_https(server, monkeypatch, fast):
    from llm_actors.transport import library

    monkeypatch.setenv("LLM_ACTORS_FAST", fast)
    library.ssl_context.cache_clear()
    monkeypatch.setattr(library, "_loaded", set())
    made = []
    original = httpx.create_ssl_context

    def counted():
        made.append(1)
        return original()

    monkeypatch.setattr(sys.modules["httpx"], "create_ssl_context", counted)

    async def main(url):
        bench = Bench(url)
        server.play(DONE)
        await bench.call()

    asyncio.run(main(server.base_url))
    assert made == []
    for port in (1, 2):
        asyncio.run(main(f"https://127.0.0.1:{port}"))
    assert made == [1]
