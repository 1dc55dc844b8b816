"""The end of a pool, of its loop and of the interpreter: nothing hangs, nothing is left, what is stuck is named (S1)."""

import asyncio
import subprocess
import sys
import textwrap
import threading
import weakref
from typing import Any

import pytest

from llm_actors.chat import tool_pool
from llm_actors.chat.tool_pool import ToolJob, cancelled
from llm_actors.errors import LoopClosedError
from llm_actors.observe import ToolReturned
from tests.complaints import complaints

from .pool_calls import WAIT, Calls, tool_threads, until, wait_for


def test_close_stops_all_answers_all_and_leaves_no_thread_and_no_task():
    async def main():
        async with Calls(workers=4) as calls:
            for _ in range(3):
                await calls.call(lambda: None).value()
            ran: list[int] = []

            def told():
                while not cancelled():
                    threading.Event().wait(0.001)

            running = [calls.call(told), calls.call(asyncio.Event().wait)]
            held = [calls.call(told) for _ in range(2)]
            queued = [calls.call(ran.append, number) for number in range(10)]
            await until(lambda: calls.pool.stats().running == 4)
            assert await calls.pool.close(WAIT) == []
            assert [call.outcomes[0].kind for call in (*running, *held, *queued)] == ["stopped"] * 14
            assert ran == []
            assert tool_threads() == []
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_a_call_that_is_stopped_before_its_thread_comes_to_it_never_begins_and_is_not_set_aside(monkeypatch):
    held = threading.Event()
    work = ToolJob.work
    monkeypatch.setattr(ToolJob, "work", lambda job, worker: (wait_for(held), work(job, worker)))
    ran = []

    async def main():
        async with Calls(workers=1) as calls:
            first = calls.call(ran.append, "first")
            await until(lambda: first.job.state == "running")
            first.job.stop()
            second = calls.call(ran.append, "second")
            await asyncio.sleep(0)
            assert first.outcomes == second.outcomes == []
            held.set()
            assert (await first.outcome()).kind == "stopped"
            await second.value()
            assert calls.records == []

    asyncio.run(main())
    assert ran == ["second"]


@pytest.mark.parametrize("grace", [0.0, 0.05])
def test_close_names_the_threads_that_are_stuck_in_users_code_and_does_not_wait_for_them(grace):
    async def main():
        async with Calls(workers=2) as calls:
            gate = calls.gate()
            stuck = calls.call(gate, name="stuck")
            nice = calls.call(asyncio.Event().wait, name="nice")
            await gate.is_reached()
            (thread,) = await calls.pool.close(grace)
            assert (thread.tool, thread.name) == ("stuck", calls.records[0].thread)
            assert [call.outcomes[0].kind for call in (stuck, nice)] == ["stopped", "stopped"]
            (alive,) = tool_threads()
            assert (alive.name, alive.daemon) == (thread.name, True)

            gate.open()  # one that comes back to a closed pool is dismissed
            await calls.observed(ToolReturned)
            await until(lambda: not tool_threads())

    asyncio.run(main())


def test_close_sets_a_task_aside_that_ignores_its_cancellation_and_names_it(monkeypatch):
    monkeypatch.setattr(tool_pool, "LAST_STEPS", 0.05)

    async def main():
        async with Calls() as calls:
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
            (stuck,) = await calls.pool.close(0.0)
            assert (stuck.tool, stuck.name) == ("stubborn", "task llm_actors tool stubborn")
            assert call.outcomes[0].kind == "stopped"
            event.set()
            await calls.observed(ToolReturned)

    asyncio.run(main())


def test_a_pool_can_be_closed_twice_and_unused():
    async def main():
        calls = Calls()
        assert await calls.pool.close(1.0) == []
        assert await calls.pool.close(1.0) == []

    asyncio.run(main())


def test_a_loop_that_is_closed_without_a_shutdown_takes_its_idle_threads_with_it():
    async def main():
        calls = Calls(idle=WAIT)
        gate = calls.gate()
        busy, idle = calls.call(gate), calls.call(threading.current_thread)
        thread = await idle.value()
        await gate.is_reached()
        return weakref.ref(calls.pool), gate, thread, {id(one) for one in tool_threads()} - {id(thread)}, busy

    loop = asyncio.new_event_loop()
    pool, gate, thread, others, busy = loop.run_until_complete(main())
    loop.close()
    gate.open()
    for other in tool_threads():
        if id(other) in others:
            other.join(WAIT)  # its outcome has nowhere to go: it ends by itself
            assert not other.is_alive()
    assert busy.outcomes == []
    del loop, busy, gate
    import gc

    gc.collect()
    thread.join(WAIT)
    assert not thread.is_alive()
    assert pool() is None


def test_a_call_on_a_loop_that_has_ended_is_answered_with_an_error_or_is_stopped():
    async def main():
        calls = Calls()
        event = asyncio.Event()
        running = calls.call(event.wait)
        await until(lambda: calls.pool.stats().running == 1)
        await asyncio.get_running_loop().shutdown_asyncgens()  # what asyncio.run does: from here on nothing is posted
        assert calls.loop.closed
        assert (await running.outcome()).kind == "stopped"  # its task was cancelled by the loop's end, not by the tool
        assert isinstance(await calls.call(lambda: 1, name="late").error(), LoopClosedError)
        stopped = calls.call(lambda: 1, name="late")
        stopped.job.stop()
        assert (await stopped.outcome()).kind == "stopped"
        assert await calls.pool.close(0.0) == []

    asyncio.run(main())


HEAD = """
    import asyncio, contextvars, sys, threading
    from llm_actors.chat.tool_pool import ToolPool
    from llm_actors.chat.python_threads import ThreadPool
    from llm_actors.runtime import running

    def hang():
        started.set()
        threading.Event().wait()

    started = threading.Event()
    outcomes = []

    def run(pool, function):
        pool.run(function, (), {}, name=function.__name__, context=contextvars.copy_context(), done=outcomes.append)
"""


def program(body):
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(HEAD) + textwrap.dedent(body)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, complaints(done.stderr)) == (0, "")
    return done.stdout


def test_a_hanging_tool_holds_neither_the_loops_end_nor_the_interpreter_and_warns_nobody():
    assert (
        program("""
        async def main():
            loop = running()
            pool = ToolPool(loop)
            loop.on_end(lambda: pool.close(0.0))
            run(pool, hang)
            run(pool, asyncio.Event().wait)
            await asyncio.to_thread(started.wait)

        asyncio.run(main())
        print([outcome.kind for outcome in outcomes])
        print([thread.daemon for thread in threading.enumerate() if thread.name.startswith("llm-actors-tool")])
    """)
        == "['stopped', 'stopped']\n[True]\n"
    )


def test_a_pool_that_nobody_closed_holds_neither_the_loops_end_nor_the_interpreter_and_warns_nobody():
    assert (
        program("""
        async def main():
            pool = ToolPool(running(), timeout=0.05)
            threads = ThreadPool(running())
            for function in (hang, asyncio.Event().wait, int):
                run(pool, function)
            threads.start(hang, contextvars.copy_context(), outcomes.append)
            threads.start(int, contextvars.copy_context(), outcomes.append)
            await asyncio.to_thread(started.wait)
            while len(outcomes) < 4:
                await asyncio.sleep(0.01)
            run(pool, hang)
            run(pool, asyncio.Event().wait)

        asyncio.run(main())
        print(sorted(outcome.kind for outcome in outcomes[:4]))
    """)
        == "['timeout', 'timeout', 'value', 'value']\n"
    )


def test_a_loop_that_ends_while_tools_return_loses_nothing_but_their_outcomes():
    assert (
        program("""
        import time

        async def main():
            loop = running()
            pool = ToolPool(loop, workers=8)
            loop.on_end(lambda: pool.close(0.0))
            for _ in range(200):
                run(pool, lambda: time.sleep(0.0005))
            await asyncio.sleep(0.005)

        for _ in range(10):
            asyncio.run(main())
        for thread in threading.enumerate():
            if thread.name.startswith("llm-actors-tool"):
                thread.join(10)
                assert not thread.is_alive()
        print(len(outcomes), {outcome.kind for outcome in outcomes} <= {"value", "stopped"})
    """)
        == "2000 True\n"
    )


def test_wait_for_is_bounded():
    event = threading.Event()
    event.set()
    wait_for(event)


def test_a_call_that_was_stopped_before_its_thread_came_to_it_is_not_made():
    """nothing new starts (C5)"""
    called = []

    class Held:
        thread_name = "held"
        gone: Any = None

        def send(self, work):
            self.work = work

        def stop(self):
            self.gone()

        def join(self, timeout):
            pass

    async def main():
        async with Calls() as calls:
            calls.pool._crew.take = lambda: (held, False)
            call = calls.call(lambda: called.append(1))
            await until(lambda: hasattr(held, "work"))
            call.job.stop()
            held.work.work(held)
            assert (await call.outcome()).kind == "stopped"
            assert called == []

    held = Held()
    asyncio.run(main())
