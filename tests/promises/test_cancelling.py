"""C5 and C6 of DESIGN section 1: what a cancel and a deadline end, and what they leave."""

import asyncio
import threading

import pytest

import llm_actors as llm
from llm_actors.observe import ToolAbandoned, ToolReturned
from llm_actors.testing import Answer, Send, Stall, chunk, head

from .worlds import Held, World, calls, check_valid, until

DELTA = b'data: {"choices": [{"index": 0, "delta": {"content": "half"}}]}\n\n'
STALLED = Answer([Send(head()), Send(chunk(DELTA)), Stall()])


def test_a_cancel_ends_the_http_request_and_nothing_more_comes_from_that_turn(server, pair, dress, run):
    """C5: A cancel ends the HTTP request, the tools still running and the retries: when `await response.cancel()` returns, no request is
    open, nothing new starts, no event, callback or history entry comes from that turn."""
    world = World(dress)
    server.play(STALLED)
    called = []

    async def main():
        conversation = world.model(pair).conversation()
        response = conversation.prompt("hi")
        await world.call(response, "on_done", called.append)
        await world.some_events(response, 1)
        await world.cancel(response)
        events, said = await world.events(response), conversation.messages()
        await server.until_idle()
        assert await world.text(conversation.prompt("next")) == "echo: next"
        assert await world.events(response) == events
        assert conversation.messages()[: len(said)] == said
        await world.cancel(response)  # again is no error
        assert isinstance(await world.error(response), llm.ResponseCancelledError)

    run(main())
    assert called == []
    first, second = server.requests
    assert first.closed_early
    assert not second.closed_early


def test_a_cancel_before_the_answer_has_begun_closes_the_request(server, pair, dress, run):
    """C5: A cancel ends the HTTP request."""
    world = World(dress)
    server.play(Answer([Stall()]))

    async def main():
        response = world.model(pair).prompt("hi")
        await server.until_requests(1)
        await world.cancel(response)
        await server.until_idle()

    run(main())
    assert server.requests[0].closed_early


def test_a_prompt_cancelled_right_after_it_was_sent_leaves_nothing_open(server, pair, dress, run):
    """C5: ... when `await response.cancel()` returns, no request is open, nothing new starts."""
    world = World(dress)
    server.play(Answer([Stall()], body='"hi"'))

    async def main():
        conversation = world.model(pair).conversation()
        response = conversation.prompt("hi")
        await world.cancel(response)
        assert isinstance(await world.error(response), llm.ResponseCancelledError)
        assert conversation.messages() == []
        assert await world.text(conversation.prompt("next")) == "echo: next"
        await server.until_idle()

    run(main())
    # In sync code another thread does the work, and may have been faster than the cancel; then the request is closed.
    assert [request.closed_early for request in server.requests] in ([False], [True, False])


def test_a_queued_prompt_that_is_cancelled_ends_at_once_and_is_never_sent(server, pair, dress, run):
    """C5 for a turn that waits in line; the turn before it goes on."""
    world = World(dress)
    server.play(STALLED)

    async def main():
        conversation = world.model(pair).conversation()
        first, second = conversation.prompt("first"), conversation.prompt("second")
        await world.some_events(first, 1)
        await world.cancel(second)
        assert isinstance(await world.error(second), llm.ResponseCancelledError)
        assert not first.done
        await world.cancel(first)

    run(main())
    assert len(server.requests) == 1


def test_a_prompt_not_posted_yet_can_be_cancelled(server, pair, run):
    """C5 for a prompt written down while no loop runs."""
    conversation = pair.async_model.conversation()
    first, second = conversation.prompt("first"), conversation.prompt("second")

    async def main():
        await first.cancel()
        assert await second.text() == "echo: second"
        with pytest.raises(llm.ResponseCancelledError):
            await first.text()

    run(main())
    assert len(server.requests) == 1


def test_a_cancel_ends_the_async_tools_still_running(server, pair, dress, run):
    """C5: A cancel ends ... the tools still running."""
    world = World(dress)
    started, ended = threading.Event(), threading.Event()

    async def forever() -> str:
        started.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()
        return "never"

    async def main():
        conversation = world.model(pair).conversation(tools=[forever])
        response = conversation.chain(calls(forever={}))
        await until(started)
        await world.cancel(response)
        assert ended.is_set()  # when cancel() returns
        assert await world.text(conversation.prompt("next")) == "echo: next"
        check_valid(conversation.messages())

    run(main())
    assert len(server.requests) == 2


def test_a_sync_tool_already_running_is_told_its_outcome_goes_nowhere_and_it_is_reported_until_it_returns(
    server, pair, dress, run
):
    """C5: A thread can't be killed: a sync tool already running is told (`llm.cancelled()`), its outcome goes nowhere, and it is
    reported until it returns."""
    world = World(dress)
    held = Held("too late")
    seen, returned = [], threading.Event()

    def observe(record):
        seen.append(record)
        if isinstance(record, ToolReturned):
            returned.set()

    async def main():
        with llm.ActorSystem(observers=[observe]):
            conversation = world.model(pair).conversation(tools=[held.tool()])
            response = conversation.chain(calls(hold={}))
            await until(held.entered)
            await world.cancel(response)
            await until(held.told)
            events = await world.events(response)
            abandoned = [record for record in seen if isinstance(record, ToolAbandoned)]
            assert [(record.tool, record.abandoned) for record in abandoned] == [("hold", 1)]
            assert not returned.is_set()
            held.let_go.set()
            await until(returned)
            assert await world.events(response) == events
            assert await world.text(conversation.prompt("next")) == "echo: next"
            check_valid(conversation.messages())
            assert "too late" not in str(conversation.messages())

    run(main())


def test_closing_a_conversation_ends_all_its_turns(server, pair, dress, run):
    """C5 for all turns of a conversation: when `close()` returns nothing of it is left, and no prompt is taken."""
    world = World(dress)
    server.play(STALLED)

    async def main():
        conversation = world.model(pair).conversation()
        responses = [conversation.prompt(f"p{number}") for number in range(3)]
        await world.some_events(responses[0], 1)
        await world.call(conversation, "close")
        assert all(response.done for response in responses)
        assert {type(response.error) for response in responses} == {llm.ResponseCancelledError}
        with pytest.raises(llm.ActorError, match="closed"):
            conversation.prompt("more")
        await world.call(conversation, "close")
        await server.until_idle()

    run(main())
    assert len(server.requests) == 1


def test_leaving_a_with_block_closes_the_conversation(server, pair, run):
    """C5 for all turns of a conversation."""
    server.play(STALLED, STALLED)

    async def main():
        async with pair.async_model.conversation() as conversation:
            response = conversation.prompt("hi")
        assert isinstance(response.error, llm.ResponseCancelledError)

    run(main())
    with pair.model.conversation() as conversation:
        response = conversation.prompt("hi")
    assert isinstance(response.error, llm.ResponseCancelledError)


# ---- C6 --------------------------------------------------------------------------------------------------------------------


async def forever() -> str:
    """An async tool that never returns."""
    await asyncio.get_running_loop().create_future()
    return "never"


@pytest.mark.parametrize(
    "phase", ["mailbox", "no answer", "stalled answer", "async tool", "sync tool", "hook", "prepare"]
)
def test_a_deadline_covers_the_whole_turn(server, pair, dress, run, phase):
    """C6: A deadline covers the whole turn: waiting in the mailbox, model, tools."""
    world = World(dress)
    held = Held()

    class Box(llm.Toolbox):
        def prepare(self):
            held.tool().implementation()

        def use(self) -> str:
            return "used"

    async def main():
        conversation = world.model(pair).conversation()
        blocker = None
        if phase == "mailbox":
            server.play(STALLED)
            blocker = conversation.prompt("in the way")
            await world.some_events(blocker, 1)
            response = conversation.prompt("hi", timeout=0.2)
        elif phase in ("no answer", "stalled answer"):
            server.play(Answer([Stall()]) if phase == "no answer" else STALLED)
            response = conversation.prompt("hi", timeout=0.3)
        elif phase == "async tool":
            response = conversation.chain(calls(forever={}), tools=[forever], timeout=0.3)
        elif phase == "sync tool":
            response = conversation.chain(calls(hold={}), tools=[held.tool()], timeout=0.3)
        elif phase == "hook":
            hook = held.tool().implementation
            response = conversation.chain(
                calls(forever={}), tools=[forever], before_call=lambda *_: hook(), timeout=0.3
            )
        else:
            response = conversation.chain("hi", tools=[Box()], timeout=0.3)
        error = await world.error(response)
        assert isinstance(error, llm.DeadlineExceededError)
        assert isinstance(error, TimeoutError)
        if blocker is not None:
            assert not blocker.done  # the turn before it has nothing to do with it
            await world.cancel(blocker)
        held.let_go.set()
        check_valid(conversation.messages())
        assert await world.text(conversation.prompt("next")) == "echo: next"
        await server.until_idle()

    run(main())


@pytest.mark.parametrize("given", ["timeout", "deadline"])
def test_a_deadline_covers_what_the_tools_of_a_turn_prompt(server, pair, dress, run, given):
    """C6: A deadline covers the whole turn: ... model, tools. And what they prompt: the request of that is closed too."""
    world = World(dress)
    inner = []

    def asks() -> str:
        response = pair.model.prompt("inner", timeout=60)
        inner.append(response)
        return response.text()

    async def asks_async() -> str:
        response = pair.async_model.prompt("inner", timeout=60)
        inner.append(response)
        return await response.text()

    tool = asks_async if dress == "async" else asks
    server.play(Answer([Send(head()), Send(chunk(DELTA)), Stall()], body='"inner"'))

    async def main():
        conversation = world.model(pair).conversation(tools=[tool])
        limit = 0.5 if given == "timeout" else asyncio.get_running_loop().time() + 0.5
        response = conversation.chain(calls(**{tool.__name__: {}}), **{given: limit})
        error = await world.error(response)
        assert isinstance(error, llm.DeadlineExceededError)
        await server.until_idle()
        check_valid(conversation.messages())
        assert await world.text(conversation.prompt("next")) == "echo: next"
        return response

    run(main())
    assert len(server.requests) == 3
    assert server.requests[1].closed_early
    assert type(inner[0].error) in (llm.DeadlineExceededError, llm.ResponseCancelledError)


def test_a_deadline_of_a_group_covers_all_its_turns(server, pair, run):
    """C6 for all turns of a group: when its block has been left no request is open."""
    server.play(*[STALLED] * 10)

    async def main():
        with pytest.raises(llm.DeadlineExceededError):
            async with llm.Group(timeout=0.5) as group:
                responses = [group.conversation(pair.async_model).prompt("hi") for _ in range(10)]
        assert {type(response.error) for response in responses} == {llm.DeadlineExceededError}
        await server.until_idle()

    run(main())
    assert all(request.closed_early for request in server.requests)


def test_a_turn_that_is_over_in_time_is_not_touched_by_its_deadline(server, pair, dress, run):
    """C6: ... and the answer that came in time stays."""
    world = World(dress)

    async def main():
        conversation = world.model(pair).conversation()
        response = conversation.prompt("hi", timeout=0.2)
        assert await world.text(response) == "echo: hi"
        await asyncio.sleep(0.25)
        assert await world.text(response) == "echo: hi"
        assert response.error is None

    run(main())


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_timeout_that_is_none_is_refused_at_the_call(pair, timeout):
    with pytest.raises(ValueError, match="more than 0"):
        pair.model.prompt("hi", timeout=timeout)
