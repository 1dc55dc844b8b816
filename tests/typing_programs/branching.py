"""What a user's type checker sees of forks and of changes of a history."""

from typing import assert_type

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
