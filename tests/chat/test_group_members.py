"""Actors, tasks and calls in threads that were started in a group."""

import asyncio
import threading

import pykka
import pytest

import llm_actors as llm
from llm_actors.chat import members
from llm_actors.runtime import ThreadingActor

from .speakers import Says, SyncSays, run


async def forever():
    await asyncio.get_running_loop().create_future()


# ---- actors


class Counts(llm.Actor):
    """Counts its mail; `stopped` in the end."""

    log: list[object]

    def __init__(self, log):
        super().__init__()
        self.log = log

    def on_receive(self, message):
        self.log.append(message)

    def on_stop(self):
        self.log.append("stopped")


class ThreadCounts(ThreadingActor):
    use_daemon_thread = True

    def __init__(self, log):
        super().__init__()
        self.log = log

    def on_receive(self, message):
        self.log.append(message)

    def on_stop(self):
        self.log.append("stopped")


@pytest.mark.parametrize("kind", [Counts, ThreadCounts])
def test_actors_stop_behind_their_mail_when_the_block_ends(kind):
    async def main():
        log = []
        async with llm.Group() as group:
            ref = group.start(kind, log)
            for number in range(100):
                ref.tell(number)
        assert log == [*range(100), "stopped"]
        assert not ref.is_alive()

    run(main())


@pytest.mark.parametrize("kind", [Counts, ThreadCounts])
def test_actors_stop_when_the_group_is_cancelled(kind):
    async def main():
        log = []
        with pytest.raises(BaseExceptionGroup):
            async with llm.Group() as group:
                ref = group.start(kind, log)
                raise ValueError("broken")
        assert not ref.is_alive()
        assert log == ["stopped"]

    run(main())


def test_an_actor_that_does_not_stop_has_its_coroutine_cancelled(monkeypatch):
    monkeypatch.setattr(members, "GRACE", 0.1)

    class Hangs(llm.Actor):
        async def on_receive(self, message):
            await forever()

    async def main():
        async with llm.Group() as group:
            ref = group.start(Hangs)
            ref.tell("hang")
            await asyncio.sleep(0)
            group.cancel()
        assert not ref.is_alive()

    run(main())


def test_a_threading_actor_that_hangs_is_left_alone(monkeypatch, caplog):
    monkeypatch.setattr(members, "GRACE", 0.1)
    let_go, entered = threading.Event(), threading.Event()

    class Hangs(ThreadingActor):
        use_daemon_thread = True

        def on_receive(self, message):
            entered.set()
            let_go.wait(10)

    async def main():
        async with llm.Group() as group:
            ref = group.start(Hangs)
            ref.tell("hang")
            assert await asyncio.to_thread(entered.wait, 5)
            group.cancel()
        assert "does not stop" in caplog.text
        let_go.set()
        ref.actor_stopped.wait(5)

    run(main())
    pykka.ActorRegistry.stop_all()


def test_a_long_lived_group_keeps_no_actors_that_have_stopped():
    async def main():
        async with llm.Group() as group:
            for _ in range(200):
                await group.start(Counts, []).stop(block=False)
            assert len(group._members) < 80

    run(main())


def test_an_actor_that_prompts_while_it_stops_is_waited_for():
    async def main():
        said = []

        class Agent(llm.Actor):
            async def on_receive(self, message):
                said.append(await Says("a").prompt(message).text())

        async with llm.Group() as group:
            ref = group.start(Agent)
            ref.tell("one")
            ref.tell("two")
        assert said == ["a", "a"]

    run(main())


# ---- spawn


def test_spawn_calls_functions_in_threads_and_coroutine_functions_as_tasks_with_the_groups_scope():
    async def main():
        def plain(left, right):
            return left + right, llm.current_scope().tenant, threading.current_thread() is threading.main_thread()

        async def suspends(value):
            await asyncio.sleep(0)
            return value, llm.current_scope().tenant

        async with llm.Group(tenant="acme") as group:
            assert await group.spawn(plain, 1, right=2) == (3, "acme", False)
            assert await group.spawn(suspends, 4) == (4, "acme")
            late = group.spawn(plain, 1, 1)
        assert late.get(timeout=0)[0] == 2

    run(main())


@pytest.mark.parametrize("kind", ["thread", "task", "call"])
def test_what_a_spawned_function_raises_fails_the_group(kind):
    def raises():
        raise ValueError("broken")

    async def raises_async():
        raise ValueError("broken")

    async def main():
        with pytest.raises(BaseExceptionGroup) as caught:
            async with llm.Group() as group:
                if kind == "call":
                    future = group.spawn(raises_async, "an argument too many")
                else:
                    future = group.spawn(raises if kind == "thread" else raises_async)
                await forever()
        expected = TypeError if kind == "call" else ValueError
        assert [type(error) for error in caught.value.exceptions] == [expected]
        with pytest.raises(expected):
            future.get(timeout=0)

    run(main())


def test_a_thread_is_told_and_its_waits_are_interrupted():
    told, looping, waiting, gate = (threading.Event() for _ in range(4))
    seen = []

    def loops():
        looping.set()
        while not llm.cancelled():
            pass
        told.set()

    def waits():
        try:
            SyncSays(lambda _: waiting.set(), gate, "never").prompt("hi").text()
        except BaseException as error:
            seen.append(type(error).__name__)
            raise

    async def main():
        async with llm.Group() as group:
            one, two = group.spawn(loops), group.spawn(waits)
            for event in (looping, waiting):
                assert await asyncio.to_thread(event.wait, 5)
            group.cancel()
        gate.set()
        assert told.is_set()
        assert seen[0] in ("CancelledError", "ResponseCancelledError")
        with pytest.raises((asyncio.CancelledError, llm.ResponseCancelledError)):
            two.get(timeout=0)
        with pytest.raises(llm.GroupEndedError, match="cancelled with its group"):
            one.get(timeout=0)

    run(main())


def test_a_thread_that_hangs_is_left_alone(monkeypatch, caplog):
    monkeypatch.setattr(members, "GRACE", 0.1)
    let_go = threading.Event()

    async def main():
        async with llm.Group() as group:
            hung = group.spawn(let_go.wait, 10)
            await asyncio.sleep(0.05)
            group.cancel()
        assert "does not return" in caplog.text
        assert hung.done()
        let_go.set()

    run(main())


def test_what_was_spawned_and_cancelled_before_it_began_never_runs():
    ran = []

    async def main():
        async def in_task():
            ran.append("task")

        async with llm.Group() as group:
            group.spawn(ran.append, "thread")
            group.spawn(in_task)
            group.cancel()

    run(main())
    assert ran == []
