"""Threads for models in Python code: no bound, used again, never on the loop, told when they are to end."""

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from llm_actors.chat.python_threads import ThreadJob, ThreadPool
from llm_actors.chat.tool_pool import Outcome, cancelled
from llm_actors.errors import LoopClosedError
from llm_actors.runtime import Future

from .pool_calls import WAIT, Gate, this_loop, until

flavour: contextvars.ContextVar[str] = contextvars.ContextVar("flavour")


class Started:
    def __init__(self, pool, function, **settings):
        self.outcomes: list[Outcome] = []
        self.end = asyncio.get_running_loop().create_future()
        self.job: Any = None
        self.job = pool.start(function, contextvars.copy_context(), self.done, **settings)

    def done(self, outcome):
        assert self.job is not None, "answered from inside start()"
        assert asyncio.get_running_loop() is self.end.get_loop()
        self.outcomes.append(outcome)
        self.end.set_result(outcome)

    async def outcome(self):
        async with asyncio.timeout(WAIT):
            return await self.end


_others: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def _threads_of_other_tests():
    """The background loop keeps idle threads of the tests before for a while."""
    _others.clear()
    _others.update(threading.enumerate())


def model_threads():
    alive = (thread for thread in threading.enumerate() if thread not in _others)
    return [thread for thread in alive if thread.name.startswith("llm-actors-model-")]


def test_a_call_runs_in_a_daemon_thread_in_the_senders_context():
    async def main():
        pool = ThreadPool(this_loop())
        flavour.set("sweet")
        outcome = await Started(pool, lambda: (flavour.get(), threading.current_thread())).outcome()
        value, thread = outcome.value
        assert (value, thread.daemon, thread.name[:17]) == ("sweet", True, "llm-actors-model-")
        assert await pool.close(WAIT) == []
        assert not thread.is_alive()

    asyncio.run(main())


@pytest.mark.parametrize("error", [ValueError(), SystemExit(), asyncio.CancelledError(), StopIteration()], ids=repr)
def test_whatever_it_raises_is_its_outcome(error):
    def raising():
        raise error

    async def main():
        pool = ThreadPool(this_loop())
        outcome = await Started(pool, raising).outcome()
        assert (outcome.kind, outcome.error) == ("error", error)
        assert (await Started(pool, lambda: 1).outcome()).value == 1
        await pool.close(WAIT)

    asyncio.run(main())


def test_there_is_no_bound_threads_are_used_again_and_idle_ones_end():
    async def main():
        pool = ThreadPool(this_loop(), idle=0.05)
        gate = Gate()
        started = [Started(pool, gate) for _ in range(100)]
        assert (pool.running, len(model_threads())) == (100, 100)
        gate.open()
        for one in started:
            assert (await one.outcome()).kind == "value"
        assert (pool.running, pool.idle) == (0, 100)
        assert (await Started(pool, threading.current_thread).outcome()).value.name.startswith("llm-actors-model-")
        assert pool.idle == 100
        await until(lambda: not model_threads())
        assert pool.idle == 0
        await pool.close(0.0)

    asyncio.run(main())


def test_one_that_is_stopped_is_told_its_waits_raise_and_its_outcome_still_comes():
    async def main():
        pool = ThreadPool(this_loop())
        seen = []
        entered = threading.Event()

        def execute():
            entered.set()
            try:
                Future().get(timeout=WAIT)
            except asyncio.CancelledError:
                seen.append(cancelled())
            return "late"

        started = Started(pool, execute)
        assert await asyncio.to_thread(entered.wait, WAIT)
        started.job.stop()
        started.job.stop()
        assert (await started.outcome()).value == "late"
        assert seen == [True]
        await pool.close(0.0)

    asyncio.run(main())


@pytest.mark.parametrize("closed", [False, True])
def test_one_that_is_stopped_before_its_thread_comes_to_it_never_begins_but_at_the_pools_close_it_does(
    closed, monkeypatch
):
    held = threading.Event()
    work = ThreadJob.work
    monkeypatch.setattr(ThreadJob, "work", lambda job, worker: (held.wait(WAIT), work(job, worker)))

    async def main():
        pool = ThreadPool(this_loop())
        started = Started(pool, lambda: "ran")
        if closed:
            closing = asyncio.create_task(pool.close(WAIT))
            await asyncio.sleep(0)
            held.set()
            assert await closing == []
            assert (await started.outcome()).value == "ran"
        else:
            started.job.stop()
            held.set()
            assert (await started.outcome()).kind == "stopped"
        await pool.close(WAIT)

    asyncio.run(main())


def test_close_names_what_is_stuck_and_waits_as_long_as_it_was_told():
    async def main():
        pool = ThreadPool(this_loop())
        gate = Gate()

        def until_told():
            while not cancelled():
                threading.Event().wait(0.001)

        stuck, told = Started(pool, gate, name="my-model"), Started(pool, until_told)
        await gate.is_reached()
        (thread,) = await pool.close(0.2)
        assert (thread.tool, thread.name) == ("my-model", stuck.job.thread_name)
        assert thread.since == stuck.job.since > 0
        assert told.outcomes[0].kind == "value"
        (alive,) = model_threads()
        assert alive.name == thread.name
        late = Started(pool, lambda: 1, name="late")
        assert isinstance((await late.outcome()).error, LoopClosedError)
        gate.open()
        assert (await stuck.outcome()).kind == "value"
        assert await pool.close(WAIT) == []
        await until(lambda: not model_threads())

    asyncio.run(main())


def test_close_without_a_grace_does_not_wait_and_one_with_it_ends_as_soon_as_all_are_back():
    async def main():
        pool = ThreadPool(this_loop())
        gate = Gate()
        started = Started(pool, gate)
        await gate.is_reached()
        assert len(await pool.close(0.0)) == 1
        asyncio.get_running_loop().call_later(0.02, gate.open)
        assert await pool.close(WAIT) == []
        assert started.outcomes[0].kind == "value"

    asyncio.run(main())


def test_a_system_without_threads_is_an_error(monkeypatch):
    def no_thread(self):
        raise RuntimeError("can't start new thread")

    async def main():
        pool = ThreadPool(this_loop())
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", no_thread)
            failed = Started(pool, lambda: 1)
        assert str((await failed.outcome()).error) == "can't start new thread"
        assert (await Started(pool, lambda: 1).outcome()).value == 1
        await pool.close(WAIT)

    asyncio.run(main())


def test_a_loop_that_was_closed_ends_the_thread_when_it_comes_back():
    async def main():
        gate = Gate()
        started = Started(ThreadPool(this_loop()), gate)
        await gate.is_reached()
        return gate, started

    loop = asyncio.new_event_loop()
    gate, started = loop.run_until_complete(main())
    loop.close()
    (thread,) = model_threads()
    gate.open()
    thread.join(WAIT)
    assert not thread.is_alive()
    assert started.outcomes == []


def test_a_call_that_was_told_to_end_before_its_thread_came_to_it_is_not_made(monkeypatch):
    class Held:
        thread_name = "held"

        def begin(self):
            pass

        def send(self, work):
            self.work = work

        def stop(self):
            pass

        def join(self, timeout):
            pass

    async def main():
        called = []
        pool = ThreadPool(this_loop())
        monkeypatch.setattr(pool._crew, "take", lambda: (held, True))
        started = Started(pool, lambda: called.append(1))
        started.job.stop()
        held.work.work(held)
        assert isinstance((await started.outcome()).error, LoopClosedError)
        assert called == []

    held = Held()
    asyncio.run(main())
