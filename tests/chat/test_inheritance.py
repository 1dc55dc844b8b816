"""What prompts inherit that tools, models, tasks and actors send: deadline, tenant, trace, who sent them."""

import asyncio
import math
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

import llm_actors as llm
from llm_actors.observe import PromptQueued, Sender, TurnStarted
from llm_actors.runtime import ThreadingActor

from .speakers import Says, SyncSays, run

OUTER = llm.Scope(tenant="acme", priority=3, trace={"traceparent": "00-1-2-01"})


def asks(name):
    """For a script: the model asks for this tool, in the first of its calls; `Once` says so."""
    return lambda response: response.add_tool_call(llm.ToolCall(name, {}))


class Asks(llm.AsyncModel):
    """Asks for the tool `name` once a turn, then says `done`."""

    model_id = "asks"
    supports_tools = True

    def __init__(self, name):
        self.name = name

    async def execute(self, prompt, stream, response, conversation):
        if prompt.tool_results:
            yield "done"
        else:
            response.add_tool_call(llm.ToolCall(self.name, {}))


class SyncAsks(llm.Model):
    """The same in a thread."""

    model_id = "sync-asks"
    supports_tools = True

    def __init__(self, name):
        self.name = name

    def execute(self, prompt, stream, response, conversation):
        if prompt.tool_results:
            yield "done"
        else:
            response.add_tool_call(llm.ToolCall(self.name, {}))


class Never(llm.AsyncModel):
    """Never answers."""

    model_id = "never"

    async def execute(self, prompt, stream, response, conversation):
        yield "half"
        await asyncio.get_running_loop().create_future()


def hanging(model):
    """A sync prompt that never ends by itself, and what it came to."""
    return model.prompt("inner").text()


@pytest.fixture
def started():
    """The TurnStarted records of a system that is in force, in order."""
    seen = []
    with llm.ActorSystem(observers=[lambda record: seen.append(record) if isinstance(record, TurnStarted) else None]):
        yield seen


# ---- which deadline


def error_of(response):
    with pytest.raises(llm.DeadlineExceededError) as caught:
        response.text()
    return caught.value


async def failing(response):
    with pytest.raises(llm.DeadlineExceededError) as caught:
        await response.text()
    return caught.value


def test_a_deadline_may_be_an_aware_datetime_or_a_point_on_the_monotonic_clock():
    async def main():
        now = asyncio.get_running_loop().time()
        error = await failing(Never().prompt("hi", deadline=now + 0.1))
        assert str(error) == "the turn did not end before its deadline (it was calling)"
        assert error.deadline.when == now + 0.1
        moment = datetime.now(UTC) + timedelta(seconds=0.1)
        error = await failing(Never().prompt("hi", deadline=moment))
        assert f"before its deadline of {moment.isoformat()} (" in str(error)
        assert asyncio.get_running_loop().time() > now + 0.2

    run(main())


def test_a_deadline_that_has_passed_ends_the_turn_before_anything_is_sent():
    async def main():
        model = Says("a")
        conversation = model.conversation()
        error = await failing(conversation.prompt("hi", deadline=asyncio.get_running_loop().time() - 1))
        assert "it was queued" in str(error)
        assert model.prompts == []
        assert conversation.messages() == []
        assert await conversation.prompt("next").text() == "a"

    run(main())


def test_a_deadline_that_comes_while_the_loop_is_held_ends_the_turn_before_the_next_model_call(started):
    async def main():
        loop = asyncio.get_running_loop()

        async def hold() -> str:
            while loop.time() < deadline:  # the timer has no turn meanwhile
                pass
            return "held"

        model = Asks("hold")
        deadline = loop.time() + 0.2
        conversation = model.conversation(tools=[hold])
        await failing(conversation.chain("hi", deadline=deadline))
        assert len(conversation.responses) == 1

    run(main())


@pytest.mark.parametrize(
    ("own", "of_conversation", "of_system", "text"),
    [
        ({}, {}, 0.1, "within the timeout of 0.1 seconds of the system"),
        ({}, {"timeout": 0.1}, 60.0, "within the timeout of 0.1 seconds of conversation c1"),
        ({"timeout": 0.1}, {"timeout": 60.0}, 70.0, "within its timeout of 0.1 seconds"),
        ({"timeout": 0.3}, {"timeout": 0.1}, 0.1, "within its timeout of 0.3 seconds"),  # the nearest timeout counts
        ({"timeout": 60.0}, {"deadline": 0.1}, 60.0, "before the deadline of conversation c1"),  # the earliest deadline
        ({"deadline": 0.1}, {"timeout": 60.0}, None, "before its deadline"),
        ({"timeout": math.inf}, {"timeout": 0.05, "deadline": 0.2}, 0.05, "before the deadline of conversation c1"),
    ],
)
def test_of_timeouts_the_nearest_counts_of_deadlines_the_earliest_and_the_error_says_which(
    own, of_conversation, of_system, text
):
    async def main():
        now = asyncio.get_running_loop().time()

        def placed(limits):
            return {name: value + now if name == "deadline" else value for name, value in limits.items()}

        with llm.ActorSystem(timeout=of_system):
            conversation = llm.AsyncConversation(Never(), id="c1", **placed(of_conversation))
            assert text in str(await failing(conversation.prompt("hi", **placed(own))))

    run(main())


def test_the_deadline_of_a_system_holds_for_all_its_turns():
    async def main():
        with llm.ActorSystem(deadline=asyncio.get_running_loop().time() + 0.1):
            error = await failing(Never().prompt("hi", timeout=60))
            assert str(error) == "the turn did not end before the deadline of the system (it was calling)"

    run(main())


def test_a_prompt_with_a_deadline_encodes_to_bytes():
    for deadline in (5.0, datetime.now(UTC)):
        prompt = llm.Prompt("hi", deadline=deadline)
        assert msgspec.json.decode(msgspec.json.encode(prompt), type=llm.Prompt) == prompt


def test_the_timeout_of_a_conversation_is_for_each_turn_and_its_deadline_for_all():
    async def main():
        conversation = Says("a").conversation(timeout=30.0)
        assert conversation.timeout == 30.0
        assert await conversation.prompt("one").text() == "a"
        conversation = Never().conversation(deadline=asyncio.get_running_loop().time() + 0.2)
        one, two = conversation.prompt("one"), conversation.prompt("two")
        assert "(it was calling)" in str(await failing(one))
        assert "(it was queued)" in str(await failing(two))
        assert "(it was queued)" in str(await failing(conversation.prompt("three")))

    run(main())


def test_a_deadline_of_a_prompt_that_came_as_a_message_counts():
    async def main():
        conversation = Never().conversation()
        response = await conversation.ref.ask(
            llm.Prompt("hi", deadline=asyncio.get_running_loop().time() + 0.1), block=False
        )
        await failing(response)

    run(main())


@pytest.mark.parametrize("where", ["prompt", "conversation", "system"])
def test_wrong_times_are_refused_at_the_call(where):
    for wrong in ({"timeout": 0}, {"timeout": math.nan}, *([{"deadline": datetime(2026, 1, 1)}] * (where != "system"))):  # noqa: DTZ001
        with pytest.raises(ValueError, match=r"more than 0|aware"):
            if where == "system":
                llm.ActorSystem(**wrong)
            elif where == "conversation":
                SyncSays("a").conversation(**wrong)
            else:
                SyncSays("a").prompt("hi", **wrong)


# ---- through tools, models, tasks


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_what_a_tool_prompts_is_under_the_deadline_of_the_turn_that_called_it(kind):
    """C6: A deadline covers the whole turn: ... tools: also what they prompt, and what the tools of that prompt."""
    errors = []

    def innermost() -> str:
        errors.append(error_of(SyncNever().prompt("innermost")))
        return "late"

    class SyncNever(llm.Model):
        model_id = "sync-never"

        def execute(self, prompt, stream, response, conversation):
            yield "half"
            while not llm.cancelled():
                pass

    def inner() -> str:
        errors.append(error_of(SyncAsks("innermost").chain("inner", tools=[innermost])))
        return "late"

    async def inner_async() -> str:
        errors.append(await failing(Asks("innermost").chain("inner", tools=[innermost])))
        return "late"

    async def main():
        name, tool = ("inner", inner) if kind == "sync" else ("inner_async", inner_async)
        conversation = Asks(name).conversation(tools=[tool])
        response = conversation.chain("outer", timeout=0.4)
        outer = await failing(response)
        assert str(outer).startswith("the turn did not end within its timeout of 0.4 seconds (it was tools)")
        return response, conversation

    response, conversation = run(main())
    said = conversation.messages()
    assert [message.role for message in said] == ["user", "assistant", "tool"]
    for (
        error
    ) in errors:  # those that were not ended by the cancel of the turn around them, which came at the same moment
        assert (
            str(error.deadline)
            == f"within the timeout of 0.4 seconds of response {response.id} in conversation {conversation.id}"
        )


def test_a_prompt_that_outlives_its_tool_still_ends_at_the_deadline_and_says_whose_it_was():
    async def main():
        inner = []

        async def sends() -> str:
            inner.append(Never().prompt("inner", detached=True))
            return "sent"

        conversation = Asks("sends").conversation(tools=[sends])
        response = conversation.chain("outer", timeout=0.3)
        assert await response.text() == "done"
        error = await failing(inner[0])
        owner = f"response {response.id} in conversation {conversation.id}"
        assert f"within the timeout of 0.3 seconds of {owner}" in str(error)

    run(main())


def test_a_longer_timeout_inside_does_not_outlast_the_one_around_it():
    async def main():
        inner = []

        async def sends() -> str:
            inner.append(Never().prompt("inner", timeout=60.0))
            return "sent"

        await Asks("sends").chain("outer", tools=[sends], timeout=0.2)
        await failing(inner[0])

    run(main())


def test_sync_tool_to_prompt_to_tool_to_prompt_inherits_all_and_knows_its_sender(started):
    def second() -> str:
        return SyncSays("bottom").prompt("bottom").text()

    def first() -> str:
        return SyncAsks("second").chain("middle", tools=[second]).text()

    with llm.enter_scope(OUTER):
        top = SyncAsks("first").conversation(tools=[first])
        assert top.chain("top").text() == "done"
    assert llm.current_scope().tenant is None
    one, two, three = started
    assert [record.parent for record in started] == [
        None,
        Sender(one.conversation, one.response, top.responses[0].tool_calls()[0].tool_call_id),
        Sender(two.conversation, two.response, three.parent.tool_call_id),
    ]
    assert three.parent.tool_call_id is not None
    assert {(record.tenant, record.priority, str(record.trace)) for record in started} == {
        ("acme", 3, str(dict(OUTER.trace)))
    }


@pytest.mark.parametrize("through", ["gather", "task", "to_thread", "hook", "execute", "sync execute", "prepare"])
def test_what_a_turn_runs_inherits_from_it(started, through):
    async def main():
        async def gathers() -> str:
            await asyncio.gather(Says("a").prompt("inner").text())
            return "ok"

        async def tasks() -> str:
            async def child():
                return await Says("a").prompt("inner").text()

            return await asyncio.create_task(child())

        async def threads() -> str:
            return await asyncio.to_thread(SyncSays("a").prompt("inner").text)

        async def plain() -> str:
            return "ok"

        async def hook(tool, call):
            await Says("a").prompt("inner")

        class Box(llm.Toolbox):
            async def prepare_async(self):
                await Says("a").prompt("inner")

            def plain(self) -> str:
                return "ok"

        class Nests(llm.AsyncModel):
            model_id = "nests"

            async def execute(self, prompt, stream, response, conversation):
                yield await Says("a").prompt("inner").text()

        class SyncNests(llm.Model):
            model_id = "sync-nests"

            def execute(self, prompt, stream, response, conversation):
                yield SyncSays("a").prompt("inner").text()

        tools: dict[str, Any] = {
            "gather": gathers,
            "task": tasks,
            "to_thread": threads,
            "hook": plain,
            "prepare": Box(),
        }
        with llm.enter_scope(OUTER):
            if through == "execute":
                await Nests().prompt("outer")
            elif through == "sync execute":
                await asyncio.to_thread(SyncNests().prompt("outer").text)
            else:
                tool = tools[through]
                name = "Box_plain" if through == "prepare" else tool.__name__
                before = hook if through == "hook" else None
                await Asks(name).chain("outer", tools=[tool], before_call=before)

    run(main())
    outer, inner = started
    assert (inner.parent.conversation, inner.parent.response) == (outer.conversation, outer.response)
    assert (inner.tenant, inner.priority, inner.trace) == ("acme", 3, dict(OUTER.trace))
    has_call = inner.parent.tool_call_id is not None
    assert has_call == (through in ("gather", "task", "to_thread", "hook"))


@pytest.mark.parametrize("kind", ["actor", "async actor", "thread"])
def test_a_users_actor_sends_prompts_under_the_scope_of_the_mail_it_works_on(kind):
    seen = []
    system = llm.ActorSystem(observers=[seen.append])

    class Agent(llm.Actor):
        def on_receive(self, message):
            return Says("a").prompt(message)

    class AsyncAgent(llm.Actor):
        async def on_receive(self, message):
            await asyncio.sleep(0)
            return Says("a").prompt(message)

    class ThreadAgent(ThreadingActor):
        def on_receive(self, message):
            with system:
                return SyncSays("a").prompt(message)

    async def main():
        ref = {"actor": Agent, "async actor": AsyncAgent, "thread": ThreadAgent}[kind].start()
        sent = []

        async def asks() -> str:
            sent.append(await ref.ask("inner", block=False))
            return "ok"

        sent.append(await ref.ask("before", block=False))
        with llm.enter_scope(OUTER):
            response = Asks("asks").chain("outer", tools=[asks])
        await response
        sent.append(await ref.ask("after", block=False))
        for each in sent:
            await (asyncio.to_thread(each.text) if kind == "thread" else each)
        await ref.stop(block=False)
        return response, sent

    with system:
        outer, (before, inner, after) = run(main())
    by_response = {record.response: record for record in seen if isinstance(record, TurnStarted)}
    assert by_response[before.id].parent is by_response[after.id].parent is None
    assert by_response[before.id].tenant is by_response[after.id].tenant is None
    assert by_response[inner.id].tenant == "acme"
    assert by_response[inner.id].parent.response == outer.id
    assert by_response[inner.id].parent.tool_call_id is not None


def test_a_prompt_that_comes_as_a_message_inherits_from_who_sent_it(started):
    async def main():
        conversation = Says("a").conversation()

        async def asks() -> str:
            response = await conversation.ref.ask(llm.Prompt("inner"), block=False)
            return await response.text()

        with llm.enter_scope(OUTER):
            response = Asks("asks").chain("outer", tools=[asks])
        await response

    run(main())
    outer, inner = started
    assert inner.parent.response == outer.response
    assert inner.tenant == "acme"


def test_a_debate_over_a_topic_is_under_what_it_was_begun_under(started):
    async def main():
        system = llm.ActorSystem()
        topic = system.topic("debate")
        over = asyncio.Event()
        speakers = [Says("a").conversation(timeout=60), Says("b").conversation(timeout=60)]
        budget = llm.Budget(requests=6)
        deadlines = []

        class Ends(llm.Actor):
            def on_receive(self, message):
                deadlines.append(llm.current_scope().deadline)
                if len(deadlines) == 7:  # the opening, and six answers
                    over.set()

        topic.subscribe(Ends.start())
        for speaker in speakers:
            topic.subscribe(speaker, answers=topic)
        with llm.enter_scope(llm.Scope(tenant="acme", budgets=(budget,))):
            topic.publish("go")
        await over.wait()
        for speaker in speakers:
            await speaker.close()
        assert budget.spent.requests == 6
        assert set(deadlines) == {None}  # each turn has a time of its own

    run(main())
    assert {record.tenant for record in started} == {"acme"}


def test_who_is_sent_the_events_of_a_turn_does_not_inherit_from_it():
    async def main():
        seen, over = [], asyncio.Event()

        class Subscriber(llm.Actor):
            def on_receive(self, event):
                seen.append(llm.current_scope().tenant)
                if event.type == "end":
                    over.set()

        gate = asyncio.Event()
        with llm.enter_scope(OUTER):
            response = Says("a", gate, "b").prompt("outer")
        response.subscribe(Subscriber.start())
        gate.set()
        await over.wait()
        assert set(seen) == {None}

    run(main())


def test_a_callback_is_under_the_scope_of_its_registration_not_of_the_turn(started):
    async def main():
        with llm.enter_scope(OUTER):
            response = Says("a").prompt("outer")
        done = asyncio.Event()

        async def callback(_):
            await Says("b").prompt("inner")
            done.set()

        await response.on_done(callback)
        await response
        await done.wait()

    run(main())
    assert [(record.tenant, record.parent) for record in started] == [("acme", None), (None, None)]


def test_prompts_of_different_tenants_are_not_joined(started):
    async def main():
        gate = asyncio.Event()
        conversation = Says(gate, "a").conversation(when_busy="coalesce")
        blocker = conversation.prompt("zero")
        with llm.enter_scope(OUTER):
            one = conversation.prompt("one")
        two, three = conversation.prompt("two"), conversation.prompt("three", timeout=60.0)
        gate.set()
        for response in (blocker, one, two, three):
            await response
        assert len(conversation.responses) == 3

    run(main())
    assert [record.tenant for record in started] == [None, "acme", None]


def test_joined_prompts_send_under_the_latest_of_their_deadlines():
    async def main():
        gate, queued, seen = asyncio.Event(), asyncio.Semaphore(0), []

        def observe(record):
            if isinstance(record, PromptQueued):
                queued.release()

        async def look() -> str:
            seen.append(llm.current_scope().deadline)
            return "ok"

        class Held(Asks):
            async def execute(self, prompt, stream, response, conversation):
                if prompt.messages[-1].text == "zero":
                    await gate.wait()
                    yield "zero"
                    return
                async for item in super().execute(prompt, stream, response, conversation):
                    yield item

        now = asyncio.get_running_loop().time()
        with llm.ActorSystem(observers=[observe]):
            conversation = Held("look").conversation(tools=[look], when_busy="coalesce")
            blocker = conversation.prompt("zero")
            sent = [conversation.chain("one", deadline=now + 50), conversation.chain("two", deadline=now + 60)]
        for _ in range(3):
            await queued.acquire()
        gate.set()
        for response in (blocker, *sent):
            await response
        assert [deadline.when for deadline in seen] == [now + 60]

    run(main())


def test_a_scope_is_left_behind_where_an_empty_one_is_entered(started):
    async def main():
        async def sends() -> str:
            with llm.enter_scope(llm.Scope()):
                return await Says("a").prompt("inner").text()

        with llm.enter_scope(OUTER):
            response = Asks("sends").chain("outer", tools=[sends], timeout=60.0)
        await response

    run(main())
    assert [(record.tenant, record.parent) for record in started] == [("acme", None), (None, None)]


def test_a_bare_thread_begins_without_a_scope():
    seen = []
    with llm.enter_scope(OUTER):
        assert llm.current_scope() is OUTER
        thread = threading.Thread(target=lambda: seen.append(llm.current_scope().tenant))
        thread.start()
        thread.join(5)
    assert seen == [None]
