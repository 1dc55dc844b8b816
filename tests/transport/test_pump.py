"""The pump against real connections, with a wire of lines: items, endings, limits, fairness, reuse."""

import asyncio
import gzip
import subprocess
import sys
import threading

import httpx
import pytest

from llm_actors.errors import (
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    LoopClosedError,
    ProtocolError,
    ProviderError,
    ServerError,
    StreamTruncatedError,
)
from llm_actors.messages import ModelRequest, RoundResult
from llm_actors.providers.protocol import Endpoint, Limits, Timeouts
from llm_actors.testing import Answer, Close, Gate, Reset, Send, Stall, chunk, head, reply
from llm_actors.transport import WireCall
from tests.complaints import complaints
from tests.transport.line_wire import Bench, LineDecoder, LineWire, Sink, no_generator_left_to_the_collector, run

pytestmark = pytest.mark.usefixtures("either_stack")


def lines(*texts):
    """A whole streamed answer of these lines, a chunk each."""
    return Answer([Send(head() + b"".join(chunk(f"{text}\n".encode()) for text in texts) + chunk(b""))])


def test_items_come_as_they_arrive_and_the_result_last(server):
    async def body(bench):
        server.play(
            Answer([Send(head() + chunk(b"one\ntwo\n")), Gate("next"), Send(chunk(b"three\n= done\n") + chunk(b""))])
        )
        _, sink = bench.start()
        await sink.wrote.wait()
        assert sink.writes == [["one", "two"]]
        server.release("next")
        assert await sink.over == RoundResult(raw_stop_reason="done")
        assert sink.writes == [["one", "two"], ["three"]]

    run(body, server.base_url)


def test_nothing_is_told_before_start_returns_and_the_request_is_as_encoded(server):
    async def body(bench):
        server.play(lines("= done"))
        _, sink = bench.start(headers={"X-Org": "pelicans"}, query={"v": "1 2"}, extra_body={"n": 1})
        assert sink.endings == []
        await sink.over

    run(body, server.base_url)
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/lines?v=1+2", b"{'n': 1}")
    wanted = {"x-key": "sk-line-1234", "x-org": "pelicans", "content-type": "text/plain", "accept-encoding": "identity"}
    assert wanted.items() <= request.headers.items()
    assert request.headers["user-agent"] == "llm-actors"


def test_the_key_is_put_in_last_and_without_a_key_the_users_header_stays(server):
    async def body(bench):
        server.play(lines("= done"), lines("= done"))
        await bench.call(headers={"x-KEY": "mine"})
        await bench.call(headers={"x-KEY": "mine"}, key=None)

    run(body, server.base_url)
    assert [request.headers["x-key"] for request in server.requests] == ["sk-line-1234", "mine"]


def test_a_hundred_calls_in_turn_use_one_connection(server):
    before = server.connections()

    async def body(bench):
        server.play(*[lines("a", "= done") for _ in range(100)])
        for _ in range(100):
            sink, ending = await bench.call()
            assert (sink.items, ending.raw_stop_reason) == (["a"], "done")

    run(body, server.base_url)
    assert server.connections() == before + 1
    assert server.open_connections() == 0


def test_the_rest_after_the_terminal_fact_is_read_for_the_connections_sake_but_not_for_long(server):
    before = server.connections()

    async def body(bench):
        server.play(Answer([Send(head() + chunk(b"= quick\n")), Gate("x"), Send(chunk(b": rest\n") + chunk(b""))]))
        _, sink = bench.start()
        await server.until_requests(1)
        server.release("x")
        await sink.over
        server.play(Answer([Send(head() + chunk(b"= slow\n")), Stall()]))
        async with no_generator_left_to_the_collector():
            _, ending = await bench.call()
            assert ending.raw_stop_reason == "slow"
        assert bench.pool() == []
        server.play(lines("= again"))
        await bench.call()

    run(body, server.base_url)
    assert server.connections() == before + 2
    assert [request.closed_early for request in server.wait_until_idle()] == [False, True, False]


def test_an_answer_cut_at_any_byte_is_never_complete(server):
    whole = head() + chunk(b"one\n") + chunk(b"two\n= done\n") + chunk(b"")
    proof = whole.index(b"= done\n") + len(b"= done\n")

    async def body(bench):
        for size in range(len(whole)):
            server.play(Answer([Send(whole[:size]), Close() if size % 2 else Reset()]))
            sink, ending = await bench.call()
            if size >= proof:
                assert ending == RoundResult(raw_stop_reason="done")
            else:
                assert type(ending) in (ConnectionFailedError, StreamTruncatedError), size
                assert "onetwo= done".startswith("".join(sink.items))

    run(body, server.base_url)


def test_a_stream_that_ends_without_its_terminal_fact_is_truncated_and_its_items_stay(server):
    async def body(bench):
        server.play(Answer([Send(head() + chunk(b"one\ntw") + chunk(b""))]))
        sink, ending = await bench.call()
        assert isinstance(ending, StreamTruncatedError)
        assert sink.items == ["one", "tw"]

    run(body, server.base_url)


@pytest.mark.parametrize("end", [Reset(), Close(), Stall()])
def test_what_happens_after_the_terminal_fact_does_not_matter(server, end):
    async def body(bench):
        server.play(Answer([Send(head() + chunk(b"one\n- done\n")), end]))
        sink, ending = await bench.call(timeouts=Timeouts(idle=0.1))
        assert (sink.items, ending) == (["one"], RoundResult(raw_stop_reason="done"))

    run(body, server.base_url)


@pytest.mark.parametrize("end", [Reset(), Close()])
def test_a_connection_that_breaks_in_mid_stream_says_so(server, end):
    async def body(bench):
        server.play(Answer([Send(head() + chunk(b"one\n")), Gate("broken"), end]))
        _, sink = bench.start()
        await sink.wrote.wait()
        server.release("broken")
        ending = await sink.over
        assert isinstance(ending, StreamTruncatedError)
        assert server.url in str(ending)
        assert "broke while the answer was streaming" in str(ending)
        assert bench.pool() == []

    run(body, server.base_url)


@pytest.mark.parametrize("end", [Reset(), Close()])
def test_a_connection_that_breaks_before_the_answer_says_so(server, end):
    async def body(bench):
        server.play(Answer([end]))
        _, ending = await bench.call()
        assert type(ending) is ConnectionFailedError
        assert ending.phase == "first byte"
        assert "What to do" in str(ending)
        assert ending.__cause__ is ending.__context__ is None

    run(body, server.base_url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/v1", "nonsense", "ftp://127.0.0.1/", "http://[::1", "http://x:99999999"]
)
def test_no_connection_says_so(url):
    async def body(bench):
        _, ending = await bench.call()
        assert type(ending) is ConnectionFailedError
        assert ending.phase == "connect"
        assert "check the base URL" in str(ending)

    run(body, url)


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503, 529])
def test_a_refusal_is_the_providers_error(server, status):
    async def body(bench):
        server.play(reply(status, "<html>no</html>", content_type="text/html"))
        _, ending = await bench.call()
        assert type(ending) is ServerError
        assert (ending.status, str(ending)) == (status, "<html>no</html>")
        assert len(bench.pool()) == 1

    run(body, server.base_url)


def test_a_refusals_body_is_read_as_far_as_it_goes(server):
    start = head(500, length=10**9) + b"no: "

    async def body(bench):
        server.play(
            Answer([Send(start), Stall()]),
            Answer([Send(start), Reset()]),
            Answer([Send(start + b"x" * 10**6), Stall()]),
        )
        timeouts = Timeouts(idle=0.1)
        for size in (4, 4, 2**18):
            async with no_generator_left_to_the_collector():
                _, ending = await bench.call(timeouts=timeouts)
                assert ending.status == 500
                assert str(ending).startswith("no: ")
                assert size <= len(str(ending)) <= size + 2**16
        assert bench.pool() == []

    run(body, server.base_url)


@pytest.mark.parametrize("headers", [{"location": "https://u:p@else.where/v2?key=1"}, {}])
def test_a_redirect_is_no_answer_and_says_where_to(server, headers):
    async def body(bench):
        server.play(reply(307, headers=headers))
        _, ending = await bench.call()
        assert type(ending) is ProviderError
        assert ("https://else.where/v2" if headers else "nowhere") in str(ending)
        assert "u:p" not in str(ending)

    run(body, server.base_url)


def test_an_error_inside_the_stream_ends_it_and_leaves_nothing_open(server):
    async def body(bench):
        server.play(Answer([Send(head() + chunk(b"one\n") + chunk(b"! overloaded\n") + chunk(b"two\n")), Stall()]))
        async with no_generator_left_to_the_collector():
            sink, ending = await bench.call()
        assert (sink.items, type(ending), str(ending)) == (["one"], ServerError, "overloaded")
        assert bench.pool() == []

    run(body, server.base_url)
    assert server.wait_until_idle()[0].closed_early


def test_limits_are_the_endpoints(server):
    async def body(bench):
        limits = Limits(event=100, answer=1000)
        server.play(lines("x" * 101, "= done"), lines(*["x" * 50] * 100, "= done"), lines("x" * 2**21, "= done"))
        for _ in range(2):
            _, ending = await bench.call(limits=limits)
            assert type(ending) is ProtocolError
        sink, ending = await bench.call()
        assert ending.raw_stop_reason == "done"
        assert len(sink.items[0]) == 2**21

    run(body, server.base_url)


def test_a_compressed_body_is_read_although_nobody_asked_for_it(server):
    async def body(bench):
        packed = gzip.compress(b"one\n= done\n")
        headers = {"content-encoding": "gzip"}
        server.play(
            reply(200, packed, headers=headers), Answer([Send(head(headers=headers)), Send(chunk(packed)), Stall()])
        )
        for _ in range(2):
            async with no_generator_left_to_the_collector():
                sink, ending = await bench.call()
            assert (sink.items, ending.raw_stop_reason) == (["one"], "done")

    run(body, server.base_url)


@pytest.mark.parametrize("size", [1, 2**21])
def test_one_stream_does_not_hold_the_loop(server, size):
    """Between two turns of the loop at most 64 KiB are decoded, and the piece that passed it."""
    decoded = [0]

    class Counting(LineDecoder):
        def feed(self, data):
            decoded[-1] += len(data)
            return super().feed(data)

    class CountingWire(LineWire):
        def decoder(self, request, headers, *, max_event, max_answer):
            return Counting(max_event, max_answer)

    async def body(bench):
        total = 2**20
        texts = b"x\n" * (total // 2)
        size_ = min(size * 1000, len(texts))
        pieces = b"".join(chunk(texts[start : start + size_]) for start in range(0, total, size_))
        server.play(Answer([Send(head() + pieces + chunk(b"= done\n") + chunk(b""))]))
        _, sink = bench.start()

        def turn():
            decoded.append(0)
            if not sink.endings:
                bench.loop.call_soon(turn)

        turn()
        await sink.over
        assert sum(decoded) > total
        assert max(decoded) <= 2 * 2**16

    run(body, server.base_url, provider=CountingWire())


def test_two_hundred_streams_at_once_wait_for_no_connection(server):
    async def body(bench):
        answer = Answer([Send(head() + chunk(b"one\n")), Gate("all"), Send(chunk(b"= done\n") + chunk(b""))], times=200)
        server.play(answer)
        sinks = [bench.start()[1] for _ in range(200)]
        await server.until_requests(200, 10)
        assert all(not sink.endings for sink in sinks)
        server.release("all")
        for sink in sinks:
            assert (await sink.over).raw_stop_reason == "done"
        assert len(bench.pool()) == 200  # kept for the next ones

    run(body, server.base_url)


def test_two_loops_have_clients_of_their_own(server):
    server.play(Answer([Send(head()), Gate("both"), Send(chunk(b"= done\n") + chunk(b""))], times=2))
    endings = []

    async def body(bench):
        endings.append((await bench.call())[1])

    threads = [threading.Thread(target=run, args=(body, server.base_url)) for _ in range(2)]
    for thread in threads:
        thread.start()
    server.wait_for_requests(2)
    server.release("both")
    for thread in threads:
        thread.join(30)
    assert [ending.raw_stop_reason for ending in endings] == ["done", "done"]
    run(body, server.base_url)


def test_a_request_that_can_not_be_encoded_is_not_sent(server):
    async def body(bench):
        _, ending = await bench.call(model="bad")
        assert type(ending) is InvalidRequestError

    run(body, server.base_url)
    assert server.requests == []


@pytest.mark.parametrize(
    ("endpoint", "kind"), [({"key": "sk-ü"}, AuthenticationError), ({"key": "sk-1\n"}, AuthenticationError)]
)
def test_a_key_that_fits_no_header_is_named_but_not_shown(server, endpoint, kind):
    async def body(bench):
        _, ending = await bench.call(**endpoint)
        assert type(ending) is kind
        assert endpoint["key"] not in repr(ending) + str(ending)

    run(body, server.base_url)
    assert server.requests == []


def test_a_header_that_can_not_be_sent_is_named(server):
    async def body(bench):
        _, ending = await bench.call(headers={"x-org": "päläkäns"})
        assert type(ending) is InvalidRequestError
        assert "x-org" in str(ending)

    run(body, server.base_url)


def test_what_a_users_provider_raises_is_passed_on_unchanged(server):
    class Broken(LineWire):
        def decoder(self, request, headers, *, max_event, max_answer):
            raise ZeroDivisionError

    async def body(bench):
        server.play(lines("= done"))
        async with no_generator_left_to_the_collector():
            _, ending = await bench.call()
        assert type(ending) is ZeroDivisionError
        assert bench.pool() == [] or bench.pool()[0].is_idle()

    run(body, server.base_url, provider=Broken())


def test_a_sink_that_raises_does_not_keep_the_request_open(server, caplog):
    class Bad(Sink):
        def write(self, items):
            raise OSError("sink")

        def failed(self, error):
            super().failed(error)
            raise ValueError("again")

    async def body(bench):
        server.play(Answer([Send(head() + chunk(b"one\n")), Stall()]))
        _, sink = bench.start(Bad())
        ending = await sink.over
        assert (type(ending), str(ending)) == (OSError, "sink")
        assert bench.pool() == []

    run(body, server.base_url)
    assert [record.exc_info[0] for record in caplog.records if record.name.startswith("llm_actors")] == [ValueError]
    server.wait_until_idle()


def test_a_task_cancelled_from_outside_fails_as_loop_closed(server):
    async def body(bench):
        server.play(Answer([Send(head() + chunk(b"one\n")), Stall()]))
        flight, sink = bench.start()
        await sink.wrote.wait()
        flight.task.cancel()
        assert type(await sink.over) is LoopClosedError
        assert bench.pool() == []
        flight, sink = bench.start()
        flight.task.cancel()  # before its first step
        assert type(await sink.over) is LoopClosedError

    run(body, server.base_url)


def test_calls_under_way_fail_when_the_loop_ends(server):
    sinks = []

    async def body(bench):
        server.play(Answer([Send(head() + chunk(b"one\n")), Stall()]))
        sinks.append(bench.start()[1])
        await sinks[0].wrote.wait()
        sinks.append(bench.start()[1])

    run(body, server.base_url)
    assert [type(sink.endings[0]) for sink in sinks] == [LoopClosedError, LoopClosedError]
    server.wait_until_idle()


def test_calls_under_way_fail_when_the_loop_ends_without_a_cancel_of_its_tasks(server):
    """`shutdown_asyncgens` alone, as a runner of the user's own may do it."""
    server.play(Answer([Send(head() + chunk(b"one\n")), Stall()]))
    loop = asyncio.new_event_loop()

    async def begin():
        bench = Bench(server.base_url)
        _, sink = bench.start()
        await sink.wrote.wait()
        return bench, sink

    bench, sink = loop.run_until_complete(begin())
    client = bench.clients.of(Endpoint(server.base_url))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    assert type(sink.endings[0]) is LoopClosedError
    assert client.is_closed
    with pytest.raises(LoopClosedError):
        bench.pump.start(WireCall(bench.provider, Endpoint(server.base_url), ModelRequest("m", [])), sink)
    server.wait_until_idle()


def test_a_cancel_from_outside_is_not_lost_in_the_closing():
    class Crossing(httpx.AsyncByteStream):
        async def __aiter__(self):
            yield b"! no\n"
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)

    async def body(bench):
        transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Crossing()))
        async with httpx.AsyncClient(transport=transport) as client:
            flight, sink = bench.start(client=client)
            assert type(await sink.over) is LoopClosedError
            with pytest.raises(asyncio.CancelledError):
                await flight.task

    run(body, "http://model.invalid")


PROGRAM = """
import asyncio
from llm_actors.testing import Answer, Send, Stall, head, chunk, ScriptedServer
from tests.transport.line_wire import Bench

async def main(server):
    bench = Bench(server.base_url)
    server.play(
        Answer([Stall()]), Answer([Send(head()), Stall()]), Answer([Send(head() + chunk(b"one\\n= done\\n")), Stall()]), Answer([Stall()]),
    )
    calls = [bench.start() for _ in range(4)]
    await server.until_requests(4)
    calls[3][0].stop()
    bench.start()
    return [sink for _, sink in calls]

with ScriptedServer() as server:
    for _ in range(2):
        sinks = asyncio.run(main(server))
        print([len(sink.endings) for sink in sinks])
        server.wait_until_idle()
        assert server.open_connections() == 0
        server.forget()
"""


def test_a_loop_that_ends_with_calls_in_flight_is_clean_under_dev_mode():
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, complaints(done.stderr)) == ("[1, 1, 1, 1]\n" * 2, "")
    assert done.returncode == 0


def test_the_library_is_imported_without_httpx():
    program = "import sys, llm_actors.transport; print('httpx' in sys.modules, 'ssl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("False")


def test_httpx_is_what_it_is_thought_to_be():
    """The names that fault.py knows."""
    from llm_actors.transport.fault import _CONNECTING

    assert all(hasattr(httpx, name) for name in _CONNECTING)


def test_files_are_resolved_inside_the_flight_before_the_request_is_written(server):
    async def body(bench):
        async def other_model(request):
            return ModelRequest("bad", request.messages)

        async def unreadable(request):
            raise FileNotFoundError("pelican.png")

        for resolve, kind in ((other_model, InvalidRequestError), (unreadable, FileNotFoundError)):
            sink = Sink()
            call = WireCall(bench.provider, Endpoint(server.base_url), ModelRequest("m", []), resolve=resolve)
            bench.pump.start(call, sink)
            assert type(await sink.over) is kind

    run(body, server.base_url)
    assert server.requests == []
