"""Where the cache is."""

import sys
from pathlib import Path

import pytest

from llm_actors.extras.weights_cache import cache_folder


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {}, "/people/u/.cache/llm-actors"),
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/llm-actors"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/people/u/.cache/llm-actors"),
        ("linux", {"XDG_CACHE_HOME": "/xdg", "LLM_ACTORS_CACHE": "~/own"}, "/people/u/own"),
        ("darwin", {"XDG_CACHE_HOME": "/xdg"}, "/people/u/Library/Caches/llm-actors"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/llm-actors/Cache"),
        ("win32", {}, "/people/u/AppData/Local/llm-actors/Cache"),
    ],
)
def test_the_folder_follows_the_platform_s_rules(monkeypatch, platform, variables, folder):
    for name in ("XDG_CACHE_HOME", "LLM_ACTORS_CACHE", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/people/u")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == Path(folder)
