import enum
import functools
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import pytest

from llm_actors.chat.docstring import parameter_texts
from llm_actors.chat.function import accepts_tool_call, called_by_name, documentation, is_async, name_of
from llm_actors.chat.tools import Tool
from llm_actors.errors import ToolArgumentsError
from tests.chat.pydantic_like import Dog

if TYPE_CHECKING:
    from decimal import Decimal


class Unit(enum.Enum):
    C = "celsius"
    F = "fahrenheit"


@dataclass
class Place:
    city: str
    tags: list[str] = field(default_factory=list)


class Doc:
    def __init__(self, documentation):
        self.documentation = documentation


NOTHING: Any = object()


def schema_of(function):
    return Tool.function(function, "f").input_schema


def properties_of(function):
    return schema_of(function)["properties"]


def test_types_defaults_and_required_are_shown():
    def f(
        a: int, b: str = "x", c: bool | None = None, d: Unit = Unit.C, e: Literal["p", "q"] = "p", *, g: list[int]
    ): ...

    assert schema_of(f) == {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "string", "default": "x"},
            "c": {"anyOf": [{"type": "boolean"}, {"type": "null"}], "default": None},
            "d": {"enum": ["celsius", "fahrenheit"], "type": "string", "default": "celsius"},
            "e": {"enum": ["p", "q"], "type": "string", "default": "p"},
            "g": {"type": "array", "items": {"type": "integer"}},
        },
        "required": ["a", "g"],
    }


def test_a_function_without_parameters_has_an_empty_object():
    assert schema_of(lambda: 1) == {"type": "object", "properties": {}}


def test_a_parameter_without_type_is_a_string_to_the_model_and_takes_any_value():
    def f(a, b=None, c=3): ...

    assert properties_of(f) == {
        "a": {"type": "string"},
        "b": {"type": "string", "default": None},
        "c": {"type": "string", "default": 3},
    }
    assert Tool.function(f).convert({"a": 5, "b": [1]}) == {"a": 5, "b": [1]}


def test_self_and_llm_tool_call_are_not_shown():
    def f(self, a: int, llm_tool_call=None): ...

    assert list(properties_of(f)) == ["a"]


def test_none_as_default_lets_none_in():
    def f(a: int = None): ...  # type: ignore[assignment]  # noqa: RUF013

    assert properties_of(f)["a"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert Tool.function(f).convert({"a": None}) == {"a": None}


def test_a_default_that_json_has_no_form_for_is_not_shown():
    def f(a: int = NOTHING, b: Place = Place("Oslo")): ...  # noqa: B008

    assert properties_of(f)["a"] == {"type": "integer"}
    assert properties_of(f)["b"]["default"] == {"city": "Oslo", "tags": []}
    assert "required" not in schema_of(f)


def test_descriptions_come_from_annotations_then_from_the_docstring():
    def f(
        a: Annotated[int, "plain"],
        b: Annotated[int, msgspec.Meta(description="meta", ge=1)],
        c: Annotated[str, Doc("doc"), 5],
        d: Annotated[str, "said"],
        e: float,
        g: int = 1,
    ):
        """Does.

        Args:
            d: not this
            e (float): from the docstring,
                and on
        """

    assert {name: part.get("description") for name, part in properties_of(f).items()} == {
        "a": "plain",
        "b": "meta",
        "c": "doc",
        "d": "said",
        "e": "from the docstring, and on",
        "g": None,
    }
    assert properties_of(f)["b"]["minimum"] == 1


def test_docstrings_of_both_kinds_are_read():
    google = (
        "Sum.\n\nArgs:\n    a: first\n    b (int, optional): second\n    *rest: more\n    odd line\n\n"
        "    other: unknown\n\nReturns:\n    a: no"
    )
    assert parameter_texts(google, ["a", "b", "rest"]) == {"a": "first", "b": "second", "rest": "more"}
    sphinx = "Sum.\n\n:param a: first\n    goes on\n:param int b: second\n:returns: x"
    assert parameter_texts(sphinx, ["a", "b"]) == {"a": "first goes on", "b": "second"}
    assert parameter_texts("a: not a section\n    b: neither", ["a", "b"]) == {}


def test_a_property_called_title_survives():
    class Book(msgspec.Struct):
        title: str

    def f(title: str, book: Book): ...

    assert properties_of(f) == {
        "title": {"type": "string"},
        "book": {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
    }


def test_string_annotations_are_resolved_also_from_the_function_around():
    class Inner(msgspec.Struct):
        x: int

    def f(a: "Place", b: "Inner", c: "list[Place] | None" = None) -> "Nowhere":  # type: ignore[name-defined]  # noqa: F821
        return Inner

    assert properties_of(f)["b"]["properties"] == {"x": {"type": "integer"}}
    values = Tool.function(f).convert({"a": {"city": "Oslo"}, "b": {"x": 1}, "c": [{"city": "Rome"}]})
    assert values == {"a": Place("Oslo"), "b": Inner(1), "c": [Place("Rome")]}


def test_an_annotation_that_is_not_there_at_run_time_is_named():
    def f(a: int, b: "Decimal"): ...

    with pytest.raises(TypeError, match=r"annotation 'Decimal' of parameter 'b' of f can't be read"):
        Tool.function(f)

    def g(a: "later"):  # type: ignore[valid-type]
        return later

    with pytest.raises(TypeError, match="'later' of parameter 'a'"):
        Tool.function(g)
    later = 1


def test_a_type_that_cannot_be_described_is_named_with_its_parameter():
    def f(a: complex): ...

    with pytest.raises(TypeError, match=r"parameter 'a' can't be described to a model: .*complex"):
        Tool.function(f)


def test_a_pydantic_class_as_parameter_gives_an_instance():
    def f(dog: Dog, dogs: Sequence[Dog] = ()): ...

    assert "$defs" not in schema_of(f)
    assert properties_of(f)["dog"]["properties"]["name"] == {"type": "string"}
    assert Tool.function(f).convert({"dog": {"name": "Rex"}, "dogs": [{"age": "2"}]}) == {
        "dog": Dog(name="Rex"),
        "dogs": [Dog(age=2)],
    }


# ---- arguments --------------------------------------------------------------------------------------------------------------


def weather(city: str, days: int = 3, unit: Unit = Unit.C, where: Place | None = None):
    return city


def test_arguments_are_converted_and_the_models_dict_is_left_alone():
    given = {"city": "Oslo", "days": "5", "unit": "fahrenheit", "where": {"city": "x"}}
    before = dict(given)
    assert Tool.function(weather).convert(given) == {"city": "Oslo", "days": 5, "unit": Unit.F, "where": Place("x")}
    assert given == before


def test_null_for_an_argument_with_a_default_means_left_out():
    assert Tool.function(weather).convert({"city": "Oslo", "days": None}) == {"city": "Oslo"}


def test_everything_that_does_not_fit_is_told_at_once():
    with pytest.raises(ToolArgumentsError) as caught:
        Tool.function(weather).convert({"days": "soon", "unit": "kelvin", "zip": 1})
    assert str(caught.value) == (
        "the arguments do not fit weather: "
        '\'city\' is missing, expected {"type": "string"}; '
        '\'days\': Expected `int`, got `str`; expected {"type": "integer"}, got "soon"; '
        '\'unit\': Invalid enum value \'kelvin\'; expected {"enum": ["celsius", "fahrenheit"], "type": "string"}, got "kelvin"; '
        "'zip' is not one of its arguments. "
        "Its arguments: city, days, unit, where"
    )
    assert isinstance(caught.value, ValueError)


def test_null_for_a_required_argument_does_not_fit():
    with pytest.raises(ToolArgumentsError, match="'city': Expected `str`, got `null`"):
        Tool.function(weather).convert({"city": None})


def test_links_for_people_are_left_out_of_what_a_model_is_told():
    class Strict(Dog):
        @classmethod
        def model_validate(cls, plain):
            raise ValueError("wrong\n    For further information visit https://errors.example/v/x\nmore")

    def f(dog: Strict): ...

    with pytest.raises(ToolArgumentsError, match=r"'dog': wrong\nmore; expected"):
        Tool.function(f).convert({"dog": {}})


@pytest.mark.parametrize("raw", [{"_raw": '{"city": "Os'}, ["Oslo"], None, "Oslo"])
def test_arguments_that_are_no_json_object_are_told_as_such(raw):
    with pytest.raises(
        ToolArgumentsError,
        match=r"arguments of weather are not valid JSON, or no object: .*Os|null.* Expected a JSON object",
    ):
        Tool.function(weather).convert(raw)


def test_a_long_raw_text_is_cut():
    with pytest.raises(ToolArgumentsError) as caught:
        Tool.function(weather).convert({"_raw": "x" * 100_000})
    assert len(str(caught.value)) < 3000


def test_a_parameter_that_is_called_raw_is_one():
    def f(_raw: str): ...

    assert Tool.function(f).convert({"_raw": "x"}) == {"_raw": "x"}


# ---- kinds of functions -----------------------------------------------------------------------------------------------------


def called(function, arguments):
    tool = Tool.function(function, "f")
    assert tool.implementation is not None
    return tool.implementation(**tool.convert(arguments))


def test_positional_only_parameters_and_args_are_given_by_name():
    def f(a, b: int = 2, /, c: int = 3, *more: int, d: int = 4):
        return a, b, c, more, d

    assert properties_of(f)["more"] == {"type": "array", "items": {"type": "integer"}}
    assert schema_of(f)["required"] == ["a"]
    assert called(f, {"a": 1}) == (1, 2, 3, (), 4)
    assert called(f, {"a": 1, "c": 5, "more": ["6", 7], "d": 8}) == (1, 2, 5, (6, 7), 8)
    with pytest.raises(ToolArgumentsError, match="'more': Expected `int`"):
        called(f, {"a": 1, "more": ["x"]})
    with pytest.raises(TypeError, match="missing argument: 'a'"):
        called_by_name(f)(c=1)


def test_an_async_function_with_positional_only_parameters_stays_async():
    async def f(a: int, /):
        return a + 1

    tool = Tool.function(f)
    assert tool.is_async
    assert tool.implementation is not None
    coroutine = tool.implementation(a=1)
    with pytest.raises(StopIteration) as caught:
        coroutine.send(None)
    assert caught.value.value == 2


def test_kwargs_take_other_arguments_of_their_type():
    def f(a: int, **more: float):
        return a, more

    assert schema_of(f)["additionalProperties"] == {"type": "number"}
    assert called(f, {"a": 1, "x": "1.5"}) == (1, {"x": 1.5})
    with pytest.raises(ToolArgumentsError, match=r"'x': Expected `float`, got `str`; expected {\"type\": \"number\"}"):
        called(f, {"a": 1, "x": "y"})

    def g(**anything): ...

    assert schema_of(g) == {"type": "object", "properties": {}, "additionalProperties": True}
    assert Tool.function(g).convert({"x": [1]}) == {"x": [1]}


def test_a_partial_hides_what_it_has_bound():
    def f(query: str, api_key: str, limit: int = 5):
        "Searches."
        return query, api_key, limit

    bound = functools.partial(functools.partial(f, api_key="sk-secret-key"), limit=7)
    tool = Tool.function(bound)
    assert (tool.name, tool.description) == ("f", "Searches.")
    assert list(tool.input_schema["properties"]) == ["query"]
    assert "sk-secret" not in repr(tool)
    assert called(bound, {"query": "q"}) == ("q", "sk-secret-key", 7)
    with pytest.raises(ToolArgumentsError, match="'api_key' is not one of its arguments"):
        tool.convert({"query": "q", "api_key": "other"})
    assert list(properties_of(functools.partial(f, "q"))) == ["api_key", "limit"]


def test_methods_callable_objects_classes_and_builtins_can_be_tools():
    class Counter:
        """Counts."""

        def __init__(self, start: int = 0):
            self.start = start

        def up(self, by: int):
            return self.start + by

        @classmethod
        def make(cls, start: int): ...

        def __call__(self, by: "Annotated[int, 'how far']"):
            return by

    assert properties_of(Counter(1).up) == {"by": {"type": "integer"}}
    assert called(Counter(1).up, {"by": "2"}) == 3
    assert properties_of(Counter.make) == {"start": {"type": "integer"}}
    assert properties_of(Counter()) == {"by": {"type": "integer", "description": "how far"}}
    assert (name_of(Counter()), documentation(Counter())) == ("Counter", "Counts.")
    assert properties_of(Counter) == {"start": {"type": "integer", "default": 0}}
    assert list(properties_of(sorted)) == ["iterable", "key", "reverse"]


def test_a_decorated_function_is_seen_through_its_decorator():
    def logged(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)

        return wrapper

    @logged
    def f(a: "Place"):
        "Doc."

    assert list(properties_of(f)["a"]["properties"]) == ["city", "tags"]
    assert Tool.function(f).implementation is f


def test_is_async_sees_through_partials_methods_and_call():
    class Caller:
        async def method(self): ...

        async def __call__(self): ...

    async def f(a=1): ...

    assert all(
        is_async(function)
        for function in (f, functools.partial(f, a=2), Caller().method, Caller(), functools.partial(Caller()))
    )
    assert not any(is_async(function) for function in (None, weather, Caller, functools.partial(weather), print))


def test_llm_tool_call_has_to_be_named():
    def named(llm_tool_call): ...
    def keywords(**kwargs): ...

    def after(a, /, llm_tool_call): ...

    assert Tool.function(named).accepts_tool_call
    assert Tool.function(after).accepts_tool_call
    assert not Tool.function(keywords).accepts_tool_call
    assert not accepts_tool_call(None)
    assert not accepts_tool_call(min) or "llm_tool_call" in inspect.signature(min).parameters
    tool = Tool.function(after)
    assert tool.implementation is not None
    assert tool.implementation(a=1, llm_tool_call="call") is None


def test_any_is_anything():
    def f(a: Any = None, b: object = None): ...

    assert properties_of(f) == {"a": {"default": None}, "b": {"anyOf": [{}, {"type": "null"}], "default": None}}
