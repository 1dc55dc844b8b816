"""The files of models: ours are of their form, the user's replace them, and what is wrong with one is told without breaking look-ups."""

import json
import logging
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from llm_actors.catalogue import model_files
from llm_actors.catalogue.model_files import family_of, parse_family
from llm_actors.catalogue.preset import LongPrice, Row
from llm_actors.catalogue.registry import Catalogue
from llm_actors.chat.budget import PER_TOKEN, Budget, Price
from llm_actors.errors import BudgetExceeded, NoPriceError

OURS = sorted(Path(model_files.__file__).parent.glob("families/*.json"))


@pytest.fixture
def write(folder):
    def write(name, content):
        path = folder / "models" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_a_file_of_ours_has_its_date_its_sources_and_figures_that_can_be(path):
    plain = json.loads(path.read_text())
    family = parse_family(path.read_text())
    assert plain["provider"] == path.stem
    assert date(2026, 11, 1) <= date.fromisoformat(family.as_of)
    assert plain["sources"]
    names = [name for row in family.rows for name in (row.model_id, *row.aliases)]
    assert len(names) == len(set(names))
    for row in family.rows:
        assert 4_000 < (row.context_size or 0) <= 2_000_000
        for price in (row.price, getattr(row.price, "long", None)):
            if price is not None:
                assert 0 <= (price.cached_input or 0) <= price.input <= price.output


def test_there_are_files_for_the_three_large_ones():
    assert {path.stem for path in OURS} >= {"openai", "anthropic", "gemini"}


def test_a_file_of_the_users_stands_in_place_of_ours_until_it_is_gone(write):
    catalogue = Catalogue()
    assert catalogue.get_model("4o").model_id == "gpt-4o"
    path = write("openai", {"models": [{"id": "gpt-9", "aliases": ["nine"], "price": {"input": 1, "output": 2}}]})
    nine = catalogue.get_model("nine")
    assert (nine.model_id, nine.price, nine.supports_tools) == ("gpt-9", Price(1, 2), True)
    with pytest.raises(KeyError):
        catalogue.get_model("4o")
    assert catalogue.get_model("openai/gpt-4o").price is None  # an id without a row still works
    path.unlink()
    assert catalogue.get_model("4o").model_id == "gpt-4o"


def test_a_file_for_a_server_that_has_none_of_ours_lists_its_models_behind_its_prefix(write):
    write("groq", {"takes": {"image": ["image/png"]}, "models": [{"id": "qwen", "takes": [], "context": 131072}]})
    catalogue = Catalogue()
    assert "groq/qwen" in [pair.model_id for pair in catalogue.get_models_with_aliases()]
    model = catalogue.get_model("groq/qwen")
    assert (model.context_size, model.attachment_types) == (131072, frozenset())
    assert catalogue.get_model("groq/other").attachment_types == {"image/png"}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "is not valid JSON"),
        ("[]", "it is no object"),
        ("{}", "is not of its form: models is no list"),
        ({"models": [1]}, r"models\[0\] is no object"),
        ({"models": [{}]}, r"models\[0\].id is no str"),
        ({"models": [{"id": "x"}, {"id": "y", "context": True}]}, r"models\[1\].context is no int"),
        ({"models": [{"id": "x", "aliases": "y"}]}, r"models\[0\].aliases is no list"),
        ({"models": [{"id": "x", "aliases": [1]}]}, r"models\[0\].aliases is no list of texts"),
        ({"models": [{"id": "x", "takes": ["smell"]}]}, r"models\[0\].takes names kinds"),
        ({"models": [{"id": "x", "price": {"input": 1}}]}, r"models\[0\].price.output is no number"),
        ({"models": [{"id": "x", "price": {"input": -1, "output": 1}}]}, r"models\[0\].price is below 0"),
        (
            {"models": [{"id": "x", "price": {"input": 1, "output": 1, "above": 9, "long": {}}}]},
            r"price.long.input is no number",
        ),
        ({"takes": {"image": "image/png"}, "models": []}, r"takes.image is no list of texts"),
    ],
)
def test_a_file_that_is_not_of_its_form_is_told_once_and_ours_is_used(write, caplog, content, fault):
    caplog.set_level(logging.WARNING)
    path = write("openai", content)
    catalogue = Catalogue()
    assert catalogue.get_model("4o").model_id == "gpt-4o"
    catalogue.get_model("gpt-4.1")
    [record] = caplog.records
    assert str(path) in record.message
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(ValueError, match=fault):
        parse_family(text)


def test_a_model_that_was_taken_away_stays_away_when_files_change(write):
    catalogue = Catalogue()
    catalogue.unregister_model("gpt-4o")
    write("groq", {"models": []})
    with pytest.raises(KeyError):
        catalogue.get_model("gpt-4o")


def test_a_price_that_rises_with_the_input_is_counted_so():
    price = LongPrice(2, 10, 0.5, above=1000, long=Price(4, 15, 1))
    assert price.units(1000, 10, 100) == (900 * 2 + 100 * 0.5 + 10 * 10) * PER_TOKEN
    assert price.units(1001, 10, 100) == (901 * 4 + 100 * 1 + 10 * 15) * PER_TOKEN
    assert Row("m", price=price).price.units(1, 1) == 12 * PER_TOKEN


def test_a_budget_in_money_holds_with_the_price_of_the_file(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1")
    catalogue = Catalogue()
    with pytest.raises(BudgetExceeded, match="cost"):
        catalogue.get_model("gpt-4o").prompt("hi", budget=Budget(cost=1e-9)).text()
    with pytest.raises(NoPriceError):
        catalogue.get_model("openai/gpt-9").prompt("hi", budget=Budget(cost=1)).text()


def test_no_file_of_models_and_no_codec_is_read_before_a_model_is_looked_up():
    program = """
import sys, llm_actors as llm
from llm_actors.catalogue import model_files
assert not model_files._read, model_files._read
assert "llm_actors.providers.gemini" not in sys.modules
llm.get_model("gpt-4o")
assert model_files._read
assert "llm_actors.providers.gemini" not in sys.modules
llm.get_model("gemini-3.8-flash")
assert "llm_actors.providers.gemini" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_families_without_any_file_are_none():
    assert family_of("nobody") is None
