"""OpenAI's Responses, spoken by a server that nobody here wrote: llama.cpp's, in the embedded engine, with the real weights."""

import asyncio

import pytest

import llm_actors as llm
from llm_actors.errors import AuthenticationError, ContextLengthError
from llm_actors.messages import ToolCallPart, ToolResultPart

pytestmark = pytest.mark.real


async def with_model(engine, use, **more):
    url, key = await engine.acquire()
    try:
        options = {"wire": "openai-responses", "base_url": url, "key": key.reveal(), **more}
        return await use(llm.endpoint("smollm2-135m", **options).async_model)
    finally:
        engine.release()


def test_it_answers_streamed_and_whole_and_a_conversation_goes_on(make_engine):
    async def use(model):
        conversation = model.conversation()
        options = {"max_tokens": 12, "temperature": 0.0}
        first = conversation.prompt("Say hello.", system="You are friendly.", options=options)
        pieces = [piece async for piece in first]
        second = conversation.prompt("And again.", options=options, stream=False)
        texts = await first.text(), await second.text()
        assert "".join(pieces) == texts[0]
        return texts, await first.usage(), (await second.usage()).input

    texts, usage, later = asyncio.run(with_model(make_engine(), use))
    assert all(texts)
    assert 0 < usage.output <= 12
    assert 0 < usage.input < later


def test_a_history_with_calls_and_results_is_taken(make_engine):
    async def use(model):
        messages = [
            llm.user("What is the weather in Zurich?"),
            llm.assistant(ToolCallPart("weather", {"city": "Zurich"}, "call_1")),
            llm.tool_message(ToolResultPart("weather", "sunny", "call_1")),
            llm.user("Thanks. And tomorrow?"),
        ]
        response = model.prompt(messages=messages, options={"max_tokens": 8})
        await response.text()  # which may be empty: what so small a model says is not judged
        return response.stop_reason

    assert asyncio.run(with_model(make_engine(), use)) in ("stop", "length")


def test_its_errors_are_typed(make_engine):
    engine = make_engine()

    async def long(model):
        await model.prompt("word " * 20_000).text()

    async def short(model):
        await model.prompt("hi").text()

    async def main():
        with pytest.raises(ContextLengthError):
            await with_model(engine, long)
        with pytest.raises(AuthenticationError):
            await with_model(engine, short, key="sk-wrong-key")

    asyncio.run(main())
