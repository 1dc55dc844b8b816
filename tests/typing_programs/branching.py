"""What a user's type checker sees of forks and of changes of a history."""

from typing import Any, assert_type

import llm_actors as llm


async def part_and_meet(conversation: llm.AsyncConversation, response: llm.AsyncResponse) -> None:
    fork = conversation.fork()
    assert_type(fork, llm.AsyncConversation)
    assert_type(conversation.fork(at=response, tools=[len], name="draft"), llm.AsyncConversation)
    assert_type(await conversation.merge(fork), list[llm.Message])
    assert_type(conversation.replace([llm.user("hi")]), llm.Change)
    assert_type(await conversation.replace(fork), list[llm.Message])


def part_and_meet_blocking(conversation: llm.Conversation, response: llm.Response) -> None:
    fork = conversation.fork(at=response)
    assert_type(fork, llm.Conversation)
    assert_type(conversation.merge(fork).get(), list[llm.Message])
    assert_type(conversation.replace(response).get(), list[llm.Message])
    assert_type(conversation.replace(response).done, bool)


async def shorten(model: llm.AsyncModel) -> None:
    async def last_two(compacting: llm.Compacting) -> list[llm.Message]:
        return compacting.messages[-2:]

    assert_type(model.conversation(compaction=llm.DropOldest(4000), compact_at=6000), llm.AsyncConversation)
    assert_type(model.conversation(compaction=llm.Summarise("demo", words=100)), llm.AsyncConversation)
    assert_type(model.conversation(compaction=last_two), llm.AsyncConversation)
    assert_type(model.context_size, int | None)


async def go_on(response: llm.AsyncResponse) -> None:
    assert_type(await response.reply("and then?"), llm.AsyncResponse)
    assert_type(await response.execute_tool_calls(), list[llm.ToolResult])
    assert_type(await response.execute_tool_call(llm.ToolCall("add", {})), llm.ToolResult)
    assert_type(llm.AsyncResponse.from_dict(response.to_dict()), llm.AsyncResponse)
    assert_type(await response.to_sync_response(), llm.Response)


async def grow(response: llm.AsyncResponse) -> None:
    async for value in response.partials():
        assert_type(value, Any)


def grow_blocking(response: llm.Response) -> None:
    for value in response.partials():
        assert_type(value, Any)


def go_on_blocking(response: llm.Response) -> None:
    assert_type(response.reply("and then?", tools=[len]), llm.Response)
    assert_type(response.execute_tool_calls(), list[llm.ToolResult])
    assert_type(llm.Response.from_dict(response.to_dict()), llm.Response)
