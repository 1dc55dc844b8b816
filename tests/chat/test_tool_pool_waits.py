"""A worker or slot that waits in a wait of ours does not count against the bound meanwhile, and a stopped one is not stuck there."""

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from llm_actors.chat.tool_pool import cancelled
from llm_actors.observe import ToolAbandoned, ToolReturned
from llm_actors.runtime import Future, running, waiting

from .pool_calls import WAIT, Call, Calls, until


def nested(calls, function, *args, **settings):
    """What a prompt inside a tool does, from any thread: the pool gets a call in the tool's context, the tool waits for its outcome."""
    answer = Future[Any]()
    context = contextvars.copy_context()

    def done(outcome):
        if outcome.kind == "value":
            answer.set(outcome.value)
        else:
            answer.set_error(outcome.error)

    def run():
        calls.pool.run(function, args, {}, name=function.__name__, context=context, done=done, **settings)

    calls.loop.post(run)
    return answer


@pytest.mark.parametrize("workers", [1, 2])
def test_sync_tools_nested_five_deep_run_in_a_pool_of_two(workers):
    async def main():
        async with Calls(workers=workers) as calls:

            def tool(depth):
                return depth if depth == 5 else nested(calls, tool, depth + 1).get(timeout=WAIT)

            made = [calls.call(tool, 1) for _ in range(4)]
            assert [await call.value() for call in made] == [5] * 4
            assert calls.pool.stats().running == 0

    asyncio.run(main())


@pytest.mark.parametrize("workers", [1, 2])
def test_async_tools_nested_five_deep_run_in_a_pool_of_two(workers):
    async def main():
        async with Calls(workers=workers) as calls:

            async def tool(depth):
                return depth if depth == 5 else await nested(calls, tool, depth + 1)

            made = [calls.call(tool, 1) for _ in range(4)]
            assert [await call.value() for call in made] == [5] * 4

    asyncio.run(main())


def test_sync_and_async_tools_nested_in_one_another_run_in_a_pool_of_two():
    async def main():
        async with Calls(workers=2) as calls:

            def sync_tool(depth):
                return nested(calls, async_tool, depth + 1).get(timeout=WAIT)

            async def async_tool(depth):
                return depth if depth == 6 else await nested(calls, sync_tool, depth + 1)

            made = [calls.call(sync_tool, 1) for _ in range(3)]
            assert [await call.value() for call in made] == [6] * 3

    asyncio.run(main())


def test_a_tool_that_waits_several_times_at_once_counts_again_when_the_last_wait_ends():
    async def main():
        async with Calls(workers=1) as calls:
            first, second = Future[Any](), Future[Any]()
            go_on = asyncio.Event()

            async def tool():
                got = await asyncio.gather(wait(first), wait(second))
                await go_on.wait()
                return got

            async def wait(future):
                return await future

            call = calls.call(tool)
            await until(lambda: calls.pool.stats().waiting_in_waits == 1)
            first.set(1)
            await calls.call(lambda: None).value()
            assert calls.pool.stats().waiting_in_waits == 1
            second.set(2)
            await until(lambda: calls.pool.stats().running == 1)
            go_on.set()
            assert await call.value() == [1, 2]

    asyncio.run(main())


def test_a_tool_that_returns_from_a_wait_goes_on_although_all_places_are_taken():
    async def main():
        async with Calls(workers=1) as calls:
            future, gate, after = Future[Any](), calls.gate(), calls.gate()
            waiting = calls.call(lambda: (future.get(timeout=WAIT), after())[0], name="waiting")
            await until(lambda: calls.pool.stats().waiting_in_waits == 1)
            taken = calls.call(gate, "taken")
            await gate.is_reached()
            future.set("answer")
            await after.is_reached()
            await until(lambda: calls.pool.stats().running == 2)
            behind = calls.call(lambda: "behind")
            gate.open()
            await taken.value()
            assert calls.pool.stats().queued == 1  # one runs and one may: the bound holds for new calls again
            after.open()
            assert [await waiting.value(), await behind.value()] == ["answer", "behind"]

    asyncio.run(main())


@pytest.mark.parametrize("how", ["stopped", "timeout"])
def test_a_sync_tool_that_waits_in_a_wait_of_ours_gets_cancelled_error_there(how):
    seen = []

    async def main():
        async with Calls(workers=1) as calls:

            def tool():
                for _ in range(2):  # the second wait begins after it was told
                    try:
                        Future().get(timeout=WAIT)
                    except asyncio.CancelledError:
                        seen.append(cancelled())

            call = calls.call(tool, timeout=0.2 if how == "timeout" else None)
            await until(lambda: calls.pool.stats().waiting_in_waits == 1)
            if how == "stopped":
                call.job.stop()
            assert (await call.outcome()).kind == how
            await calls.observed(ToolAbandoned)
            await calls.observed(ToolReturned)
            assert seen == [True, True]
            assert await calls.call(lambda: "next").value() == "next"

    asyncio.run(main())


def test_an_async_tool_that_waits_in_a_wait_of_ours_is_cancelled_there():
    seen = []

    async def main():
        async with Calls(workers=1) as calls:

            async def tool():
                try:
                    await Future()
                except asyncio.CancelledError:
                    seen.append(cancelled())
                    raise

            call = calls.call(tool)
            await until(lambda: calls.pool.stats().waiting_in_waits == 1)
            call.job.stop()
            assert (await call.outcome()).kind == "stopped"
            assert seen == [True]
            assert calls.records == []

    asyncio.run(main())


def test_an_async_tool_that_is_stopped_may_still_await_in_its_cleanup_and_a_thread_of_its_own_is_interrupted():
    seen = []

    async def main():
        async with Calls() as calls:

            def in_thread():
                try:
                    Future().get(timeout=WAIT)
                except asyncio.CancelledError:
                    seen.append("interrupted")

            async def tool():
                try:
                    await asyncio.gather(Future(), asyncio.to_thread(in_thread))
                finally:
                    released = Future[Any]()
                    asyncio.get_running_loop().call_later(0.02, released.set, "released")
                    seen.append(await released)

            call = calls.call(tool)
            await until(lambda: call.job.waits == 2)
            call.job.stop()
            assert (await call.outcome()).kind == "stopped"
            await until(lambda: len(seen) == 2)
            assert sorted(seen) == ["interrupted", "released"]

    asyncio.run(main())


def test_a_call_is_started_and_answered_in_no_other_tools_context():
    seen = []

    async def main():
        async with Calls(workers=1, timeout=0.2) as calls:
            future = Future[Any]()

            async def outer():
                await future

            call = calls.call(outer, timeout=None)
            inner = Call()
            calls.made.append(inner)

            def done(outcome):
                seen.append(waiting.get())
                inner.done(outcome)

            # It waits for a place, which the outer one makes by waiting; it ends by its time.
            event = asyncio.Event()
            context = contextvars.copy_context()
            inner.job = calls.pool.run(event.wait, (), {}, name="inner", context=context, done=done)
            assert (await inner.outcome()).kind == "timeout"
            assert seen == [None]
            future.set(None)
            await call.value()

    asyncio.run(main())


def test_a_tool_with_an_event_loop_of_its_own_waits_there_without_counting():
    async def main():
        async with Calls(workers=1) as calls:
            future = Future[Any]()

            async def inner():
                assert running() is not calls.loop
                return await future

            call = calls.call(lambda: asyncio.run(inner()), name="tool")
            await until(lambda: calls.pool.stats().waiting_in_waits == 1)
            assert await calls.call(lambda: "beside").value() == "beside"
            future.set("answer")
            assert await call.value() == "answer"

    asyncio.run(main())


def test_waits_that_begin_after_the_call_is_over_change_nothing():
    async def main():
        async with Calls(workers=1) as calls:
            future, kept = Future[Any](), []

            async def tool():
                kept.append(asyncio.create_task(later()))

            async def later():
                return await future

            await calls.call(tool).value()
            await asyncio.sleep(0)
            gate = calls.gate()
            call = calls.call(gate)
            await gate.is_reached()
            assert (calls.pool.stats().running, calls.pool.stats().waiting_in_waits) == (1, 0)
            future.set("late")
            assert await kept[0] == "late"
            assert calls.pool.stats().running == 1
            gate.open()
            await call.value()

    asyncio.run(main())


def test_a_call_that_ends_while_a_thread_of_its_own_still_waits_has_left_its_place_once():
    async def main():
        async with Calls(workers=1) as calls:
            future = Future[Any]()

            def tool():
                context = contextvars.copy_context()
                thread = threading.Thread(target=lambda: context.run(future.get, timeout=WAIT))
                thread.start()
                return thread

            thread = await calls.call(tool).value()
            future.set(None)
            await asyncio.to_thread(thread.join, WAIT)
            await until(lambda: calls.pool.stats().running == 0)
            for _ in range(3):
                assert await calls.call(lambda: "next").value() == "next"
                assert calls.pool.stats().running == 0

    asyncio.run(main())


def test_a_call_begun_by_one_that_is_over_does_not_keep_it_alive():
    async def main():
        async with Calls() as calls:
            gate = calls.gate()
            first = calls.call(lambda: (contextvars.copy_context(), gate())[0], name="tool")
            await gate.is_reached()
            during = calls.call(lambda: None, context=first.job.context)
            assert during.job.parent is first.job
            gate.open()
            context = await first.value()
            after = calls.call(lambda: None, context=context)
            assert after.job.parent is None
            await during.value()
            assert during.job.parent is None
            await after.value()

    asyncio.run(main())
