"""The servers of chat completions, row by row: where, with which key, and what their deviations put on the wire."""

import json
from typing import Any

import pytest

from llm_actors.catalogue.compatible import COMPATIBLE
from llm_actors.catalogue.registry import Catalogue
from llm_actors.errors import NeedsKeyException
from llm_actors.messages import (
    Attachment,
    ModelRequest,
    ReasoningPart,
    Secret,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    assistant,
    tool_message,
    user,
)
from llm_actors.testing import ScriptedServer

HOSTED = {
    "openrouter": ("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "groq": ("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": ("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "deepseek": ("https://api.deepseek.com", "DEEPSEEK_API_KEY"),
    "xai": ("https://api.x.ai/v1", "XAI_API_KEY"),
    "together": ("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "fireworks": ("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    "azure": ("https://mine.openai.azure.com/openai/v1", "AZURE_OPENAI_API_KEY"),
}
AT_HOME = {
    "vllm": ("http://127.0.0.1:8000/v1", "VLLM_API_KEY"),
    "llamacpp": ("http://127.0.0.1:8080/v1", "LLAMA_API_KEY"),
    "lmstudio": ("http://127.0.0.1:1234/v1", "LM_API_TOKEN"),
    "sglang": ("http://127.0.0.1:30000/v1", "SGLANG_API_KEY"),
}
# What each puts into a body that the others do not; all that stands here is looked at, in every other row as its absence.
SENT: dict[str, dict[str, Any]] = {
    "openrouter": {"max_tokens": 9, "seed": 1, "stream_options": True, "reasoning": {"exclude": True}},
    "groq": {"max_completion_tokens": 9, "seed": 1, "stream_options": True},
    "mistral": {"max_tokens": 9, "random_seed": 1},
    "deepseek": {"max_tokens": 9, "seed": 1, "stream_options": True},
    "xai": {"max_completion_tokens": 9, "seed": 1, "stream_options": True},
    "together": {"max_tokens": 9, "seed": 1, "stream_options": True},
    "fireworks": {"max_tokens": 9, "seed": 1, "stream_options": True},
    "azure": {"max_tokens": 9, "seed": 1, "stream_options": True},
    **{name: {"max_tokens": 9, "seed": 1, "stream_options": True} for name in AT_HOME},
}
LOOKED_AT = {"max_tokens", "max_completion_tokens", "seed", "random_seed", "stream_options", "reasoning"}
THOUGHT = ReasoningPart("hm")
CALL = ToolCallPart("look", {}, "toolu_01VpEm654HvfMoRcrE3Hgdc6" + "x" * 40)
RESULT = ToolResultPart("look", "found", CALL.tool_call_id)


@pytest.fixture
def catalogue(monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://mine.openai.azure.com/")
    return Catalogue()


def model_of(catalogue, name, wire_id="any/id:1") -> Any:
    return catalogue.get_model(f"{name}/{wire_id}")


def body_of(catalogue, name, *messages, **more):
    request = ModelRequest("m", list(messages) or [user("hi")], **more)
    return json.loads(model_of(catalogue, name).provider.encode(request, {}).body)


def test_every_row_of_the_table_is_tested_here_and_has_its_source():
    assert {preset.name for preset in COMPATIBLE} == {*HOSTED, *AT_HOME} == {*SENT}
    for preset in COMPATIBLE:
        assert preset.source.startswith("https://")
        assert preset.wire == "openai-chat"


@pytest.mark.parametrize("name", HOSTED)
def test_a_hosted_one_is_where_it_is_and_says_which_key_it_needs(catalogue, name):
    where, variable = HOSTED[name]
    model = model_of(catalogue, name)
    assert (model.endpoint.base_url, model.wire_id, model.model_id) == (where, "any/id:1", f"{name}/any/id:1")
    with pytest.raises(NeedsKeyException, match=variable):
        model.get_key()


@pytest.mark.parametrize("name", AT_HOME)
def test_one_at_home_needs_no_key_and_takes_one_that_is_there(catalogue, monkeypatch, name):
    where, variable = AT_HOME[name]
    model = model_of(catalogue, name)
    assert (model.endpoint.base_url, model.get_key()) == (where, None)
    assert not model.provider.fetches_urls
    monkeypatch.setenv(variable, "sk-home")
    assert model_of(catalogue, name).get_key() == "sk-home"


@pytest.mark.parametrize("preset", COMPATIBLE, ids=lambda preset: preset.name)
def test_another_address_by_the_variable_counts(catalogue, monkeypatch, preset):
    monkeypatch.setenv(preset.base_url_var, "http://127.0.0.1:1/v7/")
    assert model_of(catalogue, preset.name).endpoint.base_url == "http://127.0.0.1:1/v7"
    monkeypatch.setenv(preset.base_url_var, "http://127.0.0.1:1")
    assert model_of(catalogue, preset.name).endpoint.base_url == f"http://127.0.0.1:1{preset.base_url_path}"


@pytest.mark.parametrize("name", SENT)
def test_what_each_is_sent_is_what_it_takes(catalogue, name):
    body = body_of(catalogue, name, options={"max_tokens": 9, "seed": 1}, hide_reasoning=True)
    sent = {field: value for field, value in body.items() if field in LOOKED_AT}
    if "stream_options" in sent:
        sent["stream_options"] = sent["stream_options"] == {"include_usage": True}
    assert sent == SENT[name]


@pytest.mark.parametrize("name", SENT)
def test_thinking_goes_back_to_those_who_want_it(catalogue, name):
    messages = [user("hi"), assistant(THOUGHT, "so", CALL), tool_message(RESULT), assistant(THOUGHT, "yes"), user("x")]
    first, second = [each for each in body_of(catalogue, name, *messages)["messages"] if each["role"] == "assistant"][
        :2
    ]
    fields = {"openrouter": ("reasoning", "reasoning"), "deepseek": ("reasoning_content", None)}.get(name, (None, None))
    for entry, field in zip((first, second), fields, strict=True):
        assert {key: value for key, value in entry.items() if "reasoning" in key} == ({field: "hm"} if field else {})


def test_ids_of_calls_fit_where_they_are_read(catalogue):
    messages = [user("hi"), assistant(CALL), tool_message(RESULT)]
    for name, length in (("mistral", 9), ("azure", 40)):
        sent = body_of(catalogue, name, *messages)["messages"]
        call_id = sent[1]["tool_calls"][0]["id"]
        assert call_id == sent[2]["tool_call_id"]
        assert len(call_id) == length
    assert body_of(catalogue, "groq", *messages)["messages"][2]["tool_call_id"] == CALL.tool_call_id
    own = ToolCallPart("look", {}, "aB3dE6gH9")
    sent = body_of(
        catalogue, "mistral", user("hi"), assistant(own), tool_message(ToolResultPart("look", "", "aB3dE6gH9"))
    )
    assert sent["messages"][1]["tool_calls"][0]["id"] == "aB3dE6gH9"


def test_mistral_hears_the_assistant_between_a_tool_and_a_user(catalogue):
    messages = [user("hi"), assistant(CALL), tool_message(RESULT), user("next"), user("more")]
    roles = [each["role"] for each in body_of(catalogue, "mistral", *messages)["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user", "user"]
    assert [each["role"] for each in body_of(catalogue, "groq", *messages)["messages"]][2:4] == ["tool", "user"]


def test_azure_has_its_key_in_a_header_of_its_own_and_no_place_until_it_is_told(catalogue, monkeypatch):
    assert model_of(catalogue, "azure").provider.key_header(Secret("k")) == ("api-key", "k")
    assert model_of(catalogue, "groq").provider.key_header(Secret("k")) == ("authorization", "Bearer k")
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT")
    with pytest.raises(ValueError, match="AZURE_OPENAI_ENDPOINT is missing"):
        model_of(catalogue, "azure")


def test_what_a_provider_can_not_do_is_told_before_it_is_asked(catalogue):
    deepseek = model_of(catalogue, "deepseek")
    assert not deepseek.attachment_types
    assert not deepseek.supports_schema
    assert "application/pdf" in model_of(catalogue, "openrouter").attachment_types
    assert "image/png" in model_of(catalogue, "vllm").attachment_types


@pytest.mark.parametrize("preset", COMPATIBLE, ids=lambda preset: preset.name)
def test_a_prompt_arrives_at_a_server_that_stands_in_their_place(monkeypatch, preset, server):
    monkeypatch.setenv(preset.base_url_var, server.base_url)
    monkeypatch.setenv(preset.key_env_var, "sk-mine")
    model = Catalogue().get_model(f"{preset.name}/any")
    assert model.prompt("hi", tools=[]).text() == "echo: hi"
    [request] = server.requests
    assert json.loads(request.body)["model"] == "any"
    header, sent = ("api-key", "sk-mine") if preset.name == "azure" else ("authorization", "Bearer sk-mine")
    assert request.headers[header] == sent


def test_pictures_are_sent_as_bytes_to_servers_at_home(catalogue):
    picture = user("see", Attachment(type="image/png", content=b"x"))
    content = body_of(catalogue, "vllm", picture)["messages"][0]["content"]
    assert content[1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert body_of(catalogue, "vllm", tools=[ToolSpec("look", None, {})])["tools"]


@pytest.fixture(scope="module")
def one_server():
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def server(one_server):
    one_server.wait_until_idle()
    one_server.forget()
    return one_server
