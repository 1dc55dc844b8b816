"""Ends for strings and lists in a JSON schema."""

import copy

import pytest

from llm_actors.providers.schema_bounds import bounded

STRING = {"type": "string", "maxLength": 20}


@pytest.mark.parametrize(
    ("schema", "held"),
    [
        ({"type": "string"}, STRING),
        ({"type": ["string", "null"]}, {"type": ["string", "null"], "maxLength": 20}),
        ({"type": "string", "minLength": 30}, {"type": "string", "minLength": 30, "maxLength": 30}),
        ({"type": "array", "items": {"type": "string"}}, {"type": "array", "items": STRING, "maxItems": 5}),
        ({"type": "array", "minItems": 7}, {"type": "array", "minItems": 7, "maxItems": 7}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"anyOf": [STRING, {"type": "null"}]}),
        ({"$defs": {"a": {"type": "string"}}, "$ref": "#/$defs/a"}, {"$defs": {"a": STRING}, "$ref": "#/$defs/a"}),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            {"type": "object", "additionalProperties": STRING},
        ),
    ],
)
def test_what_has_no_end_gets_one(schema, held):
    before = copy.deepcopy(schema)
    assert bounded(schema, 20, 5) == held
    assert schema == before


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "maxLength": 1000},
        {"type": "string", "enum": ["a"]},
        {"type": "string", "pattern": "a+"},
        {"type": "string", "format": "date"},
        {"type": "array", "maxItems": 1000},
        {"type": "object", "properties": {"type": {"type": "integer"}}, "additionalProperties": False},
        {},
        True,
    ],
)
def test_what_says_its_end_itself_is_left_as_it_is(schema):
    assert bounded(schema, 20, 5) == schema
