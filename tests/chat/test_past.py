"""Responses of calls that are over, built from the history."""

import llm_actors as llm
from llm_actors.messages import StreamEvent

from .speakers import Says, run


def add(a: int) -> int:
    return a + 1


def call_tool(response):
    if not response.prompt.tool_results:
        response.add_tool_call(llm.ToolCall("add", {"a": 1}, "c1"))


def test_a_past_response_tells_what_the_live_one_told():
    async def main():
        conversation = Says(StreamEvent("reasoning", "hm"), "a", "b").conversation()
        live = conversation.prompt("hi", system="brief")
        await live
        (past,) = conversation.responses
        assert past == live
        assert past is not live
        assert await past.text() == "ab"
        assert await past.messages() == await live.messages()
        assert (await past.datetime_utc()) >= (await live.datetime_utc())  # that of the call, and that of the turn
        assert past.prompt.system == "brief"
        assert past.conversation is conversation
        assert past.to_dict()["messages"] == live.to_dict()["messages"]
        events = [event async for event in past.events()]
        assert [(event.type, event.chunk) for event in events] == [("reasoning", "hm"), ("text", "ab"), ("end", "stop")]
        await past.cancel()  # is over, so that is no error

    run(main())


def test_responses_has_one_entry_for_each_model_call_in_the_order_of_the_turns():
    """one entry per model call (also each round of a chain ...) in the order of the turns, as the peer does"""

    async def main():
        conversation = Says("a", call_tool).conversation(tools=[add])
        await conversation.chain("one")
        await conversation.prompt("two", tool_results=[], attachments=[])
        entries = conversation.responses
        assert [entry.prompt.prompt for entry in entries] == ["one", "", "two"]
        assert [len(entry.prompt.messages) for entry in entries] == [1, 3, 5]
        assert [call.name for call in await entries[0].tool_calls()] == ["add"]
        assert [event.type async for event in entries[0].events()] == ["text", "tool_call_name", "end"]

    run(main())


def test_a_round_of_a_chain_is_there_while_the_next_one_runs():
    """... visible while the next round runs ..."""

    async def main():
        import asyncio

        entered, go = asyncio.Event(), asyncio.Event()

        async def add(a: int) -> int:
            entered.set()
            await go.wait()
            return a

        conversation = Says("a", call_tool).conversation(tools=[add])
        response = conversation.chain("one")
        await entered.wait()
        assert [entry.prompt.prompt for entry in conversation.responses] == ["one"]
        go.set()
        await response

    run(main())


def test_attachments_of_a_past_prompt_are_there():
    class Seeing(Says):
        attachment_types = ("image/png",)

    async def main():
        picture = llm.Attachment(content=b"x", type="image/png")
        conversation = Seeing("a").conversation()
        await conversation.prompt("look", attachments=[picture])
        assert conversation.responses[0].attachments == [picture]

    run(main())
