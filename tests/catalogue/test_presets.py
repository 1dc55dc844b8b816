from typing import Any

import pytest

from llm_actors.catalogue.presets import GEMINI, PRESETS, PresetModels
from llm_actors.catalogue.registry import Catalogue
from llm_actors.chat.budget import Price
from llm_actors.chat.model import Model
from llm_actors.providers.openai_chat import OpenAIChat
from llm_actors.providers.openai_responses import OpenAIResponses


@pytest.fixture
def catalogue():
    return Catalogue()


def wire_of(catalogue) -> Any:
    model: Any = catalogue.get_model("openai/x")
    return model.provider


def wire(model):
    return model.endpoint.base_url, model.wire_id, model.needs_key, model.key_env_var


def test_an_openai_model_is_spoken_to_where_openai_is(catalogue):
    assert wire(catalogue.get_model("4o-mini")) == (
        "https://api.openai.com/v1",
        "gpt-4o-mini",
        "openai",
        "OPENAI_API_KEY",
    )


def test_the_base_url_of_the_environment_is_honoured_at_each_look_up(catalogue, monkeypatch):
    first = catalogue.get_model("gpt-4o")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1234/v1/")
    assert catalogue.get_model("gpt-4o").endpoint.base_url == "http://127.0.0.1:1234/v1"
    assert catalogue.get_async_model("openai/x").endpoint.base_url == "http://127.0.0.1:1234/v1"
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert catalogue.get_model("gpt-4o").endpoint is first.endpoint


def test_a_base_url_of_the_environment_that_is_none_is_refused_by_its_name(catalogue, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "127.0.0.1:1234")
    with pytest.raises(ValueError, match=r"^OPENAI_BASE_URL "):
        catalogue.get_model("gpt-4o")


def test_what_models_can_do_follows_their_rows(catalogue):
    assert "image/png" in catalogue.get_model("gpt-4o").attachment_types
    assert not catalogue.get_model("chatgpt").attachment_types
    assert not catalogue.get_model("gpt-4").supports_schema
    assert not catalogue.get_model("o1").can_stream
    assert catalogue.get_model("openai/new").supports_tools
    sizes = [catalogue.get_model(name).context_size for name in ("gpt-4o", "gpt-4", "o3", "openai/new")]
    assert sizes == [128_000, 8_192, 200_000, None]


def test_a_gemini_model_is_spoken_to_where_google_is_and_the_variable_of_its_client_counts(catalogue, monkeypatch):
    google = "https://generativelanguage.googleapis.com/v1beta"
    assert wire(catalogue.get_model("gemini-3.8-flash")) == (google, "gemini-3.8-flash", "gemini", "GEMINI_API_KEY")
    assert wire(catalogue.get_model("gemini/gemini-9-new"))[1] == "gemini-9-new"
    for given in ("http://127.0.0.1:1234", "http://127.0.0.1:1234/v1beta/"):
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", given)
        assert wire(catalogue.get_model("gemini-3.8-flash"))[0] == "http://127.0.0.1:1234/v1beta"


def test_an_unknown_id_of_a_known_provider_can_do_what_its_provider_can(catalogue):
    new = catalogue.get_model("gemini/gemini-9-new")
    assert {"audio/wav", "video/mp4", "image/heic"} <= new.attachment_types
    assert new.supports_schema
    assert new.price is None
    assert "image/gif" in catalogue.get_model("openai/gpt-9").attachment_types


def test_a_model_that_the_provider_has_a_price_for_has_it(catalogue):
    assert catalogue.get_model("gpt-4o").price == Price(2.5, 10, 1.25)
    assert catalogue.get_async_model("gemini/gemini-2.5-flash").price == Price(0.3, 2.5, 0.03)
    assert catalogue.get_model("gemini-flash-latest").price is None


def test_an_openai_model_is_spoken_to_by_responses_only_where_that_is_asked_for(catalogue):
    plain: Any
    asked: Any
    plain, asked = catalogue.get_model("gpt-5.4"), catalogue.get_model("openai-responses/gpt-5.4")
    assert isinstance(plain.provider, OpenAIChat)
    assert isinstance(asked.provider, OpenAIResponses)
    assert (asked.model_id, asked.provider.name) == ("openai-responses/gpt-5.4", "openai")
    assert wire(asked) == wire(plain)
    assert catalogue.get_model("openai-responses/o3").context_size == 200_000
    assert catalogue.get_model("openai-responses/gpt-9").supports_tools
    assert catalogue.get_async_model("openai-responses/gpt-9").wire_id == "gpt-9"
    with pytest.raises(KeyError, match="Unknown model"):
        catalogue.get_model("openai-responses/")


def test_a_model_that_only_responses_serve_is_found_by_its_plain_id(catalogue):
    model: Any = catalogue.get_async_model("gpt-5-pro")
    assert isinstance(model.provider, OpenAIResponses)
    assert (model.model_id, model.context_size, model.needs_key) == ("gpt-5-pro", 400_000, "openai")
    assert catalogue.get_model("openai-responses/gpt-5-pro").model_id == "gpt-5-pro"


@pytest.mark.parametrize(
    ("host", "url"),
    # the doctests of `_parse_host` in the ollama package 0.6.3
    [
        ("", "http://127.0.0.1:11434"),
        ("1.2.3.4", "http://1.2.3.4:11434"),
        (":56789", "http://127.0.0.1:56789"),
        ("1.2.3.4:56789", "http://1.2.3.4:56789"),
        ("http://1.2.3.4", "http://1.2.3.4:80"),
        ("https://1.2.3.4", "https://1.2.3.4:443"),
        ("https://1.2.3.4:56789", "https://1.2.3.4:56789"),
        ("example.com/", "http://example.com:11434"),
        ("example.com:56789/", "http://example.com:56789"),
        ("example.com/path", "http://example.com:11434/path"),
        ("https://example.com:56789/path", "https://example.com:56789/path"),
        ("example.com:56789/path/", "http://example.com:56789/path"),
        ("[0001:002:003:0004::1]", "http://[0001:002:003:0004::1]:11434"),
        ("[0001:002:003:0004::1]:56789", "http://[0001:002:003:0004::1]:56789"),
        ("https://[0001:002:003:0004::1]/path", "https://[0001:002:003:0004::1]:443/path"),
        ("0.0.0.0", "http://127.0.0.1:11434"),  # where a server listens is no place to go to
    ],
)
def test_ollama_is_where_its_variable_says(catalogue, monkeypatch, host, url):
    monkeypatch.setenv("OLLAMA_HOST", host)
    model: Any = catalogue.get_async_model("ollama/qwen3:8b")
    assert (model.endpoint.base_url, model.wire_id) == (url, "qwen3:8b")


def test_a_host_of_ollama_that_is_none_is_refused_by_its_name(catalogue, monkeypatch):
    for host in ("a b", "ftp://x", "http://u:p@x", "x:port"):
        monkeypatch.setenv("OLLAMA_HOST", host)
        with pytest.raises(ValueError, match=r"^OLLAMA_HOST "):
            catalogue.get_model("ollama/x")


def test_ollama_takes_a_key_where_there_is_one_and_needs_none(catalogue, monkeypatch):
    monkeypatch.delenv("OLLAMA_API_KEY", raising=False)
    model: Any = catalogue.get_model("ollama/x")
    assert (model.needs_key, model.get_key()) == (None, None)
    assert model.attachment_types == {"image/png", "image/jpeg", "image/webp", "image/gif"}
    assert model.endpoint.timeouts.first_byte == 900
    monkeypatch.setenv("OLLAMA_API_KEY", "k")
    assert catalogue.get_model("ollama/x").needs_key == "ollama"


def test_models_share_their_codec_and_endpoints_but_not_themselves(catalogue):
    one: Any
    two: Any
    one, two = catalogue.get_model("gpt-4o"), catalogue.get_model("gpt-4o")
    assert one is not two
    assert one.provider is two.provider is wire_of(catalogue)
    assert isinstance(one, Model)


def test_ids_without_a_row_are_kept_up_to_a_bound():
    models = PresetModels(GEMINI)
    resolve = models.by_prefix()
    for number in range(1000):
        assert resolve(f"gemini/{number}") is not None
    assert len(models._made) <= 256


def test_no_id_or_alias_is_listed_twice():
    for preset in PRESETS:
        names = [name for row in PresetModels(preset).rows for name in (row.model_id, *row.aliases)]
        assert len(names) == len(set(names))


def test_the_instruct_model_is_left_out_because_it_is_no_chat_model(catalogue):
    with pytest.raises(KeyError, match="Unknown model"):
        catalogue.get_model("gpt-3.5-turbo-instruct")
