"""C4, and the rules for waiting and cancelling (DESIGN section 5, last paragraph): who reads, who waits, who gives up."""

import asyncio
import contextlib
import gc
import threading

import pytest

import llm_actors as llm
from llm_actors.runtime.waiting import ThreadWait
from llm_actors.testing import Answer, Gate, Send, Speak, chunk, head

from .worlds import World, until

WORDS = "one two three four five six seven eight nine ten"


async def collected(response):
    return [event async for event in response.events()]


def test_any_number_of_readers_tasks_or_threads_early_or_late_each_sees_the_whole_stream(server, pair, run):
    """C4: A response is an event log. Any number of readers, tasks or threads, early or late, each sees the whole stream; reading
    twice never runs anything twice; a slow, dead or abandoned reader changes nothing for the others."""
    server.set(pace=0.005)

    async def main():
        response = pair.async_model.prompt(WORDS)
        early = [asyncio.create_task(collected(response)) for _ in range(4)]
        threads = [asyncio.create_task(asyncio.to_thread(asyncio.run, collected(response))) for _ in range(4)]

        async def slow():
            seen = []
            async for event in response.events():
                seen.append(event)
                await asyncio.sleep(0.01)
            return seen

        async def dead():
            async for _ in response.events():
                raise ValueError

        async def abandoned():
            async for _ in response:
                return

        slowly = asyncio.create_task(slow())
        left = [asyncio.create_task(dead()), asyncio.create_task(abandoned())]
        await _text_of(response)
        middle = await collected(response)
        seen = [await task for task in (*early, *threads, slowly)]
        await asyncio.gather(*left, return_exceptions=True)
        late = await asyncio.gather(collected(response), asyncio.to_thread(asyncio.run, collected(response)))
        texts = [await response.text() for _ in range(2)]
        chunks = [text async for text in response]
        return [middle, *seen, *late], texts, chunks

    readings, texts, chunks = run(main())
    whole = readings[0]
    assert [event.number for event in whole] == list(range(len(whole)))
    assert "".join(event.chunk for event in whole[:-1]) == f"echo: {WORDS}"
    assert whole[-1].type == "end"
    assert all(reading == whole for reading in readings)
    assert texts == [f"echo: {WORDS}"] * 2
    assert "".join(chunks) == f"echo: {WORDS}"
    assert len(server.requests) == 1


async def _text_of(response):
    return await response.text()


def test_threads_that_read_a_response_each_see_the_whole_stream(server, pair):
    """C4: Any number of readers, tasks or threads, early or late, each sees the whole stream."""
    server.set(pace=0.005)
    response = pair.model.prompt(WORDS)
    readings = [[] for _ in range(6)]

    def read(seen):
        seen.extend(response.events())

    threads = [threading.Thread(target=read, args=(seen,)) for seen in readings]
    for thread in threads:
        thread.start()
    text = response.text()
    for thread in threads:
        thread.join(30)
    readings.append(list(response.events()))
    assert text == f"echo: {WORDS}" == "".join(response)
    assert all(seen == readings[0] for seen in readings)
    assert len(readings[0]) == len(WORDS.split()) + 2
    assert len(server.requests) == 1


def test_events_can_be_read_from_any_number_on(server, pair, run):
    """C4: ... early or late: a reader that comes back goes on where it was."""

    async def main():
        response = pair.async_model.prompt(WORDS)
        whole = await collected(response)
        for number in (0, 3, len(whole) - 1):
            assert [event async for event in response.events(after=number)] == whole[number:]

    run(main())


def test_reading_a_chain_twice_never_runs_anything_twice(server, pair, dress, run):
    """C4: reading twice never runs anything twice."""
    world = World(dress)
    ran = []

    def add(a: int) -> int:
        ran.append(a)
        return a

    async def main():
        response = world.model(pair).chain('call add {"a": 1}', tools=[add])
        first = await world.events(response)
        assert await world.text(response) == await world.text(response) == "results: add=1"
        assert await world.events(response) == first

    run(main())
    assert ran == [1]
    assert len(server.requests) == 2


async def spin(condition):
    """Waits, one round of the loop at a time, for what has no event."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0)


# ---- waiting and cancelling ------------------------------------------------------------------------------------------------


def held(name):
    """An answer that begins and then waits for `server.release(name)`."""
    delta = b'data: {"choices": [{"index": 0, "delta": {"content": "be"}}]}\n\n'
    rest = (
        b'data: {"choices": [{"index": 0, "delta": {"content": "gun"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    )
    return Answer([Send(head()), Send(chunk(delta)), Gate(name), Send(chunk(rest)), Send(chunk(b""))])


async def begun(response):
    """Waits until the first event is there."""
    async for _ in response.events():
        return


@pytest.mark.parametrize("way", ["text", "await", "iterator"])
def test_a_task_cancelled_while_it_waits_cancels_the_turn(server, pair, run, way):
    """A task cancelled ... while it waits inside `text()`, `await` or the iterator cancels the turn ... when nobody else is waiting in
    it and no `on_done` callback is registered (as awaiting a task does)."""
    server.play(held(f"never-{way}"))

    async def read(response):
        if way == "text":
            await response.text()
        elif way == "await":
            await response
        else:
            async for _ in response:
                pass

    async def main():
        response = pair.async_model.prompt("hi")
        await begun(response)
        task = asyncio.create_task(read(response))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(llm.ResponseCancelledError):
            await response.text()
        assert response.partial == "be"
        await server.until_idle()

    run(main())
    assert server.requests[0].closed_early


def test_a_task_cancelled_while_its_turn_is_still_queued_cancels_that_turn_alone(server, pair, run):
    """... cancels the turn, queued or running ..."""
    server.play(held("queued"))

    async def main():
        conversation = pair.async_model.conversation()
        first, second = conversation.prompt("first"), conversation.prompt("second")
        await begun(first)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await second.text()
        with pytest.raises(llm.ResponseCancelledError):
            await second.text()
        server.release("queued")
        assert await first.text() == "begun"
        assert await conversation.prompt("third").text() == "echo: third"

    run(main())
    assert len(server.requests) == 2


@pytest.mark.parametrize("other", ["task", "thread", "callback", "subscriber", "detached"])
def test_a_cancelled_wait_leaves_the_turn_to_others_who_want_it(server, pair, run, other):
    """... when nobody else is waiting in it and no `on_done` callback is registered ...; `detached=True` keeps it running."""
    gate = f"others-{other}"
    server.play(held(gate))

    async def main():
        response = pair.async_model.prompt("hi", detached=other == "detached")
        await begun(response)
        done = asyncio.Event()
        tasks = []
        if other == "task":
            tasks.append(asyncio.create_task(response.text()))
            await asyncio.sleep(0)
        elif other == "thread":
            tasks.append(asyncio.create_task(asyncio.to_thread(asyncio.run, response.text())))
            await spin(lambda: response._log._inside)  # that it waits there can't be seen from outside
        elif other == "callback":
            await response.on_done(lambda _: done.set())
        elif other == "subscriber":
            listener = Listener.start()
            response.subscribe(listener)
            await listener.ask("hello", block=False)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await response.text()
        server.release(gate)
        assert await response.text() == "begun"
        assert [await task for task in tasks] == ["begun"] * len(tasks)
        if other == "callback":
            assert done.is_set()
        if other == "subscriber":
            await listener.stop(block=False)

    run(main())


class Listener(llm.Actor):
    """Keeps the mail it gets; tells it when asked."""

    def __init__(self):
        super().__init__()
        self.mail = []

    def on_receive(self, message):
        if message == "hello":
            return self.mail
        self.mail.append(message)
        return None


def test_a_reader_woken_a_moment_ago_still_counts_as_waiting(server, pair, run):
    """... when nobody else is waiting in it ...: a reader between two chunks has not left."""
    server.play(held("woken"))

    async def main():
        response = pair.async_model.prompt("hi")
        reader = asyncio.create_task(collected(response))
        quitter = asyncio.create_task(response.text())
        log = response._log
        await spin(lambda: len(log._inside) == 2)
        await spin(lambda: log._items)
        quitter.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await quitter
        server.release("woken")
        assert [event.chunk for event in await reader][:2] == ["be", "gun"]

    run(main())


def test_break_a_cancel_in_the_loops_body_and_a_dropped_response_only_stop_reading(server, pair, run):
    """`break`, a cancel in the loop's body and a dropped Response only stop reading."""
    server.play(held("body"))

    async def main():
        conversation = pair.async_model.conversation()
        response = conversation.prompt("hi")
        async for _ in response:
            break
        in_body = asyncio.Event()

        async def body(response):
            async for _ in response:
                in_body.set()
                await asyncio.get_running_loop().create_future()

        task = asyncio.create_task(body(response))
        await in_body.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del response, task
        gc.collect()
        server.release("body")
        assert await conversation.prompt("next").text() == "echo: next"
        return conversation.messages()[1].text

    assert run(main()) == "begun"


def test_a_sync_tools_thread_that_waits_in_a_wait_of_ours_gets_cancelled_error_when_its_turn_is_cancelled(
    server, pair, dress, run
):
    """A sync tool's thread that waits in a wait of ours when its turn is cancelled gets `CancelledError` there."""
    world = World(dress)
    server.play(Answer([Speak()]), held(f"inner-{dress}"))
    inner, came = [], threading.Event()
    raised = []

    def nested() -> str:
        response = pair.model.prompt("inner")
        inner.append(response)
        try:
            return response.text()
        except BaseException as error:
            raised.append(error)
            raise
        finally:
            came.set()

    async def main():
        response = world.model(pair).chain("call nested {}", tools=[nested])
        await server.until_requests(2)
        await world.cancel(response)
        await until(came)
        assert isinstance(await world.error(response), llm.ResponseCancelledError)
        assert isinstance(raised[0], asyncio.CancelledError)
        # Nobody else waited for the inner one: it is cancelled as well, and its request is closed.
        assert isinstance(await asyncio.to_thread(_error_of, inner[0]), llm.ResponseCancelledError)
        await server.until_idle()

    run(main())
    assert server.requests[1].closed_early


def _error_of(response):
    try:
        response.text()
    except llm.LLMError as error:
        return error
    return None


def test_a_thread_interrupted_while_it_waits_cancels_the_turn(server, pair, monkeypatch):
    """... or a thread interrupted (Ctrl-C), while it waits inside `text()` ... cancels the turn."""
    server.play(held("ctrl-c"))
    response = pair.model.prompt("hi")
    next(iter(response))

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadWait, "sit", interrupt)
    with pytest.raises(KeyboardInterrupt):
        response.text()
    monkeypatch.undo()
    with pytest.raises(llm.ResponseCancelledError):
        response.text()
    server.wait_until_idle()


def test_a_blocking_wait_on_the_loop_that_does_the_work_raises_at_once_and_leaves_the_turn_running(server, pair, run):
    """A5: A blocking wait on the thread of the loop that has to do the work raises at once ("await it") instead of deadlocking."""

    async def main():
        conversation = pair.async_model.conversation()
        response = conversation.prompt("hi")
        blocking = llm.Response(response._log)
        with pytest.raises(llm.BlockingWaitError, match="await"):
            blocking.text()
        assert await response.text() == "echo: hi"

    run(main())


@pytest.mark.parametrize(
    "wait",
    [
        lambda response: response.text(),
        list,
        lambda response: list(response.events()),
        lambda response: response.cancel(),
        lambda response: response.conversation.close(),
    ],
    ids=["text", "iteration", "events", "cancel", "close"],
)
def test_in_a_notebook_the_warning_shows_the_line_of_the_cell(pair, run, monkeypatch, wait):
    """A5: ... the sync API inside a foreign running loop (a notebook) works, with one warning that it blocks that loop."""
    monkeypatch.setattr("llm_actors.runtime.future._warned", False)

    async def cell():
        response = pair.model.conversation().prompt("hi")
        with pytest.warns(llm.BlocksLoopWarning) as caught:
            wait(response)
        assert [warning.filename for warning in caught] == [__file__]

    run(cell())
