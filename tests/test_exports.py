"""What is public: the names in `__all__` of the root, and what each package exports by its `__init__`."""

import importlib
import tomllib
import types

import pytest

import llm_actors
from tests.house.layers import public_names
from tests.house.source import REPOSITORY, package

PACKAGES = {name: module for name, module in package().items() if module.is_package}


def test_the_roots_all_is_sorted_and_is_what_the_root_has():
    bound = {name for name in dir(llm_actors) if not name.startswith("_") and not _is_module(name)}
    assert list(llm_actors.__all__) == sorted(set(llm_actors.__all__))
    assert {name for name in llm_actors.__all__ if not _is_module(name)} == bound


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_every_public_name_is_there_in(name):
    loaded = importlib.import_module(name)
    assert [public for public in sorted(public_names(PACKAGES[name])) if not hasattr(loaded, public)] == []


def test_what_the_packaging_promises_can_be_called():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    promised = [*project["scripts"].values(), *project["entry-points"]["llm_actors"].values()]
    assert promised
    for place in promised:
        module, _, function = place.partition(":")
        assert callable(getattr(importlib.import_module(module), function)), place


def _is_module(name):
    return isinstance(getattr(llm_actors, name), types.ModuleType)
