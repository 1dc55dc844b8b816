"""Lines of JSON: the splitter."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_actors.errors import ProtocolError
from llm_actors.providers.ndjson import NDJSONDecoder


def split(*pieces: bytes, max_event: int = 1000) -> list[bytes]:
    decoder = NDJSONDecoder(max_event)
    return [line for piece in pieces for line in decoder.feed(piece)] + decoder.end()


def test_lines_end_at_line_ends_only_and_blank_ones_say_nothing():
    text = '\ufeff{"a":"\u2028 \u0085 \x0b"}\r\n\n \r\n{"b":1}\r{"c":2}'.encode()
    lines = ['{"a":"\u2028 \u0085 \x0b"}'.encode(), b'{"b":1}', b'{"c":2}']
    assert split(text) == lines
    assert split(*[text[at : at + 1] for at in range(len(text))]) == lines


def test_a_line_that_is_too_long_is_an_error_after_those_before_it():
    decoder = NDJSONDecoder(10)
    assert decoder.feed(b"{}\n" + b"x" * 11 + b"\n{}\n") == [b"{}"]
    for step in (lambda: decoder.feed(b""), decoder.end):
        with pytest.raises(ProtocolError, match="limit of 10 bytes") as caught:
            step()
        assert caught.value.frame == b"x" * 11


def test_a_line_without_an_end_is_held_up_to_the_limit():
    decoder = NDJSONDecoder(10)
    assert decoder.feed(b"x" * 10) == []
    with pytest.raises(ProtocolError):
        decoder.feed(b"x")
    assert split(b"1\n" + b"x" * 10, max_event=10) == [b"1", b"x" * 10]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_any_split_gives_the_same_lines(data: bytes, places: list[int]):
    cuts = sorted({0, len(data), *[place % (len(data) + 1) for place in places]})
    assert split(*[data[start:end] for start, end in itertools.pairwise(cuts)]) == split(data)
