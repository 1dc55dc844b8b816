"""`conversation.steer()`: through the public API, on loops and in threads."""

import asyncio
import threading

import pytest

import llm_actors as llm
from llm_actors.observe import TurnSteered

from .speakers import run, taken
from .test_busy import Talks, users


class Works(llm.AsyncModel):
    """Calls the tool `work` in its first rounds, then says what the last user message was."""

    model_id = "works"
    can_stream = supports_tools = True

    def __init__(self, rounds=1):
        self.rounds = rounds
        self.asked = []

    async def execute(self, prompt, stream, response, conversation):
        self.asked.append(prompt.messages)
        if len(self.asked) <= self.rounds:
            response.add_tool_call(llm.ToolCall("work", {}, f"call-{len(self.asked)}"))
        else:
            yield [message.text for message in prompt.messages if message.role == "user"][-1]


class Tool:
    """The tool `work`, held until the test lets it go."""

    def __init__(self):
        self.entered, self.gate = asyncio.Event(), asyncio.Event()

    def tool(self):
        async def work() -> str:
            self.entered.set()
            await self.gate.wait()
            return "worked"

        return work


def test_it_stands_before_the_next_model_call_behind_all_results_and_ahead_of_queued_prompts():
    seen = []

    async def main():
        with llm.ActorSystem(observers=[seen.append]):
            held, model = Tool(), Works()
            conversation = model.conversation(tools=[held.tool()])
            first = conversation.chain("one")
            queued = conversation.prompt("queued")
            await held.entered.wait()
            steer = conversation.steer("rather two")
            held.gate.set()
            assert await steer.text() == "rather two"
            assert await first.text() == "rather two"
            assert await queued.text() == "queued"
            assert [message.role for message in model.asked[1]] == ["user", "assistant", "tool", "user"]
            assert users(conversation) == ["one", "rather two", "queued"]
            assert len(await steer.messages()) == 1
            assert len(await first.messages()) == 3
            rounds = [response.id async for response in first.responses()]
            assert [response.id async for response in steer.responses()] == rounds[1:]
            return first.id, steer.id

    first, steer = run(main())
    assert [(r.response, r.steers) for r in seen if isinstance(r, TurnSteered)] == [(first, [steer])]


def test_a_turn_that_would_have_ended_gets_one_more_round_also_without_chain():
    async def main():
        model = Talks()
        conversation = model.conversation()
        first = conversation.prompt("one")
        await model.started[0].wait()
        steer = conversation.steer("two")
        model.gates[0].set()
        assert await steer.text() == "1: two"
        assert await first.text() == "0: one 1: two"
        assert model.asked == [["one"], ["one", "two"]]
        assert users(conversation) == ["one", "two"]

    run(main())


def test_with_no_turn_running_it_is_a_prompt():
    async def main():
        model = Talks(held=0)
        conversation = model.conversation()
        assert await conversation.steer("one").text() == "0: one"
        assert await conversation.prompt("two").text() == "1: two"
        assert len(conversation.responses) == 2

    run(main())


def test_on_a_turn_that_is_stopping_it_becomes_a_prompt_ahead_of_those_that_wait():
    ending, ended = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        ending.clear()
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await ended.wait()
        return "never"

    class Calls(llm.AsyncModel):
        model_id = "calls"
        supports_tools = True

        async def execute(self, prompt, stream, response, conversation):
            texts = [message.text for message in prompt.messages if message.role == "user"]
            if len(texts) == 1 and texts[0] == "one":
                response.add_tool_call(llm.ToolCall("slow", {}, "call-1"))
                started.set()
            else:
                yield texts[-1]

    started = asyncio.Event()

    async def main():
        conversation = Calls().conversation(tools=[slow])
        first = conversation.chain("one")
        queued = conversation.prompt("queued")
        await started.wait()
        await asyncio.sleep(0)
        cancelling = asyncio.ensure_future(first.cancel())
        await ending.wait()
        steer, second = conversation.steer("steer"), conversation.steer("second")
        await asyncio.sleep(0)
        ended.set()
        await cancelling
        assert [await response.text() for response in (steer, second, queued)] == ["steer", "second", "queued"]
        assert users(conversation) == ["one", "steer", "second", "queued"]

    run(main())


def test_at_the_chain_limit_it_becomes_a_prompt():
    async def main():
        model = Talks()
        conversation = model.conversation(chain_limit=1)
        first = conversation.prompt("one")
        await model.started[0].wait()
        steer = conversation.steer("two")
        model.gates[0].set()
        assert await first.text() == "0: one"
        assert await steer.text() == "1: two"

    run(main())


def test_to_cancel_what_was_steered_in_cancels_the_turn_and_before_that_only_itself():
    async def main():
        model = Talks(held=2)
        conversation = model.conversation()
        first = conversation.prompt("one")
        await model.started[0].wait()
        early, late = conversation.steer("early"), conversation.steer("late")
        await early.cancel()
        with pytest.raises(llm.ResponseCancelledError):
            await early.text()
        assert not first.done
        model.gates[0].set()
        await model.started[1].wait()
        assert model.asked[1] == ["one", "late"]
        await late.cancel()
        assert model.closed == [0, 1]
        for response in (first, late):
            with pytest.raises(llm.ResponseCancelledError):
                await response.text()
        assert first.partial == "0: one 1: "
        assert late.partial == "1: "

    run(main())


def test_a_reader_that_is_cancelled_leaves_the_turn_to_those_who_wait_for_what_was_steered_in():
    async def main():
        model = Talks(held=2)
        conversation = model.conversation()
        first = conversation.prompt("one")
        reader = asyncio.ensure_future(first.text())
        await model.started[0].wait()
        steer = conversation.steer("two")
        other = asyncio.ensure_future(steer.text())
        model.gates[0].set()
        await model.started[1].wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        model.gates[1].set()
        assert await other == "1: two"
        assert await first.text() == "0: one 1: two"

    run(main())


def test_the_only_reader_that_is_cancelled_takes_the_steered_turn_with_it():
    async def main():
        model = Talks(held=1)
        conversation = model.conversation()
        first = conversation.prompt("one")
        reader = asyncio.ensure_future(first.text())
        await model.started[0].wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        with pytest.raises(llm.ResponseCancelledError):
            await first.text()

    run(main())


def test_it_is_never_refused_by_a_full_mailbox_or_a_busy_conversation():
    async def main():
        with llm.ActorSystem(mailbox=1):
            for policy in ("queue", "reject", "replace", "coalesce"):
                model = Talks()
                conversation = model.conversation(when_busy=policy)
                conversation.prompt("one")
                await model.started[0].wait()
                steers = [conversation.steer(str(number)) for number in range(5)]
                await taken(conversation)
                model.gates[0].set()
                assert [await steer.text() for steer in steers] == ["1: 4"] * 5
                assert len(model.asked) == 2

    run(main())


def test_it_takes_parts_and_attachments_and_needs_something():
    async def main():
        model = Talks(held=0)
        model.attachment_types = {"image/png"}
        conversation = model.conversation()
        picture = llm.Attachment(type="image/png", content=b"\x89PNG\r\n\x1a\n")
        await conversation.steer("a", llm.TextPart("b"), llm.AttachmentPart(picture))
        (message, _) = conversation.messages()
        assert message.text == "a\nb"
        assert [part.attachment for part in message.parts if isinstance(part, llm.AttachmentPart)] == [picture]
        await conversation.steer(attachments=[picture])
        with pytest.raises(llm.AttachmentError):
            conversation.steer("x", attachments=[llm.Attachment(type="audio/wav", content=b"RIFF")])
        with pytest.raises(ValueError, match="needs a text"):
            conversation.steer("")

    run(main())


def test_in_sync_code_too():
    entered, gate = threading.Event(), threading.Event()
    asked = []

    class Held(llm.Model):
        model_id = "held"
        can_stream = True

        def execute(self, prompt, stream, response, conversation):
            asked.append([message.text for message in prompt.messages if message.role == "user"])
            entered.set()
            assert gate.wait(30)
            yield asked[-1][-1]

    conversation = Held().conversation()
    first = conversation.prompt("one")
    assert entered.wait(30)
    steer = conversation.steer("two")
    gate.set()
    assert steer.text() == "two"
    assert first.text() == "one two"
    assert asked == [["one"], ["one", "two"]]


def test_written_down_before_there_is_a_loop_it_goes_into_the_prompt_before_it():
    model = Talks()
    conversation = model.conversation()
    first, steer = conversation.prompt("one"), conversation.steer("two")

    async def main():
        reading = asyncio.create_task(first.text())
        await model.started[0].wait()
        await taken(conversation)
        model.gates[0].set()
        assert await reading == "0: one 1: two"
        assert await steer.text() == "1: two"
        assert users(conversation) == ["one", "two"]

    run(main())
