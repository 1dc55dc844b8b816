"""The rules of server-sent events; named after the cases that servers made."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_actors.errors import ProtocolError
from llm_actors.providers.sse import Event, SSEDecoder

from .feeding import one_by_one


def events_of(*pieces: bytes, max_event: int = 2**20) -> list[Event]:
    decoder = SSEDecoder(max_event)
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.end()


CASES: dict[str, tuple[bytes, list[Event]]] = {
    "lines end with lf": (b"data: a\n\ndata: b\n\n", [(None, b"a"), (None, b"b")]),
    "lines end with crlf": (b"data: a\r\n\r\ndata: b\r\n\r\n", [(None, b"a"), (None, b"b")]),
    "lines end with cr": (b"data: a\r\rdata: b\r\r", [(None, b"a"), (None, b"b")]),
    "line ends are mixed": (b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\n", [(None, b"a"), (None, b"b"), (None, b"c")]),
    "several lines of one event end with crlf": (b"event: x\r\ndata: a\r\ndata: b\r\n\r\n", [("x", b"a\nb")]),
    "a byte order mark at the start": (b"\xef\xbb\xbfdata: a\n\n", [(None, b"a")]),
    "half a byte order mark is no mark": (b"\xef\xbb\ndata: a\n\n", [(None, b"a")]),
    "several data lines in one event": (b"data: a\ndata: b\ndata\n\n", [(None, b"a\nb\n")]),
    "no space after the colon": (b'data:{"a":1}\n\ndata:  x\n\n', [(None, b'{"a":1}'), (None, b" x")]),
    "comments": (b": OPENROUTER PROCESSING\n\n:\n: ping\n\ndata: a\n: keepalive\n\n", [(None, b"a")]),
    "a comment wrapped as data": (b"data: : keepalive\n\ndata::ping\n\ndata: : x\ndata: {}\n\n", [(None, b"{}")]),
    "a blank line after a comment when an id was seen": (b"id: 7\n: ping\n\ndata: a\n\n", [(None, b"a")]),
    "empty data": (b"data:\n\ndata: \n\nevent: ping\ndata:\n\nevent: ping\n\ndata: a\n\n", [(None, b"a")]),
    "an event with a name": (b"event: error\ndata: {}\n\nevent:\ndata: a\n\n", [("error", b"{}"), (None, b"a")]),
    "the name comes after the data": (b"data: {}\nevent: error\n\n", [("error", b"{}")]),
    "unknown fields": (b"retry: 10\nfoo: bar\nx\ndata: a\n\n", [(None, b"a")]),
    "blank lines in a row": (b"\n\n\ndata: a\n\n\n\ndata: b\n\n\n", [(None, b"a"), (None, b"b")]),
    "line separators of unicode": (
        "data: a\u2028b\u2029c\u0085d\x0b\x0c\n\n".encode(),
        [(None, "a\u2028b\u2029c\u0085d\x0b\x0c".encode())],
    ),
    "the last line has no end": (b"data: {}\n\ndata: [DONE]", [(None, b"{}"), (None, b"[DONE]")]),
    "the last event has no blank line": (b"data: {}\n\ndata: [DONE]\n", [(None, b"{}"), (None, b"[DONE]")]),
    "plain events": (
        b'data: {"a":1}\n\ndata: {"b":2}\n\ndata: {"c"',
        [(None, b'{"a":1}'), (None, b'{"b":2}'), (None, b'{"c"')],
    ),
    "plain events and others in one read": (
        b'data: {"a":1}\n\n: ping\n\ndata: {"b":2}\ndata: 3\n\ndata: [DONE]\n\n',
        [(None, b'{"a":1}'), (None, b'{"b":2}\n3'), (None, b"[DONE]")],
    ),
    "data that is no object between plain ones": (
        b"data: {}\n\ndata: : ping\n\ndata: {}\n\ndata: \n\ndata: {}\n\n",
        [(None, b"{}"), (None, b"{}"), (None, b"{}")],
    ),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("case", CASES)
def test_an_event_stream_is_split_as_the_standard_says_whole_and_byte_by_byte_and_at_every_offset(case: str):
    body, expected = CASES[case]
    assert events_of(body) == expected
    assert events_of(*one_by_one(body)) == expected
    for at in range(len(body) + 1):
        assert events_of(body[:at], b"", body[at:]) == expected, at


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"data: ",
                b"data:",
                b"{",
                b"}",
                b"\n",
                b"\n\n",
                b"\r",
                b"\r\n",
                b": c",
                b"event: x",
                b"\xef\xbb\xbf",
                b"a",
            ]
        ),
        max_size=25,
    ),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_no_split_changes_the_events(tokens: list[bytes], places: list[int]):
    body = b"".join(tokens)
    cuts = sorted({0, len(body), *[place % (len(body) + 1) for place in places]})
    assert events_of(*[body[start:end] for start, end in itertools.pairwise(cuts)]) == events_of(body)


def test_an_event_that_began_in_an_earlier_read_is_not_taken_for_a_plain_one():
    assert events_of(b"data: {\n", b"data: {}\n\ndata: {}\n\n") == [(None, b"{\n{}"), (None, b"{}")]
    assert events_of(b"event: x\n", b"data: {}\n\ndata: {}\n\n") == [("x", b"{}"), (None, b"{}")]


@pytest.mark.parametrize(
    "body",
    [
        b"data: " + b"x" * 100 + b"\n\n",
        b"data: {" + b"x" * 100 + b"}\n\n",
        b": " + b"x" * 100,
        b"data: " + b"x" * 100,
        b"data: xxxxxxxxxx\n" * 10,
        b"data:\n" * 100,
    ],
    ids=["one line", "one plain line", "unfinished comment", "unfinished line", "many lines", "many empty lines"],
)
def test_a_line_or_event_without_bound_is_a_protocol_error(body: bytes):
    with pytest.raises(ProtocolError, match="larger than the limit of 64 bytes"):
        events_of(body, max_event=64)
    with pytest.raises(ProtocolError, match="larger than the limit of 64 bytes"):
        events_of(*one_by_one(body), max_event=64)
    assert events_of(b"data: " + b"x" * 56 + b"\n\n", max_event=64) == [(None, b"x" * 56)]


def test_the_events_before_one_that_is_too_large_are_given_first():
    decoder = SSEDecoder(16)
    assert decoder.feed(b"data: {}\n\ndata: " + b"x" * 100) == [(None, b"{}")]
    with pytest.raises(ProtocolError):
        decoder.feed(b"data: {}\n\n")
    with pytest.raises(ProtocolError):
        decoder.end()


def test_a_single_event_of_two_megabytes_in_small_reads_costs_no_more_than_its_size():
    payload = b'{"a":"' + b"x" * 2**21 + b'"}'
    body = b"data: " + payload + b"\n\n"
    pieces = [body[at : at + 100] for at in range(0, len(body), 100)]
    assert events_of(*pieces, max_event=2**22) == [(None, payload)]
