"""Conversations under a supervisor, and watched: they come back with their history, and who watches them is told when they do not."""

# mypy: disable-error-code="attr-defined"

import asyncio
import logging

import pytest

import llm_actors as llm
from llm_actors.chat.turn_mail import Begin, RoundEnded
from llm_actors.observe import ChildEnded
from llm_actors.runtime import ActorDeadError

from .speakers import run
from .test_busy import Talks, users
from .test_conversation_actor_failure import break_turns, error_of


@pytest.fixture(autouse=True)
def _quiet(caplog):
    with caplog.at_level(logging.CRITICAL):
        yield


class Watcher(llm.Actor):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_receive(self, message):
        self.seen.append(message)


# ---- monitor


def test_a_closed_conversation_is_down_once_its_turns_have_ended():
    async def main():
        system = llm.ActorSystem()
        conversation = Talks(held=1).conversation()
        watcher = Watcher.start()
        watch = system.monitor(conversation, watcher)
        running = conversation.prompt("one")
        await asyncio.sleep(0)
        assert not watch.done()
        await conversation.close()
        down = await watch
        assert (down.ref, down.reason, down.error) == (conversation, "stopped", None)
        assert isinstance(await error_of(running), llm.ResponseCancelledError)
        await watcher.ask("fence", block=False)
        assert watcher._actor.seen == [down, "fence"]
        assert (await conversation.monitor()).reason == "stopped"
        never = Talks(held=0).conversation()
        await never.close()
        assert (await never.monitor()).reason == "stopped"

    run(main())


def test_one_that_crashed_too_often_is_down_with_the_error_and_the_next_prompt_goes_on_with_its_history(monkeypatch):
    async def main():
        conversation = Talks(held=0).conversation(intensity=1)
        await conversation.prompt("one").text()
        watch = conversation.monitor()
        with monkeypatch.context() as patch:
            break_turns(patch, Begin, 2)
            errors = [await error_of(conversation.prompt(text)) for text in ("two", "three")]
        assert {type(error) for error in errors} == {llm.ConversationCrashedError}
        down = await watch
        assert (down.reason, type(down.error)) == ("failed", llm.ConversationCrashedError)
        assert isinstance(down.error.__cause__, KeyError)
        await conversation.prompt("four").text()
        assert users(conversation) == ["one", "four"]

    run(main())


def test_prompts_that_nobody_had_looked_at_when_it_gave_up_are_told_why(monkeypatch):
    async def main():
        conversation = Talks(held=0).conversation(intensity=0)
        with monkeypatch.context() as patch:
            break_turns(patch, Begin, 1)
            responses = [conversation.prompt(text) for text in ("one", "two", "three")]
            errors = [await error_of(response) for response in responses]
        assert {type(error) for error in errors} == {llm.ConversationCrashedError}
        assert await conversation.prompt("four").text() == "0: four"

    run(main())


def test_the_end_of_its_loop_is_told_and_the_history_stays():
    async def main(conversation, watches):
        await conversation.prompt("one").text()
        watches.append(conversation.monitor())

    conversation, watches = Talks(held=0).conversation(), []
    run(main(conversation, watches))
    assert watches[0].get(timeout=10).reason == "loop ended"
    run(main(conversation, watches))
    assert users(conversation) == ["one", "one"]


def test_a_monitor_holds_the_conversation():
    async def main():
        watch = Talks(held=0).conversation().monitor()
        await watch._target.prompt("still here").text()
        conversation = watch._target
        assert watch.demonitor()
        watch = conversation.monitor()
        await conversation.ref.kill(block=False)
        assert (await watch).reason == "killed"

    run(main())


def test_a_sync_conversation_is_watched_and_closed_by_blocking(monkeypatch):
    class Says(llm.Model):
        model_id = "says"

        def execute(self, prompt, stream, response, conversation):
            yield prompt.prompt

    conversation = Says().conversation()
    assert conversation.prompt("one").text() == "one"
    watch = conversation.monitor()
    conversation.close()
    assert watch.get(timeout=10).reason == "stopped"
    conversation.close()


# ---- under a supervisor


def test_a_supervised_one_that_gave_up_is_made_anew_and_counted(monkeypatch):
    records = []

    async def main():
        async with llm.ActorSystem(observers=[records.append], intensity=1, period=60.0) as system:
            conversation = Talks(held=0).conversation()
            assert system.supervise(conversation) is None
            await conversation.prompt("one").text()
            with monkeypatch.context() as patch:
                break_turns(patch, Begin, 2)
                for text in ("two", "three"):
                    await error_of(conversation.prompt(text))
            (child,) = await system.children()
            assert (child.id, child.ref, child.state, child.restarts) == (conversation.id, conversation, "up", 1)
            await conversation.prompt("four").text()
            assert users(conversation) == ["one", "four"]
            with pytest.raises(ValueError, match="already"):
                system.supervise(conversation)
            await conversation.close()  # stopped in order: it does not come back
            assert await system.children() == []

    run(main())
    assert [(record.reason, record.restart_in) for record in records if isinstance(record, ChildEnded)] == [
        ("failed", 0.0),
        ("stopped", None),
    ]


def test_when_the_supervisor_gives_up_the_conversation_ends_with_it(monkeypatch):
    async def main():
        async with llm.ActorSystem(intensity=0) as system:
            conversation = Talks(held=1).conversation()
            team = system.supervisor(intensity=0, restart="temporary")
            team.start_child(conversation.child(name="talks"))
            other = team.start(Watcher)
            running, queued = conversation.prompt("one"), conversation.prompt("two")
            watch = conversation.monitor()
            await asyncio.sleep(0)
            other.tell(1)
            other._actor.holder._actor_fail(KeyError("x"))
            for response in (running, queued):
                assert isinstance(await error_of(response), llm.LoopClosedError)
            assert (await watch).reason == "stopped"
            with pytest.raises(ActorDeadError):
                await conversation.prompt("late").text()

    run(main())


def test_in_a_group_that_is_restarted_its_turn_ends_and_what_waits_goes_on():
    async def main():
        async with llm.ActorSystem() as system:
            model = Talks(held=1)
            conversation = model.conversation()
            team = system.supervisor(strategy="one_for_all")
            other = team.start(Watcher)
            team.start_child(conversation.child())
            running, queued = conversation.prompt("one"), conversation.prompt("two")
            watch = conversation.monitor()
            await model.started[0].wait()
            other._actor.holder._actor_fail(KeyError("x"))
            assert isinstance(await error_of(running), llm.ConversationCrashedError)
            assert await queued.text() == "1: two"
            assert not watch.done()  # it has not ended
            assert [child.restarts for child in await team.children()] == [1, 1]
            assert await team.restart_child(conversation.id) is True
            await conversation.ref.kill(block=False)
            assert (await conversation.prompt("three").text()).endswith("three")
            assert await team.stop_child(conversation.id) is True
            with pytest.raises(ActorDeadError):
                await conversation.prompt("late").text()

    run(main())


def test_a_hanging_stop_of_a_conversation_is_cut_short():
    async def main():
        async with llm.ActorSystem() as system:
            model = Talks(held=1)
            conversation = model.conversation()
            system.start_child(conversation.child(shutdown=0))
            running = conversation.prompt("one")
            await model.started[0].wait()
            assert await system.stop_child(conversation.id) is True
            assert isinstance(await error_of(running), llm.ConversationCrashedError)

    run(main())


def test_what_the_intensity_of_a_conversation_is_comes_from_it_or_its_system(monkeypatch):
    async def main():
        for given, ends in ((None, 2), (2, 3)):
            with llm.ActorSystem(intensity=1):
                conversation = Talks(held=0).conversation(intensity=given, period=60.0)
                watch = conversation.monitor()
                with monkeypatch.context() as patch:
                    break_turns(patch, RoundEnded, 10)
                    for number in range(1, ends + 1):
                        assert not watch.done()
                        await error_of(conversation.prompt(str(number)))
                assert (await watch).reason == "failed"
        with pytest.raises(ValueError, match="intensity"):
            Talks(held=0).conversation(intensity=-1)
        with pytest.raises(ValueError, match="strategy"):
            llm.ActorSystem(strategy="all")

    run(main())
