"""A defect inside a conversation's actor: what runs ends with a typed error, what waits goes on, the history stays. No reader hangs."""

import asyncio
import logging

import pytest

import llm_actors as llm
from llm_actors.chat.conversation_actor import ConversationActor
from llm_actors.chat.restart_mail import RestartMail
from llm_actors.chat.turn import Turn
from llm_actors.chat.turn_mail import Begin, Cancel, RoundEnded, ToolDone
from llm_actors.observe import ConversationCrashed, DeadLetter
from llm_actors.runtime import dead_letters

from .speakers import run, taken
from .test_busy import Talks, users
from .test_turn import check_valid


@pytest.fixture(autouse=True)
def _quiet(caplog):
    """The crashes that these tests make are logged, as they should be."""
    with caplog.at_level(logging.CRITICAL):
        yield


def defect(times, then=None):
    """A handler that raises so many times, then does what the turn's own does."""
    left = [times]

    def handle(self, mail):
        if left[0]:
            left[0] -= 1
            raise KeyError("defect")
        return then(self, mail)

    return handle


def break_turns(patch, mail, times):
    patch.setitem(Turn._HANDLERS, mail, defect(times, Turn._HANDLERS[mail]))


async def error_of(response):
    with pytest.raises(llm.LLMError) as caught:
        await asyncio.wait_for(response.text(), 30)
    return caught.value


@pytest.mark.parametrize("mail", [Begin, RoundEnded])
def test_the_running_turn_ends_with_a_typed_error_and_queued_prompts_go_on_in_order(monkeypatch, mail):
    seen = []

    async def main():
        with llm.ActorSystem(observers=[seen.append]):
            model = Talks(held=0)
            conversation = model.conversation()
            await conversation.prompt("one").text()
            with monkeypatch.context() as patch:
                break_turns(patch, mail, 1)
                running, *queued = [conversation.prompt(text) for text in ("two", "three", "four")]
                error = await error_of(running)
                assert isinstance(error, llm.ConversationCrashedError)
                assert isinstance(error.__cause__, KeyError)
                assert [(await response.text()).split(": ")[1] for response in queued] == ["three", "four"]
            assert users(conversation) == ["one", "three", "four"] if mail is Begin else ["one", "two", "three", "four"]
            assert (await conversation.prompt("five").text()).endswith("five")

    run(main())
    (record,) = [record for record in seen if isinstance(record, ConversationCrashed)]
    assert record.restarted


def test_what_had_arrived_of_the_answer_stays_marked_and_the_next_prompt_sees_it():
    async def main():
        model = Talks(held=2)
        conversation = model.conversation()
        running, queued = conversation.prompt("one"), conversation.prompt("two")
        await model.started[0].wait()
        conversation.ref.tell(RestartMail(RuntimeError("by its supervisor")))
        assert isinstance(await error_of(running), llm.ConversationCrashedError)
        assert running.partial == "0: "
        model.gates[1].set()
        assert await queued.text() == "1: two"
        assert [message.role for message in conversation.messages()] == ["user", "assistant", "user", "assistant"]
        assert model.closed == [0, 1]

    run(main())


def test_calls_without_a_result_get_one_and_the_tools_are_stopped(monkeypatch):
    ended = asyncio.Event()

    async def slow() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "never"

    async def quick() -> str:
        return "quick"

    class Calls(llm.AsyncModel):
        model_id = "calls"
        supports_tools = True

        async def execute(self, prompt, stream, response, conversation):
            if len(prompt.messages) == 1:
                response.add_tool_call(llm.ToolCall("slow", {}, "call-1"))
                response.add_tool_call(llm.ToolCall("quick", {}, "call-2"))
            else:
                yield "done"

    async def main():
        conversation = Calls().conversation(tools=[slow, quick])
        with monkeypatch.context() as patch:
            break_turns(patch, ToolDone, 1)
            running, queued = conversation.chain("one"), conversation.prompt("two")
            assert isinstance(await error_of(running), llm.ConversationCrashedError)
        assert await queued.text() == "done"
        await asyncio.wait_for(ended.wait(), 30)
        assert [message.role for message in conversation.messages()] == [
            "user",
            "assistant",
            "tool",
            "user",
            "assistant",
        ]
        check_valid(conversation._history)

    run(main())


def test_a_turn_that_can_not_even_be_ended_is_ended_all_the_same(monkeypatch):
    async def main():
        model = Talks(held=1)
        conversation = model.conversation()
        running, queued = conversation.prompt("one"), conversation.prompt("two")
        await model.started[0].wait()
        handle = Turn.handle

        def broken(self, mail):
            if self.plan.id == running.id and isinstance(mail, RoundEnded | Cancel):
                raise KeyError("defect")
            return handle(self, mail)

        with monkeypatch.context() as patch:
            patch.setattr(Turn, "handle", broken)
            model.gates[0].set()
            assert isinstance(await error_of(running), llm.ConversationCrashedError)
            assert await queued.text() == "1: two"
        assert users(conversation) == ["two"]

    run(main())


def test_after_too_many_crashes_in_the_period_what_waits_is_answered_and_becomes_a_dead_letter(monkeypatch):
    letters, seen = [], []
    hook = lambda *letter: letters.append(letter)  # noqa: E731
    dead_letters.append(hook)

    async def main():
        with llm.ActorSystem(observers=[seen.append]):
            model = Talks()
            conversation = model.conversation()
            with monkeypatch.context() as patch:
                break_turns(patch, RoundEnded, 100)
                responses = [conversation.prompt(f"{number}") for number in range(10)]
                await taken(conversation)
                model.gates[0].set()
                errors = [await error_of(response) for response in responses]
            assert {type(error) for error in errors} == {llm.ConversationCrashedError}
            assert conversation.waiting == 0
            assert (await conversation.prompt("more").text()).endswith("more")

    try:
        run(main())
    finally:
        dead_letters.remove(hook)
    crashes = [record.restarted for record in seen if isinstance(record, ConversationCrashed)]
    assert crashes == [True, True, True, False]
    assert [letter[1].prompt for letter in letters] == ["4", "5", "6", "7", "8", "9"]
    assert len([record for record in seen if isinstance(record, DeadLetter)]) == 6


def test_a_defect_while_a_prompt_is_taken_in_is_told_to_its_response(monkeypatch):
    async def main():
        conversation = Talks(held=0).conversation()
        with monkeypatch.context() as patch:

            def broken(self, mail, voices=None):
                raise KeyError("defect")

            patch.setattr(ConversationActor, "_live", broken)
            assert isinstance(await error_of(conversation.prompt("one")), llm.ConversationCrashedError)
        assert await conversation.prompt("two").text() == "0: two"

    run(main())


def test_what_was_steered_into_a_turn_that_crashes_becomes_a_prompt():
    async def main():
        model = Talks(held=1)
        conversation = model.conversation()
        running, queued = conversation.prompt("one"), conversation.prompt("two")
        await model.started[0].wait()
        steer = conversation.steer("rather")
        await asyncio.sleep(0)
        conversation.ref.tell(RestartMail(RuntimeError("x")))
        assert isinstance(await error_of(running), llm.ConversationCrashedError)
        assert await steer.text() == "1: rather"
        assert await queued.text() == "2: two"

    run(main())


def test_joined_prompts_of_a_turn_that_crashes_end_with_it():
    async def main():
        model = Talks(held=2)
        conversation = model.conversation(when_busy="coalesce")
        conversation.prompt("one")
        await model.started[0].wait()
        joined = [conversation.prompt("two"), conversation.prompt("three")]
        await taken(conversation)
        model.gates[0].set()
        await model.started[1].wait()
        conversation.ref.tell(RestartMail(RuntimeError("x")))
        for response in joined:
            assert isinstance(await error_of(response), llm.ConversationCrashedError)
        assert await conversation.prompt("four").text() == "2: four"

    run(main())


def test_a_conversation_whose_actor_is_killed_leaves_no_reader_waiting_and_comes_back_with_its_history():
    async def main():
        model = Talks(held=2)
        conversation = model.conversation()
        model.gates[0].set()
        await conversation.prompt("one").text()
        running, queued = conversation.prompt("two"), conversation.prompt("three")
        await model.started[1].wait()
        await conversation.ref.kill(block=False)
        for response in (running, queued):
            assert isinstance(await error_of(response), llm.ConversationCrashedError)
        assert await conversation.prompt("four").text() == "2: four"
        assert users(conversation)[:2] == ["one", "two"]

    run(main())
