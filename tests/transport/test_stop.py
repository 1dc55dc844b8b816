"""`stop()`: when the sink hears `stopped()`, no request is open, and it heard nothing in between. (Promise C5, the wire's part.)"""

import asyncio

import pytest

from llm_actors.providers.protocol import Endpoint, Timeouts
from llm_actors.testing import Answer, Gate, Send, Stall, chunk, head
from llm_actors.transport.pump import HttpFlight
from tests.transport.line_wire import Sink, no_generator_left_to_the_collector, run

pytestmark = pytest.mark.usefixtures("either_stack")

ONE = Send(head() + chunk(b"one\n"))


class StoppedSink(Sink):
    """Looks, while it is told, whether a connection is left."""

    def __init__(self, bench):
        super().__init__()
        self.bench = bench
        self.left = None

    def stopped(self):
        self.left = list(self.bench.pool())
        super().stopped()


@pytest.mark.parametrize("steps", [[Stall()], [Send(b"HTTP/1.1 200 OK\r\n"), Stall()], [Send(head(500)), Stall()]])
def test_stop_before_the_answer_closes_the_request(server, steps):
    async def body(bench):
        server.play(Answer(steps))
        flight, sink = bench.start(StoppedSink(bench))
        await server.until_requests(1)
        flight.stop()
        assert sink.endings == []
        assert await sink.over == "stopped"
        assert sink.left == []

    run(body, server.base_url)
    assert server.wait_until_idle()[0].closed_early


def test_stop_in_mid_stream_closes_the_request(server):
    async def body(bench):
        server.play(Answer([ONE, Stall()]))
        flight, sink = bench.start(StoppedSink(bench))
        await sink.wrote.wait()
        async with no_generator_left_to_the_collector():
            flight.stop()
            assert await sink.over == "stopped"
        assert sink.left == []
        assert sink.items == ["one"]
        assert flight.task.done() or not flight.task.cancelling()

    run(body, server.base_url)
    assert server.wait_until_idle()[0].closed_early


def test_stop_before_the_first_step_sends_nothing(server):
    async def body(bench):
        flight, sink = bench.start()
        flight.stop()
        assert await sink.over == "stopped"

    run(body, server.base_url)
    assert server.requests == []


def test_stop_twice_or_after_the_end_is_one_ending(server):
    async def body(bench):
        server.play(Answer([ONE, Stall()]), Answer([Send(head() + chunk(b"= done\n") + chunk(b""))]))
        flight, sink = bench.start()
        await sink.wrote.wait()
        flight.stop()
        flight.stop()
        assert await sink.over == "stopped"
        flight.stop()
        flight, sink = bench.start()
        ending = await sink.over
        flight.stop()
        await flight.task
        assert sink.endings == [ending]

    run(body, server.base_url)


def test_stop_inside_write_is_the_last_write(server):
    class Stopper(Sink):
        flight: HttpFlight

        def write(self, items):
            super().write(items)
            self.flight.stop()

    async def body(bench):
        rest = chunk(b"two\n") + chunk(b"three\n= done\n") + chunk(b"")
        first = chunk(b"one\n") + chunk(b": more\n") * 2**13  # as much as is given in one piece
        server.play(Answer([Send(head() + first + rest)]), Answer([ONE, Stall()]))
        for _ in range(2):
            flight, sink = bench.start(Stopper())
            sink.flight = flight
            async with no_generator_left_to_the_collector():
                assert await sink.over == "stopped"
            assert sink.items == ["one"]
        assert all(connection.is_idle() for connection in bench.pool())

    run(body, server.base_url)


def test_stop_while_the_rest_is_read_ends_as_stopped(server):
    async def body(bench):
        server.play(Answer([ONE, Send(chunk(b"= done\n")), Gate("never")]))
        flight, sink = bench.start()
        await sink.wrote.wait()
        flight.stop()
        assert await sink.over == "stopped"
        assert bench.pool() == []

    run(body, server.base_url)
    assert server.wait_until_idle()[0].closed_early


def test_stop_and_a_timeout_at_once_are_one_ending(server):
    """The timer has cancelled the task, which has not yet taken a step: stop wins, and nothing is cancelled twice."""

    async def body(bench):
        server.play(Answer([ONE, Stall()]))
        flight, sink = bench.start(timeouts=Timeouts(idle=10))
        await sink.wrote.wait()
        flight._watch.expired = "idle"
        flight._interrupt()
        flight.stop()
        assert await sink.over == "stopped"
        assert bench.pool() == []

    run(body, server.base_url)


@pytest.mark.parametrize("last", [b"= done\n", b"- done\n", b"! no\n"])
@pytest.mark.parametrize("length", [None, 11])
def test_a_stop_at_any_moment_loses_no_place_in_the_pool(server, last, length, either_stack):
    data = b"one\n" + last
    answer = head() + chunk(b"one\n") + chunk(last) + chunk(b"") if length is None else head(length=len(data)) + data

    async def body(bench):
        server.play(Answer([Send(answer)], times=0))
        stopped = 0
        for moment in range(120):
            flight, sink = bench.start()
            # The same moments again and again: turns of the loop, some of them with the server in between.
            for turn in range(moment % 40):
                await (asyncio.sleep(0) if turn % 8 else asyncio.sleep(moment / 60_000))
            flight.stop()
            stopped += await sink.over == "stopped"
        assert stopped > 0
        if either_stack == "default":
            assert bench.clients.of(Endpoint(server.base_url)).requests == 0
        assert all(connection.is_idle() or connection.is_closed() for connection in bench.pool())

    run(body, server.base_url)


def test_a_stopped_call_leaves_the_others_alone(server):
    async def body(bench):
        server.play(Answer([ONE, Gate("go on"), Send(chunk(b"= done\n") + chunk(b""))], times=20))
        calls = [bench.start() for _ in range(20)]
        for _, sink in calls:
            await sink.wrote.wait()
        for flight, _ in calls[::2]:
            flight.stop()
        for _, sink in calls[::2]:
            assert await sink.over == "stopped"
        server.release("go on")
        for _, sink in calls[1::2]:
            assert (await sink.over).raw_stop_reason == "done"
        assert len(bench.pool()) == 10

    run(body, server.base_url)
