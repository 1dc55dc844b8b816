"""A system's shutdown: what it refuses, lets finish, cancels, waits for, and says of it."""

import asyncio
import contextvars
import math
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import llm_actors as llm
from llm_actors import loop_engine_end, shutdown
from llm_actors.runtime import background, loop, running
from llm_actors.runtime.waiting import ThreadWait
from tests.chat.speakers import Says, SyncSays, run

WAIT = 10.0


def calls(*names, then="done"):
    """A model that asks for these tools in its first round and answers in its second."""

    class Calls(llm.AsyncModel):
        model_id = "calls"
        supports_tools = True

        async def execute(self, prompt, stream, response, conversation):
            if prompt.tool_results:
                yield then + " " + ", ".join(result.output for result in prompt.tool_results)
            else:
                for name in names:
                    response.add_tool_call(llm.ToolCall(name, {}))

    return Calls()


# ---- what it refuses


def test_a_prompt_sent_after_it_raises_an_error_that_says_so():
    async def main():
        async with llm.ActorSystem() as system:
            conversation = Says("a").conversation()
            assert await conversation.prompt("before").text() == "a"
            ending = system.shutdown()
            with pytest.raises(llm.SystemShutdownError, match="takes no more prompts"):  # from the call on
                conversation.prompt("after")
            await ending
            for ask in (conversation.prompt, conversation.chain, conversation.steer, Says("b").prompt):
                with pytest.raises(llm.SystemShutdownError):
                    ask("after")
            with pytest.raises(llm.SystemShutdownError):
                await conversation.ref.ask(llm.Prompt("as mail"), block=False)
            assert [response.prompt.prompt for response in conversation.responses] == ["before"]

    run(main())


def test_an_actor_of_a_conversation_that_was_shut_down_refuses_mail():
    async def main():
        system = llm.ActorSystem()
        with system:
            conversation = Says("a").conversation()
            ref = conversation.ref
            assert await (await ref.ask(llm.Prompt("one"), block=False)).text() == "a"
            await system.shutdown()
            with pytest.raises(llm.SystemShutdownError):
                await ref.ask(llm.Prompt("two"), block=False)

    run(main())


def test_prompts_written_down_without_a_loop_are_refused_where_their_system_is_gone():
    system = llm.ActorSystem()
    context = contextvars.copy_context()
    conversation = Says("a").conversation()
    context.run(system.__enter__)
    first = context.run(conversation.prompt, "written down")
    assert system.shutdown().get(timeout=WAIT).clean
    with pytest.raises(llm.SystemShutdownError):
        context.run(conversation.prompt, "refused at once")

    async def read():
        with pytest.raises(llm.SystemShutdownError):
            await first.text()
        with pytest.raises(llm.SystemShutdownError):  # again: it has ended
            await first.text()

    context.run(asyncio.run, read())


def test_a_drain_is_seconds_and_not_below_nothing():
    for wrong in (-1, math.nan):
        with pytest.raises(ValueError, match="at least 0"):
            llm.ActorSystem(drain=wrong)
        with pytest.raises(ValueError, match="at least 0"):
            llm.ActorSystem().shutdown(wrong)


# ---- what it lets finish, and what it cancels


def test_turns_that_run_and_turns_that_wait_finish_during_the_drain():
    async def main():
        go = asyncio.Event()
        async with llm.ActorSystem() as system:
            conversation = Says("a", go, "b").conversation()
            responses = [conversation.prompt(text) for text in ("runs", "waits", "waits too")]
            ending = system.shutdown(drain=WAIT)
            assert not ending.done()
            asyncio.get_running_loop().call_later(0.05, go.set)
            report = await ending
            assert [await response.text() for response in responses] == ["ab"] * 3
        return report

    report = run(main())
    assert (report.finished, report.cancelled, report.clean) == (3, 0, True)
    assert report.seconds < 5


def test_what_is_left_when_the_time_is_up_is_cancelled_and_its_history_repaired():
    async def main():
        never = asyncio.Event()
        async with llm.ActorSystem(drain=WAIT) as system:

            async def hang():
                await never.wait()

            conversation, other = Says("half", never).conversation(), calls("hang").conversation()
            said = conversation.prompt("runs")
            waiting = conversation.prompt("waits")
            tool = other.chain("x", tools=[hang])
            async for _ in said:
                break
            report = await system.shutdown(drain=0.05)
        for response in (said, waiting, tool):
            with pytest.raises(llm.SystemShutdownError, match="before this turn had ended"):
                await response.text()
        assert said.partial == "half"
        assert issubclass(llm.SystemShutdownError, llm.ResponseCancelledError)
        assert [message.role for message in conversation.messages()] == ["user", "assistant"]
        assert [message.role for message in other.messages()] == ["user", "assistant", "tool"]
        return report

    report = run(main())
    assert (report.finished, report.cancelled, report.clean) == (0, 3, True)
    assert str(report).endswith("0 turns finished, 3 cancelled")


def test_a_prompt_that_a_turn_sends_is_part_of_it_until_the_drain_is_over():
    async def main():
        go, never = asyncio.Event(), asyncio.Event()
        refused = []
        async with llm.ActorSystem() as system:

            async def ask_another():
                await go.wait()
                return await Says("from another").prompt("?").text()

            def ask_in_a_thread():
                return SyncSays("from a thread").prompt("?").text()

            async def too_late():
                try:
                    await never.wait()
                finally:
                    try:
                        Says("x").prompt("too late")
                    except llm.SystemShutdownError as error:
                        refused.append(error)

            left = calls("too_late").chain("x", tools=[too_late])
            response = calls("ask_another", "ask_in_a_thread").chain("x", tools=[ask_another, ask_in_a_thread])
            await asyncio.sleep(0)
            ending = system.shutdown(drain=0.5)
            go.set()
            assert await response.text() == "done from another, from a thread"
            report = await ending
        assert isinstance(left.error, llm.SystemShutdownError)
        assert refused
        return report

    assert run(main()).finished == 3


def test_what_a_tool_left_running_is_no_turn_any_more():
    async def main():
        never, go = asyncio.Event(), asyncio.Event()
        tasks = []
        async with llm.ActorSystem() as system:

            async def late():
                await go.wait()
                Says("x").prompt("on whose behalf?")

            async def leaves_a_task():
                tasks.append(asyncio.create_task(late()))

            assert await calls("leaves_a_task").chain("x", tools=[leaves_a_task]).text()
            Says(never).prompt("keeps it draining")
            ending = system.shutdown(drain=WAIT)
            go.set()
            with pytest.raises(llm.SystemShutdownError):
                await tasks[0]
            system.shutdown(drain=0)
            await ending

    run(main())


def test_a_second_call_with_a_shorter_drain_makes_it_shorter_and_a_longer_one_changes_nothing():
    async def main():
        async with llm.ActorSystem() as system:
            response = Says(asyncio.Event()).prompt("never")
            first = system.shutdown(drain=math.inf)
            await asyncio.sleep(0.01)
            assert not response.done
            second = system.shutdown(drain=0)
            third = system.shutdown(drain=100)
            return await first, await second, await third

    first, second, third = run(main())
    assert first is second is third
    assert (first.cancelled, first.seconds < 5) == (1, True)


def test_async_with_gives_turns_the_systems_drain_but_none_when_it_is_left_by_an_exception():
    async def main():
        go = asyncio.Event()
        async with llm.ActorSystem(drain=WAIT):
            response = Says(go, "a").prompt("hi")
            asyncio.get_running_loop().call_later(0.05, go.set)
        assert await response.text() == "a"
        with pytest.raises(ZeroDivisionError):
            async with llm.ActorSystem(drain=WAIT):
                left = Says(asyncio.Event()).prompt("hi")
                raise ZeroDivisionError
        assert isinstance(left.error, llm.SystemShutdownError)

    run(main())


def test_mail_sent_before_it_is_taken_also_when_there_is_more_than_one_round_of_it():
    async def main():
        async with llm.ActorSystem() as system:
            conversation = Says("a").conversation()
            responses = [conversation.prompt(str(number)) for number in range(200)]
            report = await system.shutdown(drain=WAIT)
            assert [await response.text() for response in responses] == ["a"] * 200
            return report

    assert run(main()).finished == 200


def test_without_a_drain_all_that_was_sent_is_counted_as_cancelled():
    async def main():
        async with llm.ActorSystem() as system:
            conversation = Says("a").conversation()
            responses = [conversation.prompt(str(number)) for number in range(200)]
            report = await system.shutdown()
            assert {type(response.error) for response in responses} <= {llm.SystemShutdownError, type(None)}
            assert all(response.done for response in responses)
            return report

    report = run(main())
    assert report.finished + report.cancelled == 200
    assert report.cancelled > 190


# ---- callbacks, threads, tasks


def test_callbacks_that_suspended_are_awaited():
    async def main():
        called = []
        async with llm.ActorSystem() as system:

            async def callback(response):
                await asyncio.sleep(0.05)
                called.append(await response.text())

            response = Says("a").prompt("hi")
            await response.on_done(callback)
            await response.text()
            report = await system.shutdown()
            assert called == ["a"]
        return report

    assert run(main()).callbacks == 1


def test_a_callback_that_does_not_end_is_cancelled_in_the_end(monkeypatch):
    monkeypatch.setattr(loop_engine_end, "GRACE", 0.05)

    async def main():
        ended = []

        async def callback(_):
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("ended")

        async with llm.ActorSystem():
            response = Says("a").prompt("hi")
            await response.on_done(callback)
            await response.text()
        return ended

    assert run(main()) == ["ended"]


def test_a_thread_stuck_in_a_tool_is_named_with_its_tool_and_its_seconds():
    release = threading.Event()
    entered = threading.Barrier(3)

    def hang():
        entered.wait(WAIT)
        release.wait(WAIT)

    class Hangs(llm.AsyncModel):
        model_id = "hangs"

        def execute(self, prompt, stream, response, conversation):
            entered.wait(WAIT)
            release.wait(WAIT)
            return "a"

    async def main():
        async with llm.ActorSystem() as system:
            calls("hang").chain("x", tools=[hang])
            Hangs().prompt("x")
            await asyncio.to_thread(entered.wait, WAIT)
            return await system.shutdown()

    report = run(main())
    try:
        assert not report.clean
        tool, model = report.abandoned
        assert (tool.tool, model.tool) == ("hang", "execute of hangs")
        names = {thread.name: thread.daemon for thread in threading.enumerate()}
        assert names[tool.thread]
        assert names[model.thread]
        assert all(0 < call.seconds < WAIT for call in report.abandoned)
        assert f"hang ({tool.thread}) has not returned for" in str(report)
    finally:
        release.set()


def test_a_thread_that_returns_when_it_is_told_is_not_reported():
    entered = threading.Event()

    def polite():
        entered.set()
        until = time.monotonic() + WAIT
        while not llm.cancelled() and time.monotonic() < until:
            time.sleep(0.001)

    async def main():
        async with llm.ActorSystem() as system:
            calls("polite").chain("x", tools=[polite])
            await asyncio.to_thread(entered.wait, WAIT)
            return await system.shutdown()

    assert run(main()).clean


def test_nothing_stays_registered_on_a_loop_that_sees_many_systems():
    async def main():
        here = running()
        for _ in range(20):
            async with llm.ActorSystem():
                await Says("a").prompt("hi").text()
        return len(here._end_callbacks), len(here.services), len(asyncio.all_tasks())

    assert run(main()) == (0, 0, 1)


def test_a_shutdown_that_nobody_awaits_is_finished_by_the_end_of_the_loop():
    async def main():
        system = llm.ActorSystem()
        with system:
            response = Says(asyncio.Event()).prompt("hi")
            ending = system.shutdown(drain=100)
            await asyncio.sleep(0)
        return response, ending

    response, ending = asyncio.run(main())
    assert isinstance(response.error, llm.LoopClosedError | llm.SystemShutdownError)
    assert ending.get(timeout=WAIT).cancelled == 1


def test_a_waiter_that_is_cancelled_does_not_stop_it():
    async def main():
        system = llm.ActorSystem()
        with system:
            go = asyncio.Event()
            response = Says(go, "a").prompt("hi")
            waiter = asyncio.ensure_future(asyncio.wait_for(system.shutdown(drain=WAIT), 0.02))
            with pytest.raises(TimeoutError):
                await waiter
            go.set()
            assert (await system.shutdown(drain=WAIT)).finished == 1
            assert await response.text() == "a"

    run(main())


# ---- several loops, threads, other ways


def test_a_system_with_nothing_on_any_loop_is_shut_down_at_once():
    system = llm.ActorSystem()
    assert system.shutdown(drain=100).get(timeout=0.5) == system.shutdown().get()
    assert system.shutdown().get().clean


def test_sync_code_blocks_for_it_and_the_background_thread_is_gone():
    started = threading.Event()
    system = llm.ActorSystem()
    with system:
        model = SyncSays(lambda _: started.set(), "a", threading.Event())
        response = model.prompt("never ends")
        assert started.wait(WAIT)
        home = background()
        others = [key for key in home.services if key is not system]
        report = system.shutdown().get(timeout=WAIT)
    assert report.cancelled == 1
    with pytest.raises(llm.SystemShutdownError):
        response.text()
    if not any(hasattr(other, "engine") for other in others):  # of a test before: then the thread is not ours alone
        assert home.closed


def test_turns_on_several_loops_are_drained_at_once():
    system = llm.ActorSystem()
    ready, entered = threading.Event(), threading.Event()
    ended = []

    def in_a_thread():
        async def main():
            go = asyncio.Event()
            with system:
                response = Says(go, "a").prompt("hi")
                ready.set()
                asyncio.get_running_loop().call_later(0.1, go.set)
                ended.append(await response.text())
                await asyncio.to_thread(entered.wait, WAIT)

        asyncio.run(main())

    worker = threading.Thread(target=in_a_thread)
    worker.start()

    async def main():
        go, there = asyncio.Event(), threading.Event()
        with system:
            Says(go, "a").prompt("hi")
            other = SyncSays(there, "b").prompt("on the background loop")
            await asyncio.to_thread(ready.wait, WAIT)
            asyncio.get_running_loop().call_later(0.1, lambda: (go.set(), there.set()))
            report = await system.shutdown(drain=WAIT)
            assert other.text() == "b"
            return report

    report = run(main())
    entered.set()
    worker.join(WAIT)
    assert ended == ["a"]
    assert (report.finished, report.cancelled, report.silent) == (3, 0, ())


def test_to_block_for_it_on_a_loop_that_has_to_do_its_part_raises_at_once():
    async def main():
        async with llm.ActorSystem() as system:
            await Says("a").prompt("hi").text()
            with pytest.raises(llm.BlockingWaitError, match="await it"):
                system.shutdown().get()

    run(main())


def test_a_loop_that_does_not_run_any_more_is_given_up_and_named(monkeypatch):
    monkeypatch.setattr(shutdown, "SILENCE", 0.2)
    monkeypatch.setattr(ThreadWait, "slice", 0.05)
    system = llm.ActorSystem()

    async def begin():
        with system:
            return await Says("a").prompt("hi").text()

    asyncio_loop = asyncio.new_event_loop()
    assert asyncio_loop.run_until_complete(begin()) == "a"
    report = system.shutdown().get(timeout=WAIT)  # it will never do its part, nor say so
    assert report.silent == ("the loop of MainThread",)
    assert "did not answer" in str(report)
    assert not report.clean
    asyncio_loop.run_until_complete(asyncio_loop.shutdown_asyncgens())
    asyncio_loop.close()


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_loop_that_is_closed_is_not_waited_for(when, monkeypatch):
    monkeypatch.setattr(ThreadWait, "slice", 0.05)
    system = llm.ActorSystem()

    async def begin():
        with system:
            return await Says("a").prompt("hi").text()

    asyncio_loop = asyncio.new_event_loop()
    asyncio_loop.run_until_complete(begin())
    if when == "before":
        asyncio_loop.close()
    ending = system.shutdown()
    asyncio_loop.close()
    assert ending.get(timeout=WAIT).silent == ()


def test_an_end_that_fails_is_logged_and_holds_nobody(monkeypatch, caplog):
    async def main():
        async with llm.ActorSystem() as system:
            await Says("a").prompt("hi").text()
            engine = system.engine(running())

            async def close(_):
                raise ZeroDivisionError

            monkeypatch.setattr(engine.tools, "close", close)
            assert (await system.shutdown()).finished == 0

    run(main())
    assert "did not end as it should" in caplog.text


def test_the_background_thread_stays_while_somebody_lives_there():
    class Lodger(llm.Actor):
        pass

    lodger = Lodger.start()
    lodger.ask("x")
    system = llm.ActorSystem()
    with system:
        assert SyncSays("a").prompt("hi").text() == "a"
    home = background()
    system.shutdown().get(timeout=WAIT)
    assert background() is home
    lodger.stop()


def test_only_the_background_loop_is_retired():
    async def main():
        return loop.retire_background(running(), print)

    assert run(main()) is False


def test_the_default_system_too():
    program = """
    import threading
    import llm_actors as llm
    model = llm.get_model("demo")
    assert model.prompt("hi").text()
    report = llm.default_system.shutdown().get(timeout=10)
    print(report.clean)
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(5)
    print(threading.active_count())
    for late in (model, llm.get_async_model("demo")):
        try:
            late.prompt("after")
        except llm.SystemShutdownError as error:
            print("refused")
    print(threading.active_count())
    with llm.ActorSystem() as another:
        print(bool(model.prompt("hi").text()))
    another.shutdown()
    """
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout.split(), done.stderr) == (["True", "1", "refused", "refused", "1", "True"], "")
