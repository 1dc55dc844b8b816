"""The conversation as an actor: it never waits, and it is told apart who may still speak."""

import ast
import asyncio
import inspect

import pytest

import llm_actors as llm
from llm_actors.chat import conversation_actor, conversation_work
from llm_actors.chat.conversation_actor import ConversationActor
from llm_actors.chat.conversation_work import TurnMail
from llm_actors.chat.turn_mail import RoundEnded
from llm_actors.loop_engine import MemoryStore
from llm_actors.messages import RoundResult
from llm_actors.runtime import Actor, running
from tests.house.source import parsed

from .speakers import Says, run


def test_it_has_no_async_def_and_no_await():
    """The conversation actor has no `async def` and no `await` (a test walks its AST)."""
    waits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    for module in (conversation_actor, conversation_work):
        tree = parsed(inspect.getsource(module))
        assert [node for node in ast.walk(tree) if isinstance(node, waits)] == []


def test_its_names_do_not_meet_those_of_the_actor_it_is():
    classes = (ConversationActor, conversation_work.ConversationWork)
    own = {name for one in classes for name in vars(one) if not name.startswith("__")}
    meant = {
        "registered",
        "keeps_context",
        "_actor_waits",
        "backlog",
        "on_receive",
        "on_stop",
        "_actor_stopped",
        "_actor_clear",
        "_actor_observed",
        "_abc_impl",
    }
    assert own & set(dir(Actor)) <= meant


class SlowStore(MemoryStore):
    """A store that answers when the test says so, as a journal's fsync would."""

    def __init__(self):
        self.waiting = []
        self.fails = None

    def append(self, conversation, entries, done):
        self.waiting.append((conversation, list(entries), done))
        return False

    def answer(self, error=None):
        waiting, self.waiting = self.waiting, []
        for _, _, done in waiting:
            done(error)


async def soon(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0)


def test_a_turn_goes_on_only_when_its_entries_are_kept():
    """its end comes back as mail, `Appended | AppendFailed`, at once in memory, after the fsync with a journal; then `Finish`"""

    async def main():
        system = llm.ActorSystem()
        with system:
            store = system.engine(running()).store = SlowStore()
            model = Says("a")
            response = model.prompt("hi")
            await soon(lambda: store.waiting)
            assert not model.started.is_set()  # the prompt is kept before the call
            store.answer()
            await model.started.wait()
            await soon(lambda: store.waiting)
            assert not response.done  # the answer is kept before it is acknowledged
            store.answer()
            assert await response.text() == "a"

    run(main())


@pytest.mark.parametrize("at", [0, 1])
def test_entries_that_cannot_be_kept_end_the_turn(at):
    async def main():
        system = llm.ActorSystem()
        with system:
            store = system.engine(running()).store = SlowStore()
            response = Says("a").prompt("hi")
            for _ in range(at):
                await soon(lambda: store.waiting)
                store.answer()
            await soon(lambda: store.waiting)
            store.answer(OSError("disk full"))
            with pytest.raises(OSError, match="disk full"):
                await response.text()

    run(main())


def test_mail_for_a_turn_or_a_round_that_is_over_is_dropped():
    """later writes are no-ops, and mail of a revoked round or tool call is dropped by its number"""

    async def main():
        conversation = Says("a").conversation()
        response = conversation.prompt("hi")
        await response.text()
        said = conversation.messages()
        late = RoundEnded(0.0, 1, RoundResult(), [llm.assistant("ghost")])
        conversation.ref.tell(TurnMail(response.id, late))
        second = conversation.prompt("more")
        conversation.ref.tell(TurnMail(second.id, RoundEnded(0.0, 7, RoundResult(), [llm.assistant("ghost")])))
        assert await second.text() == "a"
        assert "ghost" not in str(conversation.messages())
        assert conversation.messages()[: len(said)] == said

    run(main())


def test_a_model_that_can_not_begin_is_the_turns_error():
    class Broken(llm.AsyncModel):
        model_id = "broken"

        def open_round(self, live, sink, engine):
            raise llm.NeedsKeyException("no key")

    async def main():
        conversation = Broken().conversation()
        with pytest.raises(llm.NeedsKeyException):
            await conversation.prompt("hi").text()
        assert conversation.messages() == []

    run(main())


def test_mail_that_means_nothing_to_it_is_answered_as_by_any_actor():
    async def main():
        conversation = Says("a").conversation()
        assert await conversation.ref.ask("what?", block=False) is None
        assert await conversation.prompt("hi").text() == "a"

    run(main())


def test_a_prompt_that_came_as_a_message_is_answered_before_one_that_was_sent_after_it():
    async def main():
        model = Says("a")
        conversation = model.conversation()
        conversation.prompt("first")
        told = conversation.ref.ask(llm.Prompt("second"), block=False)
        third = conversation.prompt("third")
        await third.text()
        assert (await told).done
        assert [prompt.prompt for prompt in model.prompts] == ["first", "second", "third"]

    run(main())


def test_prompts_that_waited_for_a_loop_come_before_what_is_sent_by_the_actors_reference():
    model = Says("a")
    conversation = model.conversation()
    conversation.prompt("first")

    async def main():
        await (await conversation.ref.ask(llm.Prompt("second"), block=False)).text()
        assert [prompt.prompt for prompt in model.prompts] == ["first", "second"]

    run(main())


def test_a_defect_met_by_a_prompt_that_came_as_a_message_ends_its_turn():
    class Breaks(MemoryStore):
        def append(self, conversation, entries, done):
            raise RuntimeError("a defect")

    async def main():
        conversation = Says("a").conversation()
        conversation.ref  # noqa: B018 - makes the actor
        conversation._seat.found.engine.store = Breaks()
        response = await conversation.ref.ask(llm.Prompt("hi"), block=False)
        with pytest.raises(llm.ConversationCrashedError):
            await response.text()

    run(main())
