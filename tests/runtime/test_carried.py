"""What mail carries from the context it is sent in to the handler that takes it."""

import asyncio
import contextlib
import threading
from typing import Any

import pykka
import pytest

from llm_actors.runtime import Actor, ThreadingActor, carried


@contextlib.contextmanager
def carrying(value):
    token = carried.set(value)
    try:
        yield
    finally:
        carried.reset(token)


class Looks(Actor):
    """Answers what it runs with; `later` from a coroutine, `task` from a task of that."""

    async def _later(self):
        await asyncio.sleep(0)
        return carried.get()

    def on_receive(self, message):
        if message == "later":
            return self._later()
        if message == "task":
            return asyncio.ensure_future(self._later())
        return carried.get()


class ThreadLooks(ThreadingActor):
    """The same in a thread of its own."""

    def on_receive(self, message):
        return carried.get()


@pytest.fixture(params=[Looks, ThreadLooks])
def kind(request):
    yield request.param
    pykka.ActorRegistry.stop_all()


def test_a_handler_runs_with_what_its_mail_carries_and_the_next_one_without(kind):
    async def main():
        ref = kind.start()
        assert await ref.ask("?", block=False) is None
        with carrying("a"):
            first = ref.ask("?", block=False)
        with carrying("b"):
            second = ref.ask("?", block=False)
        third = ref.ask("?", block=False)
        assert [await first, await second, await third] == ["a", "b", None]
        await ref.stop(block=False)

    asyncio.run(main())


def test_an_actor_does_not_take_on_what_was_carried_where_it_was_started(kind):
    async def main():
        with carrying("start"):
            ref = kind.start()
        assert await ref.ask("?", block=False) is None
        with carrying("a"):
            assert await ref.ask("?", block=False) == "a"
        await ref.stop(block=False)

    asyncio.run(main())


def test_a_coroutine_handler_and_its_tasks_run_with_it_while_later_mail_does_not():
    async def main():
        ref = Looks.start()
        with carrying("a"):
            coroutine, task = ref.ask("later", block=False), ref.ask("task", block=False)
        plain = ref.ask("later", block=False)
        assert await coroutine == "a"
        assert await (await task) == "a"
        assert await plain is None

    asyncio.run(main())


def test_tell_a_proxy_and_mail_from_another_thread_carry_it_too(kind):
    seen = []
    told = threading.Event()
    parent: Any = kind

    class Told(parent):  # type: ignore[misc]
        def on_receive(self, message):
            seen.append(carried.get())
            told.set()

        def look(self):
            return carried.get()

    ref = Told.start()
    with carrying("a"):
        ref.tell("?")
        assert ref.proxy().look().get(timeout=5) == "a"
    assert told.wait(5)
    assert seen == ["a"]
    assert ref.proxy().look().get(timeout=5) is None


def test_what_a_handler_tells_on_carries_it_on():
    async def main():
        last = Looks.start()

        class Passes(Actor):
            def on_receive(self, message):
                return last.ask("?", block=False)

        first = Passes.start()
        with carrying("a"):
            answer = first.ask("?", block=False)
        assert await (await answer) == "a"

    asyncio.run(main())


def test_a_handler_that_raises_leaves_nothing_behind():
    class Raises(Actor):
        def on_receive(self, message):
            if message == "raise":
                raise ValueError(message)
            return carried.get()

    async def main():
        ref = Raises.start()
        with carrying("a"), pytest.raises(ValueError, match="raise"):
            await ref.ask("raise", block=False)
        assert await ref.ask("?", block=False) is None

    asyncio.run(main())
