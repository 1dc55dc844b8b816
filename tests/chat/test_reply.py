"""`response.reply()`, `execute_tool_calls()` and `execute_tool_call()`, in both dresses."""

import asyncio
import json
from typing import Any

import pytest

import llm_actors as llm
from llm_actors.messages import ToolCall, ToolResult
from llm_actors.messages.parts import assistant, user
from tests.promises.worlds import World, check_valid
from tests.strict import check_next as check_accepted

from .speakers import Says, SyncSays, run

BOTH = pytest.mark.parametrize("dress", ["async", "sync"])


def speaker(dress, *items) -> Any:
    return (Says if dress == "async" else SyncSays)(*items)


async def does(dress, method, **keywords):
    """`method(**keywords)` in the way of its dress."""
    return await method(**keywords) if dress == "async" else await asyncio.to_thread(method, **keywords)


def asks(*calls):
    """Asks for these calls when it has not been given results, and then says so."""

    def ask(response):
        if not any(message.role == "tool" for message in response.prompt.messages):
            for call in calls:
                response.add_tool_call(call)

    return ask


def upper(text: str) -> str:
    return text.upper()


UPPER = ToolCall("upper", {"text": "a"}, "c1")


@BOTH
def test_a_reply_says_what_was_asked_and_answered_and_then_the_prompt(dress):
    async def main():
        world, model = World(dress), speaker(dress, "a")
        first = model.prompt("one", system="brief")
        second = await world.call(first, "reply", "two")
        assert type(second) is type(first)
        assert await world.text(second) == "a"
        assert [message.text for message in second.prompt.messages] == ["brief", "one", "a", "two"]
        third = await world.call(second, "reply")
        await world.text(third)
        assert [message.text for message in third.prompt.messages] == ["brief", "one", "a", "two", "a"]
        assert third.conversation is None

    run(main())


def test_messages_come_behind_the_prompt_and_keywords_go_to_the_prompt():
    async def main():
        first = Says("a").prompt("one")
        reply = await first.reply("two", messages=[assistant("so"), user("three")], stream=False, detached=True)
        await reply
        assert [message.text for message in reply.prompt.messages] == ["one", "a", "two", "so", "three"]
        assert reply.stream is False
        with pytest.raises(llm.OptionsError):
            await first.reply("two", options={"heat": 1})

    run(main())


@BOTH
def test_a_reply_runs_the_open_calls_and_sends_their_results(dress):
    async def main():
        world = World(dress)
        model = speaker(dress, "x", asks(UPPER, ToolCall("missing", {}, "c2")))
        first = model.prompt("one", tools=[upper])
        reply = await world.call(first, "reply", "two")
        await world.text(reply)
        roles = [message.role for message in reply.prompt.messages]
        assert roles == ["user", "assistant", "tool", "user"]
        outputs = [part.output for part in reply.prompt.messages[2].parts]
        assert outputs == ["A", 'Error: tool "missing" does not exist']
        check_accepted(reply.prompt.messages)
        assert [tool.name for tool in reply.prompt.tools] == ["upper"]

    run(main())


@BOTH
def test_w14_the_conversations_hooks_see_the_calls_that_a_reply_runs(dress):
    """W14: reply() skips before_call: a tool denied by the conversation's hook ran"""

    async def main():
        world, ran, seen = World(dress), [], []

        def pay() -> str:
            ran.append("paid")
            return "paid"

        def deny(tool, call):
            if call.name == "pay":
                raise llm.CancelToolCall("not allowed")

        model = speaker(dress, "x", asks(ToolCall("pay", {}, "c1"), UPPER))
        conversation = model.conversation(
            tools=[pay, upper], before_call=deny, after_call=lambda tool, call, result: seen.append(result.output)
        )
        first = conversation.prompt("one")
        await world.text(first)
        for response in (first, conversation.responses[0]):  # the live one, and the one built from the history
            reply = await world.call(response, "reply")
            await world.text(reply)
            assert [part.output for part in reply.prompt.messages[2].parts] == ["Cancelled: not allowed", "A"]
        assert ran == []
        assert seen == ["A", "A"]
        assert len(conversation.responses) == 1  # a reply is none of the conversation's

    run(main())


@BOTH
def test_results_that_are_given_are_sent_in_place_of_running_the_calls(dress):
    async def main():
        world = World(dress)
        first = speaker(dress, "x", asks(UPPER)).prompt("one", tools=[pytest.fail])
        picture = llm.Attachment(type="image/png", content=b"x")
        given = ToolResult("upper", "mine", tool_call_id="c1", attachments=[picture], exception=ValueError("no"))
        await world.text(first)
        first.model.attachment_types = {"image/png"}
        reply = await does(dress, first.reply, prompt="two", tool_results=[given])
        await world.text(reply)
        tool, files, said = reply.prompt.messages[2:]
        assert (tool.parts[0].output, tool.parts[0].exception) == ("mine", "ValueError: no")
        assert files.parts[0].attachment == picture
        assert said.text == "two"

    run(main())


@BOTH
def test_execute_tool_calls_runs_them_each_time_with_the_hooks_that_are_given(dress):
    async def main():
        world, seen = World(dress), []
        calls = [UPPER, ToolCall("upper", {"text": "b"}, "c2"), ToolCall("crash", {}, "c3")]

        def crash() -> str:
            raise KeyError("x")

        first = speaker(dress, "x", asks(*calls)).prompt("one", tools=[upper, crash])
        for _ in range(2):
            results = await world.call(first, "execute_tool_calls")
            assert [result.output for result in results] == ["A", "B", "Error: 'x'"]
            assert [result.tool_call_id for result in results] == ["c1", "c2", "c3"]
            assert isinstance(results[2].exception, KeyError)
        keywords: dict[str, Any] = {"before_call": lambda tool, call: seen.append((tool.name, call.tool_call_id))}
        keywords["tool_calls_list"], keywords["tools"] = [ToolCall("lower", {"text": "A"})], [lower]
        (result,) = await does(dress, first.execute_tool_calls, **keywords)
        assert result.output == "a"
        assert result.tool_call_id.startswith("tc_")
        assert seen == [("lower", result.tool_call_id)]

    run(main())


def lower(text: str) -> str:
    return text.lower()


@BOTH
def test_what_a_hook_or_a_pause_raises_leaves_it_with_the_siblings_results(dress):
    async def main():
        world = World(dress)

        def pauses() -> str:
            raise llm.PauseChain("ask")

        def refuses(tool, call):
            raise PermissionError("never")

        first = speaker(dress, "x", asks(UPPER, ToolCall("pauses", {}, "c2"))).prompt("one", tools=[upper, pauses])
        with pytest.raises(llm.PauseChain) as raised:
            await world.call(first, "execute_tool_calls")
        assert raised.value.tool_call.name == "pauses"
        assert [result.output for result in raised.value.tool_results] == ["A"]
        with pytest.raises(PermissionError):
            await does(dress, first.execute_tool_calls, before_call=refuses)

    run(main())


@BOTH
def test_a_response_without_open_calls_has_none_to_run(dress):
    async def main():
        world = World(dress)
        plain = speaker(dress, "x").prompt("one", tools=[upper])
        assert await world.call(plain, "execute_tool_calls") == []
        chain = speaker(dress, "x", asks(UPPER)).chain("one", tools=[upper])
        assert await world.call(chain, "execute_tool_calls") == []
        reply = await world.call(chain, "reply", "two")
        await world.text(reply)
        assert [message.role for message in reply.prompt.messages] == ["user", "assistant", "tool", "assistant", "user"]

    run(main())


@BOTH
def test_a_failed_response_can_not_be_replied_to(dress):
    async def main():
        response = speaker(dress, KeyError("mine")).prompt("one")
        with pytest.raises(KeyError, match="mine"):
            await World(dress).call(response, "reply", "two")

    run(main())


@BOTH
def test_a_toolbox_is_prepared_for_the_calls_of_a_reply(dress):
    class Box(llm.Toolbox):
        times = 0

        def prepare(self):
            Box.times += 1

        def shout(self) -> str:
            return "HEY"

    async def main():
        first = speaker(dress, "x", asks(ToolCall("Box_shout", {}, "c1"))).prompt("one", tools=[Box()])
        (result,) = await World(dress).call(first, "execute_tool_calls")
        assert (result.output, Box.times) == ("HEY", 1)
        assert isinstance(result.instance, Box)

    run(main())


@BOTH
def test_a_model_that_loops_by_itself_runs_calls_through_its_response(dress):
    """`response.execute_tool_call(tc)`: one call with the response's own hooks (for models that loop themselves)"""

    class Loops(llm.Model):
        model_id = "loops"
        supports_tools = True

        def execute(self, prompt, stream, response, conversation):
            yield response.execute_tool_call(UPPER).output
            yield response.execute_tool_call(ToolCall("lower", {"text": "B"})).output

    class AsyncLoops(llm.AsyncModel):
        model_id = "loops"
        supports_tools = True

        async def execute(self, prompt, stream, response, conversation):
            yield (await response.execute_tool_call(UPPER)).output
            yield (await response.execute_tool_call(ToolCall("lower", {"text": "B"}))).output

    async def main():
        seen = []

        def deny(tool, call):
            seen.append(call.name)
            if call.name == "lower":
                raise llm.CancelToolCall("no")

        model: Any = AsyncLoops() if dress == "async" else Loops()
        response = model.conversation(tools=[upper, lower], before_call=deny).prompt("one")
        assert await World(dress).text(response) == "ACancelled: no"
        assert seen == ["upper", "lower"]

    run(main())


@BOTH
def test_one_call_can_be_run_with_the_hooks_and_tools_of_a_response(dress):
    async def main():
        seen = []
        hook = lambda tool, call: seen.append(call.name)  # noqa: E731
        response = speaker(dress, "x").conversation(tools=[upper], before_call=hook).prompt("one")
        result = await World(dress).call(response, "execute_tool_call", UPPER)
        assert result.output == "A"
        assert seen == ["upper"]
        assert (response.before_call, response.after_call) == (hook, None)

    run(main())


@BOTH
def test_a_paused_chain_without_a_conversation_is_written_down_and_gone_on_from(dress):
    async def main():
        world, ran, approved = World(dress), [], []

        def once() -> str:
            ran.append("once")
            return "done"

        def pauses() -> str:
            if not approved:
                raise llm.PauseChain("ask")
            return "approved"

        model = speaker(dress, "x", asks(ToolCall("once", {}, "c1"), ToolCall("pauses", {}, "c2")))
        chain = model.chain("one", tools=[once, pauses])
        assert isinstance(await world.error(chain), llm.PauseChain)
        plain = json.loads(json.dumps(chain.to_dict()))
        assert [message["role"] for message in plain["messages"]] == ["assistant", "tool"]
        approved.append(True)
        again = type(chain).from_dict(plain, model=model)
        reply = await does(dress, again.reply, tools=[once, pauses])
        assert await world.text(reply) == "x"
        assert [part.output for part in reply.prompt.messages[2].parts] == ["done", "approved"]
        check_valid(reply.prompt.messages)
        assert ran == ["once"]
        resumed = model.chain(
            messages=again.prompt.messages + await world.call(again, "messages"), tools=[once, pauses]
        )
        assert await world.text(resumed) == "x"
        assert ran == ["once"]

    run(main())


def test_cancelling_the_task_that_waits_for_the_calls_cancels_them():
    async def main():
        begun, ended = asyncio.Event(), asyncio.Event()

        async def hangs() -> str:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return ""

        response = await Says("x", asks(ToolCall("hangs", {}, "c1"))).prompt("one", tools=[hangs])
        task = asyncio.create_task(response.execute_tool_calls())
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await ended.wait()

    run(main())


def test_callbacks_that_wait_for_the_end_are_shown():
    async def main():
        go = asyncio.Event()
        response = Says(go, "a").prompt("one")
        await response.on_done(print_nothing)
        assert response.done_callbacks == [print_nothing]
        go.set()
        await response
        assert response.done_callbacks == []

    run(main())


def print_nothing(response):
    """A callback."""
