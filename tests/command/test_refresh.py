"""`llm-actors models --refresh PROVIDER`: the provider's own list, asked for over HTTP, printed and kept."""

import json

import pytest

import llm_actors as llm
from llm_actors.providers.gemini import Gemini
from llm_actors.providers.model_list import ListedModel, ModelList
from llm_actors.providers.openai_chat import OpenAIChat
from llm_actors.testing import ScriptedServer, reply, wire_openai

MARKED = "sk-MARKED-0123456789"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    for provider in llm.get_providers():
        monkeypatch.delenv(provider.key_env_var, raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def one_server():
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def provider(one_server, monkeypatch):
    """Puts a server in the place of a provider."""
    one_server.wait_until_idle()
    one_server.forget()

    def provider(name, *answers):
        [info] = [each for each in llm.get_providers() if each.name == name]
        path = "/v1beta" if name == "gemini" else "/v1"
        monkeypatch.setenv(info.base_url_var, one_server.url + path)
        monkeypatch.setenv(info.key_env_var, MARKED)
        one_server.play(*answers)
        return one_server

    return provider


def listed(*models, **more):
    return reply(200, {"data": [*models], **more})


def test_the_list_is_printed_and_kept(run, provider, folder):
    server = provider(
        "groq",
        listed({"id": "llama-9", "context_window": 131072}, {"id": "whisper-x", "type": "transcribe"}, {"id": "b"}),
    )
    outcome = run("models", "--refresh", "groq")
    assert outcome.status == 0
    assert [line.split() for line in outcome.out.splitlines()] == [
        ["llama-9", "131,072", "tokens", "new"],
        ["b", "new"],
    ]
    path = folder / "models" / "groq.json"
    assert str(path) in outcome.err
    assert [row["id"] for row in json.loads(path.read_text())["models"]] == ["llama-9", "b"]
    [request] = server.requests
    assert (request.method, request.path) == ("GET", "/v1/models")
    assert request.headers["authorization"] == f"Bearer {MARKED}"
    model = llm.get_model("groq/llama-9")
    assert model.context_size == 131072
    assert "groq/llama-9 " in run("models").out
    provider("groq", listed({"id": "llama-9"}))
    assert run("models", "--refresh", "groq").out == "llama-9\n"  # known by now


def test_what_was_known_of_a_model_stays_and_what_is_gone_goes(run, provider):
    provider("openai", listed({"id": "gpt-4o"}, {"id": "gpt-99"}, {"id": "text-embedding-9"}, {"id": "gpt-image-9"}))
    out = run("models", "--refresh", "openai").out
    assert [line.split() for line in out.splitlines()] == [["gpt-4o"], ["gpt-99", "new"]]
    four = llm.get_model("4o")
    assert (four.model_id, four.context_size, four.price) == ("gpt-4o", 128000, llm.Price(2.5, 10, 1.25))
    assert "application/pdf" in llm.get_model("gpt-99").attachment_types
    with pytest.raises(llm.UnknownModelError):
        llm.get_model("gpt-4")


def test_gemini_is_asked_in_its_own_words(run, provider):
    server = provider("gemini")
    out = run("models", "--refresh", "gemini").out
    assert out.splitlines() == ["gemini-3.8-flash  1,048,576 tokens", "gemini-2.5-pro    1,048,576 tokens"]
    [request] = server.requests
    assert request.path == "/v1beta/models?pageSize=1000"
    assert request.headers["x-goog-api-key"] == MARKED


def test_all_pages_are_asked_for_and_each_model_is_there_once(provider):
    server = provider(
        "gemini",
        reply(200, {"models": [{"name": "models/a"}, {"name": "models/b"}], "nextPageToken": "p2"}),
        reply(200, {"models": [{"name": "models/b"}, {"name": "models/c"}]}),
    )
    assert llm.list_models("gemini").get() == [ListedModel("a"), ListedModel("b"), ListedModel("c")]
    assert [request.path for request in server.requests][1].endswith("pageSize=1000&pageToken=p2")


def test_async_programs_await_it(provider):
    import asyncio

    provider("groq", listed({"id": "a"}))

    async def ask():
        return await llm.list_models("groq")

    assert asyncio.run(ask()) == [ListedModel("a")]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(401, {"error": {"message": f"Incorrect API key: {MARKED}"}}), "answered 401"),
        (reply(404, "<h1>Not here</h1>", content_type="text/html"), "Not here"),
        (reply(200, "<h1>Hi</h1>", content_type="text/html"), "not JSON"),
        (reply(200, '{"data": [{"id": "a"}'), "cut"),
        (reply(200, '{"object": "list"}'), "without models"),
        (reply(200, '"text"'), "without models"),
    ],
)
def test_a_list_that_is_none_is_a_typed_error_and_nothing_is_kept(run, provider, folder, answer, words):
    provider("groq", answer)
    outcome = run("models", "--refresh", "groq")
    assert outcome.status == 1
    assert words in outcome.err
    assert MARKED not in outcome.err + outcome.out
    assert not (folder / "models").exists()


def test_without_a_key_or_an_address_it_says_what_is_missing(run):
    assert "GROQ_API_KEY" in run("models", "--refresh", "groq").err
    assert "AZURE_OPENAI_ENDPOINT" in run("models", "--refresh", "azure").err
    assert "ask openai for its models" in run("models", "--refresh", "openai-responses").err
    outcome = run("models", "--refresh", "nobody")
    assert outcome.status == 1
    assert "unknown provider 'nobody'; there are: openai, " in outcome.err


@pytest.mark.parametrize(
    ("plain", "context"),
    [
        ({"context_length": 1}, 1),  # https://openrouter.ai/docs/api/api-reference/models/get-models
        ({"context_window": 2}, 2),  # https://console.groq.com/docs/api-reference#models-list
        ({"max_context_length": 3, "capabilities": {"completion_chat": True}}, 3),  # https://docs.mistral.ai/api
        ({"max_model_len": 4}, 4),  # vLLM
        ({"max_input_tokens": 5, "type": "model"}, 5),  # https://platform.claude.com/docs/en/api/models/list
        ({"meta": {"n_ctx": 6}}, 6),  # llama.cpp
        ({"context_length": "7"}, None),
        ({"capabilities": {"completion_chat": False}}, ...),
        ({"type": "embedding"}, ...),
        ({"name": "qwen3:8b", "id": None}, None),  # Ollama
    ],
)
def test_sizes_go_by_many_names(plain, context):
    decoder = ModelList("openai-chat", OpenAIChat("x")).decoder(None, {}, max_event=9, max_answer=999)
    decoder.feed(json.dumps([{"id": "m", **plain}]).encode())
    models = (decoder.close().raw or {})["models"]
    assert models == ([] if context is ... else [ListedModel(plain.get("name", "m"), context)])


def test_a_list_beyond_the_limit_is_refused_and_a_wire_without_one_says_so():
    decoder = ModelList("gemini", Gemini()).decoder(None, {}, max_event=9, max_answer=9)
    with pytest.raises(llm.ProtocolError, match="larger than the limit"):
        decoder.feed(b"x" * 10)
    with pytest.raises(llm.InvalidRequestError, match="no list of its models"):
        ModelList("smoke", OpenAIChat("x")).encode(None, {})


def test_the_scripted_server_lists_what_it_says_it_has(provider):
    provider("vllm")
    assert [model.id for model in llm.list_models("vllm").get()] == list(wire_openai.MODELS)


def test_an_anthropic_list_is_asked_page_by_page_with_its_version():
    sent = ModelList("anthropic", OpenAIChat("x"), "claude-9").encode(None, {})
    assert (sent.path, sent.headers["anthropic-version"]) == ("/v1/models?limit=1000&after_id=claude-9", "2023-06-01")
    decoder = ModelList("anthropic", OpenAIChat("x")).decoder(None, {}, max_event=9, max_answer=999)
    decoder.feed(b'{"data": [{"id": "claude-9", "type": "model"}], "has_more": true, "last_id": "claude-9"}')
    assert decoder.close().raw == {"models": [ListedModel("claude-9")], "next": "claude-9"}


def test_every_provider_is_there_with_what_it_needs(monkeypatch):
    infos = {info.name: info for info in llm.get_providers()}
    assert {"openai", "gemini", "groq", "azure", "vllm"} <= set(infos)
    assert all(info.source.startswith("https://") for info in infos.values())
    assert [info.name for info in infos.values() if not info.has_list] == ["openai-responses"]
    assert (infos["groq"].needs_key, infos["groq"].has_key, infos["vllm"].needs_key) == (True, False, False)
    monkeypatch.setenv("GROQ_API_KEY", "k")
    assert {info.name: info for info in llm.get_providers()}["groq"].has_key
