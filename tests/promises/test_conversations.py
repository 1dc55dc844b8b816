"""DESIGN section 1, Conversations: each promise in its own words, end to end."""

import asyncio
import concurrent.futures
import itertools
import json
import threading

import pytest

import llm_actors as llm
from llm_actors.testing import Answer, Close, Reset, Send, Speak, Stall, chunk, events, head, reply

from .worlds import World, calls, check_valid, wire_messages

# ---- C1 --------------------------------------------------------------------------------------------------------------------


def assert_each_sees_all_before(requests):
    """Each request carries the one before it, its answer, and one more user message."""
    said = [wire_messages(request) for request in requests]
    for before, after in itertools.pairwise(said):
        prompt = before[-1][1]
        assert after[: len(before)] == before
        assert after[len(before) :][0] == ("assistant", f"echo: {prompt}")
        assert len(after) == len(before) + 2


def test_ten_prompts_sent_at_once_from_tasks_and_threads_are_answered_in_order_each_seeing_everything_before_it(
    server, pair, run
):
    """C1: Prompts sent to one conversation run in the order they were sent, each seeing everything before it, however many tasks or
    threads send them. (Done when: Ten prompts sent at once to one conversation from tasks and threads: answered in order, each request
    on the wire carries all before it.)"""

    async def main():
        conversation = pair.async_model.conversation()
        sent = []
        lock = threading.Lock()

        def send(sender):
            for number in range(2):
                with lock:  # so that the order of sending is known
                    text = f"{sender}-{number}"
                    sent.append((text, conversation.prompt(text)))

        async def task(sender):
            send(sender)

        await asyncio.gather(
            task("task-a"), task("task-b"), *(asyncio.to_thread(send, f"thread-{n}") for n in range(3))
        )
        texts = [await response.text() for _, response in sent]
        return [text for text, _ in sent], texts, [response.prompt.prompt for response in conversation.responses]

    sent, texts, in_history = run(main())
    assert len(sent) == 10
    assert texts == [f"echo: {text}" for text in sent]
    assert in_history == sent
    requests = server.requests
    assert [wire_messages(request)[-1] for request in requests] == [("user", text) for text in sent]
    assert_each_sees_all_before(requests)


def test_prompts_of_threads_without_a_loop_run_in_the_order_they_were_sent(server, pair):
    """C1: Prompts sent to one conversation run in the order they were sent, each seeing everything before it, however many tasks or
    threads send them."""
    conversation = pair.model.conversation()
    sent = []
    lock = threading.Lock()

    def send(number):
        with lock:
            sent.append((f"p{number}", conversation.prompt(f"p{number}")))

    with concurrent.futures.ThreadPoolExecutor(5) as threads:
        list(threads.map(send, range(10)))
    assert [response.text() for _, response in sent] == [f"echo: {text}" for text, _ in sent]
    assert [wire_messages(request)[-1][1] for request in server.requests] == [text for text, _ in sent]
    assert_each_sees_all_before(server.requests)


def test_prompts_sent_while_no_loop_runs_are_posted_when_first_awaited_in_call_order(server, pair, run):
    """C1: Prompts sent to one conversation run in the order they were sent."""
    conversation = pair.async_model.conversation()
    responses = [conversation.prompt(f"p{number}") for number in range(4)]
    assert conversation.waiting == 4
    assert server.requests == []

    async def main():
        await responses[2].text()  # the first wait posts all of them
        return [await response.text() for response in responses]

    assert run(main()) == [f"echo: p{number}" for number in range(4)]
    assert [wire_messages(request)[-1][1] for request in server.requests] == ["p0", "p1", "p2", "p3"]
    assert_each_sees_all_before(server.requests)


def test_two_loops_feed_one_conversation(server, pair, run):
    """C1: ... however many tasks or threads send them: also from two loops at once."""

    async def main():
        conversation = pair.async_model.conversation()
        first = conversation.prompt("first")

        def elsewhere():
            async def other():
                response = conversation.prompt("second")
                return await response.text(), await first.text()

            return asyncio.run(other())

        second, seen_there = await asyncio.to_thread(elsewhere)
        third = await conversation.prompt("third").text()
        return await first.text(), second, third, seen_there

    assert run(main()) == ("echo: first", "echo: second", "echo: third", "echo: first")
    assert_each_sees_all_before(server.requests)


def test_an_async_and_a_sync_dress_of_one_model_feed_the_same_conversation(server, pair, run):
    """C1: Prompts sent to one conversation run in the order they were sent, each seeing everything before it."""
    conversation = pair.model.conversation()
    first = conversation.prompt("one")

    async def main():
        future = conversation.ref.ask(llm.Prompt("two"), block=False)
        return await future

    second = run(main())
    assert (first.text(), second.text()) == ("echo: one", "echo: two")
    assert_each_sees_all_before(server.requests)


def test_a_conversation_goes_on_with_its_history_after_its_loop_was_closed_in_mid_turn(server, pair, run):
    """C1 and C2 across loops: turns in flight end as LoopClosedError, the history stays, the next prompt binds it to the loop in use."""
    model = Stuck()
    conversation = pair.async_model.conversation()
    run(conversation.prompt("first").text())
    conversation.model = model
    loop = asyncio.new_event_loop()
    lost = loop.run_until_complete(started(conversation, model))
    loop.close()  # without any shutdown
    conversation.model = pair.async_model

    async def main():
        text = await conversation.prompt("second").text()
        with pytest.raises(llm.LoopClosedError):
            await lost.text()
        return text

    assert run(main()) == "echo: second"
    check_valid(conversation.messages())
    said = [
        ("user", "first"),
        ("assistant", "echo: first"),
        ("user", "cut off"),
        ("assistant", "ha"),
    ]  # what had come of it
    assert wire_messages(server.requests[-1]) == [*said, ("user", "second")]


class Stuck(llm.AsyncModel):
    """Answers half a word and then nothing."""

    model_id = "stuck"

    def __init__(self):
        self.started = asyncio.Event()

    async def execute(self, prompt, stream, response, conversation):
        self.started.set()
        yield "ha"
        await asyncio.get_running_loop().create_future()


async def started(conversation, model):
    """A prompt whose model call is under way."""
    response = conversation.prompt("cut off")
    async with asyncio.timeout(30):
        await model.started.wait()
    return response


# ---- C2 --------------------------------------------------------------------------------------------------------------------

PACE = 0.004
BOTH = calls(add={"a": 1, "b": 2}, now={})


def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


async def now() -> str:
    """Tells the time."""
    await asyncio.sleep(PACE)
    return "noon"


def test_the_history_is_valid_for_the_next_prompt_after_a_cancel_at_every_event_of_a_turn_with_two_parallel_tools(
    server, pair, dress, run
):
    """C2: The history is valid at every moment: each tool call has exactly one result, whatever was cancelled, timed out or crashed. It
    passes every provider's rules at every moment (strict validators in the tests)."""
    world = World(dress)
    server.set(pace=PACE)

    async def whole():
        return len(await world.events(world.model(pair).conversation(tools=[add, now]).chain(BOTH)))

    async def cancelled_after(count):
        conversation = world.model(pair).conversation(tools=[add, now])
        response = conversation.chain(BOTH)
        await world.some_events(response, count)
        check_valid(conversation.messages())
        await world.cancel(response)
        check_valid(conversation.messages())
        text = await world.text(conversation.prompt("go on"))  # the server refuses an invalid history
        assert text == "echo: go on"
        check_valid(conversation.messages())
        return response.error

    async def main():
        total = await whole()
        assert total >= 15
        return [await cancelled_after(count) for count in range(total)]

    errors = run(main(), 60)
    cancelled = [isinstance(error, llm.ResponseCancelledError) for error in errors]
    assert all(cancelled[:-3])  # at the last ones the answer may have come first


@pytest.mark.parametrize("milliseconds", [1, 15, 30, 45, 60, 80, 100])
def test_the_history_is_valid_after_a_deadline_at_any_moment(server, pair, run, milliseconds):
    """C2: The history is valid at every moment ... whatever was cancelled, timed out or crashed."""
    server.set(pace=PACE)

    async def main():
        conversation = pair.async_model.conversation(tools=[add, now])
        response = conversation.chain(BOTH, timeout=milliseconds / 1000)
        async for _ in response.events():
            check_valid(conversation.messages())
        assert response.error is None or isinstance(response.error, llm.DeadlineExceededError)
        assert await conversation.prompt("go on").text() == "echo: go on"

    run(main())


def test_the_history_is_valid_after_a_crash_of_a_model_call_between_tools(server, pair, run):
    """C2: The history is valid at every moment ... whatever was cancelled, timed out or crashed."""

    async def main():
        conversation = pair.async_model.conversation(tools=[add, now])
        server.play(Answer([Speak()]), Answer([Send(head()), Reset()]))
        with pytest.raises(llm.ModelError):
            await conversation.chain(BOTH).text()
        check_valid(conversation.messages())
        results = [
            part.output for message in conversation.messages() for part in message.parts if hasattr(part, "output")
        ]
        assert results == ["3", "noon"]
        assert await conversation.prompt("go on").text() == "echo: go on"

    run(main())


def test_a_prompt_from_which_nothing_came_is_not_in_the_history(server, pair, dress, run):
    """C2: The history is valid at every moment: trying again after an error does not send the prompt twice."""
    world = World(dress)
    server.play(reply(500, {"error": {"message": "boom"}}))

    async def main():
        conversation = world.model(pair).conversation()
        assert isinstance(await world.error(conversation.prompt("hello")), llm.ServerError)
        assert conversation.messages() == []
        assert await world.text(conversation.prompt("hello")) == "echo: hello"
        assert wire_messages(server.requests[-1]) == [("user", "hello")]

    run(main())


# ---- C3 --------------------------------------------------------------------------------------------------------------------

DELTA = '{"choices": [{"index": 0, "delta": {"content": "%s"}}]}'


def half(*rest):
    """An answer that says "half an " and then does `rest`."""
    data = b"".join(f"data: {DELTA % text}\n\n".encode() for text in ("half", " an "))
    return Answer([Send(head()), Send(chunk(data)), *rest])


CUTS = {
    "reset": (half(Reset()), llm.ModelError),
    "closed": (half(Close()), llm.ModelError),
    "ended without its terminal fact": (half(Send(chunk(b""))), llm.StreamTruncatedError),
    "error in the stream": (
        half(Send(chunk(b'data: {"error": {"message": "boom", "code": 500}}\n\n')), Close()),
        llm.ModelError,
    ),
    "deadline": (half(Stall()), llm.DeadlineExceededError),
}


@pytest.mark.parametrize("cut", CUTS)
def test_a_partial_answer_is_never_handed_out_as_a_complete_one(server, pair, dress, run, cut):
    """C3: A partial answer is never handed out as a complete one. After an error, a cut connection, a deadline or a cancel, `text()`
    raises; what did arrive stays readable as `response.partial`."""
    world = World(dress)
    answer, expected = CUTS[cut]
    server.play(answer)

    async def main():
        conversation = world.model(pair).conversation()
        response = conversation.prompt("hi", timeout=0.5 if cut == "deadline" else None)
        first = await world.error(response)
        assert isinstance(first, expected)
        assert response.partial == "half an "
        assert await world.error(response) is first  # again, and in every other way to read it
        for method in ("json", "value", "usage", "tool_calls", "messages"):
            with pytest.raises(expected):
                await world.call(response, method)
        seen = await world.events(response)
        assert [event.chunk for event in seen[:-1]] == ["half", " an "]
        assert seen[-1].type == "error"
        assert response.partial == "half an "
        assert conversation.responses == []
        kept = conversation.messages()[-1]
        assert kept.text == "half an "
        assert kept.provider_metadata["llm_actors"]["interrupted"]  # marked as what it is

    run(main())


def test_after_a_cancel_text_raises_and_the_partial_stays(server, pair, dress, run):
    """C3: After ... a cancel, `text()` raises; what did arrive stays readable as `response.partial`."""
    world = World(dress)
    server.play(half(Stall()))

    async def main():
        response = world.model(pair).prompt("hi")
        await world.some_events(response, 2)
        await world.cancel(response)
        for _ in range(2):
            assert isinstance(await world.error(response), llm.ResponseCancelledError)
            assert response.partial == "half an "

    run(main())


def test_iterating_a_cut_answer_raises_at_its_end(server, pair, run):
    """C3: A partial answer is never handed out as a complete one."""
    server.play(half(Close()), half(Close()))
    seen = []
    with pytest.raises(llm.ModelError):
        for text in pair.model.prompt("hi"):
            seen.append(text)
    assert seen == ["half", " an "]

    async def main():
        got = []
        with pytest.raises(llm.ModelError):
            async for text in pair.async_model.prompt("hi"):
                got.append(text)
        return got

    assert run(main()) == ["half", " an "]


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_an_answer_that_the_provider_itself_ended_early_is_complete_as_sent(server, pair, dress, run, reason):
    """C3: An answer that the provider itself ended early (length, content filter, refusal) is complete as sent: `text()` returns it,
    `response.stop_reason` says so; `value()`, `json()` and cut tool calls raise."""
    world = World(dress)
    finish = json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    server.play(events(DELTA % "[1, 2", finish, "[DONE]"))

    async def main():
        response = world.model(pair).prompt("hi")
        assert await world.text(response) == "[1, 2"
        assert response.stop_reason == reason
        for method in ("value", "json"):
            with pytest.raises(llm.IncompleteAnswerError):
                await world.call(response, method)

    run(main())


def test_a_tool_call_cut_by_the_length_limit_raises_and_is_not_run(server, pair, dress, run):
    """C3: ... `value()`, `json()` and cut tool calls raise."""
    world = World(dress)
    cut = {"index": 0, "id": "c1", "function": {"name": "add", "arguments": '{"a": 1'}}
    call = json.dumps({"choices": [{"index": 0, "delta": {"tool_calls": [cut]}}]})
    server.play(events(call, '{"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}', "[DONE]"))
    ran = []

    def add(a: int) -> int:
        ran.append(a)
        return a

    async def main():
        conversation = world.model(pair).conversation(tools=[add])
        response = conversation.chain("hi")
        assert await world.text(response) == ""
        assert response.stop_reason == "length"
        with pytest.raises(llm.IncompleteAnswerError):
            await world.call(response, "tool_calls")
        assert await world.text(conversation.prompt("go on")) == "echo: go on"
        check_valid(conversation.messages())

    run(main())
    assert ran == []
