import dataclasses
import enum
import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Optional, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_actors.chat.json_schema import problems
from llm_actors.chat.schema import decoder_for, read_as, schema_dsl, schema_from, type_schema
from llm_actors.chat.schema_tree import inlined
from tests.chat.pydantic_like import Dog


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.0


class Movie(TypedDict):
    title: str
    year: int


class Node(msgspec.Struct):
    title: str
    children: "list[Node]" = []


class Pair(msgspec.Struct, forbid_unknown_fields=True):
    left: Point
    right: Point | None = None


class Owner(msgspec.Struct):
    dog: Dog
    home: Path | None = None


POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer"}, "y": {"type": "number", "default": 0.0}},
    "required": ["x"],
}


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (int, {"type": "integer"}),
        (Optional[str], {"anyOf": [{"type": "string"}, {"type": "null"}]}),  # noqa: UP045
        (Literal["a", "b"], {"enum": ["a", "b"], "type": "string"}),
        (Literal[1, 2], {"enum": [1, 2], "type": "integer"}),
        (Literal["a", 1], {"enum": [1, "a"]}),
        (list, {"type": "array", "items": {}}),
        (Color, {"enum": ["blue", "red"], "type": "string"}),
        (list[Point], {"type": "array", "items": POINT}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Annotated[int, msgspec.Meta(ge=1, description="d")], {"type": "integer", "minimum": 1, "description": "d"}),
        (Annotated[int, msgspec.Meta(examples=[1])], {"type": "integer", "examples": [1]}),
        (Point, POINT),
        (
            Movie,
            {
                "type": "object",
                "properties": {"title": {"type": "string"}, "year": {"type": "integer"}},
                "required": ["title", "year"],
            },
        ),
        (
            Pair,
            {
                "type": "object",
                "properties": {"left": POINT, "right": {"anyOf": [POINT, {"type": "null"}], "default": None}},
                "required": ["left"],
                "additionalProperties": False,
            },
        ),
        (Path, {"type": "string"}),
        (object, {}),
        (Annotated[int, ["can't be hashed"]], {"type": "integer"}),
    ],
)
def test_a_type_has_a_schema_without_references_and_titles(kind, schema):
    assert type_schema(kind) == schema


def test_a_recursive_type_keeps_one_definition_and_an_object_at_the_root():
    node = {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}, "default": []},
        },
        "required": ["title"],
    }
    assert type_schema(Node) == {**node, "$defs": {"Node": node}}
    assert type_schema(dict[str, Node]) == {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/Node"},
        "$defs": {"Node": node},
    }
    assert problems({"title": "a", "children": [{"title": "b"}]}, type_schema(Node)) == []
    assert problems({"title": "a", "children": [{"title": 1}]}, type_schema(Node))


def test_definitions_of_one_name_and_different_content_stay_apart():
    def recursive(kind):
        return {"$defs": {"T": {"type": kind, "properties": {"t": {"$ref": "#/$defs/T"}}}}, "$ref": "#/$defs/T"}

    schema = inlined({"properties": {"a": recursive("object"), "b": recursive("string"), "c": recursive("object")}})
    assert schema["properties"] == {
        "a": {"$ref": "#/$defs/T"},
        "b": {"$ref": "#/$defs/T_2"},
        "c": {"$ref": "#/$defs/T"},
    }
    assert schema["$defs"]["T_2"] == {"type": "string", "properties": {"t": {"$ref": "#/$defs/T_2"}}}


def test_only_places_that_hold_a_schema_are_touched():
    schema = {
        "title": "T",
        "type": "object",
        "properties": {"title": {"title": "Title", "type": "string"}, "$ref": {"type": "string"}},
        "default": {"title": "stays"},
        "examples": [{"$ref": "#/$defs/stays"}],
        "anyOf": [{"title": "gone"}, True],
        "additionalProperties": {"title": "gone", "type": "string"},
    }
    assert inlined(schema) == {
        "type": "object",
        "properties": {"title": {"type": "string"}, "$ref": {"type": "string"}},
        "default": {"title": "stays"},
        "examples": [{"$ref": "#/$defs/stays"}],
        "anyOf": [{}, True],
        "additionalProperties": {"type": "string"},
    }


def test_a_reference_to_elsewhere_stays():
    schema = {"properties": {"a": {"$ref": "https://elsewhere.example"}, "b": {"$ref": "#/$defs/gone"}}}
    assert inlined(schema) == schema


def test_what_stands_beside_a_reference_wins():
    schema = {
        "$defs": {"A": {"type": "string", "description": "general"}},
        "items": {"$ref": "#/$defs/A", "description": "special"},
    }
    assert inlined(schema) == {"items": {"type": "string", "description": "special"}}


def test_a_pydantic_class_inside_of_another_type_is_described_and_read():
    schema = type_schema(Owner)
    assert schema["properties"]["dog"]["properties"] == {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "title": {"type": "string"},
    }
    owner = read_as({"dog": {"name": "Rex", "age": "3"}, "home": "/den"}, Owner)
    assert owner.dog == Dog(name="Rex", age=3)
    assert owner.home == Path("/den")
    with pytest.raises(ValueError, match=r"1 validation error for Dog - at `\$.dog`"):
        read_as({"dog": {"weight": 3}}, Owner)
    with pytest.raises(ValueError, match=r"Expected `str`, got `int` - at `\$.home`"):
        read_as({"dog": {"name": "Rex"}, "home": 3}, Owner)


@pytest.mark.parametrize("kind", [complex, Callable[[int], int], list[complex], Annotated[int | complex, "x"]])
def test_a_type_without_a_schema_is_a_type_error(kind):
    with pytest.raises(TypeError, match="not supported"):
        type_schema(kind)


def test_a_name_that_is_not_there_at_run_time_is_a_type_error():
    class Late(msgspec.Struct):
        field: "Nowhere"  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(TypeError, match=r"can't be resolved.*Nowhere"):
        type_schema(Late)


# ---- reading ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind", "read"),
    [
        ("5", int, 5),
        (5.0, int, 5),
        ("1.5", float, 1.5),
        ("true", bool, True),
        ("null", int | None, None),
        ("5", str | int, "5"),
        ("red", Color, Color.RED),
        ({"x": "1"}, Point, Point(1)),
        ('{"x": 1}', Point, Point(1)),
        ("[1, 2]", list[int], [1, 2]),
        ("[1, 2]", str, "[1, 2]"),
        ("a/b", PurePosixPath, PurePosixPath("a/b")),
        ({"title": "t"}, Point | Node, Node("t")),
        ({"x": 1}, Annotated[Point | Node, "either"], Point(1)),
        ("5", Point | Node | int, 5),
        ("5", Point | Node | int | str, "5"),
        ([1, "x"], object, [1, "x"]),
    ],
)
def test_a_sloppy_value_is_read_as_its_type(value, kind, read):
    found = read_as(value, kind)
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("x", int, "Expected `int`, got `str`"),
        (True, int, "Expected `int`, got `bool`"),
        (5, str, "Expected `str`, got `int`"),
        ("[1, oops]", list[int], "JSON is malformed"),
        ('["x"]', list[int], r"Expected `int`, got `str` - at `\$\[0\]`"),
        (
            {"z": 1},
            Point | Node,
            "fits none of the choices: Object missing required field `x`; Object missing required field `title`",
        ),
    ],
)
def test_what_does_not_fit_is_a_value_error_that_names_the_place(value, kind, text):
    with pytest.raises(ValueError, match=text):
        read_as(value, kind)


def test_an_unsupported_type_stays_a_type_error_when_read():
    with pytest.raises(NotImplementedError, match="complex"):
        read_as("1", complex)
    with pytest.raises(TypeError, match="not supported"):
        read_as({}, dict[complex, Point | Node])


def test_an_answer_is_read_strictly():
    assert decoder_for(Point)('{"x": 1}') == Point(1)
    assert decoder_for(list[Point])('[{"x": 1}]') == [Point(1)]
    for text in ('{"x": "1"}', "{", "", '{"y": 1}'):
        with pytest.raises(ValueError):
            decoder_for(Point)(text)
    with pytest.raises(ValueError, match="choices"):
        decoder_for(Point | Node)('{"x": "1"}')


def test_an_answer_for_a_pydantic_class_is_an_instance():
    assert decoder_for(Dog)('{"name": "Rex", "age": 3}') == Dog(name="Rex", age=3)


def test_an_answer_for_a_dict_schema_is_plain_and_checked():
    rules = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    read = decoder_for(rules)
    rules.clear()
    assert read('{"age": 3}') == {"age": 3}
    with pytest.raises(ValueError, match=r"\$.age: expected integer, got \"x\""):
        read('{"age": "x"}')
    with pytest.raises(ValueError, match="'age' is missing"):
        read("{}")
    with pytest.raises(ValueError, match="Expecting"):
        read("no json")


@given(st.builds(Point, st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False)))
def test_what_a_type_writes_fits_its_schema_and_reads_back(point):
    text = msgspec.json.encode(point).decode()
    assert problems(json.loads(text), type_schema(Point)) == []
    assert decoder_for(Point)(text) == point


# ---- what schema= takes -----------------------------------------------------------------------------------------------------


def test_a_dict_is_taken_as_a_copy():
    given_: dict[str, Any] = {"type": "object", "title": "stays", "required": ["a"]}
    schema = schema_from(given_)
    assert schema == given_
    given_["required"].append("b")
    assert schema["required"] == ["a"]


def test_a_pydantic_class_keeps_its_titles():
    assert schema_from(Dog) == Dog.SCHEMA


def test_types_are_taken():
    assert schema_from(Point) == POINT
    assert schema_from(list[Movie])["items"]["required"] == ["title", "year"]


def test_anything_else_is_an_invalid_schema():
    with pytest.raises(TypeError, match=r"^Invalid schema: 5$"):
        schema_from(5)
    with pytest.raises(TypeError, match=r"^Invalid schema: 'name, age int' .*schema_dsl"):
        schema_from("name, age int")
    with pytest.raises(TypeError, match=r"^Invalid schema: <class 'complex'>: .*not supported"):
        schema_from(complex)


# ---- the short form ---------------------------------------------------------------------------------------------------------


def test_the_short_form_names_types_and_descriptions():
    assert schema_dsl("name, age int: in years,, good bool") == {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer", "description": "in years"},
            "good": {"type": "boolean"},
        },
        "required": ["name", "age", "good"],
    }


def test_with_a_newline_commas_belong_to_descriptions():
    assert schema_dsl("\n name str: first, last\n\n weight float:\n")["properties"] == {
        "name": {"type": "string", "description": "first, last"},
        "weight": {"type": "number"},
    }


def test_many_are_wrapped_as_items():
    assert schema_dsl("name", multi=True) == {
        "type": "object",
        "properties": {"items": {"type": "array", "items": schema_dsl("name")}},
        "required": ["items"],
    }


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("name, : years", "Invalid schema DSL: field ': years' is missing a name before ':'"),
        ("name, age years", "Invalid schema DSL: unknown type 'years' for field 'age'"),
        ("name, name int", "Invalid schema DSL: duplicate field name 'name'"),
    ],
)
def test_the_short_forms_errors_are_the_peers(text, error):
    with pytest.raises(ValueError) as caught:
        schema_dsl(text)
    assert str(caught.value) == error
