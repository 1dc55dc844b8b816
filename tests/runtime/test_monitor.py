# mypy: disable-error-code="override"

"""Death watch: one Down, whatever ends the actor, whoever watches, also when it races the stop."""

import asyncio
import gc
import logging
import threading
import weakref
from typing import Any

import pykka
import pytest

from llm_actors.errors import ActorError, BlockingWaitError, LoopClosedError
from llm_actors.runtime import Actor, Down, ThreadingActor, Timeout, background, monitor

WAIT = 10.0


class Mortal(Actor):
    stops: asyncio.Event | None = None

    def on_receive(self, message):
        if isinstance(message, BaseException):
            raise message
        return message

    async def on_stop(self):
        if self.stops is not None:
            await self.stops.wait()


class Threaded(ThreadingActor):
    use_daemon_thread = True

    def on_receive(self, message):
        if isinstance(message, BaseException):
            raise message
        return message


class Pykkas(pykka.ThreadingActor):
    use_daemon_thread = True
    on_receive = Threaded.on_receive


class Watcher(Actor):
    def __init__(self):
        super().__init__()
        self.seen = []
        self.came = asyncio.Event()

    def on_receive(self, message):
        self.seen.append(message)
        if isinstance(message, Down):
            self.came.set()


class ThreadedWatcher(ThreadingActor):
    use_daemon_thread = True

    def __init__(self):
        super().__init__()
        self.came = threading.Event()
        self.seen = []

    def on_receive(self, message):
        self.seen.append(message)
        self.came.set()


def run(main):
    async def bounded():
        async with asyncio.timeout(WAIT):
            return await main

    return asyncio.run(bounded())


@pytest.fixture(autouse=True)
def _quiet(caplog):
    with caplog.at_level(logging.CRITICAL):
        yield


ENDS = {
    "stop": (lambda ref: ref.stop(block=False), "stopped", type(None)),
    "fail": (lambda ref: ref.tell(KeyError("x")), "failed", KeyError),
    "cancel": (lambda ref: ref.tell(asyncio.CancelledError()), "failed", asyncio.CancelledError),
}


@pytest.mark.parametrize("kind", [Mortal, Threaded, Pykkas])
@pytest.mark.parametrize("end", ENDS)
def test_a_watcher_gets_one_down_with_the_reason_and_awaiting_the_monitor_gives_it_too(kind, end):
    act, reason, error = ENDS[end]
    if kind is Pykkas and end == "cancel":
        act, error = (lambda ref: ref.tell(KeyError("x"))), KeyError  # Pykka's own stops all actors there

    async def main():
        watcher = Watcher.start()
        ref = kind.start()
        watch = monitor(ref, watcher)
        assert not watch.done()
        act(ref)
        down = await watch
        assert (down.ref, down.reason, type(down.error)) == (ref, reason, error)
        await watcher._actor.came.wait()
        await watcher.ask("fence", block=False)
        assert watcher._actor.seen == [down, "fence"]
        assert watch.demonitor() is False

    run(main())


def test_a_kill_is_told_as_one_and_a_mail_sent_by_the_dead_one_comes_before_its_down():
    async def main():
        watcher = Watcher.start()

        class Last(Actor):
            def on_receive(self, message):
                watcher.tell(message)
                raise KeyError(message)

        ref = Last.start()
        ref.monitor(watcher)
        ref.tell("last words")
        await watcher._actor.came.wait()
        assert [type(one) for one in watcher._actor.seen] == [str, Down]
        other = Mortal.start()
        watch = other.monitor()
        other.kill(block=False)
        assert (await watch).reason == "killed"

    run(main())


def test_the_down_comes_when_the_last_hook_has_run():
    async def main():
        ref = Mortal.start()
        ref._actor.stops = asyncio.Event()
        watch = ref.monitor()
        ref.stop(block=False)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not ref.is_alive()
        assert not watch.done()
        late = ref.monitor()
        assert not late.done()
        ref._actor.stops.set()
        assert (await watch).reason == "stopped"
        assert (await late).reason == "stopped"

    run(main())


def test_a_kill_ends_a_last_hook_that_hangs():
    async def main():
        ref = Mortal.start()
        ref._actor.stops = asyncio.Event()
        ref.stop(block=False)
        watch = ref.monitor()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert await ref.kill(block=False) is False
        assert (await watch).reason == "stopped"

    run(main())


@pytest.mark.parametrize("kind", [Mortal, Threaded, Pykkas])
def test_who_is_dead_already_is_told_at_once(kind):
    async def main():
        ref = kind.start()
        await asyncio.to_thread(ref.stop)
        first = monitor(ref)
        await first
        watcher = Watcher.start()
        watch = monitor(ref, watcher)
        assert watch.done()
        assert (await watch).reason == "stopped"
        await watcher._actor.came.wait()

    run(main())


@pytest.mark.parametrize("kind", [Mortal, Threaded, Pykkas])
def test_a_monitor_made_while_the_actor_stops_is_told_exactly_once(kind):
    def race(number):
        ref = kind.start() if kind is not Mortal else Mortal.start_on(background()).actor_ref
        watcher = ThreadedWatcher.start()
        barrier = threading.Barrier(2)

        def stop():
            barrier.wait()
            ref.tell(KeyError("x")) if number % 2 else ref.stop(block=False)

        thread = threading.Thread(target=stop)
        thread.start()
        barrier.wait()
        watch = monitor(ref, watcher)
        assert watch.get(timeout=WAIT).reason in ("failed", "stopped")
        thread.join()
        watcher.ask("fence", timeout=WAIT)
        assert [type(one) for one in watcher.proxy().seen.get(timeout=WAIT)] == [Down, str]
        watcher.stop()

    for number in range(60):
        race(number)


def test_demonitor_takes_it_back_and_nothing_comes():
    async def main():
        watcher = Watcher.start()
        ref = Mortal.start()
        watch = ref.monitor(watcher)
        waits = asyncio.ensure_future(_of(watch))
        await asyncio.sleep(0)
        assert watch.demonitor() is True
        assert watch.demonitor() is False
        with pytest.raises(ActorError, match="demonitor"):
            await waits
        await ref.stop(block=False)
        await watcher.ask("fence", block=False)
        assert watcher._actor.seen == ["fence"]
        assert watcher._actor._actor_watches == ()

    run(main())


async def _of(future):
    return await future


def test_a_watcher_that_has_ended_leaves_nothing_in_what_it_watched():
    async def main():
        ref = Mortal.start()
        watcher = Watcher.start()
        ref.monitor(watcher)
        await watcher.stop(block=False)
        await monitor(watcher)
        assert ref._actor._actor_watches == ()
        ref.monitor(watcher)  # one that is dead at once
        assert ref._actor._actor_watches == ()

    run(main())


def test_a_full_watcher_is_told_all_the_same():
    class Full(Watcher):
        mailbox_bound = 1

    async def main():
        watcher = Full.start()
        ref = Mortal.start()
        watch = ref.monitor(watcher)
        watcher.tell("fills it")
        ref._actor._actor_kill_for([])  # at once, while the watcher has not looked at its mail
        await watch
        await watcher._actor.came.wait()

    run(main())


def test_the_watchers_may_be_pykkas_own():
    class Plain(pykka.ThreadingActor):
        use_daemon_thread = True
        came = threading.Event()

        def on_receive(self, message):
            if isinstance(message, Down):
                self.came.set()

    async def main():
        watcher = Plain.start()
        ref = Mortal.start()
        ref.monitor(watcher)
        ref.stop(block=False)
        assert await asyncio.to_thread(Plain.came.wait, WAIT)
        other = Mortal.start()
        watch = other.monitor(watcher)
        await asyncio.to_thread(watcher.stop)
        with pytest.raises(ActorError):
            await watch
        await other.stop(block=False)

    run(main())


def test_the_end_of_its_loop_is_told_to_watchers_elsewhere():
    watcher = Watcher.start_on(background())
    watches = []

    async def main():
        watches.append(Mortal.start().monitor(watcher.actor_ref))

    asyncio.run(main())
    down = watches[0].get(timeout=WAIT)
    assert down.reason == "loop ended"
    assert isinstance(down.error, LoopClosedError)
    watcher.actor_ref.ask("fence", timeout=WAIT)
    assert watcher.seen == [down, "fence"]
    watcher.actor_ref.stop()


@pytest.mark.parametrize("registered", [True, False])
def test_a_loop_closed_without_its_end_is_told_at_the_next_touch(registered):
    kind: Any = type("Kind", (Mortal,), {"registered": registered})

    async def main():
        return kind.start()

    asyncio_loop = asyncio.new_event_loop()
    ref = asyncio_loop.run_until_complete(main())
    watch = ref.monitor()
    asyncio_loop.close()
    assert watch.get(timeout=WAIT).reason == "loop ended"
    assert ref.monitor().get(timeout=WAIT).reason == "loop ended"


def test_a_monitor_keeps_an_actor_that_nobody_else_holds_until_it_is_taken_back():
    class Free(Mortal):
        registered = False

    async def main():
        ref = Free.start()
        watch: Any = ref.monitor()
        held = weakref.ref(ref._actor)
        watch._target = watch._watched = None
        del ref
        gc.collect()
        assert held() is not None
        held().actor_ref.stop(block=False)
        await watch
        other = Free.start()
        watch = other.monitor()
        watch.demonitor()
        assert other._actor not in other._actor._actor_lives_on.residents

    run(main())


def test_blocking_for_it_on_the_actors_own_loop_raises_and_a_timeout_is_kept():
    async def main():
        ref = Mortal.start()
        with pytest.raises(BlockingWaitError):
            ref.monitor().get()
        with pytest.raises(Timeout):
            await asyncio.to_thread(lambda: ref.monitor().get(timeout=0.01))

    run(main())


def test_an_actor_stopped_by_its_flag_is_told_too():
    async def main():
        ref = Mortal.start()
        watch = ref.monitor()
        ref.actor_stopped.set()
        assert (await watch).reason == "stopped"
        busy = Mortal.start()
        watch = busy.monitor()
        busy.tell("x")
        busy.actor_stopped.set()
        assert (await watch).reason == "stopped"

    run(main())


def test_what_is_no_exception_and_fails_on_start_are_failures(monkeypatch):
    monkeypatch.setattr(pykka.ActorRegistry, "stop_all", lambda **_: [])

    class Broken(Mortal):
        def on_start(self):
            raise KeyError("x")

    class BrokenThread(Threaded):
        on_start = Broken.on_start

    class Odd(BaseException):
        pass

    async def main():
        assert (await Broken.start().monitor()).reason == "failed"
        assert (await monitor(BrokenThread.start())).reason == "failed"
        for kind in (Mortal, Threaded):
            ref = kind.start()
            watch = monitor(ref)
            ref.tell(Odd())
            assert isinstance((await watch).error, Odd)

    run(main())
