"""The pump with the real codec against the scripted server's chat completions: what a user sees of a model on the wire."""

import json

import pytest

from llm_actors.errors import (
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    ModelError,
    OverloadedError,
    ProviderError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
    StreamTruncatedError,
)
from llm_actors.messages import RoundResult, Usage
from llm_actors.providers.openai_chat import OpenAIChat
from llm_actors.providers.protocol import Limits, Timeouts
from llm_actors.testing import Answer, Close, Reset, Send, Stall, chunk, events, head, reply, wire_openai
from tests.transport.line_wire import run

STREAM = b"".join(
    chunk(event) for event in wire_openai.streamed({"messages": [{"role": "user", "content": "hi there"}]}, 1)
) + chunk(b"")


def call(server, **more):
    async def body(bench):
        return await bench.call(**more)

    return run(body, server.base_url, provider=OpenAIChat())


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_comes_streamed_and_whole(server, stream):
    sink, ending = call(server, stream=stream)
    assert isinstance(ending, RoundResult)
    assert "".join(sink.items) == "echo: hi"
    assert (ending.stop_reason, ending.request_id is not None) == ("stop", True)
    assert ending.usage == Usage(1, 2)
    assert server.requests[0].headers["authorization"] == "Bearer sk-line-1234"


def test_a_wrong_key_is_an_authentication_error_that_does_not_show_it(server):
    server.set(key="right")
    _, ending = call(server, key="not/a-usual+key")
    assert type(ending) is AuthenticationError
    assert ending.status == 401
    assert "not/a-usual+key" not in str(ending) + repr(vars(ending))
    assert "Incorrect API key provided: ***" in str(ending)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, None, InvalidRequestError),
        (401, None, AuthenticationError),
        (429, "rate_limit_exceeded", RateLimitError),
        (429, "insufficient_quota", QuotaExhaustedError),
        (500, None, ServerError),
        (503, None, OverloadedError),
        (529, None, OverloadedError),
    ],
)
@pytest.mark.parametrize("html", [True, False])
def test_refusals_are_typed_whatever_their_body_is(server, status, code, kind, html):
    if html and code != "insufficient_quota":
        server.play(reply(status, "<html><h1>Sorry</h1></html>", content_type="text/html"))
    else:
        server.play(reply(status, {"error": {"message": "Sorry", "code": code}}, headers={"x-request-id": "req_7"}))
    _, ending = call(server)
    assert type(ending) is kind
    assert "Sorry" in str(ending)
    assert ending.status == status


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, {"error": {"message": "Sorry", "code": 503}}),
        events('{"error": {"message": "Sorry", "code": "server_error"}}'),
        events('{"choices": [{"index": 0, "delta": {"content": "a"}}]}', '{"error": {"message": "Sorry"}}'),
    ],
)
def test_an_error_can_come_with_status_200(server, answer):
    server.play(answer)
    _, ending = call(server)
    assert isinstance(ending, ProviderError)
    assert "Sorry" in str(ending)


def test_a_stream_cut_at_any_byte_is_never_an_answer(server):
    proof = STREAM.index(b'"finish_reason":"stop"')

    async def body(bench):
        for size in range(0, len(STREAM), 7):
            server.play(Answer([Send(head() + STREAM[:size]), Reset() if size % 2 else Close()]))
            sink, ending = await bench.call()
            text = "".join(item for item in sink.items if isinstance(item, str))
            assert "echo: hi there".startswith(text)
            if isinstance(ending, RoundResult):
                assert size > proof
                assert text == "echo: hi there"
            else:
                assert isinstance(ending, StreamTruncatedError | ConnectionFailedError), (size, ending)

    run(body, server.base_url, provider=OpenAIChat())


def test_bytes_that_come_one_by_one_are_one_answer(server):
    server.play(Answer([Send(head() + STREAM, each=1)]))
    sink, ending = call(server)
    assert "".join(sink.items) == "echo: hi there"
    assert ending.stop_reason == "stop"


@pytest.mark.parametrize("end", [Stall(), Reset()])
def test_a_server_that_forgets_the_end_marker_has_answered_all_the_same(server, end):
    without = STREAM[: STREAM.index(b"data: [DONE]") - 4]
    server.play(Answer([Send(head() + without), end]))
    sink, ending = call(server, timeouts=Timeouts(idle=0.2))
    assert "".join(sink.items) == "echo: hi there"
    assert ending.stop_reason == "stop"


def test_an_event_of_two_megabytes_is_taken_and_one_beyond_the_limit_is_not(server):
    event = json.dumps({"choices": [{"index": 0, "delta": {"content": "x" * 2**21}, "finish_reason": "stop"}]})
    many = ['{"choices": [{"index": 0, "delta": {"content": "xxxxxxxxxx"}}]}'] * 1000
    server.play(events(event, "[DONE]"), events(event, "[DONE]"), events(*many, "[DONE]"))
    sink, ending = call(server)
    assert len("".join(sink.items)) == 2**21
    assert ending.stop_reason == "stop"
    for _ in range(2):
        _, ending = call(server, limits=Limits(event=2**10, answer=2**12))
        assert isinstance(ending, ModelError)
        assert "limit" in str(ending).lower()
    server.wait_until_idle()
