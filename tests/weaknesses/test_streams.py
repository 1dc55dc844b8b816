"""Weaknesses W3, W3s, W4, W5, W6, W7 and W25 of the peer: what a response is while it comes, when it broke, and afterwards."""

import asyncio
import threading
from typing import Any

import pytest

import llm_actors as llm

from .played import AsyncPlayed, Played, run, said

BROKEN = ["Hello ", RuntimeError("broken in mid-stream")]


def test_w03_after_an_error_in_mid_stream_text_raises_each_time_and_nothing_is_recorded_as_complete():
    done: list[Any] = []
    model = AsyncPlayed(list(BROKEN), ["fine"])
    conversation = model.conversation()

    async def main():
        response = conversation.prompt("go")
        await response.on_done(done.append)
        for _ in range(3):
            with pytest.raises(RuntimeError, match="broken in mid-stream"):
                await response.text()
        for read in (response.json, response.usage, response.messages, response.tool_calls):
            with pytest.raises(RuntimeError, match="broken in mid-stream"):
                await read()
        chunks: list[str] = []
        with pytest.raises(RuntimeError, match="broken in mid-stream"):
            async for chunk in response:
                chunks.append(chunk)
        assert chunks == ["Hello "]
        return response.partial, await conversation.prompt("again").text()

    assert run(main) == ("Hello ", "fine")
    assert done == []
    _the_broken_answer_is_marked(conversation, model)


def test_w03s_the_same_in_sync_code_and_the_model_is_not_asked_again():
    done: list[Any] = []
    model = Played(list(BROKEN), ["fine"])
    conversation = model.conversation()
    response = conversation.prompt("go")
    response.on_done(done.append)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="broken in mid-stream"):
            response.text()
    chunks: list[str] = []
    with pytest.raises(RuntimeError, match="broken in mid-stream"):
        chunks.extend(chunk for chunk in response)
    assert response.partial == "Hello "
    assert len(model.asked) == 1
    assert conversation.prompt("again").text() == "fine"
    assert done == []
    _the_broken_answer_is_marked(conversation, model)


def _the_broken_answer_is_marked(conversation, model):
    assert [response.prompt.prompt for response in conversation.responses] == ["again"]
    user, cut, *_ = model.asked[1]
    assert said(model.asked[1]) == [("user", "go"), ("assistant", "Hello "), ("user", "again")]
    assert user.provider_metadata is None
    assert cut.provider_metadata == {"llm_actors": {"interrupted": "failed"}}


@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_w04_after_a_timeout_or_cancel_text_raises_and_the_answer_is_not_recorded_as_complete(how):
    done: list[Any] = []
    model = AsyncPlayed(["partial", lambda: asyncio.Event().wait()], ["fine"])
    conversation = model.conversation()

    async def main():
        response = conversation.prompt("go")
        if how == "timeout":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(response.text(), 0.2)
        else:
            reading = asyncio.create_task(response.text())
            await anext(aiter(response))
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        for _ in range(2):
            with pytest.raises(llm.ResponseCancelledError):
                await response.text()
        await response.on_done(done.append)
        assert response.partial == "partial"
        return await conversation.prompt("again").text()

    assert run(main) == "fine"
    assert done == []
    assert [response.prompt.prompt for response in conversation.responses] == ["again"]


def test_w04_after_a_deadline_in_sync_code_text_raises_each_time():
    let_go = threading.Event()
    model = Played(["partial", lambda: let_go.wait(10) and None], ["fine"])
    conversation = model.conversation()
    try:
        response = conversation.prompt("go", timeout=0.3)
        for _ in range(2):
            with pytest.raises(llm.DeadlineExceededError):
                response.text()
        assert response.partial == "partial"
        assert conversation.prompt("again").text() == "fine"
    finally:
        let_go.set()
    assert [response.prompt.prompt for response in conversation.responses] == ["again"]


def test_w05_two_consumers_of_one_response_each_see_all_of_it():
    async def main():
        response = AsyncPlayed([*"01234"]).prompt("go")

        async def read():
            return [chunk async for chunk in response]

        return await asyncio.gather(read(), read(), response.text())

    assert run(main) == [[*"01234"], [*"01234"], "01234"]


def test_w05_two_threads_that_read_one_response_each_see_all_of_it():
    gate = threading.Event()
    model = Played(["0", lambda: gate.wait(30) and None, *"1234"])
    response = model.prompt("go")
    read = {}

    def reader(name):
        chunks = iter(response)
        read[name] = [next(chunks)]
        if len(read) == 2:  # both stand in the middle of the stream
            gate.set()
        read[name] += chunks

    threads = [threading.Thread(target=reader, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert read == {"a": [*"01234"], "b": [*"01234"]}
    assert len(model.asked) == 1


@pytest.mark.parametrize("events", [False, True])
def test_w06_a_consumer_that_breaks_off_changes_nothing_the_answer_is_whole_and_recorded(events):
    model = AsyncPlayed([*"01234"])
    conversation = model.conversation()

    async def main():
        response = conversation.prompt("go")
        async for _ in response.astream_events() if events else response:
            break
        return await response.text()

    assert run(main) == "01234"
    assert model.closed == 1  # the model's generator ended, nothing is left open
    assert [response.text_or_raise() for response in conversation.responses] == ["01234"]


def test_w06_an_answer_that_nobody_reads_to_its_end_ends_and_is_recorded_all_the_same():
    model = AsyncPlayed([*"01234"])
    conversation = model.conversation()

    async def main():
        response = conversation.prompt("go")
        async for _ in response:
            break
        del response
        return await conversation.prompt("and?").text()

    assert run(main) == "re: and?"
    assert said(model.asked[1]) == [("user", "go"), ("assistant", "01234"), ("user", "and?")]
    assert model.closed == 2


def test_w06_breaking_off_in_sync_code_changes_nothing_either():
    model = Played([*"01234"])
    conversation = model.conversation()
    response = conversation.prompt("go")
    for _ in response:
        break
    for _ in response.stream_events():
        break
    assert response.text() == "01234"
    assert model.closed == 1
    assert [response.text() for response in conversation.responses] == ["01234"]


def test_w07_a_finished_response_can_be_read_again_also_inside_itself_and_its_times_stay():
    async def main():
        response = AsyncPlayed([*"0123"]).prompt("go")
        await response
        times = (await response.duration_ms(), await response.datetime_utc())
        pairs = []
        async for outer in response:
            pairs += [outer + inner async for inner in response]
        assert (await response.duration_ms(), await response.datetime_utc()) == times
        assert times[0] >= 0
        return pairs

    assert run(main) == [a + b for a in "0123" for b in "0123"]


def test_w07_the_same_in_sync_code():
    response = Played([*"0123"]).prompt("go")
    response.text()
    times = (response.duration_ms(), response.datetime_utc())
    assert [a + b for a in response for b in response] == [a + b for a in "0123" for b in "0123"]
    assert (response.duration_ms(), response.datetime_utc()) == times
    assert times[0] >= 0


def test_w25_a_callback_that_raises_breaks_neither_the_text_nor_the_later_callbacks(caplog):
    called = []

    def raises(response):
        called.append("raises")
        raise ValueError("of the callback")

    async def main():
        response = AsyncPlayed(["fine"]).prompt("go")
        await response.on_done(raises)
        await response.on_done(lambda _: called.append("later"))
        return await response.text()

    assert run(main) == "fine"
    response = Played(["fine"]).prompt("go")
    response.on_done(raises)
    response.on_done(lambda _: called.append("later"))
    assert response.text() == "fine"
    assert sorted(called) == ["later", "later", "raises", "raises"]
    assert called[:2] == ["raises", "later"]
    assert [str(record.exc_info[1]) for record in caplog.records] == ["of the callback"] * 2


def test_w25_a_callback_that_takes_long_does_not_hold_back_the_text():
    ended = []

    async def main():
        gate = asyncio.Event()

        async def slow(response):
            await gate.wait()
            ended.append(response.id)

        response = AsyncPlayed(["fine"]).prompt("go")
        await response.on_done(slow)
        text = await response.text()  # would never come if it waited for the callback
        assert ended == []
        gate.set()
        return text, response.id

    text, response_id = run(main)
    assert text == "fine"
    assert ended == [response_id]  # the end of the loop waited for it


def test_w25_a_slow_plain_callback_in_sync_code_does_not_hold_back_the_text():
    gate, ended = threading.Event(), threading.Event()

    def slow(response):
        if gate.wait(10):
            ended.set()

    response = Played(["fine"]).prompt("go")
    response.on_done(slow)
    try:
        assert response.text() == "fine"
        assert not ended.is_set()
    finally:
        gate.set()
    assert ended.wait(30)
