"""Actors of the user's own beside conversations: they prompt, are sent responses, and are what tools talk to."""

import asyncio
import threading
from typing import Any

import pytest

import llm_actors as llm
from llm_actors.runtime import ThreadingActor, system_context

from .speakers import Says, SyncSays, run


class Asker(llm.Actor):
    """Prompts a conversation in its handler and answers with what that said."""

    def __init__(self, conversation):
        super().__init__()
        self.conversation = conversation

    async def on_receive(self, message):
        return await self.conversation.prompt(message).text()


class ThreadAsker(ThreadingActor):
    use_daemon_thread = True

    def __init__(self, conversation):
        super().__init__()
        self.conversation = conversation

    def on_receive(self, message):
        return self.conversation.prompt(message).text()


def echo():
    class Echo(llm.AsyncModel):
        model_id = "echo"

        async def execute(self, prompt, stream, response, conversation):
            yield prompt.prompt.upper()

    return Echo()


def sync_echo():
    class Echo(llm.Model):
        model_id = "sync-echo"

        def execute(self, prompt, stream, response, conversation):
            yield prompt.prompt.upper()

    return Echo()


@pytest.mark.parametrize("supervised", [True, False])
def test_an_async_handler_prompts_a_conversation_and_awaits_its_answer(supervised):
    seen = []

    async def main():
        async with llm.ActorSystem(observers=[seen.append]) as system:
            conversation = echo().conversation()
            ref = system.start(Asker, conversation) if supervised else Asker.start(conversation)
            answers = [ref.ask(text, block=False) for text in ("one", "two")]
            assert [await answer for answer in answers] == ["ONE", "TWO"]
            assert len(conversation.responses) == 2

    run(main())
    assert any(type(record).__name__ == "TurnFinished" for record in seen)  # of that system's observers


def test_a_thread_of_its_own_prompts_by_the_sync_api_while_a_loop_waits_for_it():
    seen = []

    async def main():
        async with llm.ActorSystem(observers=[seen.append]) as system:
            conversation = sync_echo().conversation()
            ref = system.start(ThreadAsker, conversation)
            assert await ref.ask("one", block=False) == "ONE"
            assert await asyncio.to_thread(ref.ask, "two") == "TWO"

    run(main())
    assert len([record for record in seen if type(record).__name__ == "TurnFinished"]) == 2


def test_in_a_script_actors_and_conversations_work_on_the_background_loop():
    conversation = sync_echo().conversation()
    with llm.ActorSystem() as system:
        ref = system.start(ThreadAsker, conversation)
        assert ref.ask("one", timeout=10) == "ONE"
        other = system.start(Asker, echo().conversation())
        assert other.ask("two", timeout=10) == "TWO"
        assert system.stop_child(system.children().get(timeout=10)[0].id).get(timeout=10)


def test_a_handler_that_fails_of_an_answer_is_restarted_and_the_conversation_is_not():
    async def main():
        async with llm.ActorSystem() as system:
            conversation = Says("fine", ValueError("the model's")).conversation()
            ref: Any = system.start(Asker, conversation)
            first = ref._actor.holder
            ref.tell("one")  # nobody asked: the failure is the actor's
            with pytest.raises(ValueError, match="the model's"):
                await ref.ask("two", block=False)  # somebody asked: it is told, and the actor lives on
            assert ref._actor.holder is not first
            assert [child.restarts for child in await system.children()] == [1]
            assert conversation.waiting == 0

    run(main())


def test_a_supervised_actor_is_sent_the_events_of_a_response_also_over_its_restart():
    class Events(llm.Actor):
        def __init__(self, seen, ended):
            super().__init__()
            self.seen, self.ended = seen, ended

        def on_receive(self, event):
            self.seen.append((event.number, event.type))
            if event.number == 1:
                raise KeyError("on purpose")
            if event.type == "end":
                self.ended.set()

    async def main():
        async with llm.ActorSystem() as system:
            seen, ended = [], asyncio.Event()
            ref = system.start(Events, seen, ended)
            Says("a", "b", "c").prompt("x").subscribe(ref)
            await ended.wait()
            assert seen == [(0, "text"), (1, "text"), (2, "text"), (3, "end")]

    run(main())


class Account(llm.Actor):
    def __init__(self):
        super().__init__()
        self.total = 0

    def on_receive(self, message):
        self.total += message
        return self.total


class Pays(llm.AsyncModel):
    model_id = "pays"
    supports_tools = True

    async def execute(self, prompt, stream, response, conversation):
        if prompt.tool_results:
            yield f"total {prompt.tool_results[0].output}"
        else:
            response.add_tool_call(llm.ToolCall("pay", {"amount": 5}, "call-1"))


class SyncPays(llm.Model):
    model_id = "sync-pays"
    supports_tools = True

    def execute(self, prompt, stream, response, conversation):
        if prompt.tool_results:
            yield f"total {prompt.tool_results[0].output}"
        else:
            response.add_tool_call(llm.ToolCall("pay", {"amount": 5}, "call-1"))


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_a_tool_talks_to_an_actor(kind):
    async def main():
        async with llm.ActorSystem() as system:
            account = system.start(Account)

            async def pay_async(amount: int) -> int:
                return await account.ask(amount, block=False)

            def pay_sync(amount: int) -> Any:
                return account.ask(amount, timeout=10)

            tool = llm.Tool.function(pay_async if kind == "async" else pay_sync, name="pay")
            conversation = Pays().conversation(tools=[tool])
            assert await conversation.chain("pay 5").text() == "total 5"
            account.tell(RuntimeError())  # += fails: it is restarted, and its total begins anew
            assert await conversation.chain("pay 5").text() == "total 5"

    run(main())


def test_a_tool_of_a_sync_chain_talks_to_an_actor_on_the_background_loop():
    with llm.ActorSystem() as system:
        account = system.start(Account)

        def pay(amount: int) -> Any:
            return account.ask(amount, timeout=10)

        assert SyncPays().chain("pay 5", tools=[pay]).text() == "total 5"


def test_an_actor_can_be_watched_by_one_that_prompts_when_it_is_down():
    class Nurse(llm.Actor):
        def __init__(self, conversation, said):
            super().__init__()
            self.conversation, self.said = conversation, said

        async def on_receive(self, message):
            assert isinstance(message, llm.Down)
            self.said.set_result(await self.conversation.prompt(f"{message.reason}").text())

    async def main():
        async with llm.ActorSystem() as system:
            said = asyncio.get_running_loop().create_future()
            nurse = system.start(Nurse, echo().conversation(), said)
            patient = system.start(Account, restart="temporary")
            system.monitor(patient, nurse)
            patient.tell("fails")
            assert await said == "FAILED"

    run(main())


def test_the_context_of_the_start_is_that_of_every_incarnation():
    class Where(llm.Actor):
        async def on_receive(self, message):
            if message == "fail":
                raise KeyError(message)
            return system_context.get(), threading.current_thread().name

    async def main():
        async with llm.ActorSystem() as system:
            ref = system.start(Where)
            before = await ref.ask("?", block=False)
            ref.tell("fail")
            assert await ref.ask("?", block=False) == before == (system, threading.current_thread().name)

    run(main())


def test_sync_says_in_an_actor_of_a_thread_and_a_proxy_reach_the_same():
    class Desk(ThreadingActor):
        use_daemon_thread = True

        def __init__(self):
            super().__init__()
            self.conversation = SyncSays("fine").conversation()

        def say(self, text):
            return self.conversation.prompt(text).text()

    with llm.ActorSystem() as system:
        desk = system.start(Desk).proxy()
        assert desk.say("hello").get(timeout=10) == "fine"
