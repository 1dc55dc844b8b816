"""Instances of a JSON schema, with values from a text where a field's name or type fits, else the smallest that is valid.

above it   scripted.py (structured output), scripted_calls.py (arguments)
below it   scripted_words.py

It knows type, enum, const, default, examples, properties, required, additionalProperties, minProperties, items, prefixItems, minItems,
maxItems, uniqueItems, anyOf, oneOf, allOf, $ref inside the schema, minimum, maximum, exclusive bounds, multipleOf, minLength, maxLength,
the common formats, and patterns that one of a few dozen ordinary texts meets.
"""

import math
import re
from typing import Any

from .scripted_words import Evidence, words

Schema = dict[str, Any]

_DEEPEST = 24
_OPTIONAL = 8  # how much deeper an optional field counts, so that trees stay small
_NAMES = frozenset(
    ["name", "person", "city", "place", "location", "country", "author", "title", "animal", "who", "user"]
)
_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "demo@example.com",
    "uri": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_ORDINARY = (
    *(
        "a",
        "A",
        "ab",
        "AB",
        "abc",
        "ABC",
        "abcd",
        "ABCD",
        "abcde",
        "Abc",
        "a1",
        "A1",
        "AB1",
        "AB12",
        "abc123",
        "ABC123",
        "AB-12",
        "ABC-123",
    ),
    *(
        "0",
        "1",
        "12",
        "123",
        "1234",
        "12345",
        "123456",
        "1.0",
        "1.0.0",
        "0.5",
        "00:00",
        "12:30",
        "2026-01-01",
        "2026",
        "#ffffff",
        "#FFFFFF",
    ),
    *(
        "555-1234",
        "555-123-4567",
        "+15551234567",
        "demo@example.com",
        "https://example.com/",
        "/a",
        "a-b",
        "a_b",
        "en",
        "en-US",
        "",
        " ",
    ),
)


class NoInstanceError(Exception):
    """Nothing that fits was found; the text names the place."""


def instance(schema: Schema, text: str) -> Any:
    """An instance of the schema. Raises `NoInstanceError`."""
    return Maker(schema, Evidence(text)).value(schema, "answer")


class Maker:
    """Makes the values of one instance; `evidence` is used up as they are made."""

    def __init__(self, root: Schema, evidence: Evidence) -> None:
        self.root = root
        self.evidence = evidence
        self._count = evidence.count()

    def plain(self, given: Any) -> Schema:
        """The schema with its references followed and `allOf` merged. Raises `NoInstanceError` for one that leads nowhere."""
        if given is True or given is None:
            return {}
        if not isinstance(given, dict):
            msg = "a schema that nothing fits"
            raise NoInstanceError(msg)
        schema: Schema = given
        for _ in range(_DEEPEST):
            if "$ref" in schema:
                schema = {**self._at(schema["$ref"]), **{key: value for key, value in schema.items() if key != "$ref"}}
            elif "allOf" in schema:
                schema = self._merged(schema)
            else:
                return schema
        msg = "references that lead to themselves"
        raise NoInstanceError(msg)

    def value(self, schema: Any, name: str, index: int = 0, depth: int = 0) -> Any:
        """A value for the field `name`; `index` tells the elements of a list apart."""
        schema = self.plain(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choice(schema["enum"], index)
        for key in ("anyOf", "oneOf"):
            if key in schema:
                rest = {other: value for other, value in schema.items() if other != key}
                return self._first([{**rest, **self.plain(branch)} for branch in schema[key]], name, index, depth)
        kinds = schema.get("type")
        if isinstance(kinds, list):
            return self._first([{**schema, "type": kind} for kind in kinds], name, index, depth)
        return self._of_type(schema, kinds or _kind(schema), name, index, depth)

    def found(self, schema: Any, name: str) -> Any:
        """A value from the text for a plain field, or None. It fits the schema."""
        schema = self.plain(schema)
        for branch in schema.get("anyOf") or schema.get("oneOf") or ():
            value = self.found(branch, name)
            if value is not None:
                return value
        if "enum" in schema:
            return next((value for value in schema["enum"] if _mentioned(value, self.evidence.text)), None)
        kind = schema.get("type")
        kinds = [kind] if isinstance(kind, str) else kind or []
        for read in (self._labelled, self._taken):
            for each in kinds:
                value = read(each, name)
                if value is not None and fits(value, schema):
                    return value
        return None

    def _labelled(self, kind: str, name: str) -> Any:
        text = self.evidence.labelled(name)
        if text is None:
            return None
        if kind == "string":
            return text
        if kind == "boolean":
            return {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.get(text.lower())
        match = re.match(r"-?\d+(?:\.\d+)?", text) if kind in {"integer", "number"} else None
        return self._as_number(kind, float(match[0])) if match else None

    def _taken(self, kind: str, name: str) -> Any:
        evidence = self.evidence
        if kind in {"integer", "number"} and evidence.numbers:
            return self._as_number(kind, evidence.numbers.pop(0))
        if kind == "string" and evidence.quoted:
            return evidence.quoted.pop(0)
        if kind == "string" and name.lower().rpartition("_")[2] in _NAMES and evidence.names:
            return evidence.names.pop(0)
        return None

    def _as_number(self, kind: str, found: float) -> int | float:
        return int(found) if kind == "integer" or float(found).is_integer() else found

    def _choice(self, values: list[Any], index: int) -> Any:
        if not values:
            msg = "an enum without values"
            raise NoInstanceError(msg)
        ordered = sorted(values, key=lambda value: not _mentioned(value, self.evidence.text))
        return ordered[index % len(values)]

    def _first(self, branches: list[Schema], name: str, index: int, depth: int) -> Any:
        """The first branch that has an instance; null comes last, as the least telling one."""
        self._check_depth(name, depth)
        reason = NoInstanceError(f"{name}: no branch")
        for branch in sorted(branches, key=lambda branch: branch.get("type") == "null"):
            try:
                return self.value(branch, name, index, depth + 1)
            except NoInstanceError as error:
                reason = error
        raise reason

    def _of_type(self, schema: Schema, kind: str, name: str, index: int, depth: int) -> Any:
        if kind in {"object", "array"}:
            self._check_depth(name, depth)
        if kind == "object":
            return self._object(schema, name, index, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        value = self.found({**schema, "type": kind}, name) if index == 0 else None
        candidates = [value] if value is not None else []
        candidates += [schema["default"]] if "default" in schema else []
        candidates += schema.get("examples", [])
        for candidate in candidates:
            if fits(candidate, {**schema, "type": kind}):
                return candidate
        if kind in {"integer", "number"}:
            return _smallest(schema, kind, index, name)
        if kind == "string":
            return _text(schema, name, index)
        return True if kind == "boolean" else None

    @staticmethod
    def _check_depth(name: str, depth: int) -> None:
        if depth > _DEEPEST:
            msg = f"{name}: too deep"
            raise NoInstanceError(msg)

    def _object(self, schema: Schema, name: str, index: int, depth: int) -> dict[str, Any]:
        properties: dict[str, Any] = schema.get("properties", {})
        required = schema.get("required", [])
        made: dict[str, Any] = {}
        for field in [*properties, *(field for field in required if field not in properties)]:
            if field in required:
                made[field] = self.value(properties.get(field, {}), field, index, depth + 1)
            elif not required or self.evidence.labelled(field) is not None:
                # An optional field is worth a try, not a failure: a tree's branches end here.
                try:
                    made[field] = self.value(properties[field], field, index, depth + _OPTIONAL)
                except NoInstanceError:
                    continue
        for more in range(max(0, schema.get("minProperties", 0) - len(made))):
            made[f"key{more + 1}"] = self.value(
                schema.get("additionalProperties", {}), f"{name} value", more, depth + 1
            )
        return made

    def _array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        made = [self.value(item, name, place, depth + 1) for place, item in enumerate(schema.get("prefixItems", []))]
        least = schema.get("minItems", 0)
        wanted, self._count = self._count, None  # "five names" means the first list, not the lists in it
        count = max(least, min(wanted or 1, schema.get("maxItems", 100)))
        items = schema.get("items", {} if least > len(made) else False)
        while len(made) < count and items is not False:
            try:
                item = self.value(items, name.removesuffix("s"), len(made), depth + 1)
            except NoInstanceError:
                if len(made) < least:
                    raise
                break
            if schema.get("uniqueItems") and item in made:
                break
            made.append(item)
        if len(made) < least:
            msg = f"{name}: not {least} different items"
            raise NoInstanceError(msg)
        return made

    def _at(self, reference: str) -> Schema:
        place: Any = self.root
        for step in reference.removeprefix("#").split("/")[1:]:
            place = place.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(place, dict) else None
        if not isinstance(place, dict) or not reference.startswith("#"):
            msg = f"the reference {reference!r} leads nowhere"
            raise NoInstanceError(msg)
        return place

    def _merged(self, schema: Schema) -> Schema:
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for branch in map(self.plain, schema["allOf"]):
            for key, value in branch.items():
                old = merged.get(key)
                if isinstance(old, dict) and isinstance(value, dict):
                    merged[key] = {**old, **value}
                elif isinstance(old, list) and isinstance(value, list) and key == "required":
                    merged[key] = [*old, *value]
                else:
                    merged[key] = value
        return merged


def fits(value: Any, schema: Schema) -> bool:
    """Whether a plain value (no object, no list) obeys a schema without references."""
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        return False
    if ("enum" in schema and value not in schema["enum"]) or ("const" in schema and value != schema["const"]):
        return False
    if isinstance(value, str):
        return _fits_text(value, schema)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _fits_number(value, schema)
    return True


def _fits_text(value: str, schema: Schema) -> bool:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", math.inf):
        return False
    if schema.get("format") in _FORMATS and value != _FORMATS[schema["format"]]:
        return (
            schema["format"] == "date" and re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])", value) is not None
        )
    try:
        return "pattern" not in schema or re.search(schema["pattern"], value) is not None
    except re.error:
        return False


def _fits_number(value: float, schema: Schema) -> bool:
    step = schema.get("multipleOf")
    return (
        schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf)
        and schema.get("exclusiveMinimum", -math.inf) < value < schema.get("exclusiveMaximum", math.inf)
        and (not step or math.isclose(value / step, round(value / step), rel_tol=0, abs_tol=1e-9))
    )


def _smallest(schema: Schema, kind: str, index: int, name: str) -> int | float:
    step = schema.get("multipleOf") or (1 if kind == "integer" else None)
    low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
    high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    start: float = low if low > -math.inf else min(1, high)
    if low == -math.inf and high < 1 and step:
        start = math.floor(high / step) * step
    unit = step or 1
    first = math.ceil(start / step) * step if step else start
    tries: list[float] = [first + unit * more for more in (index, 0, 1, -1)]
    tries += [(low + high) / 2] if math.isfinite(low + high) else [first + 0.5, first - 0.5]
    for candidate in tries:
        value = int(candidate) if kind == "integer" or float(candidate).is_integer() else candidate
        if fits(value, {**schema, "type": kind}):
            return value
    msg = f"{name}: no number between its bounds"
    raise NoInstanceError(msg)


def _text(schema: Schema, name: str, index: int) -> str:
    made = f"scripted {' '.join(words(name.replace('_', ' ')))}".strip() + (f" {index + 1}" if index else "")
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    fitted = made.ljust(least, ".")[:most]
    for candidate in (_FORMATS.get(schema.get("format", ""), fitted), made, fitted, *_ORDINARY):
        if fits(candidate, {**schema, "type": "string"}):
            return candidate
    msg = f"{name}: no text for the pattern {schema.get('pattern')!r}"
    raise NoInstanceError(msg)


def _kind(schema: Schema) -> str:
    for kind, keys in (
        ("object", ("properties", "required", "additionalProperties", "minProperties")),
        ("array", ("items", "prefixItems", "minItems")),
        ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
    ):
        if any(key in schema for key in keys):
            return kind
    return "string"


def _is(value: Any, kind: str) -> bool:
    if kind in {"integer", "number"}:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return not isinstance(value, bool) and (whole if kind == "integer" else isinstance(value, int | float))
    types: dict[str, type] = {"string": str, "boolean": bool, "null": type(None), "object": dict, "array": list}
    return isinstance(value, types[kind]) if kind in types else False


def _mentioned(value: Any, text: str) -> bool:
    if isinstance(value, str) and value:
        return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.IGNORECASE) is not None
    if isinstance(value, int) and not isinstance(value, bool):
        return re.search(rf"(?<![\w.-]){value}(?![\w.])", text) is not None
    return False
