import dataclasses
import datetime as dt
import enum
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_actors.chat.tools import output_text
from llm_actors.messages import Attachment, ToolOutput
from tests.chat.pydantic_like import Dog


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    what: object = None


class Line(msgspec.Struct):
    points: list[Point]
    dog: Dog | None = None


class Odd:
    def __repr__(self):
        return "<odd>"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is: ü", "as it is: ü"),
        ("", ""),
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ([1, "a"], '[1, "a"]'),
        ({"a": {"b": 1}}, '{"a": {"b": 1}}'),
        ({"name": "Zoë"}, '{"name": "Zoë"}'),
        ((1, 2), "[1, 2]"),
        (Odd(), '"<odd>"'),
        ([Odd()], '["<odd>"]'),
        (b"\x00a", "\"b'\\\\x00a'\""),
        (Point(1), '{"x": 1, "what": null}'),
        (Point(1, Odd()), '{"x": 1, "what": "<odd>"}'),
        (Line([Point(1)], Dog(name="Rex")), '{"points": [{"x": 1, "what": null}], "dog": {"name": "Rex"}}'),
        (Dog(name="Rex"), '{"name": "Rex"}'),
        ([Color.RED], '["red"]'),
        (dt.date(2026, 1, 2), '"2026-01-02"'),
        ({(1, 2): 3}, "{(1, 2): 3}"),
    ],
)
def test_each_kind_of_value_has_a_text(value, text):
    assert output_text(value) == (text, [])


def test_a_circle_is_shown_by_its_repr():
    circle: list[object] = []
    circle.append(circle)
    assert output_text(circle)[0] == "[[...]]"


def test_a_tool_output_is_unwrapped_with_its_attachments():
    files = [Attachment(content=b"x")]
    output = ToolOutput({"a": 1}, files)
    text, attachments = output_text(output)
    assert (text, attachments) == ('{"a": 1}', files)
    assert attachments is not output.attachments
    assert output_text(ToolOutput("plain")) == ("plain", [])


def test_half_a_surrogate_pair_does_not_reach_the_wire():
    assert output_text("a\ud800b")[0] == "a?b"
    assert output_text({"name": "a\ud800"})[0] == '{"name": "a?"}'


def test_a_cut_text_says_so():
    text, _ = output_text("x" * 1000, 100)
    assert (
        text
        == "x" * (100 - len("\n[cut: this is the beginning of 1000 bytes]"))
        + "\n[cut: this is the beginning of 1000 bytes]"
    )
    assert output_text("x" * 100, 100)[0] == "x" * 100
    assert json.loads(output_text(["x" * 10], 100)[0]) == ["x" * 10]


@given(st.text(), st.integers(0, 200))
def test_no_text_is_longer_than_its_limit_or_cut_inside_of_a_character(value, limit):
    text, _ = output_text(value, limit)
    assert len(text.encode("utf-8")) <= limit or text == value == ""
    whole = output_text(value)[0]
    assert text == whole or whole.startswith(text.partition("\n[cut")[0]) or text == "\n[cut: this"[:limit]
