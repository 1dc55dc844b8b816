"""Tools that are generators: progress while they run, one result, closed whatever happens."""

import asyncio
import gc
import threading
import traceback
import weakref

import pytest

import llm_actors as llm
from llm_actors.chat.function import called_by_name
from llm_actors.observe import ToolAbandoned, ToolReturned

from .pool_calls import Calls, until
from .speakers import run


class Asks(llm.AsyncModel):
    """Asks for these calls, then says what came back."""

    model_id = "asks"
    supports_tools = True

    def __init__(self, *calls):
        self.calls = calls

    async def execute(self, prompt, stream, response, conversation):
        if prompt.tool_results:
            yield "|".join(result.output for result in prompt.tool_results)
        else:
            for place, call in enumerate(self.calls):
                response.add_tool_call(llm.ToolCall(call, {}, f"c{place}"))


class SyncAsks(llm.Model):
    model_id = "sync-asks"
    supports_tools = True

    def __init__(self, *calls):
        self.calls = calls

    def execute(self, prompt, stream, response, conversation):
        if prompt.tool_results:
            yield "|".join(result.output for result in prompt.tool_results)
        else:
            for place, call in enumerate(self.calls):
                response.add_tool_call(llm.ToolCall(call, {}, f"c{place}"))


def plain(*items, result=None):
    def tool():
        yield from items
        return result

    return tool


def asynchronous(*items):
    async def tool():
        for item in items:
            yield item

    return tool


async def story(tool, **more):
    """The tool's events, `(type, chunk)`, and the text."""
    response = Asks("tool").chain("go", tools=[llm.Tool.function(tool, name="tool", **more)])
    text = await response.text()
    events = [event async for event in response.events() if event.type.startswith("tool_")]
    assert {(event.tool_call_id, event.tool_name) for event in events} == {("c0", "tool")}
    return [(event.type.removeprefix("tool_"), event.chunk) for event in events], text


OUT = llm.ToolOutput
STORIES = {
    "returned": (plain("a", "b", result=7), ["a", "b"], "7"),
    "returned, nothing yielded": (plain(result="x"), [], "x"),
    "yielded, plain": (plain("a", OUT("x"), "never"), ["a"], "x"),
    "yielded, async": (asynchronous("a", OUT("x"), "never"), ["a"], "x"),
    "only an output, async": (asynchronous(OUT({"n": 1})), [], '{"n": 1}'),
    "an empty output, async": (asynchronous("a", OUT()), ["a"], "null"),
    "neither, plain": (plain("a", {"n": 1}), ["a", '{"n": 1}'], '["a", {"n": 1}]'),
    "neither, async": (asynchronous("a", {"n": 1}), ["a", '{"n": 1}'], '["a", {"n": 1}]'),
    "nothing at all, plain": (plain(), [], "null"),
    "nothing at all, async": (asynchronous(), [], "null"),
    "values": (plain(1, None, True, ["x"], "é", result="r"), ["1", "null", "true", '["x"]', "é"], "r"),
}


@pytest.mark.parametrize("name", STORIES)
def test_what_is_yielded_is_progress_and_an_output_or_a_return_the_result(name):
    tool, progress, result = STORIES[name]
    told, text = run(story(tool))
    assert told == [("started", "{}"), *(("progress", chunk) for chunk in progress), ("ended", result)]
    assert text == result


def test_progress_is_in_the_events_while_the_tool_runs():
    async def main():
        go, thread_go = asyncio.Event(), threading.Event()

        async def on_the_loop():
            yield "half"
            await go.wait()
            yield OUT("whole")

        def in_a_thread():
            yield "half"
            assert thread_go.wait(30)
            return "whole"

        for tool, gate in ((on_the_loop, go), (in_a_thread, thread_go)):
            response = Asks("tool").chain("go", tools=[llm.Tool.function(tool, name="tool")])
            async for event in response.events():
                if event.type == "tool_progress":
                    assert event.chunk == "half"
                    assert not response.done
                    gate.set()
            assert await response.text() == "whole"

    run(main())


def test_progress_comes_in_sync_code_too():
    response = SyncAsks("a", "b").chain(
        "go",
        tools=[
            llm.Tool.function(plain("x", result=1), name="a"),
            llm.Tool.function(asynchronous("y", OUT(2)), name="b"),
        ],
    )
    told = [(event.tool_name, event.chunk) for event in response.events() if event.type == "tool_progress"]
    assert sorted(told) == [("a", "x"), ("b", "y")]
    assert response.text() == "1|2"


def test_files_come_with_the_result():
    async def main():
        file = llm.Attachment(content=b"x", type="image/png")
        response = Asks("tool").chain("go", tools=[llm.Tool.function(asynchronous(OUT("x", [file])), name="tool")])
        await response.text()
        (result,) = [result for past in [r async for r in response.responses()] for result in past.tool_results]
        assert (result.output, result.attachments) == ("x", [file])

    run(main())


def test_methods_of_a_toolbox_and_what_takes_its_arguments_by_place_are_generators_too():
    class Box(llm.Toolbox):
        def plain(self):
            yield "p"
            return self.seen()

        async def asynchronous(self):
            yield "a"
            yield OUT(self.seen())

        def seen(self):
            return "box"

    async def by_place(x=1, /, *more):
        yield x
        yield OUT(more)

    async def main():
        response = Asks("Box_plain", "Box_asynchronous", "by_place").chain("go", tools=[Box(), by_place])
        assert await response.text() == "box|box|[]"
        told = [(event.tool_name, event.chunk) async for event in response.events() if event.type == "tool_progress"]
        assert sorted(told) == [("Box_asynchronous", "a"), ("Box_plain", "p"), ("by_place", "1")]

    run(main())


def test_where_they_run():
    """T1: A synchronous tool never runs on the event loop; an async def tool runs on it natively."""

    async def main():
        loop, seen = asyncio.get_running_loop(), []

        def in_a_thread():
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
            seen.append(threading.current_thread())
            yield 1
            seen.append(threading.current_thread())
            return 1

        async def on_the_loop():
            assert asyncio.get_running_loop() is loop
            yield OUT(1)

        def making():
            return on_the_loop()

        async with Calls() as calls:
            assert await calls.call(in_a_thread).value() == 1
            assert seen[0] is seen[1] is not threading.current_thread()
            assert (await calls.call(on_the_loop).value()).output == 1
            # A plain function that only makes one:
            assert (await calls.call(making).value()).output == 1

        assert llm.Tool.function(on_the_loop).is_async
        assert not llm.Tool.function(in_a_thread).is_async
        assert llm.Tool.function(called_by_name(on_the_loop)).is_async

    run(main())


def test_an_exception_is_a_result_and_what_was_told_stays():
    """T4: A tool's exception ... is a result for the model."""

    def plainly():
        yield "half"
        raise ValueError("broke")

    async def async_too():
        yield "half"
        raise ValueError("broke")

    async def main():
        for tool in (plainly, async_too):
            told, text = await story(tool)
            assert told == [("started", "{}"), ("progress", "half"), ("ended", "Error: broke")]
            assert text == "Error: broke"

    run(main())


def test_a_value_that_can_not_be_shown_is_the_tools_failure():
    class Bad:
        def __repr__(self):
            raise ValueError("no repr")

    def plainly():
        yield Bad()

    async def async_too():
        yield Bad()

    async def main():
        for tool in (plainly, async_too):
            assert (await story(tool))[1] == "Error: no repr"

    run(main())


def test_an_errors_traceback_begins_in_the_users_code():
    def plainly(key):
        yield "x"
        raise ValueError(len(key))

    async def async_too(key):
        yield "x"
        raise ValueError(len(key))

    async def main():
        async with Calls() as calls:
            for tool in (plainly, async_too):
                outcome = await calls.call(tool, "secret").outcome()
                assert [frame.name for frame in traceback.extract_tb(outcome.error.__traceback__)] == [tool.__name__]

    run(main())


def test_a_pause_in_a_generator_leaves_the_chain():
    def tool():
        yield "asking a human"
        raise llm.PauseChain

    async def main():
        response = Asks("tool").chain("go", tools=[tool])
        with pytest.raises(llm.PauseChain) as caught:
            await response.text()
        assert caught.value.tool_call.tool_call_id == "c0"
        assert [event.chunk async for event in response.events() if event.type == "tool_progress"] == ["asking a human"]

    run(main())


def test_hooks_run_once_around_it():
    async def main():
        seen = []
        response = Asks("tool").chain(
            "go",
            tools=[llm.Tool.function(plain("a", "b", result="r"), name="tool")],
            before_call=lambda tool, call: seen.append("before"),
            after_call=lambda tool, call, result: seen.append(result.output),
        )
        await response.text()
        assert seen == ["before", "r"]

    run(main())


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_cancelled_one_is_closed_and_tells_nothing_more(kind):
    """C5: when `await response.cancel()` returns, ... no event, callback or history entry comes from that turn."""

    async def main():
        closed, waits, leave = threading.Event(), threading.Event(), threading.Event()

        def plainly():
            try:
                yield "one"
                waits.set()
                assert leave.wait(30)
                yield "two"
                raise AssertionError("it goes on")
            finally:
                closed.set()

        async def async_too():
            try:
                yield "one"
                waits.set()
                await asyncio.Event().wait()
            finally:
                closed.set()

        tool = llm.Tool.function(plainly if kind == "plain" else async_too, name="tool")
        response = Asks("tool").chain("go", tools=[tool])
        assert await asyncio.to_thread(waits.wait, 10)
        await response.cancel()
        if kind == "async":
            assert closed.is_set()
        told = [event.chunk async for event in response.events() if event.type == "tool_progress"]
        leave.set()
        assert await asyncio.to_thread(closed.wait, 10)
        assert told == ["one"] == [event.chunk async for event in response.events() if event.type == "tool_progress"]
        assert response.error.__class__ is llm.ResponseCancelledError

    run(main())


def test_one_that_yields_without_end_can_be_cancelled_and_lets_others_run():
    async def main():
        closed = []

        def plainly():
            try:
                while True:
                    yield "x"
            finally:
                closed.append("plain")

        async def async_too():
            try:
                while True:
                    yield "x"
            finally:
                closed.append("async")

        async def stubborn():
            while True:
                try:
                    yield "x"
                except asyncio.CancelledError:
                    continue

        for tool in (plainly, async_too, stubborn):
            response = Asks("tool").chain("go", tools=[llm.Tool.function(tool, name="tool")])
            async for event in response.events():
                if event.type == "tool_progress":
                    break
            await response.cancel()
            count = len(response._log)
            await asyncio.sleep(0)
            assert len(response._log) == count
        await until(lambda: len(closed) == 2)

    run(main())


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_its_timeout_counts_over_the_whole_and_progress_does_not_prolong_it(kind):
    """T3: A hanging tool costs one worker until its timeout."""

    async def main():
        closed = threading.Event()

        def plainly():
            pause = threading.Event()
            try:
                while True:
                    yield "x"
                    pause.wait(0.02)
            finally:
                closed.set()

        async def async_too():
            try:
                while True:
                    yield "x"
                    await asyncio.sleep(0.02)
            finally:
                closed.set()

        told, text = await story(plainly if kind == "plain" else async_too, timeout=0.3)
        assert 'the tool "tool" did not return within 0.3 s' in text
        assert told[-1][0] == "ended"
        assert {chunk for what, chunk in told if what == "progress"} == {"x"}
        assert await asyncio.to_thread(closed.wait, 10)

    run(main())


def test_a_plain_one_that_was_set_aside_returns_at_its_next_yield():
    async def main():
        go = threading.Event()

        def tool():
            yield "one"
            assert go.wait(30)
            yield "two"
            raise AssertionError("it goes on")

        async with Calls() as calls:
            told = []
            call = calls.call(tool, timeout=0.1, progress=told.append)
            assert (await call.outcome()).kind == "timeout"
            await calls.observed(ToolAbandoned)
            go.set()
            await calls.observed(ToolReturned)
            assert told == ["one"]

    run(main())


def test_one_that_will_not_be_closed_is_a_failure():
    def tool():
        try:
            yield OUT("x")
        finally:
            yield "no"

    async def main():
        assert (await story(tool))[1] == "Error: generator ignored GeneratorExit"

    run(main())


def test_a_long_progress_is_cut_and_marked():
    async def main():
        told, text = await story(plain("x" * 100_000, result="r"))
        assert len(told[1][1]) == 65_536
        assert told[1][1].endswith("[cut: this is the beginning of 100000 bytes]")
        assert text == "r"

    run(main())


def test_an_actor_gets_progress_as_mail():
    async def main():
        got, done = [], asyncio.Event()

        class Listener(llm.Actor):
            def on_receive(self, message):
                got.append((message.type, message.chunk))
                if message.type == "end":
                    done.set()

        ref = Listener.start()
        response = Asks("tool").chain("go", tools=[llm.Tool.function(asynchronous("a", "b", OUT("c")), name="tool")])
        response.subscribe(ref)
        await done.wait()
        assert [chunk for kind, chunk in got if kind == "tool_progress"] == ["a", "b"]
        await ref.stop(block=False)

    run(main())


def test_nothing_of_a_generator_is_kept_when_it_is_over():
    class Held:
        pass

    async def main():
        held = Held()
        gone = weakref.ref(held)

        def tool(held=held):
            yield "x"
            yield OUT(repr(type(held)))

        async with Calls() as calls:
            call = calls.call(tool, held)
            await call.value()
            job = call.job
            del held, tool, call
            gc.collect()
            assert job.state == "over"
            await calls.call(lambda: None).value()  # its worker has another call in hand
            gc.collect()
            assert gone() is None

    run(main())


def test_progress_and_result_come_in_order_from_a_busy_thread():
    def tool():
        yield from range(2000)
        return "end"

    async def main():
        told, _ = await story(tool)
        assert told[1:-1] == [("progress", str(number)) for number in range(2000)]

    run(main())
