import enum
import math
import re
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_actors.providers.scripted_values import NoInstanceError, fits, instance


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Dog(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=2, max_length=30)]
    age: Annotated[int, msgspec.Meta(ge=3, le=20)]
    weight: Annotated[float, msgspec.Meta(gt=0, lt=1)]
    colour: Colour
    kind: Literal["big", "small"]
    good: bool
    friends: list["Dog"]
    toys: Annotated[list[str], msgspec.Meta(min_length=2)]
    scores: dict[str, int]
    place: tuple[int, str]
    best: "Dog | None" = None
    note: str | None = None


class Tree(msgspec.Struct):
    value: int
    left: "Tree | None"
    right: "Tree | None"


class Menu(msgspec.Struct):
    items: list["Dish"]


class Dish(msgspec.Struct):
    name: str
    price: Annotated[float, msgspec.Meta(multiple_of=0.5, ge=0.7)]


@pytest.mark.parametrize(
    "kind", [Dog, Tree, Menu, int, list[Dog], dict[str, int], Colour, Literal[1, 2], str | None, bool, float]
)
@pytest.mark.parametrize("text", ["", "a big dog named Cleo, age 5", "999999 dogs", "seven blue ones called X"])
def test_an_instance_is_valid_for_the_type_of_its_schema(kind, text):
    schema = msgspec.json.schema(kind)
    msgspec.convert(instance(schema, text), kind)


def test_values_come_from_the_text_where_a_field_fits():
    dog = instance(msgspec.json.schema(Dog), "A small blue dog named Cleo, age: 12, note: loud")
    assert (dog["name"], dog["age"], dog["colour"], dog["kind"], dog["note"]) == ("Cleo", 12, "blue", "small", "loud")


def test_a_field_with_branches_takes_its_value_from_the_text_too():
    number = {"anyOf": [{"type": "null"}, {"type": "integer"}]}
    schema = {
        "type": "object",
        "properties": {"age": number, "level": {"enum": [1, 2, None]}},
        "required": ["age", "level"],
    }
    assert instance(schema, "age 7, level 2") == {"age": 7, "level": 2}


def test_a_value_of_the_text_that_breaks_a_bound_is_not_taken():
    assert instance(
        {"type": "object", "properties": {"age": {"type": "integer", "maximum": 9}}, "required": ["age"]}, "age 10"
    ) == {"age": 1}


def test_a_list_has_as_many_items_as_the_text_asks_for():
    schema = {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}}
        },
    }
    made = instance(schema, "Three dogs")
    assert len(made["items"]) == 3
    assert len({item["name"] for item in made["items"]}) == 3


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"const": 5}, 5),
        ({"enum": ["a", "b"]}, "a"),
        ({"type": "null"}, None),
        ({"type": "boolean"}, True),
        ({"default": "d", "type": "string"}, "d"),
        ({"default": 5, "type": "string", "examples": ["e"]}, "e"),
        ({}, "scripted answer"),
        (True, "scripted answer"),
        ({"minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "maximum": -3, "multipleOf": 5}, -5),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.1}, 0.05),
        ({"type": "number", "exclusiveMaximum": 1}, 0),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": "string", "pattern": r"^\d{3}-\d{4}$"}, "555-1234"),
        ({"type": "string", "maxLength": 3}, "scr"),
        ({"type": "string", "minLength": 20}, "scripted answer....."),
        ({"type": ["null", "integer"]}, 1),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
        ({"oneOf": [{"type": "string", "pattern": "^nothing here$"}, {"type": "boolean"}]}, True),
        (
            {
                "allOf": [
                    {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
                    {"properties": {"b": {"const": 2}}, "required": ["b"]},
                ]
            },
            {"a": 1, "b": 2},
        ),
        ({"allOf": [{"type": "integer"}, {"minimum": 4}]}, 4),
        ({"type": "array"}, []),
        ({"type": "array", "minItems": 2}, ["scripted answer", "scripted answer 2"]),
        ({"items": {"enum": [1, 2]}, "minItems": 2, "uniqueItems": True}, [1, 2]),
        ({"items": {"type": "boolean"}, "uniqueItems": True}, [True]),
        ({"prefixItems": [{"const": 1}, {"const": 2}]}, [1, 2]),
        ({"prefixItems": [{"const": 1}], "minItems": 2}, [1, "scripted answer 2"]),
        ({"minProperties": 2, "additionalProperties": {"type": "integer"}}, {"key1": 1, "key2": 2}),
        ({"required": ["a"]}, {"a": "scripted a"}),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"const": 3}}}, 3),
    ],
)  # fmt: skip
def test_the_smallest_instance(schema, expected):
    made = instance(schema, "")
    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"enum": []},
        {"$ref": "#/$defs/none"},
        {"$ref": "https://example.com/schema"},
        {"$ref": "#"},
        {"type": "string", "pattern": "^zebra{77}$"},
        {"type": "string", "pattern": "(("},
        {"type": "integer", "minimum": 5, "maximum": 4},
        {"type": "number", "exclusiveMinimum": 5, "exclusiveMaximum": 5},
        {"type": "array", "items": {"const": 1}, "minItems": 2, "uniqueItems": True},
        {"type": "array", "items": {"enum": []}, "minItems": 1},
        {"type": "object", "properties": {"self": {"$ref": "#"}}, "required": ["self"]},
        {"anyOf": []},
        {"type": "array", "items": False, "minItems": 1},
    ],
)
def test_a_schema_that_nothing_fits_is_an_error(schema):
    with pytest.raises(NoInstanceError):
        instance(schema, "")


def test_an_optional_branch_that_never_ends_is_left_out():
    node = {"type": "object", "properties": {"next": {"$ref": "#"}, "value": {"type": "integer"}}}
    made = instance(node, "")
    while "next" in made:
        made = made["next"]
    assert made["value"] == 1
    assert instance({"type": "array", "items": {"enum": []}}, "") == []


def test_fits():
    assert not fits("x", {"type": "what"})
    assert not fits(1, {"enum": [2]})
    assert not fits(1, {"const": 2})
    assert not fits(True, {"type": "integer"})
    assert fits("2027-12-01", {"format": "date", "type": "string"})
    assert not fits("tomorrow", {"format": "date", "type": "string"})
    assert not fits("x@y", {"format": "email", "type": "string"})
    assert fits(None, {"type": ["null", "string"]})


_whole = st.integers(-50, 50)


@given(
    st.sampled_from(["integer", "number"]),
    st.none() | _whole,
    st.none() | _whole,
    st.none() | st.integers(1, 7),
    st.text("0123456789 -.", max_size=12),
)
def test_a_number_keeps_its_bounds(kind, low, high, step, text):
    schema: dict[str, Any] = {"type": kind, "minimum": low, "maximum": high, "multipleOf": step}
    schema = {key: value for key, value in schema.items() if value is not None}
    bottom, top = -math.inf if low is None else low, math.inf if high is None else high
    try:
        made = instance({"properties": {"n": schema}, "required": ["n"]}, text)["n"]
    except NoInstanceError:
        possible = [number for number in range(-60, 61) if bottom <= number <= top and number % (step or 1) == 0]
        assert not possible
        return
    assert bottom <= made <= top
    assert step is None or made % step == 0


@given(st.integers(0, 40), st.integers(0, 40), st.text(max_size=40))
def test_a_text_keeps_its_lengths(least, most, text):
    assume(least <= most)
    assert least <= len(instance({"type": "string", "minLength": least, "maxLength": most}, text)) <= most


@given(st.text(max_size=60))
def test_any_text_gives_a_valid_instance(text):
    msgspec.convert(instance(msgspec.json.schema(Dog), text), Dog)


@given(
    st.sampled_from([r"^\d+$", r"^[A-Z]{2}$", r"^[a-z]+$", r"^\w+@\w+\.com$", r"^#[0-9a-f]{6}$", r"^v?\d+\.\d+\.\d+$"]),
    st.text(max_size=20),
)
def test_ordinary_patterns_are_met(pattern, text):
    assert re.search(pattern, instance({"type": "string", "pattern": pattern}, text))
