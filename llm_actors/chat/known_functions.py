"""What is known of plain functions that were made tools before: a conversation offers its tools again with each prompt.

To look at a function of one parameter takes 40 us, to find it here 4. A function is looked at anew once something of it has changed, and
each time where that could not be seen: one with attributes or `__wrapped__`, one whose types are named in text, one with defaults that can
change.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from types import FunctionType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin
from weakref import WeakKeyDictionary

import msgspec


class Known(NamedTuple):
    """A function as it was, and what came of it. Nothing here holds the function."""

    looks: tuple[Any, ...]
    description: str | None
    schema: bytes
    reader: Callable[[Any], dict[str, Any]]


_known: WeakKeyDictionary[FunctionType, Known] = WeakKeyDictionary()


def recall(function: Any) -> Known | None:
    """What is known of this function as it is now. Any thread."""
    if type(function) is not FunctionType:
        return None
    known = _known.get(function)
    return known if known is not None and not function.__dict__ and known.looks == _looks(function) else None


def remember(function: Any, description: str | None, schema: dict[str, Any], reader: Any) -> None:
    """Notes what came of this function, if it would be the same the next time. Any thread."""
    if type(function) is not FunctionType or function.__dict__:
        return
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    if all(isinstance(one, str | int | float | None) for one in defaults) and all(
        _stays(one, function) for one in function.__annotations__.values()
    ):
        _known[function] = Known(_looks(function), description, msgspec.json.encode(schema), reader)


def _looks(function: FunctionType) -> tuple[Any, ...]:
    return (
        function.__code__,
        function.__name__,
        function.__doc__,
        function.__defaults__,
        dict(function.__kwdefaults__ or {}),
        dict(function.__annotations__),
    )


def _stays(annotation: Any, function: FunctionType) -> bool:
    """Whether it means the same whenever it is read: a class, what is made of classes, the name of one that Python has itself."""
    if isinstance(annotation, str):
        return annotation not in function.__globals__ and isinstance(getattr(builtins, annotation, None), type)
    if annotation is None or isinstance(annotation, type):
        return True
    kind, parts = get_origin(annotation), get_args(annotation)
    if kind is Literal:
        return True
    if kind is Annotated:
        parts = parts[:1]
    return bool(parts) and all(not isinstance(part, str) and _stays(part, function) for part in parts)
