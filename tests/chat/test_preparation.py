"""Toolboxes get ready once in their life, before their tools are first offered."""

import asyncio
import threading

import pytest

import llm_actors as llm

from .speakers import Says, run


class Box(llm.Toolbox):
    """Counts; waits in prepare() when it is told to; fails as often as it is told to."""

    def __init__(self, wait=None, failures=0):
        super().__init__()
        self.prepared = []
        self.wait = wait
        self.failures = failures
        self.entered = threading.Event()

    def prepare(self):
        self.entered.set()
        if self.wait is not None:
            self.wait.wait(30)
        if self.failures:
            self.failures -= 1
            raise ValueError("not ready")
        self.prepared.append("plain")

    async def prepare_async(self):
        self.prepared.append("async")

    def use(self) -> str:
        return "used"


class OtherBox(Box):
    """One whose tools have another name."""


def test_each_is_prepared_once_whoever_needs_it_first():
    async def main():
        box, other = Box(), OtherBox()
        first, second = Says("a").conversation(tools=[box, other]), Says("a").conversation(tools=[box])
        await asyncio.gather(*(each.chain("hi").text() for each in (first, second, first)))
        assert box.prepared == other.prepared == ["plain", "async"]

    run(main())


def test_one_that_fails_ends_the_turn_and_is_tried_again_by_the_next():
    async def main():
        box = Box(failures=1)
        conversation = Says("a").conversation(tools=[box])
        with pytest.raises(ValueError, match="not ready"):
            await conversation.chain("hi").text()
        assert conversation.messages() == []
        assert await conversation.chain("hi").text() == "a"
        assert box.prepared == ["plain", "async"]

    run(main())


def test_a_cancelled_wait_leaves_the_preparation_to_those_who_wait_too():
    async def main():
        go = threading.Event()
        box = Box(wait=go)
        cancelled, other = Says("a").chain("hi", tools=[box]), Says("a").chain("hi", tools=[box])
        assert await asyncio.to_thread(box.entered.wait, 5)
        await cancelled.cancel()
        with pytest.raises(llm.ResponseCancelledError):
            await cancelled.text()
        go.set()
        assert await other.text() == "a"
        assert box.prepared == ["plain", "async"]

    run(main())


def test_tools_that_a_toolbox_gains_in_prepare_are_offered():
    class Growing(llm.Toolbox):
        def prepare(self):
            self.add_tool(llm.Tool.function(lambda: "grown", name="grown"))

    async def main():
        model = Says(
            lambda response: response.prompt.tool_results or response.add_tool_call(llm.ToolCall("grown", {})), "a"
        )
        response = model.chain("hi", tools=[Growing()])
        await response
        return [result.output for result in model.prompts[1].tool_results]

    assert run(main()) == ["grown"]


def test_a_turn_whose_loop_ends_while_a_toolbox_is_prepared_ends_as_others_do():
    class Slow(llm.Toolbox):
        async def prepare_async(self):
            entered.set()
            await asyncio.Event().wait()

    async def main():
        response = Says("a").chain("hi", tools=[Slow()])
        await entered.wait()
        return response

    entered = asyncio.Event()
    assert isinstance(run(main()).error, llm.LoopClosedError)
