"""`response.events(after=n)`: a service's stream, which a reader can leave and come back to."""

import asyncio
import contextlib
import gc
import threading
import tracemalloc
import weakref

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import llm_actors as llm
from llm_actors.chat.asking import ask
from llm_actors.chat.event_log import EventLog
from llm_actors.messages import StreamEvent
from llm_actors.messages.assembly import assemble
from llm_actors.runtime import background, running

from .speakers import Says, SyncSays, run

HUGE = 10**30


def log_of(*items, error=None, over=True):
    log = EventLog("id", ask(Says(), "hi"), Says(), None)
    log.loop = running()
    log.write(items)
    if over:
        log.seal(error, [], [])
        log.release()
    return log


async def collected(response, **where):
    return [event async for event in response.events(**where)]


@pytest.mark.parametrize("number", [-1, -HUGE])
def test_a_negative_number_is_refused_at_the_call(number):
    for response in (llm.AsyncResponse(log_of("a")), llm.Response(log_of("a"))):
        for call in (lambda view: view.events(after=number), lambda view: view.subscribe(None, after=number)):
            with pytest.raises(ValueError, match="counts events from 0"):
                call(response)


@pytest.mark.parametrize("number", ["3", 1.5, None])
def test_what_is_no_number_is_refused_at_the_call(number):
    for response in (llm.AsyncResponse(log_of("a")), llm.Response(log_of("a"))):
        with pytest.raises(TypeError, match="the number of the first event"):
            response.events(after=number)


def test_nothing_below_the_number_is_given_not_even_the_end():
    """A client that has seen the last event and comes back is given nothing, and its stream ends."""

    async def main():
        response = Says("a", "b").prompt("hi")
        whole = await collected(response)
        assert [event.number for event in whole] == [0, 1, 2]
        for number in (0, 1, 2, 3, 4, HUGE):
            assert await collected(response, after=number) == whole[number:]
            assert list(llm.Response(response._log).events(after=number)) == whole[number:]

    run(main())


def test_a_number_beyond_what_has_arrived_is_waited_for():
    async def main():
        go = asyncio.Event()
        response = Says("a", go, "b", "c").prompt("hi")
        beyond = asyncio.create_task(collected(response, after=2))
        far = asyncio.create_task(collected(response, after=HUGE))
        async for _ in response.events():
            break
        assert not beyond.done()
        go.set()
        assert [(event.number, event.chunk) for event in await beyond] == [(2, "c"), (3, "stop")]
        assert await far == []

    run(main())


@pytest.mark.parametrize("late", [False, True])
def test_a_stream_that_is_left_at_any_event_goes_on_there(late):
    """In the middle of a chain too: rounds, tool calls, the tools' own events."""

    def add(a: int, b: int) -> int:
        return a + b

    async def main():
        def calls(response):
            response.add_tool_call(llm.ToolCall("add", {"a": 1, "b": 2}, "c1"))
            response.add_tool_call(llm.ToolCall("add", {"a": 3, "b": 4}, "c2"))

        class Twice(Says):
            async def execute(self, prompt, stream, response, conversation):
                yield "let me see"
                if prompt.tool_results:
                    yield "done"
                else:
                    calls(response)

        response = Twice().chain("hi", tools=[add])
        if late:
            await response.text()
        whole, after = [], 0
        while True:
            async for event in response.events(after=after):
                whole.append(event)
                break  # the connection is lost after each event
            else:
                break
            after = whole[-1].number + 1
        assert [event.number for event in whole] == list(range(len(whole)))
        kinds = [event.type for event in whole]
        assert kinds.count("tool_started") == kinds.count("tool_ended") == 2
        assert kinds.count("round") == 1
        assert kinds[-1] == "end"
        assert whole == await collected(response)

    run(main())


def test_a_reader_on_another_loop_and_one_in_a_thread_resume_at_the_same_numbers():
    async def main():
        gates = [asyncio.Event() for _ in range(3)]
        response = Says("a", gates[0], "b", gates[1], "c", gates[2], "d").prompt("hi")

        def halves(read):
            seen = read(0, 2)
            return seen + read(2, None)

        def on_another_loop(after, count):
            async def read():
                seen = []
                async for event in response.events(after=after):
                    seen.append(event)
                    if len(seen) == count:
                        break
                return seen

            return asyncio.run(read())

        def in_a_thread(after, count):
            seen = []
            for event in llm.Response(response._log).events(after=after):
                seen.append(event)
                if len(seen) == count:
                    break
            return seen

        readers = [
            asyncio.create_task(asyncio.to_thread(halves, read))
            for read in (on_another_loop, in_a_thread)
            for _ in "ab"
        ]
        for gate in gates:
            await asyncio.sleep(0)
            gate.set()
        whole = await collected(response)
        assert [event.chunk for event in whole] == ["a", "b", "c", "d", "stop"]
        for reader in readers:
            assert await reader == whole

    run(main())


def test_a_reader_whose_loop_was_closed_while_it_waited_changes_nothing():
    """C4: a slow, dead or abandoned reader changes nothing for the others."""
    go = threading.Event()
    response = SyncSays("a", go, "b").prompt("hi")
    dead = asyncio.new_event_loop()

    async def read():
        async for _ in llm.AsyncResponse(response._log).events(after=1):
            pass

    task = dead.create_task(read())
    while not response._log._waiters:
        dead.run_until_complete(asyncio.sleep(0))
    dead.close()
    go.set()
    assert [event.chunk for event in response.events()] == ["a", "b", "stop"]
    assert response.text() == "ab"
    assert not task.done()


def test_a_reader_that_was_dropped_leaves_nothing_in_the_log():
    async def main():
        go = asyncio.Event()
        response = Says("a", go, "b").prompt("hi")
        response._log.detached = True  # the cancel of its last reader is not to end it
        for _ in range(20):
            reader = asyncio.create_task(collected(response, after=1))
            while not response._log._waiters:  # noqa: ASYNC110 - that it waits has no event
                await asyncio.sleep(0)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            assert response._log._waiters == response._log._end_waiters == []
            events = response.events()
            assert (await anext(events)).chunk == "a"
            gone = weakref.ref(events)
            del events
            gc.collect()
            await asyncio.sleep(0)
            assert gone() is None
        go.set()
        assert await response.text() == "ab"

    run(main())


@pytest.mark.parametrize("read", [aiter, llm.AsyncResponse.events, llm.AsyncResponse.astream_events])
def test_a_reader_that_breaks_off_leaves_no_task_to_close_it(read):
    """No "Task was destroyed", also where the loop ends in that moment."""

    async def main():
        response = Says("a", asyncio.Event()).prompt("hi")
        async for _ in read(response):
            break
        tasks = len(asyncio.all_tasks())
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == tasks
        await response.cancel()

    run(main())


def test_tasks_that_share_a_reader_each_take_what_comes_next():
    async def main():
        go = asyncio.Event()
        response = Says("a", go, "b").prompt("hi")
        events = response.events()
        assert (await anext(events)).chunk == "a"
        waiting = [asyncio.create_task(anext(events, None)) for _ in range(3)]
        await asyncio.sleep(0)
        go.set()
        got = [event and event.chunk for event in await asyncio.gather(*waiting)]
        assert got == ["b", "stop", None]
        assert await anext(events, None) is None

    run(main())


def test_a_reader_that_is_closed_gives_nothing_more_and_one_of_a_failed_turn_raises_each_time():
    async def main():
        response = Says("a", "b").prompt("hi")
        async with contextlib.aclosing(response.astream_events()) as events:
            assert (await anext(events)).chunk == "a"
        assert [event async for event in events] == []
        chunks = aiter(Says("a", ValueError("no")).prompt("hi"))
        assert await anext(chunks) == "a"
        for _ in range(2):
            with pytest.raises(ValueError, match="no"):
                await anext(chunks)

    run(main())


def test_a_slow_reader_holds_a_batch_and_nothing_else():
    """Its place in the log is a number: what the fold lets go of is not kept for it."""

    async def main():
        log = log_of(over=False)
        tracemalloc.start()
        try:
            for number in range(100):
                log.write([f"{number:05d}-{place:05d}" for place in range(1000)])
            slow = llm.AsyncResponse(log).events()
            await anext(slow)
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            log.seal(None, [], [])
            log.release()
            gc.collect()
            after = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert before - after > 4_000_000  # of about 7 MB: 1.1 MB of text and 0.4 MB of numbers are left
        assert sum([1 async for _ in slow]) == 100_000

    run(main())


def test_a_failed_stream_ends_with_the_error_at_any_number():
    async def main():
        response = Says("a", ValueError("no")).prompt("hi")
        whole = await collected(response)
        assert [(event.type, event.number) for event in whole] == [("text", 0), ("error", 1)]
        assert await collected(response, after=1) == whole[1:]
        assert await collected(response, after=2) == []

    run(main())


def test_late_readers_of_the_text_do_not_see_what_a_restart_took_back_and_all_see_it_in_the_events():
    async def main():
        restart = StreamEvent("restart", "the fallback answers")
        log = log_of("Par", "is", over=False)
        live = aiter(llm.AsyncResponse(log))
        assert await anext(live) == "Par"
        log.write([restart, "Rome"])
        log.seal(None, [], [])
        log.release()
        response, blocking = llm.AsyncResponse(log), llm.Response(log)
        assert await response.text() == blocking.text() == response.partial == "Rome"
        assert [chunk async for chunk in response] == list(blocking) == ["Rome"]
        assert [event.chunk async for event in response.astream_events()] == ["Par", "is", restart.chunk, "Rome"]
        assert [event.type for event in blocking.events()] == ["text", "text", "restart", "text", "end"]

    run(main())


def test_the_message_of_a_round_that_began_again_has_the_last_attempt_only():
    from llm_actors.chat.round_writer import RoundWriter

    async def main():
        mails = []
        log = log_of("before", over=False)
        writer = RoundWriter(log, log.write, 1, running().clock, lambda _, mail: mails.append(mail))
        writer.write(["Paris", StreamEvent("reasoning", "hm")])
        writer.write([StreamEvent("restart", "")])
        writer.write(["Ro", "me"])
        writer.failed(ValueError())
        assert mails[0].messages == assemble(["Rome"])

    run(main())


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
events = st.builds(
    llm.Event,
    type=st.sampled_from(["text", "reasoning", "restart", "tool_progress", "end", "error"]) | st.text(),
    chunk=st.text(),
    part_index=st.none() | st.integers(0, 2**40),
    tool_call_id=st.none() | st.text(),
    server_executed=st.booleans(),
    tool_name=st.none() | st.text(),
    redacted=st.booleans(),
    provider_metadata=st.none() | st.dictionaries(st.text(), json_values, max_size=3),
    message_index=st.integers(0, 1000),
    number=st.integers(0, 2**60),
    response=st.text(),
)


@given(events)
def test_an_event_comes_back_from_json_and_from_msgpack_as_it_was(event):
    assert msgspec.json.decode(msgspec.json.encode(event), type=llm.Event) == event
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=llm.Event) == event


def test_a_writer_in_another_thread_and_readers_that_resume_at_each_item_miss_nothing():
    loop = background()
    log = EventLog("id", ask(Says(), "hi"), Says(), None)
    log.loop = loop
    readings = [[] for _ in range(4)]

    def read(seen):
        after = 0
        while True:
            for event in llm.Response(log).events(after=after):
                seen.append(event)
                break
            else:
                return
            after = seen[-1].number + 1

    threads = [threading.Thread(target=read, args=(seen,)) for seen in readings]
    for thread in threads:
        thread.start()
    for number in range(300):
        loop.post(log.write, [str(number)])
    loop.post(lambda: (log.seal(None, [], []), log.release()))
    for thread in threads:
        thread.join(20)
    assert [[event.chunk for event in seen] for seen in readings] == [[*map(str, range(300)), ""]] * 4
    assert [[event.number for event in seen] for seen in readings] == [list(range(301))] * 4
