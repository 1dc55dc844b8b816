# mypy: disable-error-code="var-annotated, attr-defined, arg-type, comparison-overlap, unreachable"
# (these tests look at the inside, replace parts of it, and collect what they see in mixed lists)

import asyncio
import contextlib
import gc
import logging
import queue
import threading
from typing import Any

import pykka
import pytest
import sniffio

from llm_actors.errors import AsyncioOnlyError, LoopClosedError
from llm_actors.runtime import Future, Timeout, Unit, future, get_all, running, waiting

WAIT = 30.0


def later(call, *arguments):
    thread = threading.Timer(0.02, call, arguments)
    thread.start()
    return thread


def test_a_future_set_on_its_own_loop_on_another_and_in_a_thread_wakes_all_who_wait():
    answer, seen = Future(), []
    ready = threading.Barrier(4)

    async def main():
        waits = [asyncio.ensure_future(_get(answer)) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.to_thread(ready.wait, WAIT)
        seen.extend(await asyncio.gather(*waits))

    def block():
        ready.wait(WAIT)
        seen.append(answer.get(timeout=WAIT))

    threads = [
        threading.Thread(target=block),
        threading.Thread(target=lambda: asyncio.run(main())),
        threading.Thread(target=lambda: asyncio.run(main())),
    ]
    for thread in threads:
        thread.start()
    ready.wait(WAIT)
    answer.set("x")
    for thread in threads:
        thread.join(WAIT)
    assert seen == ["x"] * 7
    assert answer._waiters == ()
    assert answer.done()


async def _get(answer):
    return await answer


def test_awaiting_an_error_raises_it_with_its_traceback_each_time():
    answer: Future[Any] = Future()
    assert repr(answer) == "<Future pending>"
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError as error:
        answer.set_error(error)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError) as caught:
            asyncio.run(_get(answer))
        assert len(caught.traceback) < 12
        with pytest.raises(ZeroDivisionError):
            answer.get()
    assert repr(answer) == "<Future done>"


def test_an_exception_class_alone_is_raised_too():
    answer: Future[Any] = Future()
    answer.set_exception((ValueError, None, None))
    with pytest.raises(ValueError):
        answer.get()


def test_raising_leaves_no_cycle_behind():
    class Trouble(Exception):
        pass

    answer: Future[Any] = Future()
    answer.set_error(Trouble())
    gc.collect()
    with contextlib.suppress(Trouble):
        answer.get()
    del answer
    assert not [one for one in gc.get_objects() if type(one) is Trouble]


def test_a_second_answer_is_refused():
    answer: Future[Any] = Future()
    answer.set(1)
    for call in (lambda: answer.set(2), lambda: answer.set_error(ValueError()), lambda: answer.set_get_hook(print)):
        with pytest.raises(queue.Full):
            call()
    assert answer.get() == 1


def test_cancelled_waiters_leave_no_trace_and_do_not_disturb_the_others():
    async def main():
        answer: Future[Any] = Future()
        one, other = asyncio.ensure_future(_get(answer)), asyncio.ensure_future(_get(answer))
        await asyncio.sleep(0)
        assert len(answer._waiters) == 2
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        assert len(answer._waiters) == 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await answer
        assert len(answer._waiters) == 1
        answer.set("x")
        assert await other == "x"
        assert answer._waiters == ()
        assert not asyncio.get_running_loop()._scheduled or all(
            timer.cancelled() for timer in asyncio.get_running_loop()._scheduled
        )

    asyncio.run(main())


def test_a_waiter_whose_loop_has_closed_does_not_disturb_the_setter():
    answer: Future[Any] = Future()
    asyncio_loop = asyncio.new_event_loop()
    task = asyncio_loop.create_task(_get(answer))
    asyncio_loop.run_until_complete(asyncio.sleep(0))
    asyncio_loop.close()
    answer.set("x")
    assert answer.get() == "x"
    task._log_destroy_pending = False
    task.get_coro().close()


def test_a_waiter_on_a_loop_that_is_ending_is_still_woken():
    async def main():
        answer: Future[Any] = Future()
        task = asyncio.create_task(_get(answer))
        await asyncio.sleep(0)
        await asyncio.get_running_loop().shutdown_asyncgens()
        later(answer.set, "x")
        return await task

    assert asyncio.run(main()) == "x"


def test_get_times_out_and_leaves_no_trace():
    answer: Future[Any] = Future()
    for timeout in (0, 0.01):
        with pytest.raises(Timeout, match="seconds"):
            answer.get(timeout=timeout)
    assert answer._waiters == ()
    with pytest.raises(Timeout):
        get_all([answer], timeout=0)


def test_done_callbacks_are_called_in_the_setters_thread_or_at_once(caplog):
    answer, seen = Future(), []
    answer.add_done_callback(lambda one: seen.append((one.get(), threading.current_thread().name)))
    answer.add_done_callback(lambda _: 1 / 0)
    answer.add_done_callback(lambda _: seen.append("last"))
    thread = threading.Thread(target=answer.set, args=("x",), name="setter")
    with caplog.at_level(logging.ERROR):
        thread.start()
        thread.join(WAIT)
    assert seen == [("x", "setter"), "last"]
    assert "ZeroDivisionError" in caplog.text
    answer.add_done_callback(lambda _: seen.append("at once"))
    assert seen[-1] == "at once"
    with pytest.raises(TypeError, match="await it"):
        answer.map(str).add_done_callback(print)


# ---- computed futures -------------------------------------------------------------------------------------------------------


def test_map_filter_join_and_reduce_are_awaited_without_blocking_the_loop():
    async def main():
        numbers: Future[Any] = Future()
        other: pykka.Future[Any] = pykka.ThreadingFuture()
        mapped = numbers.map(sum)
        filtered = numbers.filter(lambda number: number > 1)
        joined = numbers.map(len).join(other, mapped)
        reduced = numbers.reduce(lambda one, two: one * two, 10)
        assert not joined.done()
        waits = [asyncio.ensure_future(_get(one)) for one in (mapped, filtered, joined, reduced)]
        await asyncio.sleep(0)
        later(numbers.set, [1, 2, 3])
        later(other.set, "other")
        assert await asyncio.gather(*waits) == [6, [2, 3], [3, "other", 6], 60]
        assert joined.done()
        assert mapped.get() == 6

    asyncio.run(main())


def test_what_is_computed_is_computed_once_by_whoever_is_first():
    source, calls, inside, release = Future(), [], threading.Event(), threading.Event()

    def compute(value):
        calls.append(threading.current_thread().name)
        inside.set()
        release.wait(WAIT)
        return value * 2

    computed = source.map(compute)
    source.set(4)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(computed.get()), name="first")
    thread.start()
    assert inside.wait(WAIT)
    with pytest.raises(Timeout):
        computed.get(timeout=0.01)

    async def main():
        task = asyncio.ensure_future(_get(computed))
        await asyncio.sleep(0.02)
        assert not task.done()  # and the loop is not blocked
        release.set()
        return await task

    assert asyncio.run(main()) == 8
    thread.join(WAIT)
    assert seen == [8]
    assert calls == ["first"]
    assert asyncio.run(_get(computed)) == 8


def test_an_exception_of_a_computation_is_raised_and_computed_again():
    source, calls = Future(), []

    def compute(value):
        calls.append(value)
        raise ZeroDivisionError

    computed = source.map(compute)
    source.set(1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            computed.get()
        with pytest.raises(ZeroDivisionError):
            asyncio.run(_get(computed))
    assert calls == [1] * 4
    failing: Future[Any] = Future()
    failing.set_error(KeyError("x"))
    with pytest.raises(KeyError):
        failing.map(str).get()


def test_a_get_hook_that_is_awaited_runs_once_in_a_thread_of_its_own():
    calls = []

    def hook(timeout):
        calls.append((timeout, threading.current_thread()))
        return "hooked"

    answer: Future[Any] = Future()
    answer.set_get_hook(hook)
    with pytest.raises(queue.Full):
        answer.set(1)
    assert asyncio.run(_get(answer)) == "hooked"
    assert asyncio.run(_get(answer)) == "hooked"
    ((timeout, thread),) = calls
    assert timeout is None
    assert thread.daemon
    assert thread is not threading.main_thread()
    failing: Future[Any] = Future()
    failing.set_get_hook(lambda timeout: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(_get(failing))


# ---- who can't be answered any more -----------------------------------------------------------------------------------------


def test_a_future_whose_loop_has_closed_raises_in_threads_and_on_other_loops():
    async def main():
        return Future(running())

    answer = asyncio.run(main())
    with pytest.raises(LoopClosedError):
        answer.get()
    with pytest.raises(LoopClosedError):
        answer.get(timeout=0)
    with pytest.raises(LoopClosedError):
        asyncio.run(_get(answer))
    with pytest.raises(LoopClosedError):
        asyncio.run(_get(answer.map(str)))
    answer.set("late")
    assert answer.get() == "late"


def test_a_coroutine_that_waits_for_another_loop_looks_whether_it_is_still_there(monkeypatch):
    monkeypatch.setattr(future, "SLICE", 0.01)
    other = asyncio.new_event_loop()

    async def touch():
        return running()

    answer = Future(other.run_until_complete(touch()))

    async def main():
        asyncio.get_running_loop().call_later(0.05, other.close)
        await answer

    with pytest.raises(LoopClosedError):
        asyncio.run(main())


def test_a_parents_future_raises_in_a_forked_child(monkeypatch):
    answer: Future[Any] = Future()
    monkeypatch.setattr(future, "_generation", future._generation)
    monkeypatch.setattr(future, "_lock", future._lock)
    future._after_fork()
    with pytest.raises(LoopClosedError, match="parent"):
        answer.get()
    with pytest.raises(LoopClosedError, match="parent"):
        asyncio.run(_get(answer))


def test_awaiting_under_trio_or_without_a_loop_is_a_typed_error():
    token = sniffio.current_async_library_cvar.set("trio")
    try:
        with pytest.raises(AsyncioOnlyError):
            _get(Future()).send(None)
    finally:
        sniffio.current_async_library_cvar.reset(token)
    with pytest.raises(RuntimeError, match="without a running"):
        _get(Future()).send(None)


# ---- a tool that waits ------------------------------------------------------------------------------------------------------


class Watcher(Unit):
    def __init__(self):
        super().__init__()
        self.log = []
        self.entered = threading.Event()

    def enter(self, wait):
        self.log.append("enter")
        self.interrupt = wait.interrupt
        self.entered.set()

    def exit(self, wait):
        self.log.append("exit")


@pytest.fixture
def watcher():
    watcher = Watcher()
    token = waiting.set(watcher)
    yield watcher
    waiting.reset(token)


def test_a_watcher_is_told_of_real_waits_only(watcher):
    answer: Future[Any] = Future()
    later(answer.set, 1)
    assert answer.get(timeout=WAIT) == 1
    assert watcher.log == ["enter", "exit"]
    answer.get()
    asyncio.run(_get(answer))
    with pytest.raises(Timeout):
        Future().get(timeout=0)
    assert watcher.log == ["enter", "exit"]
    with pytest.raises(Timeout):
        Future().get(timeout=0.01)
    assert watcher.log == ["enter", "exit"] * 2
    hooked: Future[Any] = Future()
    watcher.entered.clear()
    hooked.set_get_hook(lambda timeout: (watcher.entered.wait(WAIT), waiting.get()))
    assert asyncio.run(_get(hooked)) == (True, None)  # who waits for the thread is counted, not the thread
    assert watcher.log == ["enter", "exit"] * 3


def test_interrupt_makes_a_blocked_get_raise_cancelled_error(watcher):
    answer: Future[Any] = Future()
    thread = threading.Thread(target=lambda: (watcher.entered.wait(WAIT), watcher.interrupt(), watcher.interrupt()))
    thread.start()
    with pytest.raises(asyncio.CancelledError):
        answer.get(timeout=WAIT)
    thread.join(WAIT)
    assert watcher.log == ["enter", "exit"]
    assert answer._waiters == ()
    answer.set(1)
    watcher.interrupt()  # too late is no error
    assert answer.get() == 1


def test_interrupt_makes_an_await_raise_cancelled_error(watcher):
    async def main():
        answer: Future[Any] = Future()
        thread = threading.Thread(target=lambda: (watcher.entered.wait(WAIT), watcher.interrupt()))
        thread.start()
        with pytest.raises(asyncio.CancelledError):
            await answer
        thread.join(WAIT)
        assert watcher.log == ["enter", "exit"]
        assert answer._waiters == ()

    asyncio.run(main())
    watcher.interrupt()  # its loop has closed
