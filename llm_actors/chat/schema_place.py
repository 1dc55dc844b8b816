"""A place in a JSON Schema, reached while a value is read: what may begin there, and whether what stands there fits.

Where more than one choice is left (`anyOf` with two kinds of objects, `allOf`, `not`) nothing is known of the members: the whole is looked
at when it is there. Pure.
"""

from __future__ import annotations

from typing import Any

from .json_schema import Check, Schema, matches

_UNKNOWN: list[Schema] = [True, True]


class SchemaPlace:
    """What is known of one value. `path` is said in complaints: `$.items[3].name`."""

    __slots__ = ("_check", "_schema", "path")

    def __init__(self, check: Check, schema: Schema, path: str = "$") -> None:
        self._check = check
        self._schema = schema
        self.path = path

    def begun(self, kind: str) -> SchemaPlace | None:
        """A value of this kind begins here: the place that its members belong to, None where nothing is known of them.

        Raises ValueError where none of this kind may stand. `kind` is a word of `type`; `number` stands for `integer` too.
        """
        found = self._choices(self._schema, kind)
        if not found:
            wanted = self._check.target(self._schema)
            names = _names(wanted.get("type")) if not isinstance(wanted, bool) else []
            article = "an" if kind[0] in "ao" else "a"
            msg = f"{self.path}: expected {' or '.join(names) or 'another kind of value'}, got {article} {kind}"
            raise ValueError(msg)
        return SchemaPlace(self._check, found[0], self.path) if len(found) == 1 else None

    def _choices(self, schema: Schema, kind: str) -> list[Schema]:
        schema = self._check.target(schema)
        if isinstance(schema, bool):
            return _UNKNOWN if schema else []
        names = _names(schema.get("type"))
        if names and kind not in names and not (kind == "number" and "integer" in names):
            return []
        choices = schema.get("anyOf") or schema.get("oneOf")
        if "allOf" in schema or "not" in schema or (choices and ("properties" in schema or "items" in schema)):
            return _UNKNOWN
        if choices:
            return [found for choice in choices for found in self._choices(choice, kind)]
        return [schema]

    def member(self, name: str) -> SchemaPlace | None:
        """The place of an object's member, None where anything may stand. Raises ValueError for a name that may not be there."""
        schema: Any = self._schema
        known = [schema["properties"][name]] if name in schema.get("properties", {}) else []
        known += [part for pattern, part in schema.get("patternProperties", {}).items() if matches(pattern, name)]
        if not known:
            known = [schema.get("additionalProperties", True)]
            if known == [False]:
                names = ", ".join(schema.get("properties", {})) or "nothing"
                msg = f"{self.path}: {name!r} is not known here, only {names}"
                raise ValueError(msg)
        return SchemaPlace(self._check, known[0], f"{self.path}.{name}") if len(known) == 1 else None

    def item(self, place: int) -> SchemaPlace:
        """The place of an array's item."""
        schema: Any = self._schema
        first = schema.get("prefixItems", [])
        part = first[place] if place < len(first) else schema.get("items", True)
        return SchemaPlace(self._check, part, f"{self.path}[{place}]")

    def check(self, value: Any) -> None:
        """Raises ValueError where this whole value does not fit."""
        try:
            wrong = list(self._check.value(value, self._schema, self.path))
        except RecursionError:
            wrong = [f"{self.path}: nested too deeply to be checked"]
        if wrong:
            raise ValueError("; ".join(wrong))


def _names(kinds: Any) -> list[str]:
    return [kinds] if isinstance(kinds, str) else list(kinds or ())
