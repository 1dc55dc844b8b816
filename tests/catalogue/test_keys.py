import json
import os
from pathlib import Path

import pytest

from llm_actors.catalogue.endpoints import endpoint
from llm_actors.catalogue.keys import Keys, get_key, load_keys
from llm_actors.chat import seams
from llm_actors.errors import ModelError, NeedsKeyException, UserFileError
from llm_actors.messages import Secret


@pytest.fixture
def stored(folder):
    (folder / "keys.json").write_text(json.dumps({"openai": "stored-openai", "work": "stored-work", "empty": ""}))


def key_for(**given):
    found = Keys().key_for(
        **{"explicit": None, "attribute": None, "needs_key": "openai", "env_var": "OPENAI_API_KEY", **given}
    )
    assert found is None or isinstance(found, Secret)
    return found.reveal() if found is not None else None


def test_get_key_takes_the_first_of_name_literal_alias_and_environment(stored, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "from-env")
    assert get_key(input="work", alias="openai", env="SOME_KEY") == "stored-work"
    assert get_key(input="sk-literal", alias="openai", env="SOME_KEY") == "sk-literal"
    assert get_key(alias="openai", env="SOME_KEY") == "stored-openai"
    assert get_key(alias="other", env="SOME_KEY") == "from-env"
    assert get_key(alias="other", env="NO_SUCH_KEY") is None
    assert get_key() is None


def test_get_key_takes_its_first_three_by_place_and_the_names_win(stored, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "from-env")
    assert get_key("work", "openai", "SOME_KEY") == "stored-work"
    assert get_key(None, "openai", "SOME_KEY") == "stored-openai"
    assert get_key(None, None, "SOME_KEY") == "from-env"
    assert get_key("work", input="sk-literal") == "sk-literal"
    assert get_key(None, "openai", alias="work") == "stored-work"


def test_load_keys(stored, folder):
    assert load_keys()["work"] == "stored-work"
    load_keys()["work"] = "changed"
    assert load_keys()["work"] == "stored-work"
    (folder / "keys.json").unlink()
    assert load_keys() == {}


def test_a_key_given_with_the_call_wins_over_the_models_own(stored, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "from-env")
    assert key_for(explicit="sk-call", attribute="sk-model") == "sk-call"
    assert key_for(attribute="sk-model") == "sk-model"
    assert key_for() == "stored-openai"
    assert key_for(needs_key="other") == "from-env"


def test_a_key_may_be_a_name_in_the_keys_file(stored):
    assert key_for(explicit="work") == "stored-work"
    assert key_for(attribute="work") == "stored-work"
    assert key_for(attribute=Secret("work")) == "stored-work"
    assert key_for(explicit=Secret("sk-secret")) == "sk-secret"


def test_a_key_given_with_the_call_wins_over_the_key_of_an_endpoint(stored, monkeypatch):
    monkeypatch.setattr(seams, "_key_source", [Keys()])
    model = endpoint("mine", base_url="http://127.0.0.1:9/v1", key="sk-endpoint").model
    assert model is not None
    assert model.get_key() == "sk-endpoint"
    assert model.get_key("sk-call") == "sk-call"
    named = endpoint("mine", base_url="http://127.0.0.1:9/v1", key="work").async_model
    assert named is not None
    assert named.get_key() == "stored-work"


def test_a_model_without_need_takes_a_key_that_is_given_and_no_other(stored, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "from-env")
    assert key_for(needs_key=None) is None
    assert key_for(needs_key=None, attribute="sk-own") == "sk-own"


def test_white_space_around_a_key_is_dropped(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-file\n")
    assert key_for() == "sk-file"
    monkeypatch.setenv("OPENAI_API_KEY", " \n")
    with pytest.raises(NeedsKeyException):
        key_for()


def test_a_missing_key_names_the_ways_to_go_on():
    with pytest.raises(NeedsKeyException) as caught:
        key_for()
    text = str(caught.value)
    assert isinstance(caught.value, ModelError)
    assert text.startswith(
        "No key found - add one using 'llm keys set openai' or set the OPENAI_API_KEY environment variable. "
    )
    assert f"save it as 'openai' in {Path(os.environ['LLM_USER_PATH']) / 'keys.json'}. " in text
    assert "llm-actors[local]" in text
    assert "'demo'" in text


def test_a_missing_key_without_a_variable_names_the_file_only():
    with pytest.raises(NeedsKeyException, match=r"^No key found - add one using 'llm keys set mine'\. "):
        key_for(needs_key="mine", env_var=None)


def test_an_empty_stored_key_is_none(stored, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "from-env")
    assert key_for(needs_key="empty") == "from-env"


def test_a_broken_keys_file_is_an_error_and_no_other_key_is_used(folder, monkeypatch, locals_of_the_catalogue):
    monkeypatch.setenv("OPENAI_API_KEY", "from-env")
    (folder / "keys.json").write_text('{"openai": "sk-marked"')
    for ask in (key_for, load_keys, lambda: get_key(alias="openai", env="OPENAI_API_KEY")):
        with pytest.raises(UserFileError) as caught:
            ask()
        assert "sk-marked" not in str(caught.value) + locals_of_the_catalogue(caught)


def test_no_error_and_no_repr_shows_a_key(stored, locals_of_the_catalogue):
    found = Keys().key_for(explicit="sk-marked", attribute=None, needs_key="openai", env_var=None)
    assert "sk-marked" not in f"{found} {found!r} {Keys()!r}"
    with pytest.raises(NeedsKeyException) as caught:
        key_for(needs_key="other")
    assert "stored-" not in str(caught.value) + locals_of_the_catalogue(caught)
