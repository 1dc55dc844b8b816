"""The page's programs, and ours, against an OpenAI-compatible server that nobody here wrote. Its small model's prose is not judged."""

import asyncio
import json
from typing import Annotated

import msgspec
import pytest

import llm_actors as llm
from tests.page.running import PROMPTS, TOOLS, Observed, program, run

pytestmark = [pytest.mark.real, pytest.mark.slow]


class Dog(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(max_length=20)]
    age: Annotated[int, msgspec.Meta(ge=0, le=20)]


@pytest.fixture
def outcome(real_server, tmp_path):
    def outcome(name):
        return run(program(name), cwd=tmp_path, OPENAI_BASE_URL=real_server.base_url, OPENAI_API_KEY="sk-any")

    return outcome


@pytest.mark.parametrize("name", [*PROMPTS, *TOOLS])
def test_the_program_runs_with_nothing_changed_but_the_import(outcome, real_server, name):
    before = real_server.tokens()
    assert outcome(name).strip()
    read, written = (after - then for after, then in zip(real_server.tokens(), before, strict=True))
    assert read > 10
    assert written > 1
    assert real_server.busy() == 0


def test_the_usage_a_program_prints_is_what_the_server_counted(outcome, real_server):
    before = real_server.tokens()
    printed = outcome("on_done").splitlines()[0]
    read, written = (after - then for after, then in zip(real_server.tokens(), before, strict=True))
    assert printed.startswith(f"Usage: Usage(input={read}, output={written}, ")


@pytest.mark.parametrize("name", TOOLS)
def test_a_model_that_is_made_to_call_calls_the_tool_and_answers(calling_server, tmp_path, name):
    """The same text: the user's aliases lead its model ids to a plugin's model, whose dialect forces the first answer into a call."""
    aliases = tmp_path / "user" / "aliases.json"
    aliases.parent.mkdir()
    aliases.write_text(json.dumps({"gpt-4.1": "real", "gpt-4.1-mini": "real"}), "utf-8")
    observed = Observed(tmp_path, PAGE_BASE_URL=calling_server.base_url, LLM_USER_PATH=str(aliases.parent))
    assert run(program(name), cwd=tmp_path, **observed.environment).strip()
    calls_the_tool_and_answers(observed, TOOLS[name])


def calls_the_tool_and_answers(observed, tool):
    turns = observed("TurnFinished")
    assert [turn["error"] for turn in turns] == [None] * len(turns) != []
    for turn in turns:
        rounds = [each for each in observed("RoundEnded") if each["response"] == turn["response"]]
        assert rounds[0]["stop_reason"] == "tool_calls"
        assert rounds[-1]["stop_reason"] in ("stop", "length")
        assert all(each["input_tokens"] > 0 and each["output_tokens"] > 0 for each in rounds)
        results = [each for each in observed("ToolEnded") if each["response"] == turn["response"]]
        assert {(each["tool"], each["error"]) for each in results} == {(tool, None)}


# Beyond the page


@pytest.fixture
def model(real_server):
    return llm.endpoint("anything", base_url=real_server.base_url).async_model


def test_a_stream_comes_in_pieces_and_its_usage_is_what_the_server_counted(model, real_server):
    before = real_server.tokens()

    async def main():
        response = model.prompt("Count from 1 to 100.", max_tokens=20)
        return [chunk async for chunk in response], await response.text(), await response.usage(), response.stop_reason

    chunks, text, usage, why = asyncio.run(main())
    assert len(chunks) > 5
    assert "".join(chunks) == text
    assert why == "length"
    assert (usage.input, usage.output) == tuple(
        after - then for after, then in zip(real_server.tokens(), before, strict=True)
    )


def test_without_a_stream_it_says_and_counts_the_same(model):
    async def main():
        told = []
        for stream in (True, False):
            response = model.prompt("Count from 1 to 100.", stream=stream, max_tokens=20)
            told.append((await response.text(), (await response.usage()).output, response.stop_reason))
        return told

    streamed, whole = asyncio.run(main())
    assert streamed == whole


def test_a_schema_is_obeyed_and_gives_a_value_of_its_type(model):
    async def main():
        return await model.prompt("Invent a dog.", schema=Dog, max_tokens=80).value()

    dog = asyncio.run(main())
    assert isinstance(dog, Dog)
    assert 0 <= dog.age <= 20


def test_a_cancel_in_mid_stream_frees_the_slot(model, real_server):
    async def main():
        response = model.prompt("Write a very long story.", max_tokens=1000)
        async for _ in response:
            break
        assert real_server.busy() == 1
        await response.cancel()
        with pytest.raises(llm.ResponseCancelledError):
            await response.text()
        assert response.partial
        async with asyncio.timeout(5):
            while real_server.busy():  # noqa: ASYNC110 - another process; it sees the closed connection at its next token
                await asyncio.sleep(0.01)

    asyncio.run(main())


def test_more_prompts_than_slots_are_all_answered_and_each_counts_its_own(model):
    async def main():
        responses = [model.prompt("Count: 1, 2, 3,", max_tokens=number) for number in range(1, 7)]
        return [(await response.usage()).output for response in responses]

    assert asyncio.run(main()) == [1, 2, 3, 4, 5, 6]


def test_what_the_server_refuses_is_a_typed_error_in_its_words(model):
    async def main():
        with pytest.raises(llm.ContextLengthError, match="context size"):
            await model.prompt("word " * 3000).text()

    asyncio.run(main())
