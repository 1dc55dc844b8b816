"""Cassettes: what is kept, how it is played, and what a request that was not recorded is told."""

import json

import httpx
import pytest

import llm_actors as llm
from llm_actors import testing
from llm_actors.testing import Answer, Close, Reset, Send, Stall, chunk, events, head, reply
from llm_actors.testing.cassette import Cassette
from llm_actors.testing.memory import MemoryServer

KEY = "sk-very-secret-0123456789"


def recorded(path, *prompts, server=None, **more):
    """Records these prompts, answered by a server in memory; gives the answers and the chunks they came in."""
    server = server or MemoryServer()
    with Cassette(path, record=True, transport=server.client._transport) as cassette:
        return ask(cassette, *prompts, **more)


def ask(cassette, *prompts, base_url="http://memory/v1"):
    model = llm.endpoint("m", base_url=base_url, client=cassette.client, key=KEY).async_model

    async def main():
        told = []
        for prompt in prompts:
            response = model.prompt(prompt)
            try:
                told.append([text async for text in response])
            except llm.LLMError as error:
                told.append(error)
        return told

    return testing.run(main())


def test_what_was_recorded_is_replayed_in_the_same_chunks(tmp_path):
    path = tmp_path / "sub" / "tape.json"
    live = recorded(path, "one two three", "four")
    assert live == [["echo:", " one", " two", " three"], ["echo:", " four"]]
    with Cassette(path) as cassette:
        assert not cassette.recording
        assert ask(cassette, "one two three", "four") == live


def test_it_records_where_there_is_no_file_and_a_failed_test_leaves_none(tmp_path):
    path = tmp_path / "tape.json"
    with pytest.raises(ZeroDivisionError), Cassette(path, transport=MemoryServer().client._transport) as cassette:
        ask(cassette, "hi")
        raise ZeroDivisionError
    assert not path.exists()
    with pytest.raises(FileNotFoundError):
        Cassette(path, record=False)
    with Cassette(path, transport=MemoryServer().client._transport) as cassette:
        ask(cassette, "hi")
    assert path.exists()


def test_no_key_gets_into_the_file_wherever_it_is_said(tmp_path):
    path = tmp_path / "tape.json"
    body = f"no such key: {KEY}"
    halves = [
        Send(head()),
        Send(chunk(f"data: {KEY[:9]}".encode())),
        Send(chunk(f"{KEY[9:]}\n\n".encode())),
        Send(chunk(b"")),
    ]
    server = MemoryServer(
        reply(401, {"error": {"message": body}}, headers={"x-echo": KEY, "set-cookie": "id=1"}), Answer(halves)
    )
    live = recorded(path, "hi", f"my key is {KEY}", server=server)
    assert isinstance(live[0], llm.AuthenticationError)
    text = path.read_text()
    assert KEY not in text
    assert KEY[9:] not in text
    assert "authorization" not in text
    assert "cookie" not in text
    assert "*" * len(KEY) in text


def test_secret_parameters_of_a_url_are_blanked_and_still_found(tmp_path):
    path = tmp_path / "tape.json"
    server = MemoryServer(reply(200, {"a": 1}), reply(200, {"a": 2}))

    async def get(cassette, key):
        answers = [await cassette.client.get(f"http://memory/x?key={key}&page={page}") for page in (1, 2)]
        return [answer.json() for answer in answers]

    with Cassette(path, record=True, transport=server.client._transport) as cassette:
        assert testing.run(get(cassette, KEY)) == [{"a": 1}, {"a": 2}]
    assert KEY not in path.read_text()
    with Cassette(path) as cassette:
        assert testing.run(get(cassette, "another")) == [{"a": 1}, {"a": 2}]


def test_a_request_that_was_not_recorded_shows_how_it_differs_from_the_nearest_one(tmp_path):
    path = tmp_path / "tape.json"
    recorded(path, "what is one and one", "something else entirely, which is not near")
    (error,) = ask(Cassette(path), "what is one and two")
    assert isinstance(error, llm.CassetteMissError)
    assert '-      "content": "what is one and one"' in str(error)
    assert '+      "content": "what is one and two"' in str(error)
    assert "record=True" in str(error)
    assert isinstance(error, LookupError)


def test_the_same_request_gets_its_recordings_in_order_and_no_more(tmp_path):
    path = tmp_path / "tape.json"
    server = MemoryServer(reply(429, {"error": {"message": "later"}}))
    live = recorded(path, "hi", "hi", server=server)
    told = ask(Cassette(path), "hi", "hi", "hi")
    assert isinstance(live[0], llm.RateLimitError)
    assert isinstance(told[0], llm.RateLimitError)
    assert told[1] == live[1] == ["echo:", " hi"]
    assert "was recorded 2 times" in str(told[2])


def test_an_empty_cassette_says_so(tmp_path):
    path = tmp_path / "tape.json"
    Cassette(path, record=True, transport=MemoryServer().client._transport).save()
    (error,) = ask(Cassette(path), "hi")
    assert "which is empty" in str(error)


def test_fields_that_are_ignored_do_not_count(tmp_path):
    path = tmp_path / "tape.json"

    async def post(cassette, stamp):
        answer = await cassette.client.post("http://memory/v1/x", json={"stamp": stamp, "a": 1})
        return answer.status_code

    with Cassette(path, record=True, transport=MemoryServer().client._transport) as cassette:
        assert testing.run(post(cassette, 1)) == 404
    assert testing.run(post(Cassette(path, ignore=["stamp"]), 2)) == 404
    with pytest.raises(llm.CassetteMissError):
        testing.run(post(Cassette(path), 2))


def test_bodies_that_are_no_json_and_chunks_that_are_no_text_are_kept_as_bytes(tmp_path):
    path = tmp_path / "tape.json"
    snow = "☃".encode()
    answer = Answer([Send(head()), Send(chunk(snow[:1])), Send(chunk(snow[1:])), Send(chunk(b""))], times=2)

    async def post(cassette, body):
        answer = await cassette.client.post("http://memory/x", content=body)
        return answer.content

    with Cassette(path, record=True, transport=MemoryServer(answer).client._transport) as cassette:
        assert testing.run(post(cassette, b"\xff\x00")) == snow
    assert testing.run(post(Cassette(path), b"\xff\x00")) == snow


@pytest.mark.parametrize("end", [Reset(), Close()])
def test_an_answer_that_broke_breaks_again(tmp_path, end):
    path = tmp_path / "tape.json"
    server = MemoryServer(Answer([Send(head()), Send(chunk(b'data: {"choices": []}\n\n')), end]))
    live = recorded(path, "hi", server=server)
    told = ask(Cassette(path), "hi")
    assert type(live[0]) is type(told[0]) is llm.StreamTruncatedError


def test_pauses_are_played_only_when_asked_for(tmp_path):
    path = tmp_path / "tape.json"
    server = MemoryServer(pace=2.0)
    recorded(path, "one two", server=server)
    for pace, seconds in ((False, 0), (True, 14)):
        with testing.Simulation() as world:
            model = llm.endpoint("m", base_url="http://memory/v1", client=Cassette(path, pace=pace).client).async_model
            world.run(_text(model.prompt("one two")))
            assert world.now == pytest.approx(seconds, abs=0.1)


async def _text(response):
    return await response.text()


def test_an_answer_that_the_client_gave_up_is_kept_as_far_as_it_came(tmp_path):
    path = tmp_path / "tape.json"
    server = MemoryServer(Answer([Send(head()), Send(chunk(b'data: {"choices": []}\n\n')), Stall()]))

    async def main(cassette):
        async with cassette.client.stream("POST", "http://memory/x", json={}) as answer:
            async for _ in answer.aiter_bytes():
                break

    with Cassette(path, record=True, transport=server.client._transport) as cassette:
        testing.run(main(cassette))
    (exchange,) = json.loads(path.read_text())["exchanges"]
    assert exchange["response"]["chunks"][0][1] == 'data: {"choices": []}\n\n'


@pytest.mark.parametrize(("text", "error"), [("{", "is no cassette"), ('{"version": 99}', "version 99")])
def test_a_file_that_is_no_cassette_is_named(tmp_path, text, error):
    path = tmp_path / "tape.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=error):
        Cassette(path)


def test_the_client_of_a_recording_closes_its_transport(tmp_path):
    closed = []

    class Inner(httpx.AsyncBaseTransport):
        async def aclose(self):
            closed.append(True)

    testing.run(Cassette(tmp_path / "tape.json", record=True, transport=Inner()).client.aclose())
    assert closed
    assert events("x").times == 1
