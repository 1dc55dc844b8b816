"""Where a conversation's actor is: one while there is something to do, none at rest."""

import asyncio
import threading

import pytest

import llm_actors as llm
from llm_actors.chat import rests
from llm_actors.chat.rests import LATEST
from llm_actors.observe import ConversationBound
from llm_actors.runtime import ActorDeadError

from .speakers import Says, SyncSays, run


async def at_rest(conversation):
    """So many others have spoken since that it has let go of its actor."""
    other = Says("a")
    for _ in range(LATEST):
        await other.prompt("hi").text()
    await asyncio.sleep(0)  # the answer is there a little before the rest
    assert conversation._seat._actor is None


def test_an_idle_conversation_has_no_actor_and_goes_on_where_it_was():
    async def main():
        bound = []

        def observe(record):
            if isinstance(record, ConversationBound):
                bound.append(record)

        with llm.ActorSystem(observers=[observe]) as system:
            conversation = Says("a").conversation()
        for number in range(3):
            with system:
                response = conversation.prompt(f"{number}")
            assert conversation.waiting == 1
            await response.text()
            with system:
                await at_rest(conversation)
            assert conversation._seat.found is None
            assert conversation.waiting == 0
        assert [message.role for message in conversation.messages()] == ["user", "assistant"] * 3
        assert [record.conversation for record in bound].count(
            conversation.id
        ) == 1  # it was bound once, and is at home there
        await system.shutdown()
        with pytest.raises(llm.SystemShutdownError):
            conversation.prompt("one more")

    run(main())


def test_a_conversation_that_goes_on_keeps_its_actor():
    async def main():
        conversation = Says("a").conversation()
        await conversation.prompt("one").text()
        actor = conversation._seat.found
        for _ in range(LATEST + 1):
            await conversation.prompt("more").text()
        assert conversation._seat._actor is actor

    run(main())


def test_an_actor_that_is_at_work_is_not_let_go_of():
    async def main():
        go = asyncio.Event()
        model = Says("a")
        conversation = model.conversation()
        await conversation.prompt("one").text()
        model.items = (go, "b")
        response = conversation.prompt("two")
        other = Says("a")
        for _ in range(LATEST + 1):
            await other.prompt("hi").text()
        assert conversation._seat._actor is not None
        go.set()
        assert await response.text() == "b"
        await at_rest(conversation)

    run(main())


def test_an_actor_that_somebody_holds_is_the_one_that_takes_the_next_prompt():
    async def main():
        conversation = Says("a").conversation()
        response = conversation.prompt("one")
        actor = conversation._seat.found
        await response.text()
        await at_rest(conversation)
        assert conversation._seat.found is actor
        assert (conversation._seat.loop, conversation.waiting) == (conversation.loop, 0)
        response = conversation.prompt("two")
        assert conversation._seat.found is actor
        await response.text()

    run(main())


def test_a_reference_is_the_same_for_ever_and_a_stopped_actor_stays_stopped():
    async def main():
        conversation = Says("a").conversation()
        await conversation.prompt("one").text()
        urn = conversation.ref.actor_urn
        await conversation.prompt("two").text()
        with pytest.raises(AssertionError):
            await at_rest(conversation)
        assert conversation.ref.actor_urn == urn
        await conversation.ref.stop(block=False)
        with pytest.raises(ActorDeadError):
            await conversation.prompt("three").text()

    run(main())


def test_prompts_from_many_threads_meet_one_actor_and_run_one_after_the_other(monkeypatch):
    """C1: also where each finds the conversation at rest, or just about to."""
    monkeypatch.setattr(rests, "LATEST", 0)
    model = SyncSays("a")
    conversation = model.conversation()
    failures = []

    def ask(name):
        try:
            for number in range(20):
                assert conversation.prompt(f"{name}.{number}").text() == "a"
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    messages = conversation.messages()
    assert [message.role for message in messages] == ["user", "assistant"] * 80
    asked = [message.text for message in messages[::2]]
    for name in range(4):
        assert [text for text in asked if text.startswith(f"{name}.")] == [f"{name}.{number}" for number in range(20)]
