"""`on_done`: the order of DESIGN section 5, row "an `on_done` callback that raises or is slow"."""

import asyncio
import logging
import threading

import llm_actors as llm
from llm_actors.observe import CallbackFailed

from .speakers import Says, SyncSays, run


def test_the_log_is_closed_then_callbacks_start_in_order_of_registration_then_readers_are_released():
    """order: log closed, callbacks started in order of registration, readers of `text()` released."""
    order = []

    async def main():
        go = asyncio.Event()
        response = Says("a", go, "b").prompt("hi")

        async def read():
            await response.text()
            order.append("reader")

        def plain(number):
            def callback(seen):
                assert seen is response
                assert seen.partial == "ab"  # closed: all of it is there
                order.append(f"plain {number}")

            return callback

        async def native(seen):
            order.append(f"async {await seen.text()}")  # reads without waiting for its own release

        reader = asyncio.create_task(read())
        await response.on_done(plain(1))
        await response.on_done(native)
        await response.on_done(plain(2))
        go.set()
        await reader

    run(main())
    assert order[-1] == "reader"
    assert order[:2] == ["plain 1", "plain 2"] or order[0] == "plain 1"
    assert sorted(order[:3]) == ["async ab", "plain 1", "plain 2"]
    assert order.index("plain 1") < order.index("plain 2")


def test_a_callback_that_does_not_suspend_has_ended_before_text_returns():
    """A callback that doesn't suspend (the page's) has ended before `await text()` returns (its first step runs eagerly)."""
    ended = []

    async def main():
        response = Says("hi").prompt("hi")

        async def callback(seen):
            usage = await seen.usage()
            ended.append((await seen.text(), usage))

        await response.on_done(callback)
        text = await response.text()
        return text, list(ended)

    text, ended_by_then = run(main())
    assert [text] == [seen for seen, _ in ended_by_then] == ["hi"]


def test_a_callback_that_suspends_runs_on_beside_it():
    """... one that suspends runs on beside it ..."""

    async def main():
        go, ended = asyncio.Event(), asyncio.Event()
        response = Says("hi").prompt("hi")

        async def callback(_):
            await go.wait()
            ended.set()

        await response.on_done(callback)
        assert await response.text() == "hi"
        assert not ended.is_set()
        go.set()
        await ended.wait()

    run(main())


def test_a_callbacks_exception_is_logged_and_observed_and_changes_nothing_for_others(caplog):
    """... its exception is logged and observed."""
    records, called = [], []

    async def main():
        with llm.ActorSystem(observers=[records.append]):
            response = Says("hi").prompt("hi")

            def plain(_):
                raise ValueError("plain failed")

            async def native(_):
                raise ValueError("async failed")

            await response.on_done(plain)
            await response.on_done(native)
            await response.on_done(called.append)
            assert await response.text() == "hi"
            await asyncio.sleep(0)

    with caplog.at_level(logging.ERROR, "llm_actors"):
        run(main())
    assert len(called) == 1
    assert sorted(record.error for record in records if isinstance(record, CallbackFailed)) == [
        "ValueError('async failed')",
        "ValueError('plain failed')",
    ]
    assert sum("on_done callback" in record.message for record in caplog.records) == 2


def test_registered_on_a_finished_response_it_is_called_at_once():
    async def main():
        response = Says("hi").prompt("hi")
        await response.text()
        called = []
        await response.on_done(called.append)
        assert called == [response]

        async def native(seen):
            called.append(await seen.text())

        await response.on_done(native)
        assert called[1:] == ["hi"]

    run(main())


def test_it_is_not_called_after_an_error():
    called = []

    async def main():
        response = Says("half", ValueError("no")).prompt("hi")
        await response.on_done(called.append)
        async for _ in response.events():
            pass
        await response.on_done(called.append)

    run(main())
    assert called == []


def test_in_sync_code_it_runs_in_a_worker_thread_before_text_returns():
    go, threads = threading.Event(), []
    response = SyncSays("a", go, "b").prompt("hi")
    response.on_done(lambda seen: threads.append((threading.get_ident(), seen.text())))
    go.set()
    assert response.text() == "ab"
    assert [text for _, text in threads] == ["ab"]
    assert threads[0][0] != threading.get_ident()


def test_in_sync_code_a_failing_one_changes_nothing(caplog):
    go = threading.Event()
    response = SyncSays(go, "a").prompt("hi")

    def callback(_):
        raise ValueError("no")

    response.on_done(callback)
    go.set()
    with caplog.at_level(logging.ERROR, "llm_actors"):
        assert response.text() == "a"
    assert "on_done callback" in caplog.text


def test_a_slow_one_of_another_thread_does_not_hold_readers_for_long():
    go, slow = threading.Event(), threading.Event()
    response = SyncSays(go, "a").prompt("hi")
    response.on_done(lambda _: slow.wait(30))
    go.set()
    assert response.text() == "a"  # though the callback has not returned
    assert not slow.is_set()
    slow.set()


def test_one_of_a_loop_that_is_closed_by_then_is_reported(caplog):
    records = []

    async def register(response):
        await response.on_done(lambda _: None)

    async def main():
        with llm.ActorSystem(observers=[records.append]):
            go = asyncio.Event()
            response = Says(go, "a").prompt("hi")
            await asyncio.to_thread(asyncio.run, register(response))
            go.set()
            assert await response.text() == "a"

    with caplog.at_level(logging.ERROR, "llm_actors"):
        run(main())
    assert [type(record) for record in records if isinstance(record, CallbackFailed)] == [CallbackFailed]


def test_an_awaitable_may_be_registered_in_place_of_a_function():
    async def main():
        go, ended = asyncio.Event(), asyncio.Event()
        response = Says(go, "a").prompt("hi")

        async def later():
            ended.set()

        await response.on_done(later())
        go.set()
        await response.text()
        await ended.wait()

    run(main())


def test_it_runs_in_the_context_of_its_registration():
    import contextvars

    name = contextvars.ContextVar("name", default="nobody")
    seen = []

    async def main():
        go = asyncio.Event()
        response = Says(go, "a").prompt("hi")
        name.set("registered")
        await response.on_done(lambda _: seen.append(name.get()))
        name.set("later")
        go.set()
        await response.text()

    run(main())
    assert seen == ["registered"]
