"""JSON Schema from Python types and back: what `schema=` and a tool's parameters may be, and how values are read by them.

A schema may be given as a dict, a `msgspec.Struct`, a dataclass, a TypedDict, or anything else that msgspec has a
JSON Schema for (`list[Dog]`), or as a pydantic class. Pydantic is never imported: a class with `model_json_schema`
and `model_validate` is one. Pure; any thread.
"""

from __future__ import annotations

import functools
import json
import sys
import types
from collections.abc import Callable
from typing import Annotated, Any, TypeGuard, Union, get_args, get_origin

import msgspec

from .json_schema import problems
from .schema_tree import copied, inlined

_DSL_TYPES = {"int": "integer", "float": "number", "bool": "boolean", "str": "string"}


def schema_from(value: Any) -> dict[str, Any]:
    """The JSON Schema of what was given as `schema=`: a dict is copied, a pydantic class asked for its own, a type described by msgspec.

    Raises `TypeError` (`Invalid schema: X`) for anything else.
    """
    if isinstance(value, dict) or is_pydantic(value):
        schema: dict[str, Any] = copied(value if isinstance(value, dict) else value.model_json_schema())
        return schema
    if isinstance(value, str) or not _is_type(value):
        hint = ' (for the short form: schema=llm.schema_dsl("name, age int"))' if isinstance(value, str) else ""
        msg = f"Invalid schema: {value!r}{hint}"
        raise TypeError(msg)
    try:
        return type_schema(value)
    except TypeError as error:
        msg = f"Invalid schema: {value!r}: {error}"
        raise TypeError(msg) from error


def schema_dsl(schema_dsl: str, multi: bool = False) -> dict[str, Any]:
    """The JSON Schema of `"name, age int: in years"`: fields divided by commas, or by newlines where there is one; all of them required.

    A field is a name, a type (int, float, bool, str; left out: str) and after a colon a description. `multi` wraps
    it: `{"items": [...]}`. Raises `ValueError` for a field without name, an unknown type, and a name that comes
    twice. Any thread.
    """
    properties: dict[str, Any] = {}
    for field in schema_dsl.split("\n" if "\n" in schema_dsl else ","):
        if not field.strip():
            continue
        front, _, description = field.strip().partition(":")
        words = front.split()
        if not words:
            msg = f"Invalid schema DSL: field {field.strip()!r} is missing a name before ':'"
            raise ValueError(msg)
        name, kind = words[0], words[1] if len(words) > 1 else "str"
        if kind not in _DSL_TYPES:
            msg = f"Invalid schema DSL: unknown type {kind!r} for field {name!r}"
            raise ValueError(msg)
        if name in properties:
            msg = f"Invalid schema DSL: duplicate field name {name!r}"
            raise ValueError(msg)
        properties[name] = {"type": _DSL_TYPES[kind]}
        if description.strip():
            properties[name]["description"] = description.strip()
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return multi_schema(schema) if multi else schema


def multi_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object whose `items` is a list of these."""
    return {
        "type": "object",
        "properties": {"items": {"type": "array", "items": schema}},
        "required": ["items"],
    }


def decoder_for(schema: Any) -> Callable[[str], Any]:
    """What reads an answer by its schema: for a type an instance of it, for a dict plain JSON values, checked (see `json_schema`).

    The function raises `ValueError` for a text that is not JSON or does not fit.
    """
    if isinstance(schema, dict):
        rules = copied(schema)
        return lambda text: _checked(text, rules)
    if is_pydantic(schema):
        validate: Callable[[str], Any] = schema.model_validate_json
        return validate
    return lambda text: read_as(msgspec.json.decode(text), schema, strict=True)


def type_schema(annotation: Any) -> dict[str, Any]:
    """The JSON Schema of a type, without titles, and without references where it isn't recursive.

    Raises `TypeError` for a type that has none.
    """
    return inlined(schema_of_type(annotation))


def schema_of_type(annotation: Any) -> dict[str, Any]:
    """As `type_schema`, but with its definitions, and shared: not to be changed.

    Remembered, because tools are made anew for each prompt, of the same few types.
    """
    try:
        hash(annotation)
    except TypeError:  # Meta(examples=[...]) for one
        return _schema(annotation)
    return _known_schema(annotation)


def read_as(value: Any, annotation: Any, *, strict: bool = False) -> Any:
    """Plain JSON values as a value of this type.

    Not `strict` is for models, which are sloppy: `"5"` is taken as 5, and a list or an object that came as its JSON
    text is read. Raises `ValueError` for what does not fit (msgspec's `ValidationError`, its text names the place).
    """
    try:
        return msgspec.convert(value, annotation, strict=strict, dec_hook=_read_custom)
    except msgspec.ValidationError:
        if strict or not isinstance(value, str) or value.lstrip()[:1] not in {"[", "{"}:
            raise
        return msgspec.json.decode(value, type=annotation, strict=False, dec_hook=_read_custom)
    except TypeError:
        choices = _choices(annotation)
        if not choices:
            raise
        return _first_that_fits(value, choices, strict=strict)


def is_pydantic(value: Any) -> TypeGuard[Any]:
    """Whether this is a pydantic model class, or one that can do the same."""
    return isinstance(value, type) and hasattr(value, "model_json_schema") and hasattr(value, "model_validate")


@functools.lru_cache(maxsize=512)
def _known_schema(annotation: Any) -> dict[str, Any]:
    return _schema(annotation)


def _schema(annotation: Any) -> dict[str, Any]:
    try:
        return msgspec.json.schema(annotation, schema_hook=_schema_of_custom)
    except NameError as error:
        msg = f"an annotation in {annotation!r} can't be resolved: {error}"
        raise TypeError(msg) from error
    except TypeError as error:
        choices = _choices(annotation)
        if not choices:
            first = str(error).strip().splitlines()[-1]
            raise TypeError(first) from error
        # msgspec tells the members of a union apart by their JSON type alone; two classes would both be objects.
        return {"anyOf": [_schema(choice) for choice in choices]}


def _is_path(kind: type) -> bool:
    pathlib = sys.modules.get("pathlib")  # 3 ms to import; who has a path's type has done it
    return pathlib is not None and issubclass(kind, pathlib.PurePath)


def _schema_of_custom(kind: type) -> dict[str, Any]:
    if is_pydantic(kind):
        schema: dict[str, Any] = kind.model_json_schema()
        return schema
    if kind is object:
        return {"title": "anything"}  # msgspec takes {} for no answer; titles are taken out
    if _is_path(kind):
        return {"type": "string"}
    raise NotImplementedError


def _read_custom(kind: type, value: Any) -> Any:
    if is_pydantic(kind):
        return kind.model_validate(value)
    if kind is object:
        return value
    if _is_path(kind):
        if not isinstance(value, str):
            msg = f"Expected `str`, got `{type(value).__name__}`"
            raise ValueError(msg)
        return kind(value)
    msg = f"a value of type {kind} can't be read"
    raise NotImplementedError(msg)


def _choices(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else ()


def _first_that_fits(value: Any, choices: tuple[Any, ...], *, strict: bool) -> Any:
    wrong: list[str] = []
    for exact in (True,) if strict else (True, False):  # so that "5" stays a string where one is allowed
        for choice in choices:
            try:
                return read_as(value, choice, strict=exact)
            except ValueError as error:
                wrong.append(str(error))
    msg = f"fits none of the choices: {'; '.join(dict.fromkeys(wrong))}"
    raise msgspec.ValidationError(msg)


def _checked(text: str, schema: dict[str, Any]) -> Any:
    value = json.loads(text)
    if wrong := problems(value, schema):
        raise ValueError("; ".join(wrong))
    return value


def _is_type(value: Any) -> bool:
    return isinstance(value, type) or get_origin(value) is not None
