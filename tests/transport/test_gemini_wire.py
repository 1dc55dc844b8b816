"""The pump with Gemini's codec against the scripted server: what a user sees of a Gemini model on the wire."""

import json
import logging
import traceback

import pytest

import llm_actors as llm
from llm_actors.messages import RoundResult, Usage
from llm_actors.providers.gemini import Gemini
from llm_actors.providers.protocol import Timeouts
from llm_actors.testing import Answer, Close, Reset, Send, Stall, chunk, events, head, reply, wire_gemini
from tests.transport.line_wire import run

ASKED = {"contents": [{"role": "user", "parts": [{"text": "hi there"}]}]}
STREAM = b"".join([chunk(event) for event in wire_gemini.streamed(ASKED, "m", 1)]) + chunk(b"")
KEY = "AIzaSyMARKED_0123456789abcdef"


def call(server, **more):
    async def body(bench):
        return await bench.call(**more)

    return run(body, f"{server.url}/v1beta", provider=Gemini())


@pytest.fixture
def model(server):
    return llm.endpoint("gemini-3.8-flash", wire="gemini", base_url=f"{server.url}/v1beta", key=KEY).model


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_comes_streamed_and_whole(server, stream):
    sink, ending = call(server, stream=stream)
    assert isinstance(ending, RoundResult)
    assert "".join(sink.items) == "echo: hi"
    assert (ending.stop_reason, ending.request_id) == ("stop", "resp_1") or ending.request_id.startswith("resp_")
    assert ending.usage == Usage(1, 2)
    [request] = server.requests
    assert request.headers["x-goog-api-key"] == "sk-line-1234"
    assert "authorization" not in request.headers
    assert "sk-line-1234" not in request.path
    way = "streamGenerateContent?alt=sse" if stream else "generateContent"
    assert request.path == f"/v1beta/models/m:{way}"


def test_a_conversation_with_tools_goes_round_by_round(server, model):
    def add(a: int, b: int) -> int:
        """Adds."""
        return a + b

    def now() -> str:
        """The time."""
        return "noon"

    conversation = model.conversation(tools=[add, now])
    response = conversation.chain('call add {"a": 1, "b": 2} and call now {}')
    assert response.text() == "results: add=3; now=noon"
    assert conversation.prompt("and then?").text() == "echo: and then?"
    sent = [json.loads(request.body)["contents"] for request in server.requests]
    calls = sent[1][1]["parts"]
    assert [part["functionCall"]["name"] for part in calls] == ["add", "now"]
    assert [part.get("thoughtSignature") for part in calls] == [wire_gemini.SIGNATURE, None]
    ids = [part["functionCall"]["id"] for part in calls]
    assert [part["functionResponse"]["id"] for part in sent[1][2]["parts"]] == ids
    assert sent[2][: len(sent[1])] == sent[1]


def test_a_schema_comes_back_as_a_value(model):
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}
    assert json.loads(model.prompt("invent one", schema=schema).text()) == {"name": "", "age": 0}


def test_an_async_model_answers_too(server):
    async def ask():
        pair = llm.endpoint("gemini-3.8-flash", wire="gemini", base_url=f"{server.url}/v1beta", key="k")
        return await pair.async_model.prompt("hi", max_output_tokens=1).text()

    import asyncio

    assert asyncio.run(ask()) == "echo:"


@pytest.mark.parametrize(
    ("status", "word", "kind"),
    [
        (400, "INVALID_ARGUMENT", llm.InvalidRequestError),
        (403, "PERMISSION_DENIED", llm.AuthenticationError),
        (429, "RESOURCE_EXHAUSTED", llm.RateLimitError),
        (500, "INTERNAL", llm.ServerError),
        (503, "UNAVAILABLE", llm.OverloadedError),
    ],
)
@pytest.mark.parametrize("form", ["google", "list", "html", "in the stream"])
def test_refusals_are_typed_whatever_their_body_is(server, status, word, kind, form):
    error = {"error": {"code": status, "message": "Sorry", "status": word}}
    if form == "html":
        server.play(reply(status, "<html><h1>Sorry</h1></html>", content_type="text/html"))
    elif form == "in the stream":
        server.play(events(json.dumps(error)))
    else:
        server.play(reply(status, json.dumps([error] if form == "list" else error)))
    _, ending = call(server)
    assert type(ending) is kind
    assert "Sorry" in str(ending)
    assert ending.status == status


def test_a_stream_cut_at_any_byte_is_never_an_answer(server):
    proof = STREAM.index(b'"finishReason":"STOP"')

    async def body(bench):
        for size in range(0, len(STREAM), 11):
            server.play(Answer([Send(head() + STREAM[:size]), Reset() if size % 2 else Close()]))
            sink, ending = await bench.call()
            text = "".join(item for item in sink.items if isinstance(item, str))
            assert "echo: hi there".startswith(text)
            if isinstance(ending, RoundResult):
                assert size > proof
                assert text == "echo: hi there"
            else:
                assert isinstance(ending, llm.StreamTruncatedError | llm.ConnectionFailedError), (size, ending)

    run(body, server.base_url, provider=Gemini())


@pytest.mark.parametrize("end", [Stall(), Reset()])
def test_an_answer_whose_connection_does_not_end_is_complete_all_the_same(server, end):
    server.play(Answer([Send(head() + STREAM[: STREAM.rindex(b"0\r\n\r\n")]), end]))
    sink, ending = call(server, timeouts=Timeouts(idle=0.2))
    assert "".join(sink.items) == "echo: hi there"
    assert ending.stop_reason == "stop"


def _frames(trace):
    while trace is not None:
        yield trace
        trace = trace.tb_next


def test_a_marked_key_is_nowhere_whatever_went_wrong(server, model, caplog):
    caplog.set_level(logging.DEBUG)
    echo = {"error": {"code": 400, "message": f"API key not valid: {KEY}", "status": "INVALID_ARGUMENT"}}
    blocked = json.dumps({"promptFeedback": {"blockReason": "OTHER", "blockReasonMessage": KEY}})
    garbled = json.dumps({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": KEY}]})
    server.play(
        reply(400, echo),
        reply(429, json.dumps([echo])),
        reply(500, f"<p>{KEY}</p>", content_type="text/html"),
        events(json.dumps(echo)),
        events(blocked),
        events(garbled),
        events("{" + KEY),
        events('{"candidates": "' + KEY + '"}'),
        reply(200, f"<p>{KEY}</p>", content_type="text/html"),
        events(json.dumps({"candidates": [{"content": {"parts": [{"functionCall": {"args": {"key": KEY}}}]}}]})),
    )
    for _ in range(10):
        response = model.prompt("hi")
        with pytest.raises(llm.LLMError) as caught:
            response.text()
        shown = "".join(traceback.format_exception(caught.value))
        frames = [
            frame.tb_frame.f_locals for frame in _frames(caught.tb) if "llm_actors" in frame.tb_frame.f_code.co_filename
        ]
        told = [
            shown,
            repr(caught.value),
            str(vars(caught.value)),
            repr(response),
            repr(model),
            repr(vars(model)),
            repr(frames),
        ]
        assert KEY not in "".join(told)
    assert server.requests[-1].headers["x-goog-api-key"] == KEY
    assert KEY not in caplog.text
