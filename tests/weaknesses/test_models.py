"""Weaknesses W19 and W20 of the peer: looking models up. And that no weakness is without its test."""

import ast
import re
import time
from pathlib import Path

import pytest

import llm_actors as llm
from tests.house.source import parsed

from .played import AsyncPlayed, Played, run


@pytest.mark.parametrize("name", ["gpt-4o-mini", "4o-mini", "openai/of-next-year", "demo", "not-there"])
@pytest.mark.parametrize("get", [llm.get_async_model, llm.get_model])
def test_w19_looking_a_model_up_takes_microseconds(get, name):
    def look():
        try:
            get(name)
        except llm.UnknownModelError:
            assert name == "not-there"

    look()  # what is loaded once
    best = min(_seconds_of(look) for _ in range(20))
    assert best < 200e-6, f"{best * 1e6:.0f} us for one look-up; the peer takes 1.6 to 390 ms"


def _seconds_of(function):
    start = time.perf_counter()
    for _ in range(100):
        function()
    return (time.perf_counter() - start) / 100


class _Only(AsyncPlayed):
    model_id = "only-async"


class _OnlySync(Played):
    model_id = "only-sync"


@pytest.fixture
def registered():
    llm.register_model(None, _Only(["yes"]))
    llm.register_model(_OnlySync(["yes"]))
    yield
    llm.unregister_model("only-async")
    llm.unregister_model("only-sync")


def test_w20_a_model_registered_in_one_dress_only_breaks_no_look_up(registered):
    async def main():
        return await llm.get_async_model("only-async").prompt("?").text()

    assert run(main) == "yes"
    assert llm.get_model("only-sync").prompt("?").text() == "yes"
    assert llm.get_model("gpt-4o-mini").model_id == "gpt-4o-mini"
    with pytest.raises(llm.UnknownModelError) as no_sync:
        llm.get_model("only-async")
    assert no_sync.value.args == ("Unknown model (async model exists): only-async",)
    with pytest.raises(llm.UnknownModelError) as no_async:
        llm.get_async_model("only-sync")
    assert no_async.value.args == ("Unknown async model (sync model exists): only-sync",)
    with pytest.raises(llm.UnknownModelError) as neither:
        llm.get_model("not-there")
    assert neither.value.args == ("Unknown model: not-there",)


def test_w20_the_lists_hold_such_models_with_none_for_the_other_dress(registered):
    assert "only-async" in [model.model_id for model in llm.get_async_models()]
    assert "only-async" not in [model.model_id for model in llm.get_models()]
    pairs = {pair.model_id: pair for pair in llm.get_models_with_aliases()}
    assert pairs["only-async"].model is None
    assert pairs["only-sync"].async_model is None
    assert pairs["only-async"].matches("ONLY-a")
    assert "only-async" in llm.get_async_model_aliases()
    assert "only-async" not in llm.get_model_aliases()


def test_every_weakness_has_a_test_named_after_it():
    names = [
        node.name
        for file in Path(__file__).parent.glob("test_*.py")
        for node in parsed(file.read_text()).body
        if isinstance(node, ast.FunctionDef)
    ]
    tested = {found[1] for name in names if (found := re.match(r"test_w(\d\ds?)_", name))}
    assert tested == {*(f"{number:02}" for number in range(1, 30)), "03s"}
