"""A function that is offered again is not looked at again, unless something of it has changed."""

import gc
import inspect
import weakref
from typing import Annotated, Literal

import pytest

from llm_actors.chat import known_functions
from llm_actors.chat.tools import Tool, resolve_tools


@pytest.fixture
def looks(monkeypatch):
    """How often a function was looked at."""
    count, signature = [], inspect.signature

    def counted(function, **more):
        count.append(function)
        return signature(function, **more)

    monkeypatch.setattr(inspect, "signature", counted)
    return count


def add(a: int, b: Annotated[float, "the other"] = 1.5, *, way: Literal["up", "down"] = "up") -> str:
    """Adds."""
    return f"{a} {b} {way}"


def test_a_function_that_is_offered_again_is_not_looked_at_again(looks):
    (first,) = resolve_tools([add])
    seen = len(looks)
    (second,) = resolve_tools([add])
    assert len(looks) == seen
    assert second == first == Tool.function(add)
    assert second is not first
    assert second.input_schema is not first.input_schema
    assert (
        second.convert({"a": "1", "way": "down"}) == first.convert({"a": "1", "way": "down"}) == {"a": 1, "way": "down"}
    )


def changed_text(function):
    function.__doc__ = "Another text."


def changed_types(function):
    function.__annotations__["a"] = str


def changed_defaults(function):
    function.__defaults__ = (7,)


def changed_name(function):
    function.__name__ = "another"


def changed_signature(function):
    function.__signature__ = inspect.Signature([inspect.Parameter("z", inspect.Parameter.KEYWORD_ONLY)])


@pytest.mark.parametrize("change", [changed_text, changed_types, changed_defaults, changed_name, changed_signature])
def test_one_that_has_changed_is_looked_at_anew(change):
    def function(a: int = 3):
        """A text."""

    (before,) = resolve_tools([function])
    change(function)
    (after,) = resolve_tools([function])
    assert after == Tool.function(function)
    assert after != before


def test_what_may_change_unseen_is_looked_at_each_time():
    class Kind:
        pass

    def text(a: "Kind"):
        pass

    def shared(a: list[int] = []):  # noqa: B006
        pass

    def inner(a: "list[Kind]"):
        pass

    for function in (text, shared, inner, len, [].append):
        known_functions.remember(function, None, {}, None)
        assert known_functions.recall(function) is None


def test_types_that_python_has_itself_may_be_named_in_text(looks):
    def function(a: "int"):
        pass

    resolve_tools([function])
    seen = len(looks)
    resolve_tools([function])
    assert len(looks) == seen


def test_a_function_that_is_let_go_of_is_forgotten():
    def function(a: int):
        pass

    resolve_tools([function])
    assert known_functions.recall(function) is not None
    gone = weakref.ref(function)
    del function
    gc.collect()
    assert gone() is None
