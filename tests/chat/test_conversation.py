"""The conversation's handle: posting, bounds, settings, copies, what it shows."""

import asyncio
import copy
import gc
import pickle
import threading
import weakref

import pytest

import llm_actors as llm
from llm_actors.observe import TurnFinished
from llm_actors.runtime import ActorDeadError, ThreadingActor, running

from .speakers import Says, SyncSays, run

# ---- the mailbox -----------------------------------------------------------------------------------------------------------


def test_a_full_mailbox_raises_from_prompt_itself():
    """A full mailbox raises `MailboxFullError` from `prompt()` itself (default bound 1,000; control mail and answers are never refused)."""

    async def main():
        with llm.ActorSystem(mailbox=3):
            go = asyncio.Event()
            conversation = Says(go, "a").conversation()
            responses = [conversation.prompt(str(number)) for number in range(3)]
            assert conversation.waiting == 3
            with pytest.raises(llm.MailboxFullError, match="3 prompts are waiting"):
                conversation.prompt("one too many")
            await responses[2].cancel()  # is taken all the same
            fourth = conversation.prompt("now there is room")
            go.set()
            assert [await response.text() for response in (*responses[:2], fourth)] == ["a"] * 3
            assert conversation.waiting == 0

    run(main())


def test_the_bound_holds_before_there_is_a_loop_too():
    with llm.ActorSystem(mailbox=2):
        conversation = Says("a").conversation()
        responses = [conversation.prompt("1"), conversation.prompt("2")]
        with pytest.raises(llm.MailboxFullError):
            conversation.prompt("3")

        async def main():
            return [await response.text() for response in responses]

        assert run(main()) == ["a", "a"]


def test_the_default_bound_is_a_thousand():
    conversation = Says("a").conversation()
    responses = [conversation.prompt("x") for _ in range(1000)]
    with pytest.raises(llm.MailboxFullError):
        conversation.prompt("x")
    conversation.cancel()
    assert all(response.done for response in responses)


@pytest.mark.parametrize("settings", [{"tool_workers": 0}, {"mailbox": 0}, {"chain_limit": -1}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match=r"at least|or more"):
        llm.ActorSystem(**settings)


# ---- settings of a system --------------------------------------------------------------------------------------------------


def calls_forever(response):
    response.add_tool_call(llm.ToolCall("again", {}))


def again() -> str:
    return "more"


def test_the_chain_limit_of_a_system_holds_unless_the_call_says_otherwise():
    """a generous default; only asking for round N+1 fails, and what was done stays in history"""

    async def main():
        with llm.ActorSystem(chain_limit=2):
            model = Says("x", calls_forever)
            conversation = model.conversation(tools=[again])
            with pytest.raises(llm.ChainLimitError, match="Chain limit of 2 exceeded"):
                await conversation.chain("hi").text()
            assert len(model.prompts) == 2
            with pytest.raises(llm.ChainLimitError, match="Chain limit of 4 exceeded"):
                await conversation.chain("hi", chain_limit=4).text()
            assert len(conversation.responses) == 6

    run(main())


def test_observers_get_a_record_of_all_that_happens_and_a_raising_one_is_logged(caplog):
    records = []

    def broken(record):
        raise ValueError("observer")

    async def main():
        async with llm.ActorSystem(observers=[broken, records.append]):
            await Says("a").prompt("hi").text()

    run(main())
    names = [type(record).__name__ for record in records]
    turn = ["PromptQueued", "TurnStarted", "RoundStarted", "RoundEnded", "TurnFinished"]
    assert names == ["EngineStarted", "ConversationBound", *turn, "EngineDraining", "EngineEnded"]
    assert "observer" in caplog.text


def test_a_conversation_goes_on_in_another_system_when_its_own_was_left():
    """`async with` shuts the system down; the history stays, and goes on in the system that the next prompt is in, if that says so."""

    async def main():
        model = Says("a")
        conversation = model.conversation()
        system = llm.ActorSystem()
        async with system:
            assert await conversation.prompt("one").text() == "a"
            stuck = Says(asyncio.Event()).conversation()
            left = stuck.prompt("never")
        assert isinstance(left.error, llm.SystemShutdownError)
        with pytest.raises(llm.SystemShutdownError):
            conversation.prompt("no system says so")
        async with system:
            with pytest.raises(llm.SystemShutdownError, match="Make another ActorSystem"):
                model.prompt("for good")
        async with llm.ActorSystem():
            assert await conversation.prompt("two").text() == "a"
        assert await model.prompt("the default system is another one").text() == "a"
        return len(conversation.responses)

    assert run(main()) == 2


# ---- as an actor -----------------------------------------------------------------------------------------------------------


def test_asking_its_reference_gives_a_response_as_soon_as_the_mail_is_taken():
    """`future = conversation.ref.ask(Prompt("hi"), block=False)` resolves to the Response as soon as the conversation has taken the mail"""

    async def main():
        go = asyncio.Event()
        conversation = Says(go, "a").conversation()
        response = await conversation.ref.ask(llm.Prompt("hi"), block=False)
        assert isinstance(response, llm.AsyncResponse)
        assert not response.done
        go.set()
        assert await response.text() == "a"

    run(main())


def test_other_actors_prompt_it_by_mail():
    class Asker(ThreadingActor):
        def on_receive(self, ref):
            return ref.ask(llm.Prompt("from a thread")).text()

    conversation = SyncSays("a").conversation()
    asker = Asker.start()
    assert asker.ask(conversation.ref, timeout=30) == "a"
    asker.stop()
    assert [response.prompt.prompt for response in conversation.responses] == ["from a thread"]


def test_a_prompt_that_is_wrong_is_the_answer_to_who_asked():
    async def main():
        conversation = Says("a").conversation()
        with pytest.raises(llm.OptionsError):
            await conversation.ref.ask(llm.Prompt("hi", options={"nothing": 1}), block=False)
        assert await conversation.prompt("goes on").text() == "a"

    run(main())


def test_a_reference_whose_conversation_nobody_holds_says_so():
    async def main():
        ref = Says("a").conversation().ref
        gc.collect()
        with pytest.raises(ActorDeadError, match="nobody holds"):
            await ref.ask(llm.Prompt("hi"), block=False)

    run(main())


@pytest.mark.parametrize("when", ["running", "queued", "posted"])
def test_stopping_its_actor_ends_what_it_holds(when):
    """No reader waits for ever: what is running, in line or still in the mail ends with the actor."""

    async def main():
        model = Says("half", asyncio.Event())
        conversation = model.conversation()
        first, second = conversation.prompt("1"), conversation.prompt("2")
        if when != "posted":
            await model.started.wait()
        ref = conversation.ref
        await ref.stop(block=False, now=True)
        errors = []
        for response in (first, second):
            with pytest.raises((llm.LoopClosedError, ActorDeadError)) as info:
                await response.text()
            errors.append(info.value)
        with pytest.raises(ActorDeadError):
            await conversation.prompt("3").text()
        return errors

    run(main())


# ---- life ------------------------------------------------------------------------------------------------------------------


def test_it_runs_on_when_the_last_handle_is_dropped_and_is_gone_when_idle():
    """held strongly only while it has mail, a turn ...: dropping the last handle ends it without `stop()`"""
    finished = threading.Event()

    async def main():
        def observe(record):
            if isinstance(record, TurnFinished):
                finished.set()

        with llm.ActorSystem(observers=[observe]):
            go = asyncio.Event()
            conversation = Says(go, "a").conversation()
            conversation.prompt("hi")
            actor = weakref.ref(conversation._seat.actor(conversation, None))
            del conversation
            gc.collect()
            assert actor() is not None  # it has a turn
            go.set()
            while not finished.is_set():  # noqa: ASYNC110 - nothing of it may hold the conversation
                await asyncio.sleep(0)
            for _ in range(5):
                await asyncio.sleep(0)
            gc.collect()
            assert actor() is None

    run(main())


def test_prompts_of_a_model_leave_nothing_behind():
    async def main():
        model = Says("a")

        async def some(count):
            for _ in range(count):
                await model.prompt("hi").text()
                model.prompts.clear()

        await some(20)
        gc.collect()
        before = len(gc.get_objects())
        await some(50)
        gc.collect()
        return len(gc.get_objects()) - before

    assert run(main()) < 50


# ---- copies and what it shows ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_copying_or_pickling_is_a_typed_error_that_points_to_to_dict(way):
    """copying or pickling one is a typed error that points to `to_dict`"""

    async def main():
        conversation = Says("a").conversation()
        response = conversation.prompt("hi")
        await response.text()
        for thing in (conversation, response):
            with pytest.raises(TypeError, match="to_dict"):
                way(thing)

    run(main())


def test_its_repr_is_short_and_holds_no_history():
    async def main():
        conversation = Says("a").conversation()
        await conversation.prompt("a long story").text()
        assert repr(conversation) == f"<AsyncConversation {conversation.id} says>"

    run(main())


def test_it_can_be_written_down_and_read_again():
    async def main():
        model = Says("a")
        conversation = model.conversation()
        await conversation.prompt("hi", system="be brief").text()
        plain = conversation.to_dict()
        again = llm.AsyncConversation.from_dict(plain, model=model)
        assert (again.id, again.messages()) == (conversation.id, conversation.messages())
        assert again.to_dict() == plain
        await again.prompt("more").text()
        assert [message.text for message in model.prompts[-1].messages] == ["be brief", "hi", "a", "more"]
        empty = llm.AsyncConversation.from_dict({"id": "x", "name": "n"}, model=model)
        assert (empty.messages(), empty.name, empty.to_dict()["name"]) == ([], "n", "n")

    run(main())


def test_messages_given_with_a_prompt_replace_the_history():
    async def main():
        model = Says("a")
        conversation = model.conversation()
        await conversation.prompt("hi").text()
        await conversation.prompt("now", messages=[llm.user("x"), llm.assistant("y")]).text()
        assert [message.text for message in conversation.messages()] == ["x", "y", "now", "a"]

    run(main())


def test_a_system_prompt_of_a_later_turn_counts_and_the_same_one_is_said_once():
    async def main():
        model = Says("a")
        conversation = model.conversation()
        for system in ("one", "one", "two"):
            await conversation.prompt("hi", system=system).text()
        return [message.text for message in conversation.messages() if message.role == "system"]

    assert run(main()) == ["one", "two"]


def test_cancelling_a_conversation_that_never_began_is_no_error():
    Says("a").conversation().cancel()
    conversation = SyncSays("a").conversation()
    conversation.close()
    with pytest.raises(llm.ActorError, match="closed"):
        conversation.prompt("hi")


def test_prompts_that_could_not_be_delivered_to_a_closed_loop_wait_for_the_next_one():
    model = Says("a")
    conversation = model.conversation()
    responses = [conversation.prompt(text) for text in ("one", "two")]

    async def touch():
        return running()

    ended = asyncio.run(touch())
    with pytest.raises(llm.LoopClosedError):
        conversation._deliver_to(ended)
    assert conversation.waiting == 2

    async def main():
        return [await response.text() for response in responses]

    assert run(main()) == ["a", "a"]
    assert [prompt.prompt for prompt in model.prompts] == ["one", "two"]
