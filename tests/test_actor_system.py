"""What a system is told of, and what it counts."""

import asyncio
import time

import pytest

import llm_actors as llm
from llm_actors.observe import LoopStalled
from tests.chat.speakers import Says, run
from tests.test_shutdown import calls

LONG = 0.05
hold = time.sleep  # the stall, where it is called on a loop


def told(main, **settings):
    """The names of the stalls while it ran."""
    records = []

    async def inside():
        async with llm.ActorSystem(observers=[records.append], stall_bound=0.03, **settings) as system:
            await main()
            return system.counters().stalls

    counted = run(inside())
    found = [record for record in records if isinstance(record, LoopStalled)]
    assert counted == sum(record.times for record in found)
    assert all(record.seconds >= LONG for record in found)
    return [record.what for record in found]


# ---- stalls: what runs on the loop, by its name


def test_an_async_tool_that_holds_the_loop_is_told_of():
    async def search():
        hold(LONG)
        await asyncio.sleep(0)
        return "found"

    async def main():
        assert await calls("search").chain("x", tools=[search]).text() == "done found"

    assert told(main) == ["search"]


def test_a_sync_tool_is_no_stall():
    def search():
        hold(LONG)
        return "found"

    async def main():
        await calls("search").chain("x", tools=[search]).text()

    assert told(main) == []


def test_an_async_hook_is_told_of():
    def search():
        return "found"

    async def before(tool, call):
        hold(LONG)

    async def main():
        await calls("search").chain("x", tools=[search], before_call=before).text()

    assert told(main) == ["before_call of search"]


def test_an_async_model_is_told_of():
    async def main():
        assert await Says("a", lambda _: hold(LONG), "b").prompt("x").text() == "ab"

    assert told(main) == ["execute of says"]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_callback_is_told_of_also_in_a_later_step(is_async):
    def plain(response):
        hold(LONG)

    async def suspends(response):
        await asyncio.sleep(0)
        hold(LONG)

    async def main():
        response = Says("a").prompt("x")
        await response.on_done(suspends if is_async else plain)
        await response.text()

    name = "suspends" if is_async else "plain"
    assert told(main) == [f"on_done test_a_callback_is_told_of_also_in_a_later_step.<locals>.{name}"]


def test_a_compaction_is_told_of():
    async def shorten(compacting):
        hold(LONG)
        return compacting.messages[-1:]

    class Forgetful(Says):
        async def execute(self, prompt, stream, response, conversation):
            if not self.prompts:
                self.prompts.append(prompt)
                raise llm.ContextLengthError("too long")
            yield "short enough"

    async def main():
        model = Forgetful()
        conversation = model.conversation(failures={llm.ContextLengthError: llm.Compact(shorten)})
        assert await conversation.prompt("x").text() == "short enough"

    assert told(main) == ["compaction by shorten"]


def test_an_observer_is_told_of_and_not_the_handler_that_called_it():
    class Observer:
        def __call__(self, record):
            if type(record).__name__ == "TurnStarted":
                hold(LONG)

    async def main():
        async with llm.ActorSystem(observers=[Observer(), records.append], stall_bound=0.03) as system:
            await Says("a").prompt("x").text()
            return system.counters().stalls

    records = []
    assert run(main()) == 1
    names = [record.what for record in records if isinstance(record, LoopStalled)]
    assert names == ["observer test_an_observer_is_told_of_and_not_the_handler_that_called_it.<locals>.Observer"]


@pytest.mark.parametrize("bound", [None, 5.0])
def test_a_system_hears_of_nothing_below_its_bound(bound):
    async def main():
        async with llm.ActorSystem(stall_bound=bound) as system:
            await Says(lambda _: hold(LONG), "a").prompt("x").text()
            return system.counters().stalls

    assert run(main()) == 0


def test_a_bound_is_seconds_and_not_below_nothing():
    with pytest.raises(ValueError, match="stall_bound is in seconds"):
        llm.ActorSystem(stall_bound=-1)
