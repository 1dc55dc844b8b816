import json
import logging

import pytest

from llm_actors.catalogue import aliases
from llm_actors.catalogue.aliases import remove_alias, set_default_model, user_aliases, write_alias
from llm_actors.errors import UserFileError


def test_aliases_are_written_beside_those_there(folder):
    write_alias("a", "gpt-4o")
    write_alias("b", "demo")
    write_alias("a", "gpt-4.1")
    assert user_aliases() == {"a": "gpt-4.1", "b": "demo"}
    assert json.loads((folder / "aliases.json").read_text()) == {"a": "gpt-4.1", "b": "demo"}


def test_an_alias_is_removed(folder):
    write_alias("a", "gpt-4o")
    write_alias("b", "demo")
    remove_alias("a")
    assert user_aliases() == {"b": "demo"}


def test_what_can_not_be_removed_says_why_in_the_peers_words(folder):
    with pytest.raises(KeyError) as caught:
        remove_alias("a")
    assert caught.value.args == ("No aliases.json file exists",)
    write_alias("b", "demo")
    with pytest.raises(KeyError) as caught:
        remove_alias("a")
    assert caught.value.args == ("No such alias: a",)
    (folder / "aliases.json").write_text("{")
    with pytest.raises(KeyError) as caught:
        remove_alias("a")
    assert caught.value.args == ("aliases.json file is not valid JSON",)


def test_a_broken_file_is_not_overwritten(folder):
    (folder / "aliases.json").write_text('{"mine": "demo",}')
    with pytest.raises(UserFileError, match="left as it is"):
        write_alias("a", "demo")
    assert (folder / "aliases.json").read_text() == '{"mine": "demo",}'


def test_a_broken_file_counts_as_empty_and_is_logged_once(folder, caplog):
    (folder / "aliases.json").write_text("[1]")
    with caplog.at_level(logging.WARNING, "llm_actors"):
        assert [user_aliases() for _ in range(3)] == [{}] * 3
    assert len(caplog.records) == 1
    assert aliases.fault() is not None
    assert aliases.fault() in caplog.text
    (folder / "aliases.json").write_text("{}")
    assert aliases.fault() is None


def test_the_default_is_written_read_and_deleted(folder):
    assert aliases.configured_default() is None
    set_default_model(None)
    set_default_model("demo")
    assert (folder / "default_model.txt").read_text() == "demo"
    assert aliases.configured_default() == "demo"
    (folder / "default_model.txt").write_text("  gpt-4o\n")
    assert aliases.configured_default() == "gpt-4o"
    set_default_model(None)
    assert not (folder / "default_model.txt").exists()
    assert aliases.configured_default() is None


def test_an_empty_default_is_none(folder):
    (folder / "default_model.txt").write_text("\n")
    assert aliases.configured_default() is None
