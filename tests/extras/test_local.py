"""`local/smollm2-135m` and `local:PATH` as users meet them: through the catalogue, our own wire and the real engine."""

import asyncio
import json
import os
import signal
from typing import Annotated

import httpx
import msgspec
import pytest

import llm_actors as llm
from llm_actors.errors import EngineError, UnknownModelError
from llm_actors.extras import local, weights
from llm_actors.extras.local_engine import Engine, engine_of, stop_all
from llm_actors.extras.local_process import Settings
from tests.extras.conftest import CACHE
from tests.extras.processes import Watched

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", autouse=True)
def _ended():
    yield
    stop_all()


@pytest.fixture
def model(gguf, monkeypatch):
    monkeypatch.setenv("LLM_ACTORS_CACHE", str(CACHE))
    return llm.get_model("local/smollm2-135m")


@pytest.fixture
def async_model(gguf, monkeypatch):
    monkeypatch.setenv("LLM_ACTORS_CACHE", str(CACHE))
    return llm.get_async_model("smollm2")


def _engine(model):
    return model.endpoint.server._engine


def weather(city: str) -> str:
    """The weather in a city"""
    return f"18 degrees and rain in {city}"


def test_the_catalogue_knows_it_by_id_and_aliases(model):
    for name in ("smollm2-135m", "smollm2"):
        assert llm.get_model(name).model_id == "local/smollm2-135m"
        assert llm.get_async_model(name).model_id == "local/smollm2-135m"
    assert model.needs_key is None
    assert model.can_stream
    assert model.supports_tools
    assert model.supports_schema
    assert not model.attachment_types


def test_it_answers_in_a_stream_and_counts(model):
    response = model.prompt("Say hello.", max_tokens=10)
    chunks = list(response)
    assert len(chunks) > 1
    assert "".join(chunks) == response.text()
    assert response.usage().output > 0


def test_it_answers_without_a_stream_too(model):
    response = model.prompt("Say hello.", stream=False, max_tokens=5)
    assert response.text()
    assert (response.usage().output, response.stop_reason) == (5, "length")


def test_an_answer_that_nobody_bounds_ends_all_the_same(model):
    """A small model that repeats itself would fill its context, which takes half a minute. A bound of the prompt's own wins."""
    settings = Settings(weights.installed(), "bounded", answer=7)
    engine = Engine(settings)
    bounded = llm.endpoint("bounded", server=engine, dialect="llama.cpp").model
    try:
        for asked, given in ({}, 7), ({"max_tokens": 3}, 3), ({"max_tokens": 12}, 12):
            response = bounded.prompt("Count from 1 to 1000: 1, 2, 3,", temperature=0, **asked)
            assert response.text()
            assert (response.usage().output, response.stop_reason) == (given, "length")
    finally:
        engine.stop()
    model.prompt("Hi", max_tokens=1).text()
    assert _engine(model).settings.answer == 256


def test_a_conversation_carries_its_history(async_model):
    async def main():
        conversation = async_model.conversation()
        assert await conversation.prompt("My name is Ada.", max_tokens=10).text()
        second = conversation.prompt("What is my name?", max_tokens=10, temperature=0)
        assert await second.text()
        assert (await second.usage()).input > 40

    asyncio.run(main())


def test_its_first_answer_with_tools_is_a_call_and_after_the_result_it_answers(model):
    calls = []

    def note(city: str) -> str:
        """The weather in a city"""
        calls.append(city)
        return weather(city)

    chain = model.chain("What is the weather in Paris?", tools=[note], options={"temperature": 0})
    assert chain.text()
    assert "Paris" in calls[0]
    asked, answered = chain.responses()
    assert asked.stop_reason == "tool_calls"
    assert not answered.tool_calls()
    assert "18 degrees" in answered.text()
    assert chain.usage().input == asked.usage().input + answered.usage().input > 200


def test_a_schema_is_obeyed(model):
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    assert set(json.loads(model.prompt("Invent a dog.", schema=schema, max_tokens=80).text())) == {"name", "age"}


class Dog(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(max_length=20)]
    age: Annotated[int, msgspec.Meta(ge=0, le=20)]


def test_a_schema_that_is_a_type_gives_a_value_of_it(async_model):
    async def main():
        return await async_model.prompt("Invent a dog.", schema=Dog, max_tokens=80).value()

    dog = asyncio.run(main())
    assert isinstance(dog, Dog)
    assert 0 <= dog.age <= 20


def test_a_child_killed_in_mid_stream_is_an_engine_error_and_the_next_prompt_is_answered(async_model):
    async def main():
        response = async_model.prompt("Tell me a very long story.")
        with pytest.raises(EngineError, match=r"crashed \(SIGKILL.*the next prompt starts it again"):
            async for _ in response:
                if (pid := _engine(async_model).pid) is not None:
                    os.kill(pid, signal.SIGKILL)
        assert response.partial
        assert await async_model.prompt("Hi", max_tokens=3).text()

    asyncio.run(main())


def test_a_cancelled_prompt_gives_its_slot_back(async_model):
    async def main():
        response = async_model.prompt("Count to a million.")
        async for _ in response:
            break
        assert await busy() == 1
        await response.cancel()
        assert _engine(async_model).slots.taken == 0
        async with asyncio.timeout(5):
            while await busy():  # noqa: ASYNC110 - another process; it sees the closed connection at its next token
                await asyncio.sleep(0.01)

    async def busy():
        """How many slots the engine itself counts."""
        process = _engine(async_model)._process
        headers = {"authorization": f"Bearer {process.key.reveal()}"}
        async with httpx.AsyncClient(base_url=process.address, trust_env=False, headers=headers) as client:
            return sum(slot["is_processing"] for slot in (await client.get("/slots")).json())

    asyncio.run(main())


def test_more_prompts_than_slots_are_all_answered(async_model):
    async def main():
        responses = [async_model.prompt("Hi", max_tokens=3) for _ in range(10)]
        assert all([await response.text() for response in responses])

    asyncio.run(main())


def test_no_proxy_comes_between(async_model, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def main():
        assert await async_model.prompt("Hi", max_tokens=3).text()

    asyncio.run(main())


def test_any_other_file_is_named_by_its_path(gguf, tmp_path):
    link = tmp_path / "other.gguf"
    link.hardlink_to(gguf) if link.parent.stat().st_dev == gguf.stat().st_dev else link.write_bytes(gguf.read_bytes())
    model = llm.get_model(f"local:{link}")
    assert model.model_id == f"local:{link}"
    assert model.prompt("Hi", max_tokens=3).text()
    child = Watched(engine_of(link, "other").pid)
    stop_all()
    assert child.gone(within=0)


def test_a_path_that_is_not_there_is_told_by_the_first_prompt():
    with pytest.raises(EngineError, match=r"there is no file /nowhere/model\.gguf"):
        llm.get_model("local:/nowhere/model.gguf").prompt("Hi").text()
    with pytest.raises(UnknownModelError):
        llm.get_model("local:")
    assert local.model_of_file("another:id") is None


def test_without_its_weights_the_error_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_ACTORS_CACHE", str(tmp_path))
    assert not local.ready()
    server = local.InstalledEngine("smollm2-135m", None)
    with pytest.raises(EngineError, match="`llm-actors models install smollm2-135m` fetches them"):
        asyncio.run(server.acquire())
    assert server.died() is None
    server.release()
    assert repr(server) == "InstalledEngine('smollm2-135m')"


def test_with_them_it_is_ready(gguf, monkeypatch):
    monkeypatch.setenv("LLM_ACTORS_CACHE", str(CACHE))
    assert weights.installed() == gguf
    assert local.ready()


def test_without_a_name_it_is_the_default_once_it_is_installed(gguf, monkeypatch, tmp_path):
    monkeypatch.setenv("LLM_ACTORS_CACHE", str(tmp_path))
    for get in (llm.get_model, llm.get_async_model):
        with pytest.raises(llm.UnknownModelError, match=r"gpt-4o-mini.*OPENAI_API_KEY.*llm-actors\[local\].*-m demo"):
            get()
    monkeypatch.setenv("LLM_ACTORS_CACHE", str(CACHE))
    assert llm.get_model().model_id == llm.get_async_model().model_id == "local/smollm2-135m"


def test_a_default_that_is_set_wins_over_it_and_a_missing_key_never_falls_back_to_it(gguf, monkeypatch):
    monkeypatch.setenv("LLM_ACTORS_CACHE", str(CACHE))
    llm.set_default_model("gpt-4o-mini")
    assert llm.get_model().model_id == llm.get_async_model().model_id == "gpt-4o-mini"
    with pytest.raises(llm.NeedsKeyException):
        llm.get_model().prompt("Hi").text()
    llm.set_default_model(None)
    assert llm.get_async_model().model_id == "local/smollm2-135m"
