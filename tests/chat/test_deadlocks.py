"""Conversations that wait for one another in a circle: the wait that closes it raises at once, and everybody ends."""

import asyncio
import contextlib
import threading
from typing import Any

import pytest

import llm_actors as llm
from llm_actors.runtime import ThreadingActor, ask, future

from .circles import ASYNC, DEADLOCK, MODELS, SYNC, asking, deadlocks, run, text, texts

WAIT = 20


@pytest.fixture(params=["async", "sync"])
def dress(request):
    return request.param


def ring(dresses):
    """Conversations each of which has a tool `on` that asks the next one, and waits for its answer."""
    made: list[Any] = []
    for number, dress in enumerate(dresses):
        following = (number + 1) % len(dresses)
        tool = asking(dresses[following], "on", lambda following=following: made[following].prompt("hi"))
        made.append(MODELS[dress].conversation(tools=[tool]))
    return made


# ---- circles ----------------------------------------------------------------------------------------------------------------


def test_a_tool_that_prompts_its_own_conversation_and_waits(dress):
    async def main():
        (conversation,) = ring([dress])
        answer = await text(conversation.chain("call on"))
        assert answer.startswith(f"on=Error: {DEADLOCK}")
        chain = f"conversation {conversation.id} (in on)"
        assert answer.endswith(f"{chain} -> {chain}")
        assert await text(conversation.prompt("next")) == "heard next"
        assert [part.text for part in conversation.messages() if part.role == "user"] == [
            "call on",
            "next",
        ]  # nobody can wait for "hi": it is given up

    run(main())


@pytest.mark.parametrize(
    "dresses", [["async"] * 2, ["sync"] * 2, ["async", "sync"], ["async", "sync"] * 2, ["async"] * 5]
)
def test_turns_that_began_independently(dresses):
    async def main():
        made = ring(dresses)
        answers = await texts(*[conversation.chain("call on") for conversation in made])
        assert deadlocks(*answers) == 1, "one is told, and with that the others go on"
        (told,) = [answer for answer in answers if DEADLOCK in answer]
        for conversation in made:
            assert f"conversation {conversation.id} (in on)" in told
        assert [answer.startswith("on=heard hi") for answer in answers].count(True) == len(made) - 1

    run(main())


def test_sync_tools_of_async_conversations():
    """A tool's thread waits by the sync API for what runs on the loop beside it."""

    async def main():
        made: list[Any] = []

        def on() -> str:
            return llm.Response(made[0].prompt("hi")._log).text()

        made.append(ASYNC.conversation(tools=[on]))
        assert deadlocks(await made[0].chain("call on").text()) == 1

    run(main())


def test_a_circle_that_closes_when_turns_ask_each_other_in_turn(dress):
    """A asks B, and because of that B asks A."""

    async def main():
        made: list[Any] = []
        tools = [
            asking(dress, "b", lambda: made[1].chain("call a")),
            asking(dress, "a", lambda: made[0].chain("call b")),
        ]
        made.extend(MODELS[dress].conversation(tools=[tool]) for tool in tools)
        answer = await text(made[0].chain("call b"))
        assert answer.startswith("b=a=Error")
        assert deadlocks(answer) == 1
        # The prompt that nobody can wait for is given up: else the two would go on asking each other.
        assert [one.waiting for one in made] == [0, 0]
        assert len(made[1].messages()) == 4

    run(main())


def test_two_loops_in_two_threads():
    meet = threading.Barrier(2)
    made: dict[str, Any] = {}
    answers: list[str] = []

    def world(name, other):
        async def main():
            made[name] = ASYNC.conversation(tools=[asking("async", "on", lambda: made[other].prompt("hi"))])
            assert await made[name].prompt("settle here").text()
            for _ in range(10):
                await asyncio.to_thread(meet.wait, WAIT)
                answers.append(await made[name].chain("call on").text())
            await asyncio.to_thread(meet.wait, WAIT)

        run(main())

    threads = [threading.Thread(target=world, args=names) for names in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * WAIT)
    assert len(answers) == 20
    assert all(answer.startswith(("on=heard hi", f"on=Error: {DEADLOCK}")) for answer in answers)


@pytest.mark.parametrize("hook", ["before_call", "after_call"])
def test_a_hook_that_waits_for_its_own_conversation(dress, hook):
    async def main():
        made: list[Any] = []

        def plain(*_):
            made[0].prompt("hi").text()

        async def native(*_):
            await made[0].prompt("hi").text()

        def tool() -> str:
            return "ran"

        hooks = {hook: native if dress == "async" else plain}
        made.append(MODELS[dress].conversation(tools=[tool], **hooks))
        with pytest.raises(llm.DeadlockError) as caught:
            await text(made[0].chain("call tool"))
        assert caught.value.chain == (f"conversation {made[0].id} (in {hook} of tool)",)
        assert await text(made[0].prompt("next")) == "heard next"

    run(main())


def test_a_python_models_execute_that_waits_for_its_own_conversation(dress):
    async def main():
        told: list[Any] = []

        class Plain(llm.Model):
            model_id = "plain"

            def execute(self, prompt, stream, response, conversation):
                try:
                    yield conversation.prompt("hi").text() if prompt.prompt == "ask" else "heard"
                except llm.DeadlockError as error:
                    told.append(error.chain)
                    yield "told"

        class Native(llm.AsyncModel):
            model_id = "native"

            async def execute(self, prompt, stream, response, conversation):
                try:
                    yield await conversation.prompt("hi").text() if prompt.prompt == "ask" else "heard"
                except llm.DeadlockError as error:
                    told.append(error.chain)
                    yield "told"

        conversation = (Native if dress == "async" else Plain)().conversation()
        assert await text(conversation.prompt("ask")) == "told"
        assert told == [(f"conversation {conversation.id} (in execute of {conversation.model.model_id})",)]
        assert await text(conversation.prompt("next")) == "heard"

    run(main())


def test_a_toolbox_that_waits_in_prepare_for_a_conversation_which_needs_it(dress):
    async def main():
        asks = [True]
        made: list[Any] = []

        class Plain(llm.Toolbox):
            def prepare(self):
                if asks:
                    asks.clear()
                    made[1].prompt("hi").text()

        class Native(llm.Toolbox):
            async def prepare_async(self):
                if asks:
                    asks.clear()
                    await made[1].prompt("hi").text()

        toolbox = (Native if dress == "async" else Plain)()
        made.extend(MODELS[dress].conversation(tools=[toolbox]) for _ in range(2))
        with pytest.raises(llm.DeadlockError, match=f"conversation {made[1].id} .in {type(toolbox).__name__}.prepare"):
            await text(made[0].prompt("one"))
        assert await texts(*[conversation.prompt("next") for conversation in made]) == ["heard next"] * 2

    run(main())


def test_what_is_steered_in_ends_with_the_turn_that_waits_for_it(dress):
    async def main():
        made: list[Any] = []
        made.append(MODELS[dress].conversation(tools=[asking(dress, "on", lambda: made[0].steer("hurry"))]))
        # The model hears of the result and of what was steered in; the wait for its answer inside the turn was in vain.
        answer = await text(made[0].chain("call on"))
        assert answer.endswith("heard hurry")
        (result,) = [part.output for message in made[0].messages() for part in message.parts if hasattr(part, "output")]
        assert DEADLOCK in result

    run(main())


def test_prompts_that_are_joined_wait_for_the_turn_before_them(dress):
    async def main():
        made: list[Any] = []
        tools = [asking(dress, name, lambda: made[0].prompt("hi")) for name in ("one", "two")]
        made.append(MODELS[dress].conversation(tools=tools, when_busy="coalesce"))
        assert deadlocks(await text(made[0].chain("call one two"))) == 2

    run(main())


def test_a_conversation_and_actors_of_the_users(dress):
    async def main():
        made: list[Any] = []

        class Desk(llm.Actor):
            async def on_receive(self, message):
                return await text(made[0].prompt(message))

        class Clerk(ThreadingActor):
            use_daemon_thread = True

            def on_receive(self, message):
                return made[0].prompt(message).text()

        kind = Desk if dress == "async" else Clerk
        ref = kind.start()

        async def native() -> str:
            return await ask(ref, "hi")

        def plain() -> str:
            return str(ref.ask("hi", timeout=WAIT))

        tool = llm.Tool.function(native if dress == "async" else plain, name="on")
        made.append(MODELS[dress].conversation(tools=[tool]))
        answer = await text(made[0].chain("call on"))
        assert deadlocks(answer) == 1
        assert kind.__name__ in answer
        assert await ask(ref, "next") == "heard next"
        await ask(ref, "last")
        ref.stop(block=False)

    run(main())


def test_a_sync_tool_with_a_loop_of_its_own():
    made: list[Any] = []

    def on() -> str:
        async def inside():
            return await asyncio.gather(made[0].prompt("hi").text())

        return str(asyncio.run(inside()))

    made.append(ASYNC.conversation(tools=[on]))

    async def main():
        assert deadlocks(await made[0].chain("call on").text()) == 1

    run(main())


def test_a_blocked_notebook_is_part_of_the_circle():
    """A cell that blocks its loop by the sync API, and a tool that needs that loop."""

    class Here(llm.Actor):
        def on_receive(self, message):
            return message

    async def main():
        ref = Here.start()

        def on() -> str:
            return str(ref.ask("hi", timeout=WAIT))

        answer = SYNC.conversation(tools=[on]).chain("call on").text()
        assert deadlocks(answer) == 1
        assert "an event loop that is blocked" in answer
        assert await ref.ask("alive", block=False) == "alive"

    with pytest.warns(llm.BlocksLoopWarning) if not future._warned else contextlib.nullcontext():
        run(main())


# ---- streams ----------------------------------------------------------------------------------------------------------------


def test_a_tool_that_reads_the_stream_of_its_own_turn_is_told_when_nothing_can_come_any_more(dress):
    async def main():
        made: list[Any] = []
        seen: list[str] = []
        go_on = threading.Event()

        def beside() -> str:
            assert go_on.wait(WAIT)
            return "done"

        def note(event):
            seen.append(event.type)
            if event.type == "tool_started":
                go_on.set()

        async def native() -> str:
            async for event in made[0].events():
                note(event)
            return "all"

        def plain() -> str:
            for event in made[0].events():
                note(event)
            return "all"

        follow = llm.Tool.function(native if dress == "async" else plain, name="follow")
        conversation = MODELS[dress].conversation(tools=[follow, beside])
        made.append(conversation.chain("call follow beside"))
        answer = await text(made[0])
        assert "beside=done" in answer
        assert deadlocks(answer) == 1
        assert seen.count("tool_ended") == 1, "it has seen what came, to the last"

    run(main())


def test_two_tools_that_wait_for_a_reader_of_their_turn_are_both_part_of_the_circle(dress):
    """Whoever reads a stream waits for any of the tools that write to it: as long as one can go on, nobody is told."""

    async def main():
        made: dict[str, Any] = {}
        held = threading.Event()
        reading = threading.Event()

        def first() -> str:
            assert held.wait(WAIT)
            return made["reader"].prompt("hi").text() if dress == "sync" else "not used"

        async def first_native() -> str:
            await asyncio.to_thread(held.wait, WAIT)
            return await made["reader"].prompt("hi").text()

        tools = [
            llm.Tool.function(first if dress == "sync" else first_native, name="first"),
            asking(dress, "second", lambda: made["reader"].prompt("hi")),
        ]

        async def native() -> str:
            async for event in made["response"].events():
                note(event)
            return "read"

        def plain() -> str:
            for event in made["response"].events():
                note(event)
            return "read"

        def note(event):
            if event.type == "tool_started":
                reading.set()

        read = llm.Tool.function(native if dress == "async" else plain, name="read")
        made["reader"] = MODELS[dress].conversation(tools=[read])
        made["writer"] = MODELS[dress].conversation(tools=tools)
        made["response"] = made["writer"].chain("call first second")
        reader = made["reader"].chain("call read")
        await asyncio.to_thread(reading.wait, WAIT)
        await asyncio.sleep(0.05)
        held.set()
        answers = await texts(made["response"], reader)
        # `first` closes the circle of all three. Its end is something to read; then the reader closes one with `second`.
        assert [deadlocks(answer) for answer in answers] == [1, 1]

    run(main())


# ---- no circles -------------------------------------------------------------------------------------------------------------


def test_a_prompt_to_its_own_conversation_that_nobody_waits_for_queues_behind(dress):
    async def main():
        made: list[Any] = []

        def on() -> str:
            made.append(made[0].prompt("later"))
            return "sent"

        made.append(MODELS[dress].conversation(tools=[on]))
        assert await text(made[0].chain("call on")) == "on=sent"
        assert await text(made[1]) == "heard later"

    run(main())


def test_a_task_that_a_tool_leaves_behind_waits_for_its_conversation():
    async def main():
        made: list[Any] = []
        left: list[Any] = []

        async def on() -> str:
            left.append(asyncio.create_task(made[0].prompt("later").text()))
            await asyncio.sleep(0.05)
            return "sent"

        made.append(ASYNC.conversation(tools=[on]))
        assert await made[0].chain("call on").text() == "on=sent"
        assert await left[0] == "heard later"

    run(main())


def test_a_callback_that_waits_for_the_conversation_of_the_tool_that_registered_it(dress):
    async def main():
        made: dict[str, Any] = {}
        heard: list[str] = []
        ended = threading.Event()

        async def native(_):
            heard.append(await made["a"].prompt("from the callback").text())
            ended.set()

        def plain(_):
            heard.append(made["a"].prompt("from the callback").text())
            ended.set()

        async def on_native() -> str:
            response = made["b"].prompt("hi")
            await response.on_done(native)
            return await response.text()

        def on_plain() -> str:
            response = made["b"].prompt("hi")
            response.on_done(plain)
            return response.text()

        on = llm.Tool.function(on_native if dress == "async" else on_plain, name="on")
        made["a"] = MODELS[dress].conversation(tools=[on])
        made["b"] = MODELS[dress].conversation()
        assert await text(made["a"].chain("call on")) == "on=heard hi"
        assert await asyncio.to_thread(ended.wait, WAIT)
        assert heard == ["heard from the callback"]

    run(main())


def test_a_prompt_that_replaces_its_own_turn_is_told_of_the_cancel_and_not_of_a_circle(dress):
    async def main():
        made: list[Any] = []
        seen: list[Any] = []
        told = threading.Event()

        def wait():
            made.append(made[0].prompt("instead", detached=True))
            return made[1]

        async def native() -> str:
            try:
                return await wait().text()
            except BaseException as error:
                seen.append(type(error).__name__)
                raise
            finally:
                told.set()

        def plain() -> str:
            try:
                return wait().text()
            except BaseException as error:
                seen.append(type(error).__name__)
                raise
            finally:
                told.set()

        on = llm.Tool.function(native if dress == "async" else plain, name="on")
        made.append(MODELS[dress].conversation(tools=[on], when_busy="replace"))
        with pytest.raises(llm.ResponseCancelledError, match="replaced"):
            await text(made[0].chain("call on"))
        assert await text(made[1]) == "heard instead"
        assert await asyncio.to_thread(told.wait, WAIT)
        assert seen in (["CancelledError"], [])  # a thread that comes to its wait late finds the answer there

    run(main())


@pytest.mark.parametrize("how", ["response.cancel", "conversation.cancel", "conversation.close", "prompt after cancel"])
def test_a_tool_that_ends_its_own_turn_is_cancelled_and_in_no_circle(dress, how):
    async def main():
        made: list[Any] = []
        seen: list[Any] = []

        def begin():
            conversation, response = made
            if how == "response.cancel":
                return response.cancel
            if how == "conversation.close":
                return conversation.close
            conversation.cancel()
            return response.text if how == "conversation.cancel" else conversation.prompt("next").text

        async def native() -> str:
            try:
                await begin()()
            except BaseException as error:
                seen.append(type(error).__name__)
                raise
            return "ended"

        def plain() -> str:
            try:
                begin()()
            except BaseException as error:
                seen.append(type(error).__name__)
                raise
            return "ended"

        on = llm.Tool.function(native if dress == "async" else plain, name="on")
        made.append(MODELS[dress].conversation(tools=[on]))
        made.append(made[0].chain("call on"))
        with pytest.raises(llm.ResponseCancelledError):
            await text(made[1])
        if how != "conversation.close":
            assert await text(made[0].prompt("after")) == "heard after"
        assert "DeadlockError" not in seen

    run(main())


def test_waiting_for_a_busy_conversation_whose_tools_need_nobody(dress):
    async def main():
        made: dict[str, Any] = {}
        go_on = threading.Event()

        def works() -> str:
            assert go_on.wait(WAIT)
            return "worked"

        made["b"] = MODELS[dress].conversation(tools=[works])
        made["a"] = MODELS[dress].conversation(tools=[asking(dress, "on", lambda: made["b"].prompt("hi"))])
        busy = made["b"].chain("call works")
        answer = made["a"].chain("call on")
        await asyncio.sleep(0.02)
        go_on.set()
        assert await texts(busy, answer) == ["works=worked", "on=heard hi"]

    run(main())


# ---- toolboxes --------------------------------------------------------------------------------------------------------------


def test_a_toolboxs_line_is_part_of_the_circle():
    """A method waits for a conversation whose turn, begun by others, waits for the same toolbox."""

    async def main():
        made: dict[str, Any] = {}
        holds, asks = threading.Event(), threading.Event()

        class Box(llm.Toolbox):
            def hold(self) -> str:
                holds.set()
                assert asks.wait(WAIT)
                return made["b"].prompt("hi").text()

            def quick(self) -> str:
                return "quick"

        box = Box()

        def first() -> str:
            assert holds.wait(WAIT)
            return "first"

        made["a"] = SYNC.conversation(tools=[box])
        made["b"] = SYNC.conversation(tools=[box, first])
        holder = made["a"].chain("call Box_hold")
        busy = made["b"].chain("call first Box_quick")
        await asyncio.to_thread(holds.wait, WAIT)
        await asyncio.sleep(0.05)  # in line by now
        asks.set()
        answers = await texts(holder, busy)
        assert deadlocks(*answers) == 1
        assert "Box_quick=quick" in answers[1]

    run(main())


def test_a_call_that_joins_a_toolboxs_line_and_would_close_a_circle_is_not_started():
    async def main():
        made: dict[str, Any] = {}
        ran: list[str] = []
        waits, go_on = threading.Event(), threading.Event()

        class Box(llm.Toolbox):
            def hold(self) -> str:
                response = made["b"].prompt("hi")
                waits.set()
                return response.text()

            def quick(self) -> str:
                ran.append("quick")
                return "quick"

        box = Box()

        def before(tool, call) -> None:
            if tool.name == "Box_quick":
                assert waits.wait(WAIT)
                assert go_on.wait(WAIT)

        made["a"] = SYNC.conversation(tools=[box])
        made["b"] = SYNC.conversation(tools=[box], before_call=before)
        busy = made["b"].chain("call Box_quick")
        holder = made["a"].chain("call Box_hold")
        await asyncio.to_thread(waits.wait, WAIT)
        await asyncio.sleep(0.05)
        go_on.set()
        answers = await texts(busy, holder)
        assert answers[0].startswith(f"Box_quick=Error: {DEADLOCK}")
        assert answers[1] == "Box_hold=heard hi"
        assert ran == []

    run(main())


def test_a_toolbox_that_calls_itself_over_a_conversation_is_no_circle(dress):
    async def main():
        made: dict[str, Any] = {}

        class Box(llm.Toolbox):
            def outer(self) -> str:
                return made["b"].chain("call Box_inner").text()

            def inner(self) -> str:
                return "inner"

        box = Box()
        made["b"] = SYNC.conversation(tools=[box])
        conversation = MODELS[dress].conversation(tools=[box])
        assert await text(conversation.chain("call Box_outer")) == "Box_outer=Box_inner=inner"

    run(main())
