"""A function as a model sees it: parameters with types and descriptions, and the way from a model's arguments to a call.

What a model gives is checked and converted before the call: what does not fit is told to the model
(`ToolArgumentsError`), all of it at once. Not strictly, models are sloppy: `"5"` is an int, a list may come as its
JSON text, null for an argument with a default means "left out". Pure; any thread.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
import typing
from collections.abc import Callable
from types import FunctionType, SimpleNamespace
from typing import Annotated, Any, Optional, get_args, get_origin

import msgspec

from llm_actors.errors import ToolArgumentsError

from .function import RESERVED, bound_keywords, documentation, plain_function
from .json_schema import problems, shown
from .schema import read_as, schema_of_type
from .schema_tree import inlined

_EMPTY = inspect.Parameter.empty
_MANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Parameter:
    """One parameter: its type for reading, its schema for the model."""

    __slots__ = ("annotation", "default", "kind", "name", "schema")

    def __init__(self, parameter: inspect.Parameter, annotation: Any, description: str | None) -> None:
        self.name = parameter.name
        self.kind = parameter.kind
        self.default = parameter.default
        annotation, said = _described(annotation)
        if self.default is None and annotation not in (_EMPTY, Any):
            annotation = Optional[annotation]  # noqa: UP045 - a value, not an annotation: `|` does not take all of them
        # Without a type the model is told of a string, as the peer does, and any value is let through.
        self.annotation = Any if annotation is _EMPTY else annotation
        self.schema = {"type": "string"} if annotation is _EMPTY else self._type_schema()
        text = said or self.schema.get("description") or description
        if text:
            self.schema = {**self.schema, "description": text}
        if self.kind not in _MANY and self.default is not _EMPTY:
            self._show_default()

    @property
    def required(self) -> bool:
        """Whether the model has to give it."""
        return self.default is _EMPTY and self.kind not in _MANY

    def read(self, value: Any) -> Any:
        """The value in the parameter's type. Raises ValueError for what does not fit."""
        annotation = list[self.annotation] if self.kind is inspect.Parameter.VAR_POSITIONAL else self.annotation  # type: ignore[name-defined]
        return read_as(value, annotation)

    def _type_schema(self) -> dict[str, Any]:
        try:
            return schema_of_type(self.annotation)
        except TypeError as error:
            msg = f"parameter {self.name!r} can't be described to a model: {error}"
            raise TypeError(msg) from error

    def _show_default(self) -> None:
        try:
            self.schema = {**self.schema, "default": msgspec.to_builtins(self.default, str_keys=True)}
        except (TypeError, ValueError):
            return  # a default that JSON has no form for (a sentinel object) is Python's business


class Signature:
    """The parameters of a function that a model may give, in order."""

    __slots__ = ("name", "open", "parameters")

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.name = name
        hidden = {"self", RESERVED, *bound_keywords(function)}
        found = [
            parameter for parameter in inspect.signature(function).parameters.values() if parameter.name not in hidden
        ]
        from .docstring import parameter_texts  # noqa: PLC0415 - its patterns take 0.4 ms to make

        texts = parameter_texts(documentation(function), [parameter.name for parameter in found])
        scope = _Scope(function)
        every = [Parameter(one, scope.annotation(one), texts.get(one.name)) for one in found]
        self.parameters = {one.name: one for one in every if one.kind is not inspect.Parameter.VAR_KEYWORD}
        self.open = next((one for one in every if one.kind is inspect.Parameter.VAR_KEYWORD), None)

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the arguments."""
        properties = {name: self._property(one) for name, one in self.parameters.items()}
        required = [name for name, one in self.parameters.items() if one.required]
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        if self.open is not None:
            schema["additionalProperties"] = self.open.schema if self.open.annotation is not Any else True
        return inlined(schema)

    def read(self, arguments: Any) -> dict[str, Any]:
        """A model's arguments, converted. Raises ToolArgumentsError that tells of everything that does not fit."""
        given = _as_object(arguments, self.name, self.schema, may_be_raw="_raw" in self.parameters)
        values: dict[str, Any] = {}
        wrong = [
            f"{name!r} is missing, expected {_expected(self._property(one))}"
            for name, one in self.parameters.items()
            if one.required and name not in given
        ]
        for name, value in given.items():
            parameter = self.parameters.get(name) or self.open
            if parameter is None:
                wrong.append(f"{name!r} is not one of its arguments")
                continue
            try:
                values[name] = parameter.read(value)
            except ValueError as error:
                if value is None and parameter.default is not _EMPTY:
                    continue
                expected = _expected(parameter.schema if parameter is self.open else self._property(parameter))
                wrong.append(f"{name!r}: {_told(error)}; expected {expected}, got {shown(value)}")
        if wrong:
            raise _misfit(self.name, wrong, list(self.parameters))
        return values

    @staticmethod
    def _property(parameter: Parameter) -> dict[str, Any]:
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            return {"type": "array", "items": parameter.schema}
        return parameter.schema


def read_by_schema(name: str, schema: dict[str, Any], arguments: Any) -> dict[str, Any]:
    """A model's arguments for a tool whose schema was given as a dict: checked; numbers and booleans that came as text are read.

    Raises ToolArgumentsError. An empty schema lets any object through.
    """
    known: dict[str, Any] = schema.get("properties", {})
    given = dict(_as_object(arguments, name, schema, may_be_raw="_raw" in known))
    for argument, kind in (("integer", int), ("number", float), ("boolean", bool)):
        for field, value in given.items():
            if isinstance(value, str) and isinstance(known.get(field), dict) and known[field].get("type") == argument:
                given[field] = _read_or_leave(value, kind)
    if wrong := problems(given, schema):
        raise _misfit(name, wrong, list(known))
    return given


def read_as_type(name: str, kind: Any, schema: dict[str, Any], arguments: Any) -> dict[str, Any]:
    """A model's arguments for a tool whose schema was given as a type: checked and converted by it, then plain values again.

    Plain, because the function takes them one by one, as the peer passes them. Raises ToolArgumentsError.
    """
    given = _as_object(arguments, name, schema, may_be_raw=False)
    try:
        value = read_as(given, kind)
    except ValueError as error:
        raise _misfit(name, [_told(error)], list(schema.get("properties", ()))) from error
    if hasattr(value, "model_dump"):
        plain: dict[str, Any] = value.model_dump(by_alias=True, exclude_unset=True)
        return plain
    return msgspec.convert(msgspec.to_builtins(value), dict[str, Any])


class _Scope:
    """Where the annotations of a function are read."""

    def __init__(self, function: Callable[..., Any]) -> None:
        function = plain_function(function)
        self._label = getattr(function, "__name__", type(function).__name__)
        if inspect.isclass(function):
            function = function.__init__
        elif not inspect.isroutine(function):
            function = type(function).__call__
        inner = inspect.unwrap(getattr(function, "__func__", function))
        module = sys.modules.get(getattr(inner, "__module__", None) or "")
        self._globals = getattr(inner, "__globals__", None) or (vars(module) if module else {})
        self._locals = _enclosed(inner) if inspect.isfunction(inner) else {}

    def annotation(self, parameter: inspect.Parameter) -> Any:
        """The parameter's type, also from a string. One at a time: an unreadable return annotation is nobody's harm."""
        if parameter.annotation is _EMPTY:
            return _EMPTY
        alone = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
        try:
            return typing.get_type_hints(alone, self._globals, self._locals, include_extras=True)[parameter.name]
        except (NameError, SyntaxError, AttributeError, TypeError) as error:
            msg = (
                f"the annotation {parameter.annotation!r} of parameter {parameter.name!r} of {self._label} can't be read: {error}; "
                "a model can only be told of a type that is there at run time"
            )
            raise TypeError(msg) from error


def _enclosed(function: FunctionType) -> dict[str, Any]:
    """What the function uses of the functions around it."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    found: dict[str, Any] = {}
    for name, cell in cells:
        with contextlib.suppress(ValueError):  # an empty cell: not assigned yet
            found[name] = cell.cell_contents
    return found


def _described(annotation: Any) -> tuple[Any, str | None]:
    """The type, and what `Annotated` says of it: a plain string, or anything with a text `description` or `documentation`."""
    if get_origin(annotation) is not Annotated:
        return annotation, None
    kind, *notes = get_args(annotation)
    said: str | None = None
    rest: list[Any] = []
    for note in notes:
        text = (
            note
            if isinstance(note, str)
            else getattr(note, "description", None) or getattr(note, "documentation", None)
        )
        said = text if isinstance(text, str) else said
        if isinstance(note, msgspec.Meta):
            rest.append(note)
    for note in rest:
        kind = Annotated[kind, note]
    return kind, said


def _as_object(arguments: Any, name: str, schema: Any, *, may_be_raw: bool) -> dict[str, Any]:
    """`{"_raw": text}` is what the wire makes of arguments that are not JSON. `schema`: or a function that gives it."""
    if isinstance(arguments, dict) and (may_be_raw or set(arguments) != {"_raw"}):
        return arguments
    raw = arguments["_raw"] if isinstance(arguments, dict) else arguments
    schema = schema() if callable(schema) else schema
    came = raw if isinstance(raw, str) and len(raw) <= 200 else shown(raw, 200)  # noqa: PLR2004 - enough to see what went wrong
    msg = f"the arguments of {name} are not valid JSON, or no object: {came}. Expected a JSON object of the schema {shown(schema, 2000)}"
    raise ToolArgumentsError(msg)


def _misfit(name: str, wrong: list[str], known: list[str]) -> ToolArgumentsError:
    return ToolArgumentsError(
        f"the arguments do not fit {name}: {'; '.join(wrong)}. Its arguments: {', '.join(known) or 'none'}"
    )


def _told(error: ValueError) -> str:
    """Pydantic adds to each line where a person can read on."""
    return re.sub(r"\s*For further information visit \S+", "", str(error))


def _expected(schema: dict[str, Any]) -> str:
    return shown({name: part for name, part in inlined(schema).items() if name != "default"}, 300)


def _read_or_leave(value: str, kind: type) -> Any:
    try:
        return read_as(value, kind)
    except ValueError:
        return value
