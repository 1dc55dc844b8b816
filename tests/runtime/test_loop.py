# mypy: disable-error-code="union-attr, var-annotated, arg-type, method-assign, func-returns-value"
# (these tests look at the inside, replace parts of it, and collect what they see in mixed lists)

import asyncio
import contextlib
import contextvars
import logging
import threading
from typing import Any

import pytest
import sniffio

from llm_actors.errors import AsyncioOnlyError, LoopClosedError
from llm_actors.runtime import (
    Loop,
    background,
    here,
    install_system_factory,
    is_background,
    loop,
    running,
    system_context,
    system_of,
    which_system,
)

WAIT = 30.0


def test_each_asyncio_loop_has_one_loop_from_its_first_touch_to_its_end():
    async def main():
        assert isinstance(running(), Loop)
        assert running() is here()
        assert here().asyncio_loop is asyncio.get_running_loop()
        assert here().is_current()
        assert not here().closed
        assert "open" in repr(running())
        return running()

    assert running() is None
    one, other = asyncio.run(main()), asyncio.run(main())
    assert one is not other
    assert one.closed
    assert "closed" in repr(one)
    assert not one.is_current()


def test_there_is_one_background_loop_made_at_first_use_by_whoever_is_first():
    found = []
    threads = [threading.Thread(target=lambda: found.append(here())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert set(found) == {background()}
    assert is_background(background())
    assert asyncio.run(_is_on_background()) is False


async def _is_on_background():
    return is_background(running())


def test_posts_from_many_threads_keep_each_threads_order_and_share_wake_ups():
    wakes = []

    async def main():
        home, seen = running(), []
        done = asyncio.Event()
        real = home.asyncio_loop.call_soon_threadsafe
        home.asyncio_loop.call_soon_threadsafe = lambda *args, **kwargs: (wakes.append(1), real(*args, **kwargs))

        def send(sender):
            for number in range(500):
                home.post(seen.append, (sender, number))

        threads = [threading.Thread(target=send, args=(sender,)) for sender in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:  # the loop stands still meanwhile
            thread.join(WAIT)
        assert seen == []
        home.post(done.set)
        await done.wait()
        for sender in range(3):
            assert [number for one, number in seen if one == sender] == list(range(500))

    asyncio.run(main())
    assert len(wakes) == 1


def test_a_posted_call_that_fails_is_reported_and_the_others_are_made():
    async def main():
        reported, seen = [], []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
        here().post(lambda: 1 / 0)
        here().post(seen.append, 1)
        await asyncio.sleep(0)
        return reported, seen

    reported, seen = asyncio.run(main())
    assert [type(error) for error in reported] == [ZeroDivisionError]
    assert seen == [1]


def test_an_interrupt_in_a_posted_call_loses_none_of_the_others():
    asyncio_loop = asyncio.new_event_loop()
    home, seen = loop.of(asyncio_loop), []

    def interrupt():
        raise KeyboardInterrupt

    home.post(seen.append, 1)
    home.post(interrupt)
    home.post(seen.append, 2)
    home.post(seen.append, 3)
    with pytest.raises(KeyboardInterrupt):
        asyncio_loop.run_until_complete(asyncio.sleep(0.01))
    assert seen == [1]
    asyncio_loop.run_until_complete(asyncio.sleep(0.01))
    assert seen == [1, 2, 3]
    asyncio_loop.close()


def test_posted_calls_do_not_see_the_posters_context():
    colour = contextvars.ContextVar("colour", default="none")

    async def main():
        seen = []
        colour.set("red")
        here().post(lambda: seen.append(colour.get()))
        here().call_soon(lambda: seen.append(colour.get()))
        await asyncio.sleep(0.01)
        return sorted(seen)

    assert asyncio.run(main()) == ["none", "red"]


def test_a_closed_loop_takes_no_posts_and_no_tasks():
    async def main():
        return running()

    async def never():
        pytest.fail("ran")

    shut_down = asyncio.run(main())
    asyncio_loop = asyncio.new_event_loop()
    only_closed = loop.of(asyncio_loop)
    asyncio_loop.close()
    for closed in (shut_down, only_closed):
        with pytest.raises(LoopClosedError):
            closed.post(print)
        with pytest.raises(LoopClosedError):
            closed.spawn(never(), name="never")
        assert closed.closed


def test_a_post_that_races_the_closing_raises_loop_closed_error(monkeypatch):
    asyncio_loop = asyncio.new_event_loop()
    home = loop.of(asyncio_loop)
    looks = iter([False, True])
    asyncio_loop.close()
    monkeypatch.setattr(asyncio_loop, "is_closed", lambda: next(looks, True))
    monkeypatch.setattr(asyncio_loop, "call_soon_threadsafe", _refuse)
    with pytest.raises(LoopClosedError):
        home.post(print)


def _refuse(*_args, **_kwargs):
    raise RuntimeError("Event loop is closed")


def test_other_runtime_errors_of_a_loop_are_passed_on(monkeypatch):
    asyncio_loop = asyncio.new_event_loop()
    home = loop.of(asyncio_loop)
    with monkeypatch.context() as patch:
        patch.setattr(asyncio_loop, "call_soon_threadsafe", _refuse)
        with pytest.raises(RuntimeError, match="closed") as caught:
            home.post(print)
        assert type(caught.value) is RuntimeError
    asyncio_loop.close()


def test_timers_run_at_their_time_and_can_be_cancelled():
    async def main():
        seen, done = [], asyncio.Event()
        home = running()
        cancelled = home.call_later(0.01, seen.append, "cancelled")
        home.call_at(home.clock.monotonic() + 0.02, seen.append, "second")
        home.call_at(home.clock.monotonic() - 5, seen.append, "first")
        home.call_later(0.05, done.set)
        cancelled.cancel()
        cancelled.cancel()
        await done.wait()
        return seen

    assert asyncio.run(main()) == ["first", "second"]


def test_spawned_tasks_are_held_and_cancelled_and_awaited_at_the_end():
    seen = []

    async def work():
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(0.01)
            seen.append("cleaned up")

    async def main():
        task = here().spawn(work(), name="work")
        assert task.get_name() == "work"
        await asyncio.sleep(0)
        # As a runner does that does not cancel tasks itself.
        await asyncio.get_running_loop().shutdown_asyncgens()
        assert seen == ["cleaned up"]
        assert task.cancelled()
        assert here().closed

    asyncio.run(main())


def test_the_end_runs_callbacks_in_reverse_order_whatever_they_raise(caplog):
    seen = []

    def fail():
        raise ZeroDivisionError

    async def slow():
        await asyncio.sleep(0.01)
        seen.append("first registered")

    async def main():
        here().on_end(slow)
        here().on_end(fail)
        here().on_end(lambda: here().post(seen.append, "posted at the end"))
        here().on_end(lambda: seen.append("last registered"))

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert seen == ["last registered", "posted at the end", "first registered"]
    assert "a callback at the end of a loop failed" in caplog.text


def test_calls_posted_just_before_the_end_are_made():
    seen: list[Any] = []

    async def main():
        home = running()
        home.on_end(lambda: home.post(seen.append, "posted last"))

    asyncio.run(main())
    assert seen == ["posted last"]


def test_a_callback_that_hangs_is_given_up(caplog, monkeypatch):
    monkeypatch.setattr(loop, "CALLBACK_GRACE", 0.05)

    async def main():
        here().on_end(lambda: asyncio.sleep(100))

    asyncio.run(main())
    assert "TimeoutError" in caplog.text


def test_a_task_that_refuses_to_end_is_named_and_left(caplog, monkeypatch):
    monkeypatch.setattr(loop, "GRACE", 0.05)

    async def main():
        release = asyncio.Event()

        async def stubborn():
            while not release.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await release.wait()

        task = here().spawn(stubborn(), name="stubborn")
        await asyncio.sleep(0)
        await asyncio.get_running_loop().shutdown_asyncgens()
        assert "stubborn" in caplog.text
        release.set()
        await task

    asyncio.run(main())


def test_a_first_touch_after_the_shutdown_of_generators_is_no_error():
    async def main():
        await asyncio.get_running_loop().shutdown_asyncgens()
        assert here()._parked is None

    asyncio.run(main())


def test_a_loop_that_only_other_threads_touch_ends_what_they_begin_there():
    asyncio_loop = asyncio.new_event_loop()
    touched = loop.of(asyncio_loop)  # from outside: it can't wait for the loop's end yet
    said: list[str] = []
    touched.post(lambda: touched.on_end(lambda: said.append("ended")))
    asyncio_loop.run_until_complete(asyncio.sleep(0))
    asyncio_loop.run_until_complete(asyncio_loop.shutdown_asyncgens())
    asyncio_loop.close()
    assert said == ["ended"]


def test_what_other_threads_post_when_nobody_would_end_it_any_more_begins_nothing():
    asyncio_loop = asyncio.new_event_loop()
    touched = loop.of(asyncio_loop)
    asyncio_loop.run_until_complete(asyncio_loop.shutdown_asyncgens())

    async def work() -> None:
        raise AssertionError

    refused: list[BaseException] = []

    def begin() -> None:
        try:
            touched.spawn(work(), name="too late")
        except LoopClosedError as error:
            refused.append(error)

    touched.post(begin)
    asyncio_loop.run_until_complete(asyncio.sleep(0))
    assert len(refused) == 1
    with pytest.raises(LoopClosedError):
        touched.post(begin)
    asyncio_loop.close()


def test_running_says_asyncio_only_under_trio():
    token = sniffio.current_async_library_cvar.set("trio")
    try:
        with pytest.raises(AsyncioOnlyError, match="trio"):
            running()
    finally:
        sniffio.current_async_library_cvar.reset(token)

    def as_trio_does():
        sniffio.thread_local.name = "trio"
        with pytest.raises(AsyncioOnlyError, match="trio"):
            here()
        sniffio.thread_local.name = "asyncio"
        found.append(running())

    found: list[Any] = []
    thread = threading.Thread(target=as_trio_does)
    thread.start()
    thread.join(WAIT)
    assert found == [None]


def test_the_system_is_that_of_the_context_else_the_loops_default(monkeypatch):
    monkeypatch.setattr(which_system, "_factory", [])
    asyncio_loop = asyncio.new_event_loop()
    home = loop.of(asyncio_loop)
    with pytest.raises(RuntimeError, match="no system"):
        system_of(home)
    install_system_factory(object)
    default = system_of(home)
    assert system_of(home) is default
    token = system_context.set("mine")
    assert system_of(home) == "mine"
    system_context.reset(token)
    assert system_of(home) is default
    asyncio_loop.close()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_the_background_loop_outlives_a_call_that_wants_to_end_the_program(error, caplog):
    seen = threading.Event()

    def leave():
        raise error

    background().post(leave)
    background().post(seen.set)
    assert seen.wait(WAIT)
    assert "wanted to end the program" in caplog.text
    assert not background().closed


def test_a_background_loop_that_was_closed_is_made_anew():
    before = background()
    loop._background.end()
    assert before.closed
    assert background() is not before
    assert not background().closed


def test_a_background_loop_without_a_thread_is_a_typed_error_and_leaves_nothing_open(monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("llm_actors.runtime.loop._background", None)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(LoopClosedError, match="can't start new thread"):
        background()
