"""The scripted server as a test uses it: a real process, real connections, bytes as the script says."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from llm_actors.testing import (
    Answer,
    Close,
    Gate,
    Reset,
    ScriptedServer,
    Send,
    Speak,
    Stall,
    Trickle,
    Wait,
    chunk,
    events,
    head,
    reply,
)
from tests.complaints import complaints

HI = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def shared():
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def server(shared):
    shared.set()
    shared.forget()
    return shared


def post(server, **more):
    with httpx.Client(trust_env=False, timeout=5) as client:
        return client.post(f"{server.base_url}/chat/completions", json={**HI, **more})


class Raw:
    """A bare connection."""

    def __init__(self, server, path="/v1/x", body=b""):
        self.socket = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=5)
        self.socket.sendall(b"POST %b HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (path.encode(), len(body), body))

    def read(self, size):
        data = b""
        while len(data) < size and (more := self.socket.recv(size - len(data))):
            data += more
        return data

    def close(self):
        self.socket.close()


def test_without_a_script_it_speaks_chat_completions(server):
    answer = post(server)
    assert answer.json()["choices"][0]["message"]["content"] == "echo: hi"
    assert answer.headers["x-request-id"].startswith("req_")
    streamed = post(server, stream=True)
    assert streamed.headers["content-type"] == "text/event-stream"
    assert streamed.text.endswith("data: [DONE]\n\n")


def test_models_are_listed_and_other_paths_are_not_found(server):
    assert httpx.get(f"{server.base_url}/models", trust_env=False).json()["object"] == "list"
    missing = httpx.get(f"{server.base_url}/nothing", trust_env=False)
    assert (missing.status_code, "Invalid URL" in missing.text) == (404, True)


def test_a_wrong_key_is_refused_and_the_right_one_is_not(server):
    server.set(key="sk-right")
    url = f"{server.base_url}/models"
    assert httpx.get(url, trust_env=False).status_code == 401
    wrong = httpx.get(url, headers={"authorization": "Bearer sk-wrong"}, trust_env=False)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "invalid_api_key")
    assert httpx.get(url, headers={"authorization": "Bearer sk-right"}, trust_env=False).status_code == 200


def test_answers_are_played_in_order_then_the_rule_speaks_again(server):
    server.play(
        reply(503, "busy", content_type="text/html"), reply(429, {"error": "slow"}, headers={"retry-after": "1"})
    )
    first, second, third = post(server), post(server), post(server)
    assert (first.status_code, first.text, first.headers["content-type"]) == (503, "busy", "text/html")
    assert (second.status_code, second.json(), second.headers["retry-after"]) == (429, {"error": "slow"}, "1")
    assert third.status_code == 200


def test_an_answer_can_be_meant_for_a_path_or_a_body_and_be_played_for_ever(server):
    server.play(
        Answer([Send(head(500, length=0))], path="/models"),
        Answer([Send(head(501, length=0))], body='"pelican"', times=0),
    )
    assert post(server).status_code == 200
    assert [post(server, model="pelican").status_code for _ in range(3)] == [501, 501, 501]
    assert httpx.get(f"{server.base_url}/models", trust_env=False).status_code == 500


def test_an_event_stream_is_sent_as_it_is_written(server):
    server.play(events("one", "two", pace=0.001))
    answer = post(server)
    assert answer.text == "data: one\n\ndata: two\n\n"


def test_bytes_can_be_sent_one_at_a_time(server):
    server.play(Answer([Send(head(599, length=3) + b"abc", each=1)]))
    answer = post(server)
    assert (answer.status_code, answer.text) == (599, "abc")


def test_a_close_ends_the_connection_where_it_stands(server):
    server.play(Answer([Send(b"HTTP/1.1 200 OK\r\n"), Close()]))
    client = Raw(server)
    assert client.read(1000) == b"HTTP/1.1 200 OK\r\n"
    client.close()
    (record,) = server.wait_until_idle()
    assert record.sent == 17
    assert not record.closed_early


def test_a_reset_breaks_the_connection(server):
    server.play(Answer([Send(b"abc"), Gate("reset-now"), Reset()]))
    client = Raw(server)
    assert client.read(3) == b"abc"
    server.release("reset-now")
    with pytest.raises(ConnectionResetError):
        client.read(1)
    client.close()


def test_a_stall_lasts_until_the_client_goes_which_is_recorded(server):
    server.play(Answer([Send(b"abc"), Stall()]))
    client = Raw(server)
    assert client.read(3) == b"abc"
    assert server.open_requests() == 1
    client.close()
    (record,) = server.wait_until_idle()
    assert record.closed_early
    assert server.open_requests() == 0


def test_a_trickle_comes_again_and_again(server):
    server.play(Answer([Trickle(b": ping\n", 0.001, times=3), Wait(0.001), Trickle(b".", 0.001)]))
    client = Raw(server)
    assert client.read(24) == b": ping\n" * 3 + b"..."
    client.close()
    assert server.wait_until_idle()[0].closed_early


def test_a_released_gate_stays_open(server):
    server.release("open")
    server.play(Answer([Gate("open"), Speak(pace=0.001)]))
    assert post(server, stream=True).text.endswith("data: [DONE]\n\n")


def test_a_slow_reader_holds_the_server_back(server):
    size = 64 * 2**20
    server.play(Answer([Send(b"x" * size, each=2**20)]))
    client = Raw(server)
    client.read(1)
    server.wait_for_requests(1)
    assert server.requests[0].sent < size
    client.close()
    assert server.wait_until_idle()[0].closed_early


def test_requests_are_recorded_as_they_arrived(server):
    before = server.connections()
    with httpx.Client(trust_env=False) as client:
        for number in range(2):
            client.post(f"{server.base_url}/chat/completions?n={number}", json=HI, headers={"X-Mine": "yes"})
        assert server.open_connections() == 1
    first, second = server.wait_until_idle()
    assert (first.method, first.path, second.path) == ("POST", "/v1/chat/completions?n=0", "/v1/chat/completions?n=1")
    assert first.json() == HI
    assert first.headers["x-mine"] == "yes"
    assert first.connection == second.connection == before + 1
    assert second.time >= first.time


def test_a_request_that_comes_in_pieces_is_one_request(server):
    client = Raw(server)
    client.read(10)
    whole = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"
    for start in range(0, len(whole), 7):
        client.socket.sendall(whole[start : start + 7])
    assert [request.path for request in server.wait_for_requests(2)] == ["/v1/x", "/v1/models"]
    client.close()


def test_two_requests_in_one_piece_are_answered_in_order(server):
    server.play(Answer([Send(b"one")]), Answer([Send(b"two")]))
    client = Raw(server, body=b"")
    client.socket.sendall(b"GET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n")
    assert client.read(6) == b"onetwo"
    client.close()


def test_a_request_that_the_rule_can_not_read_breaks_the_connection(server):
    with pytest.raises(httpx.RemoteProtocolError):
        post(server, tools=[{}])
    assert server.wait_until_idle()[0].sent == 0


def test_a_wait_that_is_not_fulfilled_says_what_there_is(server):
    server.play(Answer([Stall()]))
    client = Raw(server)
    server.wait_for_requests(1)
    with pytest.raises(TimeoutError, match=r"1 requests came, open are \['POST /v1/x'\]"):
        server.wait_until_idle(0.05)
    with pytest.raises(TimeoutError):
        server.wait_for_requests(2, 0.05)
    client.close()
    server.wait_until_idle()


def test_two_hundred_streams_run_at_once(server):
    server.play(Answer([Gate("all-there"), Speak()], times=0))

    async def main():
        limits = httpx.Limits(max_connections=300)
        async with httpx.AsyncClient(limits=limits, timeout=30, trust_env=False) as client:
            url = f"{server.base_url}/chat/completions"
            tasks = [asyncio.create_task(client.post(url, json={**HI, "stream": True})) for _ in range(200)]
            await server.until_requests(200, 10)
            assert server.open_requests() == 200
            server.release("all-there")
            for answer in await asyncio.gather(*tasks):
                assert answer.text.endswith("data: [DONE]\n\n")
            await server.until_idle()

    asyncio.run(main())


def test_answers_key_and_pace_can_be_given_at_the_start():
    with ScriptedServer(reply(418), key="sk-1", pace=0.001) as server:
        assert post(server).status_code == 418
        assert post(server).status_code == 401


def test_close_is_idempotent_and_a_killed_server_is_closed_too():
    server = ScriptedServer()
    server.close()
    server.kill()
    server.start()
    server.kill()
    with pytest.raises(OSError):
        Raw(server)
    server.close()
    server.close()


def test_a_server_that_does_not_end_is_killed(monkeypatch):
    monkeypatch.setattr("llm_actors.testing.server._ENDS_WITHIN", 0.1)
    server = ScriptedServer()
    server.start()
    process = server._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    server.close()
    assert process.returncode == -signal.SIGKILL


def test_a_server_that_does_not_start_is_an_error(monkeypatch):
    monkeypatch.setattr("llm_actors.testing.server._CHILD", "")
    with pytest.raises(RuntimeError, match="did not start"):
        ScriptedServer().start()


def test_a_dead_parent_leaves_no_server_behind():
    program = """
import os, signal
from llm_actors.testing import ScriptedServer
server = ScriptedServer()
server.start()
print(server.url.rpartition(":")[2], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    # The server has its parent's standard error: `run` comes back when both have ended.
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", int(done.stdout)), timeout=1)


def test_it_leaves_no_warning_under_dev_mode():
    program = """
from llm_actors.testing import ScriptedServer
with ScriptedServer() as server:
    server.requests
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, complaints(done.stderr)) == (0, "", "")


def test_chunks_are_those_of_http():
    assert chunk(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"
    assert chunk(b"") == b"0\r\n\r\n"
    assert reply(200, {"a": 1}) == reply(200, json.dumps({"a": 1}, separators=(",", ":")))
