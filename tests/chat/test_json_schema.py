import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_actors.chat.json_schema import problems, shown

NODE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
    "required": ["name"],
}


@pytest.mark.parametrize(
    ("schema", "fits", "fails"),
    [
        ({"type": "integer"}, [1, 2.0, -3], [1.5, "1", True, None, math.nan]),
        ({"type": "number"}, [1, 1.5], ["1", False]),
        ({"type": "boolean"}, [True], [0, "true"]),
        ({"type": "null"}, [None], [0, "", False]),
        ({"type": "string"}, ["", "x"], [1, None]),
        ({"type": "array"}, [[], [1]], [{}, "x"]),
        ({"type": "object"}, [{}, {"a": 1}], [[], "x"]),
        ({"type": ["string", "null"]}, ["x", None], [1]),
        ({"type": "made-up"}, [1, "x"], []),
        ({"enum": ["a", 1, None]}, ["a", 1, 1.0, None], ["b", True]),
        ({"const": {"a": [1]}}, [{"a": [1]}, {"a": [1.0]}], [{"a": [True]}, {"a": [1, 2]}, {"b": [1]}]),
        ({"minimum": 1, "maximum": 3}, [1, 3, "x"], [0, 4]),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 3}, [2, 1.1], [1, 3]),
        ({"multipleOf": 0.1}, [0.3, 5], [0.25]),
        ({"minLength": 2, "maxLength": 3}, ["ab", "abc", 7], ["a", "abcd"]),
        ({"pattern": "^a+$"}, ["aa", 1], ["ab"]),
        ({"pattern": "(?<broken"}, ["x"], []),
        ({"minItems": 1, "maxItems": 2}, [[1], [1, 2]], [[], [1, 2, 3]]),
        ({"minProperties": 1}, [{"a": 1}], [{}]),
        ({"uniqueItems": True}, [[1, 2, True], []], [[1, 2, 1.0], [{"a": 1}, {"a": 1}]]),
        ({"items": {"type": "integer"}}, [[], [1, 2]], [[1, "x"]]),
        ({"prefixItems": [{"type": "integer"}], "items": False}, [[1], []], [["x"], [1, 2]]),
        ({"required": ["a"]}, [{"a": 1}, []], [{}]),
        ({"properties": {"a": {"type": "integer"}}}, [{"a": 1, "b": "x"}], [{"a": "x"}]),
        ({"properties": {"a": {}}, "additionalProperties": False}, [{"a": 1}, {}], [{"b": 1}]),
        ({"additionalProperties": {"type": "integer"}}, [{"b": 1}], [{"b": "x"}]),
        (
            {"patternProperties": {"^x": {"type": "integer"}}, "additionalProperties": False},
            [{"xa": 1}],
            [{"xa": ""}, {"y": 1}],
        ),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, [1, "x"], [None]),
        ({"anyOf": []}, [], [1]),
        ({"oneOf": [{"type": "integer"}, {"minimum": 5}]}, [1, 5.5], [7, 1.5]),
        ({"allOf": [{"type": "integer"}, {"minimum": 5}]}, [5], [4, "x"]),
        ({"not": {"type": "string"}}, [1], ["x"]),
        ({"format": "email", "if": {"const": 1}, "then": False}, ["no mail", 1], []),
        (True, [1, None], []),
        (False, [], [1, None]),
        (
            {"$defs": {"node": NODE}, "$ref": "#/$defs/node"},
            [{"name": "a", "next": {"name": "b"}}],
            [{"name": "a", "next": {}}, {}],
        ),
        ({"$defs": {"a/b": {"type": "integer"}}, "items": {"$ref": "#/$defs/a~1b"}}, [[1]], [["x"]]),
        (
            {
                "$defs": {"no": False, "yes": True},
                "properties": {"n": {"$ref": "#/$defs/no"}, "y": {"$ref": "#/$defs/yes"}},
            },
            [{"y": 1}],
            [{"n": 1}],
        ),
        ({"$ref": "#/$defs/gone", "type": "integer"}, [1], ["x"]),
        ({"$ref": "https://elsewhere.example/schema"}, [1, "x"], []),
        ({"$defs": {"circle": {"$ref": "#/$defs/circle"}}, "$ref": "#/$defs/circle"}, [1, "x"], []),
    ],
)
def test_each_keyword_lets_through_what_fits_and_names_what_does_not(schema, fits, fails):
    for value in fits:
        assert problems(value, schema) == [], value
    for value in fails:
        assert problems(value, schema), value


def test_a_problem_names_the_place_what_was_expected_and_what_came():
    schema = {
        "type": "object",
        "properties": {
            "dogs": {
                "type": "array",
                "items": {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["name"]},
            }
        },
    }
    assert problems({"dogs": [{"name": "a", "age": "old"}, {}]}, schema) == [
        '$.dogs[0].age: expected integer, got "old"',
        "$.dogs[1]: 'name' is missing",
    ]


def test_of_several_choices_the_nearest_is_told():
    schema = {"anyOf": [{"type": "object", "required": ["a", "b"]}, {"type": "object", "required": ["c"]}]}
    assert problems({}, schema) == ["$: fits none of the 2 choices ($: 'c' is missing)"]


def test_a_long_value_is_cut_in_a_message():
    assert shown("x" * 100) == '"' + "x" * 76 + "..."
    assert shown({1, 2}) == '"{1, 2}"'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_const_and_enum_agree_with_themselves_for_every_json_value(value, other):
    assert problems(value, {"const": value}) == []
    assert problems(value, {"enum": [other, value]}) == []
    assert bool(problems(value, {"const": other})) == bool(problems(other, {"const": value}))


@given(JSON)
def test_a_schema_and_its_negation_never_both_let_a_value_through(value):
    for kind in ("null", "boolean", "integer", "number", "string", "array", "object"):
        assert bool(problems(value, {"type": kind})) != bool(problems(value, {"not": {"type": kind}}))
