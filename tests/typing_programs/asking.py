"""What a user's type checker sees of prompts, chains, conversations and responses."""

from typing import Any, assert_type

import llm_actors as llm


async def ask(model: llm.AsyncModel) -> None:
    response = model.prompt("hi", system="be brief", timeout=3.0, temperature=0.5)
    assert_type(response, llm.AsyncResponse)
    assert_type(await response.text(), str)
    assert_type(await response, llm.AsyncResponse)
    assert_type(await response.usage(), llm.Usage)
    assert_type(await response.tool_calls(), list[llm.ToolCall])
    assert_type(await response.messages(), list[llm.Message])
    assert_type(await response.json(), dict[str, Any] | None)
    assert_type(await response.duration_ms(), int)
    assert_type(response.partial, str)
    assert_type(response.stop_reason, str | None)
    async for chunk in response:
        assert_type(chunk, str)
    async for event in response.events(after=3):
        assert_type(event, llm.Event)
    async with model.conversation() as conversation:
        assert_type(conversation, llm.AsyncConversation)
        assert_type(conversation.chain("hi", tools=[len], chain_limit=3), llm.AsyncResponse)
        assert_type(conversation.responses, list[llm.AsyncResponse])
        assert_type(conversation.messages(), list[llm.Message])


def ask_blocking(model: llm.Model) -> None:
    response = model.chain("hi", tools=[len])
    assert_type(response, llm.Response)
    assert_type(response.text(), str)
    assert_type(str(response), str)
    assert_type(response.usage(), llm.Usage)
    for chunk in response:
        assert_type(chunk, str)
    for event in response.events():
        assert_type(event, llm.Event)
    with model.conversation() as conversation:
        assert_type(conversation, llm.Conversation)
        assert_type(conversation.prompt("hi"), llm.Response)
        assert_type(conversation.responses, list[llm.Response])


def look_up() -> None:
    assert_type(llm.get_model("demo"), llm.Model)
    assert_type(llm.get_async_model(), llm.AsyncModel)
    assert_type(llm.get_models(), list[llm.Model])
    assert_type(llm.get_async_models(), list[llm.AsyncModel])
    pair = llm.endpoint("my-model", wire="openai-chat", base_url="http://127.0.0.1:1/v1")
    assert_type(pair, llm.ModelWithAliases)
    assert_type(pair.async_model, llm.AsyncModel | None)
