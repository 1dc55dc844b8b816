"""A request over a kept connection that the server has closed is sent once more; nothing else is."""

import httpx
import pytest

from llm_actors.errors import ConnectionFailedError, StreamTruncatedError
from llm_actors.messages import RoundResult
from llm_actors.testing import Answer, Close, Reset, Send, chunk, head
from llm_actors.transport.kept import Trace
from tests.transport.line_wire import run

pytestmark = pytest.mark.usefixtures("either_stack")

WHOLE = Answer([Send(head() + chunk(b"one\n= done\n") + chunk(b""))])
DONE = RoundResult(raw_stop_reason="done")


@pytest.mark.parametrize("end", [Close(), Reset()], ids=["closed", "reset"])
def test_a_kept_connection_that_is_closed_without_an_answer_costs_nothing(server, end):
    async def body(bench):
        server.play(WHOLE, Answer([end]), WHOLE)
        assert await bench.start()[1].over == DONE
        _, sink = bench.start()
        assert await sink.over == DONE
        assert sink.writes == [["one"]]

    run(body, server.base_url)
    first, closed, again = server.requests
    assert first.connection == closed.connection != again.connection
    assert closed.body == again.body


def test_it_is_sent_once_more_and_not_twice(server):
    async def body(bench):
        server.play(WHOLE, Answer([Close()]), Answer([Close()]), WHOLE)
        await bench.start()[1].over
        assert type((await bench.call())[1]) is ConnectionFailedError

    run(body, server.base_url)
    assert len(server.requests) == 3


def test_on_a_new_connection_nothing_is_sent_again(server):
    async def body(bench):
        server.play(Answer([Close()]), WHOLE)
        assert type((await bench.call())[1]) is ConnectionFailedError

    run(body, server.base_url)
    assert len(server.requests) == 1


def test_an_answer_that_has_begun_is_not_asked_for_again(server):
    async def body(bench):
        server.play(WHOLE, Answer([Send(head() + chunk(b"one\n")), Close()]), WHOLE)
        await bench.start()[1].over
        sink, ending = await bench.call()
        assert (sink.items, type(ending)) == (["one"], StreamTruncatedError)

    run(body, server.base_url)
    assert len(server.requests) == 2


def test_a_client_that_tells_nothing_is_not_trusted_to_have_kept_anything():
    trace = Trace()
    trace.failed(httpx.ReadError("gone"))
    assert not trace.was_stale
