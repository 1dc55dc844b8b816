"""The wire's timeouts: each on a real connection, then the one timer behind them on a clock of the test's own."""

import socket

import pytest

from llm_actors.errors import ConnectionFailedError, ModelTimeoutError
from llm_actors.providers.protocol import Timeouts
from llm_actors.testing import Answer, Send, Stall, Trickle, chunk, head
from llm_actors.transport.watch import Watch
from tests.transport.line_wire import no_generator_left_to_the_collector, run

pytestmark = pytest.mark.usefixtures("either_stack")


def check(ending, phase, text):
    assert type(ending) is ModelTimeoutError
    assert isinstance(ending, ConnectionFailedError)
    assert isinstance(ending, TimeoutError)
    assert ending.phase == phase
    assert text in str(ending)
    assert "What to do: " in str(ending)


@pytest.mark.parametrize("steps", [[Stall()], [Send(b"HTTP/1.1 200 OK\r\n"), Trickle(b"x-slow: 1\r\n", 0.01)]])
def test_an_answer_that_does_not_begin_is_given_up(server, steps):
    async def body(bench):
        server.play(Answer(steps))
        async with no_generator_left_to_the_collector():
            _, ending = await bench.call(timeouts=Timeouts(first_byte=0.2))
        check(ending, "first byte", "did not begin to answer within 0.2 s")
        assert bench.pool() == []

    run(body, server.base_url)
    assert server.wait_until_idle()[0].closed_early


def test_silence_in_mid_stream_is_given_up_and_what_came_stays(server):
    async def body(bench):
        server.play(Answer([Send(head() + chunk(b"one\n")), Stall()]))
        async with no_generator_left_to_the_collector():
            sink, ending = await bench.call(timeouts=Timeouts(idle=0.2))
        check(ending, "idle", "nothing came within 0.2 s")
        assert sink.items == ["one"]
        assert bench.pool() == []

    run(body, server.base_url)
    assert server.wait_until_idle()[0].closed_early


def test_comments_are_signs_of_life(server):
    async def body(bench):
        comments = Trickle(chunk(b": still here\n"), 0.1, times=12)
        server.play(Answer([Send(head()), comments, Send(chunk(b"= done\n") + chunk(b""))]))
        _, ending = await bench.call(timeouts=Timeouts(first_byte=1.0, idle=1.0))
        assert ending.raw_stop_reason == "done"

    run(body, server.base_url)


def test_a_trickle_for_ever_meets_the_total_timeout(server):
    async def body(bench):
        server.play(Answer([Send(head()), Trickle(chunk(b": still here\n"), 0.01)]))
        async with no_generator_left_to_the_collector():
            _, ending = await bench.call(timeouts=Timeouts(idle=5, total=0.3))
        check(ending, "total", "not complete within 0.3 s")

    run(body, server.base_url)
    assert server.wait_until_idle()[0].closed_early


def test_a_connection_that_is_not_accepted_is_given_up():
    """A full backlog: the kernel drops further SYNs (listen(2) on Linux)."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)

        async def body(bench):
            _, ending = await bench.call(timeouts=Timeouts(connect=0.2))
            check(ending, "connect", "no connection to http://127.0.0.1")
            assert "within 0.2 s" in str(ending)

        run(body, f"http://127.0.0.1:{address[1]}/v1")
        for filler in fillers:
            filler.close()


class Timer:
    def __init__(self, when, callback):
        self.when, self.callback, self.cancelled = when, callback, False

    def cancel(self):
        self.cancelled = True


class Hand:
    """A loop whose time is moved by hand: what `Watch` uses of one."""

    def __init__(self):
        self.clock = self
        self.now = 100.0
        self.timers = []

    def monotonic(self):
        return self.now

    def call_at(self, when, callback):
        self.timers.append(Timer(when, callback))
        return self.timers[-1]

    def move(self, seconds):
        self.now += seconds
        for timer in [timer for timer in self.timers if timer.when <= self.now and not timer.cancelled]:
            self.timers.remove(timer)
            timer.callback()

    @property
    def armed(self):
        return [timer.when for timer in self.timers if not timer.cancelled]


@pytest.fixture
def hand():
    return Hand()


@pytest.fixture
def expired(hand):
    """The watch on `hand`, and what it has called."""
    calls = []
    watch = Watch(hand, lambda: calls.append(watch.expired))
    return watch, calls


def test_without_timeouts_there_is_no_timer(hand, expired):
    watch, _ = expired
    watch.total(None)
    watch.phase("idle", None)
    watch.seen()
    assert hand.timers == []
    watch.close()


def test_a_thousand_reads_set_one_timer(hand, expired):
    watch, calls = expired
    watch.phase("idle", 10.0)
    for _ in range(1000):
        hand.now += 0.001
        watch.seen()
    assert len(hand.timers) == 1
    hand.move(9.5)  # the timer fires at 10 s, finds the stamp at 1 s and is set again
    assert hand.armed == [pytest.approx(111.0)]
    assert calls == []
    hand.move(0.5)
    assert calls == ["idle"]
    assert hand.armed == []


def test_a_shorter_phase_is_armed_at_once_and_a_longer_one_later(hand, expired):
    watch, calls = expired
    watch.phase("first byte", 300.0)
    watch.phase("idle", 10.0)
    assert hand.armed == [110.0]
    watch.phase("first byte", 300.0)
    assert hand.armed == [110.0]
    hand.move(10.0)
    assert hand.armed == [400.0]
    assert calls == []


def test_the_total_is_named_when_it_is_over(hand, expired):
    watch, calls = expired
    watch.total(15.0)
    watch.phase("idle", 10.0)
    hand.move(9.0)
    watch.seen()
    hand.move(1.0)
    assert hand.armed == [115.0]
    hand.move(5.0)
    assert calls == ["total"]
    check(watch.error("there"), "total", "within 15 s")
    watch.forgive()
    assert watch.expired is None


def test_a_closed_watch_is_quiet(hand, expired):
    watch, calls = expired
    watch.phase("idle", 10.0)
    watch.close()
    watch.close()
    hand.move(100.0)
    assert calls == []
    assert hand.armed == []
