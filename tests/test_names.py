"""Names and calls; each rule on the library, then on a small example that breaks it."""

import pytest

from tests.house import words
from tests.house.source import made_up, package


@pytest.mark.parametrize(
    "rule", [words.empty_names, words.prints, words.calls_past_the_seams], ids=lambda rule: rule.__name__
)
def test_the_library_has_none_of(rule):
    found = rule(package())
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    "path", ["chat/tool_manager.py", "utils/clock.py", "runtime/_impl.py", "chat/base.py", "core.py"]
)
def test_a_file_or_folder_whose_name_says_nothing_is_named(path):
    assert len(words.empty_names(made_up({f"llm_actors/{path}": ""}))) == 1


@pytest.mark.parametrize("name", ["ToolManager", "BaseModel", "HTTPHandler", "_ModelImpl", "Utils", "core_thing"])
def test_a_class_whose_name_says_nothing_is_named(name):
    assert len(words.empty_names(made_up({"llm_actors/a.py": f"class {name}: pass"}))) == 1


def test_words_inside_of_words_are_let_through():
    assert not words.empty_names(
        made_up({"llm_actors/database.py": "class Score: pass\nclass Database: pass\nclass Baseline: pass"})
    )


def test_print_is_named_also_when_only_handed_on_but_not_in_the_command_line():
    text = "print('x')\nafter = print\n"
    assert len(words.prints(made_up({"llm_actors/chat/a.py": text}))) == 2
    assert not words.prints(made_up({"llm_actors/command/a.py": text, "llm_actors/__main__.py": text}))


@pytest.mark.parametrize(
    "call",
    [
        "asyncio.sleep(1)",
        "asyncio.create_task(c())",
        "create_task(c())",
        "asyncio.get_running_loop().call_later(1, f)",
        "loop.asyncio_loop.create_task(c())",
        "datetime.now(UTC)",
        "datetime.datetime.utcnow()",
    ],
)
def test_a_call_past_the_clock_and_the_loop_is_named_outside_of_the_runtime(call):
    assert len(words.calls_past_the_seams(made_up({"llm_actors/transport/a.py": call}))) == 1
    assert not words.calls_past_the_seams(made_up({"llm_actors/runtime/a.py": call}))


@pytest.mark.parametrize(
    "call", ["loop.call_later(1, f)", "loop.spawn(c(), name='pump')", "clock.utcnow()", "clock.monotonic()"]
)
def test_a_call_through_the_clock_and_the_loop_is_let_through(call):
    assert not words.calls_past_the_seams(made_up({"llm_actors/transport/a.py": call}))
