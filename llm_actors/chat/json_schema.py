"""A check of JSON values against a JSON Schema: the part of it that models are asked to follow.

Known: type, enum, const, required, properties, patternProperties, additionalProperties, items, prefixItems, minItems,
maxItems, uniqueItems, minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, minLength, maxLength,
pattern, minProperties, maxProperties, anyOf, oneOf, allOf, not, `$ref` into the same schema, and the schemas `true`
and `false`. Anything else (format, if/then/else, dependent..., remote `$ref`) is not looked at, and neither is a
pattern that Python's `re` can't read: a value may pass here and fail elsewhere, but what fails here does not fit.
Source: JSON Schema 2020-12, Validation and Core. Pure; any thread.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any] | bool

_LENGTHS: tuple[tuple[type, str, str, str], ...] = (
    (str, "minLength", "maxLength", "characters"),
    (list, "minItems", "maxItems", "items"),
    (dict, "minProperties", "maxProperties", "properties"),
)
_BOUNDS: tuple[tuple[str, str, Callable[[Any, Any], bool]], ...] = (
    ("minimum", ">=", lambda value, bound: value >= bound),
    ("maximum", "<=", lambda value, bound: value <= bound),
    ("exclusiveMinimum", ">", lambda value, bound: value > bound),
    ("exclusiveMaximum", "<", lambda value, bound: value < bound),
)


def problems(value: Any, schema: Schema) -> list[str]:
    """What does not fit, one line each: `$.age: expected integer, got "x"`. Empty when it fits. `value` is of plain JSON types."""
    return list(Check(schema).value(value, schema, "$"))


def shown(value: Any, limit: int = 80) -> str:
    """A value as JSON, cut for a message."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


class Check:
    """Walks a value and its schema together."""

    def __init__(self, root: Schema) -> None:
        self._root = root

    def value(self, value: Any, schema: Schema, path: str) -> Iterator[str]:
        """What of this value does not fit this schema."""
        schema = self.target(schema)
        if isinstance(schema, bool):
            if not schema:
                yield f"{path}: nothing is allowed here"
            return
        kinds = schema.get("type")
        if kinds is not None:
            names = [kinds] if isinstance(kinds, str) else kinds
            if not any(_KINDS.get(name, _any)(value) for name in names):
                yield f"{path}: expected {' or '.join(names)}, got {shown(value)}"
                return
        yield from _choice(value, schema, path)
        yield from _size(value, schema, path)
        if isinstance(value, dict):
            yield from self._object(value, schema, path)
        elif isinstance(value, list):
            yield from self._array(value, schema, path)
        yield from self._combined(value, schema, path)

    def target(self, schema: Schema) -> Schema:
        """What a `$ref` refers to, merged with what stands beside it; a reference in a circle, or to elsewhere, asks for nothing."""
        seen: set[str] = set()
        while not isinstance(schema, bool) and isinstance(reference := schema.get("$ref"), str):
            beside = {name: part for name, part in schema.items() if name != "$ref"}
            found = self._find(reference)
            if reference in seen or found is None:
                return beside
            seen.add(reference)
            if isinstance(found, bool):
                return found and beside
            schema = {**found, **beside}
        return schema

    def _find(self, reference: str) -> Schema | None:
        if not reference.startswith("#"):
            return None
        found: Any = self._root
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or name not in found:
                return None
            found = found[name]
        return found if isinstance(found, Mapping | bool) else None

    def _object(self, value: dict[str, Any], schema: Mapping[str, Any], path: str) -> Iterator[str]:
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{path}: {name!r} is missing"
        known: Mapping[str, Schema] = schema.get("properties", {})
        patterns: Mapping[str, Schema] = schema.get("patternProperties", {})
        for name, item in value.items():
            here = f"{path}.{name}"
            matching = [part for pattern, part in patterns.items() if matches(pattern, name)]
            if name in known:
                matching.append(known[name])
            for part in matching:
                yield from self.value(item, part, here)
            if not matching:
                more = schema.get("additionalProperties", True)
                if more is False:
                    yield f"{path}: {name!r} is not known here, only {', '.join(known) or 'nothing'}"
                else:
                    yield from self.value(item, more, here)

    def _array(self, value: list[Any], schema: Mapping[str, Any], path: str) -> Iterator[str]:
        first: list[Schema] = schema.get("prefixItems", [])
        rest: Schema = schema.get("items", True)
        for place, item in enumerate(value):
            yield from self.value(item, first[place] if place < len(first) else rest, f"{path}[{place}]")
        if schema.get("uniqueItems") and any(
            _same(value[left], item) for right, item in enumerate(value) for left in range(right)
        ):
            yield f"{path}: the items are not all different"

    def _combined(self, value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
        for part in schema.get("allOf", ()):
            yield from self.value(value, part, path)
        for word, least_wrong in (("anyOf", True), ("oneOf", False)):
            if word not in schema:
                continue
            found = [list(self.value(value, part, path)) for part in schema[word]]
            fitting = found.count([])
            if not fitting:
                nearest = min(found, key=len) if found else []
                yield f"{path}: fits none of the {len(found)} choices ({'; '.join(nearest)})"
            elif fitting > 1 and not least_wrong:
                yield f"{path}: fits {fitting} of the choices, not one"
        if "not" in schema and not list(self.value(value, schema["not"], path)):
            yield f"{path}: {shown(value)} is what it must not be"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _any(_: Any) -> bool:
    return True


_KINDS: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()),
    "number": _is_number,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _same(left: Any, right: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_same(*pair) for pair in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[name], right[name]) for name in left)
    return bool(left == right)


def _choice(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    if "enum" in schema and not any(_same(value, choice) for choice in schema["enum"]):
        yield f"{path}: expected one of {shown(schema['enum'], 400)}, got {shown(value)}"
    if "const" in schema and not _same(value, schema["const"]):
        yield f"{path}: expected {shown(schema['const'])}, got {shown(value)}"


def _size(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    for kind, least, most, what in _LENGTHS:
        if isinstance(value, kind):
            length = len(value)  # type: ignore[arg-type]
            if length < schema.get(least, 0) or length > schema.get(most, math.inf):
                yield f"{path}: {length} {what}, expected {schema.get(least, 0)} to {schema.get(most, 'any number')}"
    if isinstance(value, str) and "pattern" in schema and not matches(schema["pattern"], value):
        yield f"{path}: {shown(value)} does not match {schema['pattern']!r}"
    if _is_number(value):
        for word, sign, fits in _BOUNDS:
            if word in schema and not fits(value, schema[word]):
                yield f"{path}: expected {sign} {schema[word]}, got {shown(value)}"
        step = schema.get("multipleOf")
        if step and not math.isclose(value / step, round(value / step), rel_tol=1e-9):
            yield f"{path}: expected a multiple of {step}, got {shown(value)}"


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern of a schema is found in the text; one that can't be read is."""
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True
