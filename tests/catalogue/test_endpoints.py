from typing import Any

import httpx
import pytest

from llm_actors.catalogue.endpoints import DIALECTS, endpoint
from llm_actors.catalogue.registry import Catalogue
from llm_actors.messages import Secret
from llm_actors.providers.openai_dialect import EMBEDDED, ChatDialect
from llm_actors.providers.protocol import Limits, Timeouts

URL = "http://127.0.0.1:8000/v1"


def wired(model_id="m", **given) -> Any:
    """The sync dress, of which a test sees more than its users do."""
    return endpoint(model_id, **given).model


def test_both_dresses_are_there_and_can_be_registered():
    catalogue = Catalogue()
    pair: Any = endpoint(
        "mine", wire="openai-chat", base_url=URL + "/", key="sk-own", aliases=["m"], wire_id="real-name"
    )
    catalogue.register_model(pair)
    models: list[Any] = [pair.model, pair.async_model, catalogue.get_model("m"), catalogue.get_async_model("mine")]
    for model in models:
        assert model is not None
        assert (model.model_id, model.wire_id, model.endpoint.base_url) == ("mine", "real-name", URL)
        assert model.key == Secret("sk-own")
        assert model.supports_tools
        assert model.supports_schema
        assert model.can_stream
        assert "image/png" in model.attachment_types


def test_what_is_given_reaches_the_endpoint():
    client = httpx.AsyncClient()
    number: Any = 3
    model: Any = endpoint(
        "mine",
        "openai-chat",
        URL,
        headers={"X-One": "1"},
        query={"api-version": "2", "n": number},
        timeout=5,
        extra_body={"top_k": 1},
        client=client,
        limits=Limits(event=10),
        organization="org",
        needs_key="mine",
        key_env_var="MY_KEY",
        attachment_types=frozenset(),
        supports_schema=False,
        supports_tools=False,
        can_stream=False,
        context_size=4096,
        dialect="embedded",
        available=lambda: False,
    )
    where = model.async_model.endpoint
    assert where.headers == {"X-One": "1", "OpenAI-Organization": "org"}
    assert where.query == {"api-version": "2", "n": "3"}
    assert where.timeouts == Timeouts(connect=5, first_byte=5, idle=5, total=5)
    assert (where.extra_body, where.client, where.limits) == ({"top_k": 1}, client, Limits(event=10))
    assert (model.model.needs_key, model.model.key_env_var) == ("mine", "MY_KEY")
    assert model.model.provider.dialect == EMBEDDED
    assert {getattr(model.model, name) for name in ("supports_tools", "supports_schema", "can_stream")} == {False}
    assert (model.model.context_size, model.async_model.context_size) == (4096, 4096)
    assert not model.is_available()


def test_timeouts_are_as_given_or_the_defaults():
    assert wired(base_url=URL).endpoint.timeouts == Timeouts()
    own = Timeouts(connect=None)
    assert wired(base_url=URL, timeout=own).endpoint.timeouts == own
    long = wired(base_url=URL, timeout=1000.0).endpoint.timeouts
    assert (long.connect, long.total) == (10.0, 1000.0)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "is missing"),
        ("127.0.0.1:8000/v1", "http://"),
        ("localhost", "no scheme"),
        ("ftp://host/v1", "ftp:"),
        ("http:///v1", "no host"),
        ("http://ho st/v1", "white space"),
        ("http://host/v1\n", "white space"),
        ("http://host:99999/v1", "port"),
        ("http://host:0/v1", "port"),
        ("http://[::1/v1", "can't be read"),
        ("http://user:sk-marked@host/v1", "user name or password"),
        ("http://host/v1?key=sk-marked", "query"),
        ("http://host/v1/chat/completions", "too far"),
    ],
)
def test_a_base_url_that_can_be_none_is_refused_with_the_reason(url, why):
    with pytest.raises(ValueError, match=r"^base_url .*It looks like") as caught:
        endpoint("mine", base_url=url)
    assert why in str(caught.value)
    assert "sk-marked" not in str(caught.value)


def test_an_ipv6_address_and_a_bare_host_are_fine():
    assert wired(base_url="http://[::1]:80").endpoint.base_url == "http://[::1]:80"
    assert wired(base_url="https://host/").endpoint.base_url == "https://host"


def test_an_unknown_wire_or_dialect_is_refused_with_the_list():
    with pytest.raises(ValueError, match=r"unknown wire 'smoke'; there are: .*openai-chat"):
        endpoint("mine", wire="smoke", base_url=URL)
    with pytest.raises(ValueError, match="unknown dialect 'welsh'; there are: embedded"):
        endpoint("mine", base_url=URL, dialect="welsh")
    number: Any = 5
    with pytest.raises(TypeError, match="not int"):
        endpoint("mine", base_url=URL, dialect=number)
    assert wired(base_url=URL, dialect=ChatDialect(merge_users=True)).provider.dialect.merge_users
    for wire in ("openai-responses", "ollama", "anthropic", "gemini"):
        with pytest.raises(ValueError, match=f"{wire} has no dialects"):
            endpoint("mine", wire=wire, base_url=URL, dialect="openai")
    assert DIALECTS["openai"] == ChatDialect(longest_call_id=40)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"base_url": 5}, TypeError),
        ({"model_id": ""}, ValueError),
        ({"model_id": None}, TypeError),
        ({"headers": {"X": 5}}, TypeError),
        ({"headers": {"X-Key": "sk-marked\r\n"}}, ValueError),
        ({"timeout": 0}, ValueError),
        ({"timeout": float("nan")}, ValueError),
        ({"timeout": float("inf")}, ValueError),
        ({"timeout": "5"}, TypeError),
        ({"timeout": True}, TypeError),
        ({"client": httpx.Client}, TypeError),
        ({"client": object()}, TypeError),
        ({"aliases": "abc"}, TypeError),
    ],
)
def test_values_of_a_wrong_kind_are_refused_without_showing_them(given, error):
    with pytest.raises(error) as caught:
        endpoint(**{"model_id": "mine", "base_url": URL, **given})
    assert "sk-marked" not in str(caught.value)


def test_a_sync_client_is_refused():
    with httpx.Client() as client, pytest.raises(TypeError, match="AsyncClient"):
        endpoint("mine", base_url=URL, client=client)


def test_a_server_that_is_started_for_us_stands_in_place_of_a_url():
    class Engine:
        async def acquire(self):
            return URL, None

        def release(self):
            pass

        def died(self):
            return None

    engine = Engine()
    assert wired(server=engine).endpoint.server is engine


def test_no_repr_shows_a_key_or_a_header():
    pair = endpoint("mine", base_url=URL, key="sk-marked", headers={"X-Key": "sk-marked"})
    assert "sk-marked" not in f"{pair!r} {pair.model!r} {pair.model} {vars(pair.async_model)!r}"
