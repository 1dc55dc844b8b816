"""Conversations on topics: what is published becomes a prompt, and answers are published."""

# mypy: disable-error-code="attr-defined"

import asyncio
import threading

import pytest

import llm_actors as llm
from llm_actors.observe import DeadLetter

from .speakers import Says, SyncSays, run
from .test_busy import Talks, users


def test_what_is_published_becomes_a_prompt_and_its_answer_is_published_to_all_but_itself():
    async def main():
        system = llm.ActorSystem()
        topic, answers = system.topic("questions"), system.topic("answers")
        conversation = Says("fine").conversation()
        conversation.name = "alice"
        topic.subscribe(conversation, answers=answers)
        reader = answers.subscribe()
        topic.publish("how are you?")
        answer = await anext(reader)
        (response,) = conversation.responses
        assert answer == llm.Answer("fine", "says", response.id, conversation.id, "alice")
        topic.publish(llm.Prompt("and now?"))
        topic.publish(answer)  # as somebody else's
        await anext(reader), await anext(reader)
        assert users(conversation) == ["how are you?", "and now?", "fine"]

    run(main())


def test_a_debate_over_one_topic_goes_on_until_somebody_ends_it():
    async def main():
        system = llm.ActorSystem()
        topic = system.topic("debate")
        agents = [Talks(held=0).conversation() for _ in range(2)]
        said = []

        def moderate(answer):
            said.append(answer.text)
            if len(said) == 6:
                for agent in agents:
                    topic.unsubscribe(agent)
                ended.set()

        ended = asyncio.Event()
        for agent in agents:
            topic.subscribe(agent, answers=topic)
        topic.subscribe(moderate)
        agents[0].prompt("begin").publish(topic)
        await ended.wait()
        assert said[:3] == ["0: begin", "0: 0: begin", "1: 0: 0: begin"]
        assert topic.subscribers == 1

    run(main())


def test_a_chain_where_it_has_tools():
    async def tool(x: int) -> str:
        return f"got {x}"

    class Calls(llm.AsyncModel):
        model_id = "calls"
        supports_tools = True

        async def execute(self, prompt, stream, response, conversation):
            if prompt.tool_results:
                yield prompt.tool_results[0].output
            else:
                response.add_tool_call(llm.ToolCall("tool", {"x": 1}, "call-1"))

    async def main():
        topic = llm.ActorSystem().topic("t")
        conversation = Calls().conversation(tools=[tool])
        reader = topic.subscribe()
        topic.subscribe(conversation, answers=topic)
        topic.publish("go", sender=reader)
        while not isinstance(answer := await anext(reader), llm.Answer):
            pass
        assert answer.text == "got 1"

    run(main())


def test_what_it_can_not_take_is_a_dead_letter_and_a_closed_one_is_forgotten():
    seen = []

    async def main():
        system = llm.ActorSystem(observers=[seen.append])
        topic = system.topic("t")
        model = Talks(held=1)
        busy = model.conversation(when_busy="reject")
        topic.subscribe(busy)
        topic.publish("first")
        await model.started[0].wait()
        topic.publish("second")
        topic.publish(object())
        assert topic.subscribers == 1
        await busy.close()
        topic.publish("late")
        assert topic.subscribers == 0
        assert system.dead_letters == 3

    run(main())
    records = [record for record in seen if isinstance(record, DeadLetter)]
    assert [record.message for record in records] == ["str", "object", "str"]
    for record, words in zip(records, ("is busy", "a conversation hears str", "is closed"), strict=True):
        assert words in record.reason
        assert "topic 't'" in record.actor


def test_an_answer_that_fails_is_not_published_and_one_that_is_there_is_at_once():
    async def main():
        topic = llm.ActorSystem().topic("t")
        reader = topic.subscribe()
        failed = Says("half", ValueError("no")).prompt("x")
        failed.publish(topic)
        with pytest.raises(ValueError, match="no"):
            await failed.text()
        whole = Says("whole").prompt("x")
        await whole.text()
        whole.publish(topic)
        assert (await anext(reader)).text == "whole"
        assert not reader._messages

    run(main())


def test_the_events_of_a_response_can_be_published_too():
    async def main():
        topic = llm.ActorSystem().topic("t")
        reader = topic.subscribe()
        response = Says("a", "b").prompt("x")
        response.subscribe(topic)
        await response.text()
        events = [await anext(reader) for _ in range(3)]
        assert [event.type for event in events] == ["text", "text", "end"]

    run(main())


def test_in_sync_code_a_conversation_hears_what_any_thread_publishes():
    topic = llm.ActorSystem().topic("t")
    conversation = SyncSays("fine").conversation()
    lazy = Says("lazy").conversation()  # bound to no loop yet: it must not wait for somebody to await it
    topic.subscribe(conversation, answers=topic)
    topic.subscribe(lazy, answers=topic)
    reader = topic.subscribe()
    topic.unsubscribe(lazy)
    thread = threading.Thread(target=topic.publish, args=("hello",))
    thread.start()
    thread.join(10)
    assert next(reader) == "hello"
    assert next(reader).text == "fine"
    assert lazy.hear("hello", topic) is None
    assert next(reader).text == "lazy"


def test_a_subscriber_of_a_response_whose_mailbox_is_full_makes_no_dead_letters():
    class Slow(llm.Actor):
        mailbox_bound = 1

        def __init__(self):
            super().__init__()
            self.heard = []
            self.ended = asyncio.Event()

        def on_receive(self, event):
            self.heard.append(event.type)
            if event.type == "end":
                self.ended.set()

    async def main():
        system = llm.ActorSystem()
        with system:
            ref = system.start(Slow)
            response = Says("a", "b", "c").prompt("x")
            response.subscribe(ref)
            holder = ref._actor.holder
            await holder.ended.wait()
            assert holder.heard == ["text", "text", "text", "end"]
            assert system.dead_letters == 0

    run(main())
