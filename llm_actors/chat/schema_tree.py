"""JSON Schemas as trees: references put in place, titles taken out, definitions gathered at the root.

Providers differ in what they take of `$ref` (some nothing at all), so a schema that is not recursive goes out without
any. Only places that hold a schema are touched: a property called `title`, a default or an example that looks like a
schema stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_SINGLE = frozenset(
    {"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedProperties"}
)
_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}
_HOME = "#/$defs/"


def inlined(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with every `#/$defs/...` put in its place, without titles, and with the types of enums and items of arrays said.

    A definition that contains itself stays a reference, to a `$defs` of the root. Definitions may come nested (a pydantic
    class inside of a dataclass); of two different ones that share a name and recurse, the later gets a number.
    """
    tree = _Tree()
    root: dict[str, Any] = tree.copy(schema, {}, ())
    if root.keys() == {"$ref"} and tree.kept:
        # Providers ask for an object at the root, not for a reference to one.
        root = dict(tree.kept[root["$ref"][len(_HOME) :]])
    if tree.kept:
        root["$defs"] = tree.kept
    return root


class _Tree:
    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self._recursive: dict[tuple[str, str], str] = {}
        """Definitions that refer to themselves, by name and content, with their name in `kept`."""

    def copy(self, schema: Any, scope: Mapping[str, Any], open_: tuple[tuple[str, str], ...]) -> Any:
        """`scope`: the definitions that are in sight; `open_`: those that we are inside of."""
        if not isinstance(schema, Mapping):
            return schema
        if "$defs" in schema:
            scope = {**scope, **schema["$defs"]}
        result: dict[str, Any] = {}
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith(_HOME) and reference[len(_HOME) :] in scope:
            result.update(self._definition(reference[len(_HOME) :], scope, open_))
        elif reference is not None:
            result["$ref"] = reference
        for name, part in schema.items():
            if name in ("$defs", "$ref") or (name == "title" and isinstance(part, str)):
                continue
            result[name] = self._part(name, part, scope, open_)
        return _said_in_full(result)

    def _part(self, name: str, part: Any, scope: Mapping[str, Any], open_: tuple[tuple[str, str], ...]) -> Any:
        if name in _MAPS and isinstance(part, Mapping):
            return {key: self.copy(value, scope, open_) for key, value in part.items()}
        if name in _LISTS and isinstance(part, list):
            return [self.copy(value, scope, open_) for value in part]
        if name in _SINGLE:
            return self.copy(part, scope, open_)
        return copied(part)

    def _definition(self, name: str, scope: Mapping[str, Any], open_: tuple[tuple[str, str], ...]) -> dict[str, Any]:
        definition = scope[name]
        mark = (name, repr(definition))
        if mark in self._recursive or mark in open_:
            return {"$ref": _HOME + self._recursive.setdefault(mark, self._free(name))}
        whole: dict[str, Any] = self.copy(definition, scope, (*open_, mark))
        if mark not in self._recursive:
            return whole
        self.kept[self._recursive[mark]] = whole
        return {"$ref": _HOME + self._recursive[mark]}

    def _free(self, name: str) -> str:
        taken = set(self._recursive.values())
        others = (f"{name}_{number}" for number in range(2, len(taken) + 3))
        return next(free for free in (name, *others) if free not in taken)


def _said_in_full(schema: dict[str, Any]) -> dict[str, Any]:
    """With what providers insist on: OpenAI refuses an array without `items`, Gemini and strict modes an `enum` without `type`."""
    if schema.get("type") == "array" and "items" not in schema:
        schema["items"] = {}
    if "enum" in schema and "type" not in schema:
        kinds = {type(value) for value in schema["enum"]}
        if len(kinds) == 1 and (name := _SCALARS.get(kinds.pop())):
            schema["type"] = name
    return schema


def copied(value: Any) -> Any:
    """A copy of a plain JSON value, so that nobody shares a list with the caller."""
    if isinstance(value, Mapping):
        return {name: copied(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [copied(part) for part in value]
    return value
