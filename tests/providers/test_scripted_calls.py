from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_actors.messages import ToolSpec
from llm_actors.providers.scripted_calls import Wanted, wanted_calls
from llm_actors.providers.scripted_words import Evidence, name_words, parts, stem, trimmed


def spec(named: str, description: str | None = None, /, *, optional: tuple[str, ...] = (), **properties) -> ToolSpec:
    schemas = {field: {"type": kind} if isinstance(kind, str) else kind for field, kind in properties.items()}
    required = [field for field in properties if field not in optional]
    return ToolSpec(named, description, {"type": "object", "properties": schemas, "required": required})


UPPER = spec("upper", "Converts string to uppercase", string="string")
FAHRENHEIT = spec("celsius_to_fahrenheit", "Convert a temperature from Celsius to Fahrenheit.", celsius="number")
HELLO = spec("hello", "Say hello to name", name="string")
SEARCH = spec("search_web", "Search the web for information", query="string")
ADD = spec("add", "Add two numbers", a="integer", b="integer")
WEATHER = spec(
    "get_weather",
    "Get the weather of a city",
    city="string",
    unit={"type": "string", "enum": ["celsius", "fahrenheit"]},
    days={"type": "integer", "maximum": 7},
    optional=("unit", "days"),
)
TIME = spec("current_time", "Tells the time")
ALL = [UPPER, FAHRENHEIT, HELLO, SEARCH, ADD, WEATHER, TIME]


def calls(prompt: str, *tools: ToolSpec, last: str | None = None) -> list[tuple[str, Any]]:
    return [(call.name, call.arguments) for call in wanted_calls(prompt, list(tools or ALL), last)]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Convert panda to uppercase then pelican to uppercase", [("upper", {"string": "panda"}), ("upper", {"string": "pelican"})]),
        ("What is 100°C in Fahrenheit?", [("celsius_to_fahrenheit", {"celsius": 100})]),
        ("What is -40.5 celsius in fahrenheit?", [("celsius_to_fahrenheit", {"celsius": -40.5})]),
        ("Say hello to Percival", [("hello", {"name": "Percival"})]),
        ("Say hello to Percival and Bob", [("hello", {"name": "Percival"}), ("hello", {"name": "Bob"})]),
        ("Find recent news about pelicans", [("search_web", {"query": "recent news about pelicans"})]),
        ("What is 2 plus 3?", [("add", {"a": 2, "b": 3})]),
        ("add 2 and 3", [("add", {"a": 2, "b": 3})]),
        ("Add 2 and 3, then say hello to Ann", [("add", {"a": 2, "b": 3}), ("hello", {"name": "Ann"})]),
        (
            "What's the weather in Paris, London and New York?",
            [("get_weather", {"city": city}) for city in ("Paris", "London", "New York")],
        ),
        ("Weather in Rome in celsius", [("get_weather", {"city": "Rome", "unit": "celsius"})]),
        ("Weather in Rome, days: 3", [("get_weather", {"city": "Rome", "days": 3})]),
        ("What time is it?", [("current_time", {})]),
        (
            'Convert "panda and bear" to uppercase, then "b" to uppercase',
            [("upper", {"string": "panda and bear"}), ("upper", {"string": "b"})],
        ),
        ("Use search_web with query=pelicans", [("search_web", {"query": "pelicans"})]),
        ("Say hello to Ann, and whatever else comes to your mind", [("hello", {"name": "Ann"})]),
        ("Please, say hello to Ann and say hello to Ann", [("hello", {"name": "Ann"})]),
        ("Call add, and call upper on pelican", [("add", {"a": 1, "b": 1}), ("upper", {"string": "pelican"})]),
        ("What is the temperature in Celsius, and the weather", []),
        ("search web", [("search_web", {"query": "scripted query"})]),
    ],
)  # fmt: skip
def test_a_prompt_calls_the_tool_that_fits_with_arguments_from_its_words(prompt, expected):
    assert calls(prompt) == expected


@pytest.mark.parametrize(
    "prompt",
    [
        "hi",
        "",
        "Five surprising names for a pet pelican",
        "What is the capital of France?",
        "Tell me a joke about numbers",
        "add",
        "...",
    ],
)
def test_a_prompt_that_fits_no_tool_calls_none(prompt):
    assert calls(prompt, UPPER, FAHRENHEIT, HELLO, ADD, WEATHER) in ([], [("add", {"a": 1, "b": 1})][: prompt == "add"])


def test_without_tools_there_are_no_calls():
    assert wanted_calls("Convert panda to uppercase", []) == []


def test_a_tool_called_by_its_name_is_called_even_without_arguments_for_it():
    (call,) = wanted_calls("Call add now", [ADD, UPPER])
    assert call == Wanted("add", {"a": 1, "b": 1}, complete=False)


@pytest.mark.parametrize(
    ("prompt", "last", "expected"),
    [
        ("And -40°C?", "celsius_to_fahrenheit", [("celsius_to_fahrenheit", {"celsius": -40})]),
        ("What about flamingos?", "search_web", [("search_web", {"query": "flamingos"})]),
        (
            "And -40, and 10?",
            "celsius_to_fahrenheit",
            [("celsius_to_fahrenheit", {"celsius": each}) for each in (-40, 10)],
        ),
        ("And what?", "celsius_to_fahrenheit", []),
        ("flamingos", "gone", []),
        ("", "search_web", []),
        ("Now tell me a very long story of a king who had no trousers", "celsius_to_fahrenheit", []),
        ("thank you so much for all you have done", "search_web", []),
    ],
)
def test_a_follow_up_calls_the_last_tool_again(prompt, last, expected):
    assert calls(prompt, FAHRENHEIT, SEARCH, last=last) == expected


def test_arguments_of_several_texts_are_cut_at_small_words():
    translate = spec("translate", "Translate text into a language", text="string", language="string")
    assert calls("Translate good morning into Welsh", translate) == [
        ("translate", {"text": "good morning", "language": "Welsh"})
    ]
    assert calls('Translate "good and bad" into "French"', translate) == [
        ("translate", {"text": "good and bad", "language": "French"})
    ]


def test_lists_take_all_numbers_names_or_quoted_texts():
    numbers = spec("average", "Average of numbers", numbers={"type": "array", "items": {"type": "number"}})
    whole = spec("average", "Average of numbers", numbers={"type": "array", "items": {"type": "integer"}})
    texts = spec("join_texts", "Join texts", texts={"type": "array", "items": {"type": "string"}})
    things = spec("merge_all", "Merge objects", objects={"type": "array", "items": {"type": "object"}})
    assert calls("The average of 1, 2.5 and 3", numbers) == [("average", {"numbers": [1, 2.5, 3]})]
    assert calls("The average of 1, 2 and 3", whole) == [("average", {"numbers": [1, 2, 3]})]
    assert calls('Join texts "a" and "b"', texts) == [("join_texts", {"texts": ["a", "b"]})]
    assert calls("merge all now", things) == [("merge_all", {"objects": [{}]})]


def test_an_optional_argument_may_have_branches():
    either = {"anyOf": [{"type": "null"}, {"type": "integer"}, {"type": "boolean"}]}
    tool = spec("forecast", "Weather forecast", days=either, optional=("days",))
    assert calls("forecast with days: 3", tool) == [("forecast", {"days": 3})]
    assert calls("forecast with days: no", tool) == [("forecast", {"days": False})]
    assert calls("forecast with days: many", tool) == [("forecast", {})]


def test_a_formula_is_taken_whole():
    calculator = spec("calculate", "Evaluate an expression", expression="string")
    assert calls("Calculate 12 * (3 + 4)", calculator) == [("calculate", {"expression": "12 * (3 + 4)"})]


def test_a_flag_is_set_when_the_prompt_says_so():
    flag = spec("list_files", "List files", folder="string", deep="boolean", optional=("deep",))
    assert calls("List files, folder: src, deep: yes", flag) == [("list_files", {"folder": "src", "deep": True})]


def test_an_argument_that_nothing_fits_is_null_so_that_the_tool_says_what_it_expects():
    odd = spec("odd_one", None, code={"type": "string", "pattern": "^zebra{40}$"})
    (call,) = wanted_calls("Use odd_one", [odd])
    assert call == Wanted("odd_one", {"code": None}, complete=False)


def test_references_in_a_tools_schema_are_followed():
    schema = {
        "type": "object",
        "properties": {"to": {"$ref": "#/$defs/Unit"}},
        "required": ["to"],
        "$defs": {"Unit": {"enum": ["km", "mile"]}},
    }
    assert calls("convert this distance to mile", ToolSpec("convert_distance", "Converts", schema)) == [
        ("convert_distance", {"to": "mile"})
    ]


@given(st.text(max_size=120))
def test_any_prompt_gives_calls_of_offered_tools_with_all_required_arguments(prompt):
    required = {tool.name: tool.input_schema["required"] for tool in ALL}
    for call in wanted_calls(prompt, ALL, "add"):
        assert set(required[call.name]) <= call.arguments.keys()


def test_words():
    assert [stem(word) for word in ("converts", "Converting", "converted", "glass", "the", "cat's")] == [
        "convert",
        "convert",
        "convert",
        "glass",
        "the",
        "cat",
    ]
    assert name_words("Files_readText2") == ["files", "read", "text", "2"]
    assert parts("a, b and c. d") == ["a", "b", "c", "d"]
    assert parts("...") == ["..."]
    assert trimmed("Please convert the panda now", {"convert"}) == "panda"
    assert trimmed("please", set()) == ""


def test_evidence():
    found = Evidence('Ann met Bob Smith in New York. "quoted" 1,000 and -2.5e3. Then I left.')
    assert found.names == ["Bob Smith", "New York"]
    assert found.quoted == ["quoted"]
    assert found.numbers == [1000, -2500.0]
    assert Evidence("the city is Rome").labelled("city") == "Rome"
    assert Evidence('city="New York"').labelled("city") == "New York"
    assert Evidence("a dog called Cleo.").labelled("name") == "Cleo"
    assert Evidence("nothing").labelled("city") is None
    assert [Evidence(text).count() for text in ("five of 3", "3 of them", "-1", "none")] == [5, 3, None, None]
