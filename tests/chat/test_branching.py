"""`fork()`, `replace()` and `merge()`: conversations that part and meet, in both dresses."""

import asyncio
import threading
import time
from typing import Any

import pytest

import llm_actors as llm
from llm_actors.chat import history
from llm_actors.chat.history import is_pending
from llm_actors.messages.parts import assistant, user
from tests.promises.worlds import Held, World, check_valid, until
from tests.strict import check_next as check_accepted

from .speakers import Says, SyncSays, run

NO_MESSAGES: Any = [{"role": "user"}]
BOTH = pytest.mark.parametrize("dress", ["async", "sync"])


def speaker(dress, *items):
    return (Says if dress == "async" else SyncSays)(*items)


def texts(conversation):
    return [message.text for message in conversation.messages()]


async def waits_for(change, dress):
    return await change if dress == "async" else await asyncio.to_thread(change.get)


def add(a: int) -> int:
    return a + 1


def call_add(response):
    if not response.prompt.tool_results:
        response.add_tool_call(llm.ToolCall("add", {"a": 1}, "c1"))


# ---- fork


@BOTH
def test_a_fork_has_the_same_past_and_a_future_an_id_and_an_actor_of_its_own(dress):
    async def main():
        world = World(dress)
        conversation = speaker(dress, "a").conversation(tools=[add], chain_limit=7, when_busy="reject")
        await world.text(conversation.prompt("one"))
        conversation.name = "original"
        fork = conversation.fork()
        assert type(fork) is type(conversation)
        assert fork.name is None  # it names one conversation
        assert fork.id != conversation.id
        assert (fork.model, fork.tools, fork.chain_limit, fork.when_busy) == (conversation.model, [add], 7, "reject")
        await world.text(conversation.prompt("two"))
        await world.text(fork.prompt("three"))
        assert texts(conversation) == ["one", "a", "two", "a"]
        assert texts(fork) == ["one", "a", "three", "a"]
        assert [response.prompt.prompt for response in fork.responses] == ["one", "three"]
        assert all(response.conversation is fork for response in fork.responses)
        assert fork.ref != conversation.ref

    run(main())


@BOTH
def test_a_fork_may_have_another_model_tools_hooks_and_limits(dress):
    hook, other = print, speaker(dress, "b")
    conversation = speaker(dress, "a").conversation(tools=[add], before_call=hook)
    fork = conversation.fork(
        model=other,
        tools=[],
        after_call=hook,
        chain_limit=0,
        id="mine",
        name="draft",
        failures={ValueError: llm.Fail()},
    )
    assert (fork.model, fork.tools, fork.before_call, fork.after_call) == (other, [], hook, hook)
    assert (fork.chain_limit, fork.id, fork.name, fork.failures) == (0, "mine", "draft", {ValueError: llm.Fail()})


@BOTH
def test_many_forks_run_at_once(dress):
    """n forks run at once"""

    async def main():
        world = World(dress)
        together = threading.Barrier(8) if dress == "sync" else asyncio.Barrier(8)
        conversation = speaker(dress, "a").conversation()
        await world.text(conversation.prompt("one"))
        meet = Meets(together) if dress == "async" else SyncMeets(together)
        forks = [conversation.fork(model=meet) for _ in range(8)]
        answers = [fork.prompt(str(number)) for number, fork in enumerate(forks)]
        assert await asyncio.gather(*[world.text(answer) for answer in answers]) == ["met"] * 8
        assert [texts(fork) for fork in forks] == [["one", "a", str(number), "met"] for number in range(8)]

    run(main())


class Meets(Says):
    """Answers when so many are asked at once."""

    def __init__(self, barrier):
        super().__init__()
        self.barrier = barrier

    async def execute(self, prompt, stream, response, conversation):
        await self.barrier.wait()
        yield "met"


class SyncMeets(SyncSays):
    def __init__(self, barrier):
        super().__init__()
        self.barrier = barrier

    def execute(self, prompt, stream, response, conversation):
        self.barrier.wait(5)
        yield "met"


def test_a_fork_costs_the_same_however_long_the_past_is():
    """`conversation.fork()` in O(1) by shared structure"""
    long = Says("a").conversation()
    long._history.append(history.Replaced("", (user("a"),)))
    for number in range(20_000):
        turn = str(number)
        long._history.append(history.Said(turn, user("q")))
        record = history.CallRecord(turn)
        long._history.append(history.Answered(turn, (assistant("a"),), record))
    before = long._history.head
    began = time.perf_counter()
    forks = [long.fork() for _ in range(1000)]
    assert time.perf_counter() - began < 2  # a copy of the past would take a hundred times that
    assert all(fork._history.head is before for fork in forks)


@BOTH
def test_a_fork_while_the_model_answers_does_not_hold_what_was_asked(dress):
    async def main():
        world = World(dress)
        go = asyncio.Event() if dress == "async" else threading.Event()
        conversation = speaker(dress, "a").conversation()
        await world.text(conversation.prompt("one"))
        conversation.model = speaker(dress, "half", go, "a")
        running = conversation.prompt("two")
        waiting = conversation.prompt("three")
        await world.some_events(running, 1)
        fork = conversation.fork(model=speaker(dress, "b"))
        assert texts(fork) == ["one", "a"]
        await world.text(fork.prompt("else"))
        go.set()
        await world.text(waiting)
        assert texts(fork) == ["one", "a", "else", "b"]
        assert texts(conversation)[2:] == ["two", "halfa", "three", "halfa"]

    run(main())


def test_a_fork_while_tools_run_has_their_calls_open():
    async def main():
        held = Held()
        model = Says("calling", lambda response: None if response.prompt.tool_results else ask_for(response))
        conversation = model.conversation(tools=[held.tool(), add])

        def ask_for(response):
            response.add_tool_call(llm.ToolCall("hold", {}, "c1"))
            response.add_tool_call(llm.ToolCall("add", {"a": 1}, "c2"))

        running = conversation.chain("one")
        async for event in running.events():
            if event.type == "tool_ended":
                break
        await until(held.entered)
        fork, resumed = conversation.fork(), conversation.fork()
        check_valid(fork.messages())
        check_accepted(fork.messages())
        first, second = fork.messages()[-1].parts
        assert is_pending(first)
        assert second.output == "2"
        held.let_go.set()
        assert await running.text() == "calling calling"
        assert await fork.prompt("go on without").text() == "calling"
        check_valid(fork.messages())
        assert "went on without it" in fork.messages()[2].parts[0].output
        assert await resumed.chain().text() == "calling"
        assert [part.output for part in resumed.messages()[2].parts] == ["held", "2"]
        assert [part.output for part in conversation.messages()[2].parts] == ["held", "2"]

    run(main())


@BOTH
def test_a_fork_at_an_earlier_response_holds_what_was_said_until_then(dress):
    async def main():
        world = World(dress)
        conversation = speaker(dress, "a", call_add).conversation(tools=[add])
        first = conversation.chain("one")
        await world.text(first)
        await world.text(conversation.chain("two"))
        assert texts(conversation.fork(at=first)) == ["one", "a", "", "a"]
        past = conversation.responses
        assert [len(conversation.fork(at=response).messages()) for response in past] == [3, 4, 7, 8]
        at_call = conversation.fork(at=past[0])
        assert is_pending(at_call.messages()[-1].parts[0])
        assert at_call._history.head is past[0]._log.history.head
        await world.text(at_call.chain())
        assert at_call.messages()[2].parts[0].output == "2"

    run(main())


def test_a_fork_at_a_response_of_another_conversation_or_one_that_runs_is_refused():
    async def main():
        conversation, other = Says("a").conversation(), Says("a").conversation()
        with pytest.raises(ValueError, match="belongs to <AsyncConversation"):
            conversation.fork(at=other.prompt("x"))
        with pytest.raises(ValueError, match="belongs to none"):
            conversation.fork(at=Says("a").prompt("x"))
        with pytest.raises(ValueError, match="has not ended: wait for it"):
            conversation.fork(at=conversation.prompt("x"))

    run(main())


# ---- replace


@BOTH
def test_a_replaced_history_is_what_the_next_prompt_sees(dress):
    async def main():
        world = World(dress)
        conversation = speaker(dress, "a").conversation()
        first = conversation.prompt("one")
        change = conversation.replace([user("x"), assistant("y")])
        after = conversation.prompt("two")
        assert [message.text for message in await waits_for(change, dress)] == ["x", "y"]
        assert change.done
        await world.text(after)
        assert texts(conversation) == ["x", "y", "two", "a"]
        assert [response.prompt.prompt for response in conversation.responses] == ["two"]
        assert await world.text(first) == "a"

    run(main())


@pytest.mark.parametrize("when_busy", ["queue", "reject", "replace", "coalesce"])
def test_it_waits_for_the_turn_that_runs_whatever_becomes_of_prompts(when_busy):
    async def main():
        go = asyncio.Event()
        model = Says("a", go, "b")
        conversation = model.conversation(when_busy=when_busy)
        running = conversation.prompt("one")
        await model.started.wait()
        change = conversation.replace([user("x")])
        assert not change.done
        assert repr(change) == "<Change replacing waits its turn>"
        if when_busy == "replace":
            newer = conversation.prompt("two")
            go.set()
            await newer
            assert isinstance(running.error, llm.ResponseCancelledError)
            assert texts(conversation) == ["x", "two", "ab"]
        else:
            go.set()
            await change
            assert await running.text() == "ab"
            assert texts(conversation) == ["x"]

    run(main())


def test_before_there_is_a_loop_it_keeps_its_place_among_the_prompts():
    conversation = Says("a").conversation(when_busy="replace")
    change = conversation.replace([user("x")])
    response = conversation.prompt("one")

    async def main():
        await response
        assert change.done
        assert texts(conversation) == ["x", "one", "a"]

    run(main())


@BOTH
def test_another_conversation_or_a_response_can_take_the_place_of_the_past(dress):
    async def main():
        world = World(dress)
        other = speaker(dress, "b").conversation()
        early = other.prompt("early")
        await world.text(early)
        await world.text(other.prompt("late"))
        conversation = speaker(dress, "a").conversation()
        await waits_for(conversation.replace(other), dress)
        assert texts(conversation) == ["early", "b", "late", "b"]
        await waits_for(conversation.replace(early), dress)
        assert texts(conversation) == ["early", "b"]

    run(main())


def test_what_can_not_take_the_place_of_the_past_is_said_at_the_call():
    async def main():
        conversation, busy = Says("a").conversation(), Says(asyncio.Event()).conversation()
        running = busy.prompt("x")
        with pytest.raises(llm.ConversationBusyError, match="wait for its response"):
            conversation.replace(busy)
        with pytest.raises(ValueError, match="has not ended"):
            conversation.replace(running)
        with pytest.raises(TypeError, match="takes messages, a conversation or a response, not dict"):
            conversation.replace(NO_MESSAGES)
        with pytest.raises(TypeError, match="not str"):
            conversation.replace("x")
        await running.cancel()
        await conversation.close()
        with pytest.raises(llm.ActorError, match="is closed"):
            conversation.replace([])

    run(main())


def test_a_change_that_was_cancelled_did_not_happen_and_says_so():
    async def main():
        go = asyncio.Event()
        conversation = Says(go, "a").conversation()
        running = conversation.prompt("one")
        change = conversation.replace([user("x")])
        conversation.cancel()
        with pytest.raises(llm.ResponseCancelledError):
            await change
        with pytest.raises(llm.ResponseCancelledError):
            await running
        assert texts(conversation) == []

    run(main())


def test_open_calls_in_what_was_given_are_open_in_the_conversation():
    async def main():
        conversation = Says("a").conversation(tools=[add])
        asked = llm.Message("assistant", [llm.ToolCallPart("add", {"a": 1}, "c1")])
        conversation.replace([user("x"), asked])
        assert await conversation.chain().text() == "a"
        assert [part.output for part in conversation.messages()[2].parts] == ["2"]

    run(main())


# ---- merge


@BOTH
def test_merging_appends_what_each_fork_said_since_in_order_and_once(dress):
    async def main():
        world = World(dress)
        conversation = speaker(dress, "a").conversation()
        await world.text(conversation.prompt("one"))
        forks = [conversation.fork(model=speaker(dress, answer)) for answer in "bc"]
        await asyncio.gather(*[world.text(fork.prompt(f"fork {place}")) for place, fork in enumerate(forks)])
        await world.text(conversation.prompt("two"))
        added = await waits_for(conversation.merge(*forks), dress)
        assert [message.text for message in added] == ["fork 0", "b", "fork 1", "c"]
        assert texts(conversation) == ["one", "a", "two", "a", "fork 0", "b", "fork 1", "c"]
        asked = [response.prompt.prompt for response in conversation.responses]
        assert asked == ["one", "two", "fork 0", "fork 1"]
        await world.text(forks[0].prompt("more"))
        added = await waits_for(conversation.merge(forks[0], forks[1]), dress)
        assert [message.text for message in added] == ["more", "b"]
        assert await waits_for(conversation.merge(), dress) == []
        await waits_for(forks[1].merge(conversation), dress)
        assert texts(forks[1]) == ["one", "a", "fork 1", "c", "two", "a", "fork 0", "b", "more", "b"]
        await world.text(conversation.prompt("three"))
        check_valid(conversation.messages())

    run(main())


def test_tool_calls_and_results_of_a_fork_stay_together_and_calls_left_open_here_are_given_up():
    async def main():
        def pauses() -> str:
            raise llm.PauseChain("ask a human")

        def ask_for(response):
            if not response.prompt.tool_results:
                response.add_tool_call(llm.ToolCall("pauses", {}, "c1"))

        conversation = Says(ask_for).conversation(tools=[pauses])
        with pytest.raises(llm.PauseChain):
            await conversation.chain("one")
        answers, ignores = conversation.fork(), conversation.fork(model=Says("ignored"))
        approved = llm.ToolResult("pauses", "approved", tool_call_id="c1")
        await answers.prompt("", tool_results=[approved])
        await ignores.prompt("never mind")
        merged = conversation.fork()
        await merged.merge(answers, ignores)
        check_valid(merged.messages())
        check_accepted(merged.messages())
        assert merged.messages()[2].parts[0].output == "approved"
        await conversation.merge(ignores, answers)
        check_valid(conversation.messages())
        assert "went on without it" in conversation.messages()[2].parts[0].output
        assert texts(conversation)[-2:] == ["never mind", "ignored"]

    run(main())


def test_a_conversation_that_shares_nothing_is_appended_whole():
    async def main():
        conversation, other = Says("a").conversation(), Says("b").conversation()
        await conversation.prompt("one")
        await other.prompt("two")
        await conversation.merge(other)
        assert texts(conversation) == ["one", "a", "two", "b"]

    run(main())


def test_what_can_not_be_merged_is_said_at_the_call():
    async def main():
        go = asyncio.Event()
        conversation = Says("a").conversation()
        busy, anew = conversation.fork(model=Says(go, "b")), conversation.fork()
        running = busy.prompt("x")
        with pytest.raises(llm.ConversationBusyError, match="wait for its response"):
            conversation.merge(busy)
        await anew.replace([user("new")])
        with pytest.raises(ValueError, match=r"can't be merged: its history began anew"):
            conversation.merge(anew)
        go.set()
        await running
        await conversation.merge(busy)
        assert texts(conversation) == ["x", "b"]

    run(main())


def test_a_prompt_steered_in_while_a_change_is_made_is_a_prompt_behind_it():
    async def main():
        conversation = Says("a").conversation()
        changes = [conversation.replace([user(str(number))]) for number in range(3)]
        steered = conversation.steer("now")
        assert await steered.text() == "a"
        assert [change.done for change in changes] == [True] * 3
        assert texts(conversation) == ["2", "now", "a"]

    run(main())
