"""A hanging tool costs one worker until its timeout, then it is replaced: never the pool, never the conversation (T3)."""

import asyncio
import threading

import pytest

from llm_actors.chat import tool_pool
from llm_actors.chat.tool_pool import cancelled
from llm_actors.errors import ToolStuckError
from llm_actors.observe import ToolAbandoned, ToolReturned

from .pool_calls import WAIT, Calls, tool_threads, until

SHORT = 0.02


def test_a_hanging_tool_is_set_aside_at_its_timeout_counted_observed_and_replaced():
    async def main():
        async with Calls(workers=1, timeout=SHORT) as calls:
            gate = calls.gate()
            hanging = calls.call(gate, "late", name="hanging")
            behind = calls.call(threading.current_thread, name="behind")
            await gate.is_reached()
            outcome = await hanging.outcome()
            assert outcome.kind == "timeout"
            assert isinstance(outcome.error, TimeoutError)
            assert str(outcome.error) == 'the tool "hanging" did not return within 0.02 s'

            (abandoned,) = calls.named(ToolAbandoned)
            (stuck,) = calls.pool.stats().abandoned
            assert (abandoned.tool, abandoned.abandoned) == ("hanging", 1)
            assert (stuck.tool, stuck.name, stuck.since) == ("hanging", abandoned.thread, abandoned.now)
            (thread,) = [thread for thread in tool_threads() if thread.name == stuck.name]
            assert thread.daemon
            replacement = await behind.value()
            assert replacement is not thread

            gate.open()
            (returned,) = await calls.observed(ToolReturned)
            assert (returned.tool, returned.thread, returned.abandoned) == ("hanging", stuck.name, 0)
            assert returned.now >= abandoned.now
            assert calls.pool.stats().abandoned == ()
            assert hanging.outcomes == [outcome]

    asyncio.run(main())


def test_a_thread_that_came_back_is_used_again():
    async def main():
        async with Calls(workers=1, timeout=None) as calls:
            gate = calls.gate()
            hanging = calls.call(gate, timeout=SHORT)
            await hanging.outcome()
            gate.open()
            (returned,) = await calls.observed(ToolReturned)
            assert (await calls.call(threading.current_thread).value()).name == returned.thread

    asyncio.run(main())


def test_a_calls_own_timeout_counts_before_the_pools_and_none_is_no_limit():
    async def main():
        async with Calls(timeout=SHORT) as calls:
            gates = [calls.gate(), calls.gate()]
            patient = calls.call(gates[0], 1, timeout=None)
            longer = calls.call(gates[1], 2, timeout=WAIT)
            event = asyncio.Event()
            waiting = calls.call(event.wait, timeout=None)
            assert (await calls.call(calls.gate(), 3).outcome()).kind == "timeout"
            for gate in gates:
                gate.open()
            event.set()
            assert [await patient.value(), await longer.value(), await waiting.value()] == [1, 2, True]

    asyncio.run(main())


def test_the_time_begins_when_the_tool_starts_not_while_it_is_queued():
    async def main():
        async with Calls(workers=1, timeout=0.2) as calls:
            gate = calls.gate()
            first = calls.call(gate, timeout=None)
            second = calls.call(lambda: "in time")
            await gate.is_reached()
            assert second.job.timer is None
            gate.open()
            await first.value()
            assert await second.value() == "in time"

    asyncio.run(main())


def test_an_async_tool_is_cancelled_at_its_timeout_and_answered_when_it_has_ended():
    steps = []

    async def tool(ending):
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned")
            if ending == "value":
                return "rescued"  # noqa: B012
            if ending == "error":
                raise ValueError

    async def main():
        async with Calls(timeout=SHORT) as calls:
            for ending in ("cancel", "value", "error"):
                outcome = await calls.call(tool, ending).outcome()
                assert outcome.kind == "timeout"
                assert isinstance(outcome.error, TimeoutError)
                assert outcome.value is None
            assert steps == ["cleaned"] * 3
            assert calls.records == []

    asyncio.run(main())


@pytest.mark.parametrize("how", ["stopped", "timeout"])
def test_a_task_that_ignores_its_cancellation_is_set_aside_counted_and_observed(monkeypatch, how):
    monkeypatch.setattr(tool_pool, "PATIENCE", SHORT)

    async def main():
        async with Calls(workers=1, timeout=SHORT if how == "timeout" else None) as calls:
            event = asyncio.Event()

            begun = asyncio.Event()

            async def stubborn():
                begun.set()
                while not event.is_set():
                    try:
                        await event.wait()
                    except asyncio.CancelledError:
                        continue

            call = calls.call(stubborn)
            await begun.wait()
            if how == "stopped":
                call.job.stop()
            assert (await call.outcome()).kind == how
            (abandoned,) = calls.named(ToolAbandoned)
            assert (abandoned.tool, abandoned.thread) == ("stubborn", "task llm_actors tool stubborn")
            assert await calls.call(lambda: "place is free").value() == "place is free"
            event.set()
            (returned,) = await calls.observed(ToolReturned)
            assert returned.abandoned == 0

    asyncio.run(main())


def test_a_sync_tool_that_runs_is_told_abandoned_and_answered_at_once_when_it_is_stopped():
    told = []

    async def main():
        async with Calls(workers=1) as calls:
            gate = calls.gate()

            def tool():
                told.append(cancelled())
                gate()
                told.append(cancelled())

            call = calls.call(tool)
            await gate.is_reached()
            call.job.stop()
            assert not call.outcomes
            assert (await call.outcome()).kind == "stopped"
            assert len(calls.named(ToolAbandoned)) == 1
            gate.open()
            await calls.observed(ToolReturned)
            assert told == [False, True]

    asyncio.run(main())


def test_a_tool_whose_time_is_up_is_told_and_nobody_else():
    async def main():
        async with Calls(timeout=WAIT) as calls:
            gate, other = calls.gate(), calls.gate()
            told = calls.call(lambda: (gate(), cancelled())[1], name="told", timeout=SHORT)
            untold = calls.call(lambda: (other(), cancelled())[1], name="untold")
            seen = []

            async def ending():
                try:
                    await asyncio.Event().wait()
                finally:
                    seen.append(cancelled())

            task = calls.call(ending, timeout=SHORT)
            assert (await told.outcome()).kind == "timeout"
            assert (await task.outcome()).kind == "timeout"
            other.open()
            assert await untold.value() is False
            assert seen == [True]
            assert cancelled() is False

    asyncio.run(main())


def test_a_stop_after_the_time_was_up_and_before_the_answer_is_a_stop():
    async def main():
        async with Calls() as calls:
            gate = calls.gate()
            sync_call = calls.call(gate, timeout=None)
            async_call = calls.call(asyncio.Event().wait, timeout=None)
            await gate.is_reached()
            for call in (sync_call, async_call):
                calls.pool._time_is_up(call.job)
                call.job.stop()
                assert (await call.outcome()).kind == "stopped"

    asyncio.run(main())


def test_past_the_cap_calls_of_the_hanging_tool_answer_at_once_and_other_tools_go_on():
    async def main():
        async with Calls(workers=2, timeout=SHORT) as calls:
            once = calls.gate()
            assert (await calls.call(once, name="once").outcome()).kind == "timeout"
            once.open()
            await calls.observed(ToolReturned)

            gate = calls.gate()
            made = [calls.call(gate, name="hanging") for _ in range(12)]
            outcomes = [await call.outcome() for call in made]
            assert [outcome.kind for outcome in outcomes[:7]] == ["timeout"] * 7
            assert len(calls.pool.stats().abandoned) <= 8
            # What ran while the last but one was given up has counted as hanging too, so it is seven or eight, never more.
            while (outcome := await calls.call(gate, name="hanging").outcome()).kind == "timeout":
                pass
            assert len(calls.pool.stats().abandoned) == 8
            assert len(tool_threads()) >= 8
            assert isinstance(outcome.error, ToolStuckError)
            assert '"hanging" was not called: 8 earlier calls of it have not returned' in str(outcome.error)
            for name in ("other", "once"):
                assert await calls.call(lambda: "fine", name=name, timeout=None).value() == "fine"

            gate.open()
            await until(lambda: not calls.pool.stats().abandoned)
            assert await calls.call(gate, "again", name="hanging", timeout=None).value() == "again"

    asyncio.run(main())


def test_calls_under_way_count_toward_the_cap_as_if_they_hung_too():
    async def main():
        async with Calls(workers=2) as calls:
            for _ in range(7):
                gate = calls.gate()
                call = calls.call(gate, name="hanging")
                await gate.is_reached()
                call.job.stop()
            last, beyond = calls.gate(), calls.gate()
            running = calls.call(last, "may yet return", name="hanging")
            await last.is_reached()
            assert len(calls.pool.stats().abandoned) == 7
            assert isinstance(await calls.call(beyond, name="hanging").error(), ToolStuckError)
            assert not beyond.reached.is_set()
            last.open()
            assert await running.value() == "may yet return"
            beyond.open()
            assert (await calls.call(beyond, name="hanging").outcome()).kind == "value"

    asyncio.run(main())


def test_a_tool_that_returns_at_the_moment_of_its_timeout_is_answered_exactly_once():
    async def main():
        async with Calls(workers=8, timeout=None) as calls:
            for number in range(300):
                limit = 0.0005 * (number % 5)
                event = threading.Event()
                call = calls.call(event.wait, limit, name="racing", timeout=limit or 0.0001)
                outcome = await call.outcome()
                assert outcome.kind in ("value", "timeout"), outcome
            await until(lambda: not calls.pool.stats().abandoned)
            assert calls.pool.stats().running == 0
            assert len(calls.named(ToolAbandoned)) == len(calls.named(ToolReturned))

    asyncio.run(main())


def test_an_outcome_that_is_on_its_way_when_the_time_is_up_is_in_time():
    async def main():
        async with Calls() as calls:
            gate = calls.gate()
            call = calls.call(gate, "value")
            await gate.is_reached()
            gate.open()
            while not call.job.returned:  # the loop does not turn here: it can't have heard
                gate.opened.wait(0.001)
            calls.pool._time_is_up(call.job)
            assert await call.value() == "value"
            assert calls.records == []

    asyncio.run(main())


def test_what_a_sync_tool_returned_to_be_awaited_has_the_same_timeout():
    async def never():
        await asyncio.Event().wait()

    async def main():
        async with Calls(timeout=SHORT) as calls:
            assert (await calls.call(lambda: [never()][0], name="slow").outcome()).kind == "timeout"

            gate = calls.gate()
            call = calls.call(lambda: (gate(), never())[1], name="slow", timeout=WAIT)
            await gate.is_reached()
            gate.open()
            while not call.job.returned:
                gate.opened.wait(0.001)
            call.job.cancel_timer()
            calls.pool._time_is_up(call.job)  # between the function's return and the start of the await
            assert (await call.outcome()).kind == "timeout"
            assert calls.records == []

    asyncio.run(main())
