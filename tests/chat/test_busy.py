"""What becomes of a prompt to a conversation that is busy: `when_busy=`."""

import asyncio
import threading

import pytest

import llm_actors as llm
from llm_actors.observe import PromptsJoined, TurnFinished, TurnStarted

from .speakers import Says, run, taken


class Talks(llm.AsyncModel):
    """Answers `n: what it was asked`; call n waits for its gate. `asked` are the user messages of each call."""

    model_id = "talks"
    can_stream = supports_tools = True

    def __init__(self, held=1):
        self.gates = [asyncio.Event() for _ in range(held)]
        self.started = [asyncio.Event() for _ in range(held)]
        self.asked = []
        self.closed = []

    async def execute(self, prompt, stream, response, conversation):
        number = len(self.asked)
        self.asked.append([message.text for message in prompt.messages if message.role == "user"])
        try:
            yield f"{number}: "
            if number < len(self.gates):
                self.started[number].set()
                await self.gates[number].wait()
            yield self.asked[-1][-1]
        finally:
            self.closed.append(number)


def users(conversation):
    return [message.text for message in conversation.messages() if message.role == "user"]


# ---- reject


def test_reject_raises_from_prompt_itself_and_takes_prompts_again_when_the_turn_has_ended():
    async def main():
        model = Talks()
        conversation = model.conversation(when_busy="reject")
        first = conversation.prompt("one")
        with pytest.raises(llm.ConversationBusyError, match="busy"):
            conversation.prompt("two")
        await model.started[0].wait()
        with pytest.raises(llm.ConversationBusyError):
            conversation.chain("two")
        model.gates[0].set()
        await first.text()
        assert await conversation.prompt("three").text() == "1: three"
        assert model.asked == [["one"], ["one", "three"]]

    run(main())


def test_reject_takes_prompts_again_when_cancel_has_returned():
    async def main():
        model = Talks()
        conversation = model.conversation(when_busy="reject")
        first = conversation.prompt("one")
        await model.started[0].wait()
        await first.cancel()
        assert await conversation.prompt("two").text() == "1: two"

    run(main())


def test_a_prompt_that_a_full_mailbox_refuses_does_not_keep_the_conversation_busy():
    async def main():
        with llm.ActorSystem(mailbox=1):
            model = Talks()
            conversation = model.conversation(when_busy="reject")
            steered = conversation.steer("one")
            await model.started[0].wait()
            with pytest.raises(llm.MailboxFullError):
                conversation.prompt("two")
            model.gates[0].set()
            await steered
            assert await conversation.prompt("three").text() == "1: three"

    run(main())


def test_reject_holds_for_prompts_written_down_before_there_is_a_loop():
    conversation = Says("a").conversation(when_busy="reject")
    response = conversation.prompt("one")
    with pytest.raises(llm.ConversationBusyError):
        conversation.prompt("two")

    async def main():
        assert await response.text() == "a"
        assert await conversation.prompt("three").text() == "a"

    run(main())


def test_of_many_threads_that_prompt_at_once_reject_lets_one_through():
    gate = threading.Event()

    class Held(llm.Model):
        model_id = "held"

        def execute(self, prompt, stream, response, conversation):
            assert gate.wait(30)
            yield "a"

    conversation = Held().conversation(when_busy="reject")
    barrier = threading.Barrier(16)
    taken, refused = [], []

    def ask():
        barrier.wait(30)
        try:
            taken.append(conversation.prompt("hi"))
        except llm.ConversationBusyError as error:
            refused.append(error)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    gate.set()
    assert len(taken) == 1
    assert len(refused) == 15
    assert taken[0].text() == "a"


# ---- replace


class Lingers(Talks):
    """The same; no call of it has ended before it is let go, also where it was cancelled."""

    def __init__(self):
        super().__init__()
        self.let_go = asyncio.Event()

    async def execute(self, *asked, **named):
        try:
            async for words in super().execute(*asked, **named):
                yield words
        finally:
            await self.let_go.wait()


def test_replace_ends_the_running_turn_and_drops_those_that_wait():
    async def main():
        model = Lingers()
        conversation = model.conversation(when_busy="replace")
        first = conversation.prompt("one")
        await model.started[0].wait()
        second = conversation.prompt("two")
        third = conversation.prompt("three")
        await taken(conversation)
        model.let_go.set()
        assert await third.text() == "1: three"
        for dropped in (first, second):
            with pytest.raises(llm.ResponseCancelledError, match="replaced by a newer prompt"):
                await dropped.text()
        assert first.partial == "0: "
        assert model.asked == [["one"], ["one", "three"]]
        assert model.closed == [0, 1]

    run(main())


def test_replace_begins_no_round_before_the_repair_of_the_old_turn_is_in_the_history():
    """A call that was cut short has its result, and the cut answer its mark, in what the next model call is asked."""
    entered = asyncio.Event()
    asked = []

    async def slow() -> str:
        entered.set()
        await asyncio.Event().wait()
        return "never"

    class Calls(llm.AsyncModel):
        model_id = "calls"
        supports_tools = True

        async def execute(self, prompt, stream, response, conversation):
            asked.append(prompt.messages)
            if len(asked) == 1:
                response.add_tool_call(llm.ToolCall("slow", {}, "call-1"))
            else:
                yield "done"

    async def main():
        conversation = Calls().conversation(tools=[slow], when_busy="replace")
        first = conversation.chain("one")
        await entered.wait()
        assert await conversation.chain("two").text() == "done"
        with pytest.raises(llm.ResponseCancelledError):
            await first.text()
        assert [message.role for message in asked[1]] == ["user", "assistant", "tool", "user"]
        assert asked[1][2].parts[0].output == "No result: the turn was ended: cancelled."

    run(main())


def test_replace_does_not_wait_for_a_sync_tool_that_hangs():
    """A sync tool still running is abandoned, as at a cancel (C5)."""
    entered, let_go = threading.Event(), threading.Event()

    def hang() -> str:
        entered.set()
        assert let_go.wait(20)
        return "late"

    class Calls(llm.AsyncModel):
        model_id = "calls"
        supports_tools = True

        async def execute(self, prompt, stream, response, conversation):
            if not prompt.messages[1:]:
                response.add_tool_call(llm.ToolCall("hang", {}, "call-1"))
            else:
                yield "done"

    async def main():
        conversation = Calls().conversation(tools=[hang], when_busy="replace")
        conversation.chain("one")
        assert await asyncio.to_thread(entered.wait, 10)
        assert await conversation.chain("two").text() == "done"
        assert not let_go.is_set()
        let_go.set()
        assert "late" not in str(conversation.messages())

    run(main())


def test_replace_holds_for_prompts_written_down_before_there_is_a_loop():
    model = Says("a")
    conversation = model.conversation(when_busy="replace")
    first, second = conversation.prompt("one"), conversation.prompt("two")

    async def main():
        assert await second.text() == "a"
        with pytest.raises(llm.ResponseCancelledError):
            await first.text()

    run(main())
    assert len(model.prompts) == 1


# ---- coalesce


def test_coalesce_answers_those_that_wait_by_one_turn_each_a_user_message_of_its_own():
    seen = []

    async def main():
        with llm.ActorSystem(observers=[seen.append]):
            model = Talks()
            conversation = model.conversation(when_busy="coalesce")
            first = conversation.prompt("one")
            await model.started[0].wait()
            waiting = [conversation.prompt(text) for text in ("two", "three", "four")]
            assert conversation.waiting == 4
            await taken(conversation)
            model.gates[0].set()
            assert [await response.text() for response in waiting] == ["1: four"] * 3
            assert await first.text() == "0: one"
            assert model.asked == [["one"], ["one", "two", "three", "four"]]
            assert users(conversation) == ["one", "two", "three", "four"]
            assert len(conversation.responses) == 2
            assert [response.prompt.prompt for response in waiting] == ["two", "three", "four"]
            events = [[(e.number, e.type, e.chunk) async for e in r.events()] for r in waiting]
            assert events[0] == events[1] == events[2]
            assert len({response.id for response in waiting}) == 3
            assert conversation.waiting == 0
            assert await waiting[0].messages() == await waiting[2].messages()
            assert waiting[1].prompt.messages[-1].text == "four"
            return [response.id for response in (first, *waiting)]

    first, *ids = run(main())
    (record,) = [record for record in seen if isinstance(record, PromptsJoined)]
    assert record.joined == ids
    assert [r.response for r in seen if isinstance(r, TurnStarted)] == [first, record.response]
    ended = [r.response for r in seen if isinstance(r, TurnFinished)]
    assert sorted(ended) == sorted([first, record.response, *ids])


def test_coalesce_keeps_apart_what_asks_otherwise_and_the_order():
    async def main():
        model = Talks()
        conversation = model.conversation(when_busy="coalesce")
        conversation.prompt("one")
        await model.started[0].wait()
        two, three = conversation.prompt("two"), conversation.prompt("three", system="be brief")
        four, five = conversation.prompt("four", system="be brief"), conversation.chain("five", system="be brief")
        six = conversation.prompt("six", messages=[llm.user("anew")])
        await taken(conversation)
        model.gates[0].set()
        texts = [await response.text() for response in (two, three, four, five, six)]
        assert texts == ["1: two", "2: four", "2: four", "3: five", "4: six"]
        assert model.asked[-1] == ["anew", "six"]

    run(main())


def test_a_joined_response_that_is_cancelled_leaves_and_the_turn_goes_on_for_the_others():
    async def main():
        model = Talks(held=2)
        conversation = model.conversation(when_busy="coalesce")
        conversation.prompt("one")
        await model.started[0].wait()
        two, three = conversation.prompt("two"), conversation.prompt("three")
        await taken(conversation)
        model.gates[0].set()
        await model.started[1].wait()
        await two.cancel()
        seen = len([event async for event in two.events()])
        model.gates[1].set()
        assert await three.text() == "1: three"
        with pytest.raises(llm.ResponseCancelledError):
            await two.text()
        assert len([event async for event in two.events()]) == seen
        assert users(conversation) == ["one", "two", "three"]

    run(main())


def test_the_last_joined_response_takes_the_turn_with_it():
    async def main():
        model = Talks(held=2)
        conversation = model.conversation(when_busy="coalesce")
        conversation.prompt("one")
        await model.started[0].wait()
        two, three = conversation.prompt("two"), conversation.prompt("three", timeout=60)
        await taken(conversation)
        model.gates[0].set()
        await model.started[1].wait()
        await two.cancel()
        assert model.closed == [0]
        await three.cancel()
        assert model.closed == [0, 1]  # when cancel() returns nothing of the turn runs
        assert await conversation.prompt("four").text() == "2: four"

    run(main())


def test_a_deadline_ends_the_joined_response_that_has_it():
    async def main():
        model = Talks(held=2)
        conversation = model.conversation(when_busy="coalesce")
        conversation.prompt("one")
        await model.started[0].wait()
        two, three = conversation.prompt("two", timeout=0.5), conversation.prompt("three")
        await taken(conversation)
        model.gates[0].set()
        await model.started[1].wait()
        with pytest.raises(llm.DeadlineExceededError):
            await two.text()
        model.gates[1].set()
        assert await three.text() == "1: three"

    run(main())


def test_a_joined_turn_that_fails_fails_for_all():
    async def main():
        gate = asyncio.Event()
        model = Says(gate, ValueError("no"))
        conversation = model.conversation(when_busy="coalesce")
        responses = [conversation.prompt(text) for text in ("one", "two", "three")]
        await taken(conversation)
        gate.set()
        for response in responses:
            with pytest.raises(ValueError, match="no"):
                await response.text()
        assert len(model.prompts) == 2
        assert conversation.messages() == []

    run(main())


def test_on_done_is_called_for_each_joined_response():
    async def main():
        called = []
        model = Talks()
        conversation = model.conversation(when_busy="coalesce")
        conversation.prompt("one")
        await model.started[0].wait()
        responses = [conversation.prompt(text) for text in ("two", "three")]
        for response in responses:
            await response.on_done(lambda response: called.append(response.id))
        model.gates[0].set()
        for response in responses:
            await response
        assert called == [response.id for response in responses]

    run(main())


def test_closing_a_conversation_ends_joined_turns_too():
    async def main():
        model = Talks(held=2)
        conversation = model.conversation(when_busy="coalesce")
        conversation.prompt("one")
        await model.started[0].wait()
        responses = [conversation.prompt(text) for text in ("two", "three")]
        model.gates[0].set()
        await model.started[1].wait()
        await conversation.close()
        assert all(response.done for response in responses)
        assert model.closed == [0, 1]

    run(main())


def test_a_joint_turn_that_dies_with_its_actor_leaves_nobody_waiting():
    async def main():
        model = Talks(held=2)
        conversation = model.conversation(when_busy="coalesce")
        _, *responses = [conversation.prompt(text) for text in ("one", "two", "three")]
        model.gates[0].set()
        await model.started[1].wait()
        await conversation.ref.kill(block=False)
        for response in responses:
            with pytest.raises(llm.ConversationCrashedError):
                await response.text()
        assert conversation.waiting == 0

    run(main())


# ---- all


def test_a_system_gives_the_default_and_a_conversation_overrides_it():
    async def main():
        with llm.ActorSystem(when_busy="reject"):
            model = Talks()
            conversation, patient = model.conversation(), model.conversation(when_busy="queue")
            first = conversation.prompt("one")
            with pytest.raises(llm.ConversationBusyError):
                conversation.prompt("two")
            await model.started[0].wait()
            both = [patient.prompt("a"), patient.prompt("b")]
            model.gates[0].set()
            for response in (first, *both):
                await response

    run(main())


@pytest.mark.parametrize(
    "make",
    [lambda: llm.ActorSystem(when_busy="drop"), lambda: Says("a").conversation(when_busy="drop")],
    ids=["system", "conversation"],
)
def test_an_unknown_policy_is_named_at_once(make):
    with pytest.raises(ValueError, match="queue, reject, replace, coalesce, not 'drop'"):
        make()


def test_a_thousand_queued_prompts_that_fail_at_once_are_no_recursion():
    class Keyless(llm.AsyncModel):
        model_id = "keyless"

        def open_round(self, live, sink, engine):
            raise llm.NeedsKeyException("no key")

    async def main():
        conversation = Keyless().conversation()
        responses = [conversation.prompt(f"{number}") for number in range(1000)]
        for response in responses:
            with pytest.raises(llm.NeedsKeyException):
                await response.text()

    run(main())
