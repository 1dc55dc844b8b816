"""A JSON text as it arrives, in whatever pieces."""

import inspect
import json
import sys
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_actors.chat.partial_json import ABSENT, DEPTH, PartialJson


def values(*pieces, schema=None):
    """The value after each piece."""
    reader = PartialJson(schema)
    seen = []
    for piece in pieces:
        reader.feed(piece)
        seen.append(reader.value)
    return seen


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ABSENT),
        (" ", ABSENT),
        ("{", {}),
        ('{"na', {}),
        ('{"name"', {}),
        ('{"name" :', {}),
        ('{"name": "', {"name": ""}),
        ('{"name": "Bo', {"name": "Bo"}),
        ('{"name": "Bo"', {"name": "Bo"}),
        ('{"name": "Bo", "age": 4', {"name": "Bo"}),
        ('{"name": "Bo", "age": 4,', {"name": "Bo", "age": 4}),
        ('{"a": tru', {}),
        ('{"a": true ', {"a": True}),
        ('{"a": [', {"a": []}),
        ('{"a": [{', {"a": [{}]}),
        ('{"a": [{"b": "c', {"a": [{"b": "c"}]}),
        ('{"a": [1, 2', {"a": [1]}),
        ('{"a": [1, 2]', {"a": [1, 2]}),
        ('{"a": {}}', {"a": {}}),
        ('"x\\', "x"),
        ('"x\\u00', "x"),
        ('"x\\u00e9', "xé"),
        ('"x\\ud83d', "x"),
        ('"x\\ud83d\\u', "x"),
        ('"x\\ud83d\\ude00', "x😀"),
        ('"x\\ud83d!', "x\ud83d!"),
        ('"x\\ud83d"', "x\ud83d"),
        ('"x\\\\ud83d', "x\\ud83d"),
        ("-1.5e3", ABSENT),
        ("-1.5e3 ", -1500.0),
        ("null\n", None),
    ],
)
def test_what_is_shown_of_a_text_that_goes_on(text, value):
    assert values(text) == [value]
    assert values(*text)[-1:] == [value][: len(text)]


def test_a_scalar_is_whole_at_the_end():
    for text, value in (("12", 12), ("true", True), ('"a"', "a"), ("[]", [])):
        reader = PartialJson()
        reader.feed(text)
        assert reader.finish() == value
        assert reader.value == value
    assert repr(ABSENT) == "ABSENT"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Sure!", "'S' can't begin a value (at character 0)"),
        ("  }", "'}' can't begin a value (at character 2)"),
        ('{"a" 1', "'1' where a colon should be (at character 5)"),
        ("{1", "'1' where a name should be (at character 1)"),
        ('{"a": 1, }', "'}' where a name should be (at character 9)"),
        ("[1, ]", "']' can't begin a value (at character 4)"),
        ("[1 2", "'2' where a comma or the end should be (at character 3)"),
        ("[1}", "'}' where a comma or the end should be (at character 2)"),
        ("01 ", "'01' is no value (at character 0)"),
        ("[1.]", "'1.' is no value (at character 1)"),
        ("[nul]", "'nul' is no value (at character 1)"),
        ("[-]", "'-' is no value (at character 1)"),
        ('"a\nb"', "'\\n' can't stand in a string (at character 1)"),
        ('"a\\x', "'\\\\' can't stand in a string (at character 1)"),
        ('"a\\u12g', "'\\\\' can't stand in a string (at character 1)"),
        ("{} x", "'x' behind the end of the JSON (at character 3)"),
        ("[" * (DEPTH + 1), f"more than {DEPTH} objects and arrays inside of one another (at character {DEPTH})"),
        ("1" * 5000, "a number of more than 4000 characters (at character 0)"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_json_is_said_with_its_place(text, complaint):
    with pytest.raises(ValueError, match=r".") as raised:
        values(text)
    assert str(raised.value) == complaint
    with pytest.raises(ValueError, match=r"\(at character "):
        values(*text)


@pytest.mark.parametrize("text", ["", "{", '{"a"', '"a', "[1,", "tru", '"\\ud83d'])
def test_what_ends_too_early_is_said(text):
    reader = PartialJson()
    reader.feed(text)
    with pytest.raises(ValueError, match=r"ends too early|is no value"):
        reader.finish()


# ---- by the schema

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 3},
        "age": {"type": "integer", "minimum": 0},
        "kind": {"enum": ["cat", "dog"]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "owner": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        "either": {"anyOf": [{"type": "object", "properties": {"a": {"type": "integer"}}}, {"type": "object"}]},
        "both": {"allOf": [{"type": "object", "required": ["x"]}]},
        "pair": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]},
    },
    "patternProperties": {"^x_": {"type": "integer"}},
    "additionalProperties": False,
    "required": ["name"],
}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[", "$: expected object, got an array"),
        ('{"name": 1', "$.name: expected string, got a number"),
        ('{"name": "', None),
        ('{"name": "abcd', None),
        ('{"name": "abcd"', "$.name: 4 characters, expected 0 to 3"),
        ('{"age": -1', None),
        ('{"age": -1,', "$.age: expected >= 0, got -1"),
        ('{"age": 1.5,', "$.age: expected integer, got 1.5"),
        ('{"age": 2.0,', None),
        ('{"age": "', "$.age: expected integer, got a string"),
        ('{"kind": "co', None),
        ('{"kind": "cow"', '$.kind: expected one of ["cat", "dog"], got "cow"'),
        ('{"tags": ["a", 1', "$.tags[1]: expected string, got a number"),
        ('{"tags": ["a", "b", "c"', None),
        ('{"tags": ["a", "b", "c"]', "$.tags: 3 items, expected 0 to 2"),
        ('{"owner": null', None),
        ('{"owner": {"age": true', "$.owner.age: expected integer, got a boolean"),
        ('{"owner": "', "$.owner: expected another kind of value, got a string"),
        ('{"owner": {}', "$.owner: fits none of the 2 choices"),
        ('{"either": {"a": "b"}', None),
        ('{"both": {"y": 1', None),
        ('{"both": {"y": 1}', "$.both: 'x' is missing"),
        ('{"pair": ["', "$.pair[0]: expected integer, got a string"),
        ('{"pair": [1, 2', "$.pair[1]: expected string, got a number"),
        ('{"pair": [1, "a", {"any": "thing"}', None),
        ('{"x_1": "', "$.x_1: expected integer, got a string"),
        ('{"unknown"', "$: 'unknown' is not known here, only name, age"),
        ('{"age": 1}', "$: 'name' is missing"),
        ('{"name": "a"}', None),
    ],
)
def test_what_is_whole_is_checked_at_once(text, complaint):
    if complaint is None:
        values(*text, schema=PERSON)
        return
    with pytest.raises(ValueError, match=r".") as raised:
        values(*text, schema=PERSON)
    assert str(raised.value).startswith(complaint)
    assert f"(at character {len(text) - 1})" in str(raised.value) or "age" in text or "name" in text
    with pytest.raises(ValueError, match=r"."):
        values(text, schema=PERSON)


def test_a_schema_that_forbids_or_allows_all_and_one_that_never_ends():
    with pytest.raises(ValueError, match="got a string"):
        values('{"a": "', schema={"properties": {"a": False}})
    assert values('{"a": [1', schema={"properties": {"a": True}}) == [{"a": []}]
    assert values('{"a": "x', schema={"additionalProperties": {"type": "string"}}) == [{"a": "x"}]
    chain: dict[str, Any] = {"type": "array", "items": {"$ref": "#"}}
    values("[" * 150 + "]" * 150, schema=chain)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 150)
    try:
        with pytest.raises(ValueError, match="nested too deeply to be checked"):
            values("[" * 150 + "]" * 150, schema=chain)
    finally:
        sys.setrecursionlimit(limit)


# ---- any text, any pieces

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=12,
)


def is_prefix(early, late):
    """Whether this value may become that one."""
    if early is ABSENT:
        return True
    if type(early) is not type(late):
        return False
    if isinstance(early, str):
        return late.startswith(early)
    if isinstance(early, list | dict):
        ours, theirs = list(early), list(late)
        if isinstance(early, dict):
            if theirs[: len(ours)] != ours:
                return False
            ours, theirs = list(early.values()), list(late.values())
        return len(ours) <= len(theirs) and all(
            is_prefix(left, right) if place == len(ours) - 1 else left == right
            for place, (left, right) in enumerate(zip(ours, theirs, strict=False))
        )
    return early == late


@settings(max_examples=400)
@given(documents, st.data(), st.booleans(), st.sampled_from([None, 1]))
def test_however_the_text_is_cut_the_value_grows_to_what_json_reads(document, data, ascii_only, indent):
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    pieces = [text[left:right] for left, right in pairwise([0, *cuts, len(text)])]
    reader = PartialJson()
    seen = [ABSENT]
    changes = [0]
    for piece in pieces:
        reader.feed(piece)
        seen.append(reader.value)
        changes.append(reader.changes)
    assert reader.finish() == json.loads(text)
    assert reader.value == json.loads(text)
    for (early, late), (before, after) in zip(pairwise(seen), pairwise(changes), strict=True):
        assert is_prefix(early, late)
        assert (before == after) == (early is late or (early == late and type(early) is type(late)))
    assert is_prefix(seen[-1], reader.value)


@settings(max_examples=400)
@given(st.text(alphabet='{}[]",:\\ \n01-.eEtruefalsn\u00e9ud83', max_size=14))
def test_a_text_is_refused_in_pieces_where_it_is_refused_whole_and_json_refuses_it_too(text):
    def read(pieces):
        reader = PartialJson()
        try:
            for piece in pieces:
                reader.feed(piece)
            return reader.finish()
        except ValueError:
            return ABSENT

    whole = read([text])
    in_pieces = read(text)
    assert (whole is ABSENT) == (in_pieces is ABSENT)
    try:
        expected = json.loads(text)
    except ValueError:
        expected = ABSENT
    assert whole == in_pieces == expected or whole is in_pieces is expected


def test_a_long_text_takes_time_in_proportion_to_its_length():
    """Linear time over a long answer (not re-parsing from the start each chunk)"""

    def seconds(count):
        item = json.dumps({"name": "x" * 40, "tags": ["a", "b"], "n": 12})
        text = f'{{"items": [{", ".join([item] * count)}], "text": "{"y" * 100 * count}"}}'
        pieces = [text[start : start + 4] for start in range(0, len(text), 4)]
        reader = PartialJson()
        began = time.process_time()
        for piece in pieces:
            reader.feed(piece)
        taken = time.process_time() - began
        assert reader.finish() == json.loads(text)
        return taken

    seconds(100)
    short, long = seconds(300), seconds(2400)
    assert long < 8 * short * 3  # eight times as much; were it read from its start each time, 64 times
