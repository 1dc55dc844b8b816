"""Attachments behind URLs: bounded in size, redirects and time, and every fault is an AttachmentError."""

import asyncio

import pytest

from llm_actors.errors import AttachmentError
from llm_actors.runtime import loop as loops
from llm_actors.testing import Answer, Close, Send, Stall, chunk, head, reply
from llm_actors.transport import Clients, fetch
from tests.transport.line_wire import no_generator_left_to_the_collector


def get(url, *, limit=1000, **more):
    async def main():
        clients = Clients(loops.here())
        async with no_generator_left_to_the_collector():
            return await fetch(clients, url, limit=limit, **more)

    return asyncio.run(main())


def test_type_and_bytes_come(server):
    server.play(
        reply(200, b"\x89PNG", content_type="Image/PNG; charset=x"),
        Answer([Send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)]),
    )
    assert get(f"{server.url}/a.png") == ("image/png", b"\x89PNG")
    assert get(f"{server.url}/a") == ("", b"x" * 1000)
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_redirects_are_followed_up_to_the_bound(server):
    hop = reply(302, headers={"location": "/next"})
    server.play(hop, hop, hop, reply(200, b"here"), hop, hop)
    assert get(f"{server.url}/a")[1] == b"here"
    assert [request.path for request in server.requests] == ["/a", "/next", "/next", "/next"]
    with pytest.raises(AttachmentError, match=r"/a redirects more than 1 times"):
        get(f"{server.url}/a", max_redirects=1)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://x/y", "data:text/plain,x"])
def test_a_redirect_leads_nowhere_but_to_http(server, location):
    server.play(reply(302, headers={"location": location}))
    with pytest.raises(AttachmentError, match=r"http or https|could not be fetched"):
        get(f"{server.url}/a")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "/etc/passwd", "", "gopher://x"])
def test_only_http_is_fetched(url):
    with pytest.raises(AttachmentError, match="http or https"):
        get(url)


def test_a_redirect_without_a_place_and_other_statuses_are_errors(server):
    server.play(reply(302), reply(404, b"no"), reply(500, b"no"))
    for status in (302, 404, 500):
        with pytest.raises(AttachmentError, match=f"answered {status}"):
            get(f"{server.url}/a")


def test_what_is_too_large_is_not_read_to_its_end(server):
    server.play(
        reply(200, b"x" * 1001),
        Answer([Send(head(200, length=10**9)), Stall()]),
        Answer([Send(head(200) + chunk(b"x" * 600) + chunk(b"x" * 600)), Stall()]),
    )
    for _ in range(3):
        with pytest.raises(AttachmentError, match="larger than the limit of 1000 bytes"):
            get(f"{server.url}/a")
    server.wait_until_idle()


def test_a_body_that_breaks_is_an_error(server):
    server.play(Answer([Send(head(200, length=100) + b"x"), Close()]), Answer([Close()]))
    for _ in range(2):
        with pytest.raises(AttachmentError, match="could not be fetched"):
            get(f"{server.url}/a")


@pytest.mark.parametrize("steps", [[Stall()], [Send(head() + chunk(b"x")), Stall()]])
def test_what_takes_too_long_is_an_error(server, steps):
    server.play(Answer(steps))
    with pytest.raises(AttachmentError, match=r"within 0\.1 s"):
        get(f"{server.url}/a", timeout=0.1)
    assert server.wait_until_idle()[0].closed_early


def test_no_connection_is_an_error_without_the_urls_password():
    with pytest.raises(AttachmentError, match="could not be fetched") as caught:
        get("http://me:hunter22@127.0.0.1:1/a?token=abcdef")
    assert "hunter22" not in str(caught.value)
    assert "abcdef" not in str(caught.value)
    assert caught.value.__cause__ is None
