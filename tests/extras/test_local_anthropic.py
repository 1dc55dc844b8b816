"""Anthropic's messages, spoken by a server that nobody here wrote: llama.cpp's, in the embedded engine, with the real weights."""

import asyncio

import pytest

import llm_actors as llm
from llm_actors.errors import AuthenticationError, ContextLengthError

pytestmark = pytest.mark.real


async def with_model(engine, use, **more):
    url, key = await engine.acquire()
    try:
        options = {"wire": "anthropic", "base_url": url.removesuffix("/v1"), "key": key.reveal(), **more}
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
        return texts, await first.usage(), first.stop_reason, (await second.usage()).input

    texts, usage, reason, later = asyncio.run(with_model(make_engine(), use))
    assert all(texts)
    assert 0 < usage.output <= 12
    assert 0 < usage.input < later
    assert reason in ("stop", "length")


def test_an_answer_that_is_too_long_ends_by_its_limit(make_engine):
    async def use(model):
        response = model.prompt("Tell me a long story.", options={"max_tokens": 5})
        await response.text()
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
            await with_model(engine, short, key="sk-ant-wrong")

    asyncio.run(main())


def test_a_cancel_ends_the_request(make_engine):
    engine = make_engine()

    async def use(model):
        response = model.prompt("Tell me a very long story.", options={"max_tokens": 2000})
        async for _ in response:
            break
        await response.cancel()
        return await model.prompt("Say hello.", options={"max_tokens": 3}).text()

    assert asyncio.run(asyncio.wait_for(with_model(engine, use), 60))
