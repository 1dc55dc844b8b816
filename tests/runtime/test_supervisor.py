"""Supervised actors: their references, their mail, their order, and what becomes of them when nothing helps."""

# mypy: disable-error-code="override, attr-defined, assignment"

import asyncio
import gc
import logging
import threading
from collections import Counter
from typing import Any, ClassVar

import pykka
import pytest

from llm_actors.errors import MailboxFullError, TooManyRestartsError
from llm_actors.runtime import Actor, ActorDeadError, ActorRegistry, ThreadingActor, dead_letters, here
from llm_actors.runtime import supervisor as supervisor_
from llm_actors.runtime.backoff import Backoff
from llm_actors.runtime.child import Child
from llm_actors.runtime.loop import running
from llm_actors.runtime.mailbox import drop_oldest
from llm_actors.runtime.roster import Roster
from llm_actors.runtime.supervisor_office import root

WAIT = 10.0
SOON = Backoff(first=0.02, jitter=0.0)


incarnations: Counter[str] = Counter()


class Scribe(pykka.Actor):
    """Writes down what happens to it; fails at messages that are exceptions."""

    def __init__(self, name="w", log=None, **more):
        super().__init__()
        self.name = name
        self.log: list[str] = log if log is not None else []
        self.more = more
        self.got: list[Any] = []
        self.number = incarnations[self.actor_urn]
        incarnations[self.actor_urn] += 1
        self.log.append(f"init {name}")

    def on_start(self):
        self.log.append(f"start {self.name}")

    def on_stop(self):
        self.log.append(f"stop {self.name}")

    def on_receive(self, message):
        if isinstance(message, BaseException):
            raise message
        self.got.append(message)
        return self.number, list(self.got)


class Worker(Scribe, Actor):
    pass


class Threaded(Scribe, ThreadingActor):
    use_daemon_thread = True


class Records(list[Any]):
    observe = list.append

    def names(self):
        return [type(record).__name__ for record in self]


@pytest.fixture(autouse=True)
def _quiet(caplog):
    with caplog.at_level(logging.CRITICAL):
        yield


@pytest.fixture
def letters():
    found = []

    def note(actor, message, reason):
        found.append((message, reason))

    dead_letters.append(note)
    yield found
    dead_letters.remove(note)


def run(main):
    async def bounded():
        async with asyncio.timeout(WAIT):
            return await main

    return asyncio.run(bounded())


def supervisor(**settings):
    return root(Roster(here(), **{"backoff": SOON, **settings}))


async def told(ref, message="?"):
    return await ref.ask(message, block=False)


async def vacancy(ref):
    """Has it fail so that it is not restarted at once, and waits until nobody is there."""
    came, loop = asyncio.Event(), asyncio.get_running_loop()
    ref._actor.holder._actor_watch(lambda _: loop.call_soon_threadsafe(came.set))
    ref.tell(asyncio.CancelledError())
    await came.wait()


# ---- references and mail


@pytest.mark.parametrize("kind", [Worker, Threaded])
def test_mail_that_waited_goes_on_to_the_next_incarnation_and_the_message_that_failed_is_not_repeated(kind):
    async def main():
        ref = supervisor().start(kind)
        assert await told(ref, "a") == (0, ["a"])
        ref.tell("b")
        ref.tell(KeyError("fails"))
        ref.tell("c")
        assert await told(ref, "d") == (1, ["c", "d"])
        with pytest.raises(ZeroDivisionError):  # somebody asked: no failure
            await told(ref, ZeroDivisionError())
        assert await told(ref, "e") == (1, ["c", "d", "e"])

    run(main())


@pytest.mark.parametrize("kind", [Worker, Threaded])
def test_mail_sent_while_nobody_is_there_waits_in_order_and_bounded(kind, letters):
    bounded: Any = type("Bounded", (kind,), {"mailbox_bound": 3})

    async def main():
        sup = supervisor(backoff=Backoff(first=60.0))
        ref = sup.start(bounded, name="it")
        await vacancy(ref)
        assert ref.is_alive()
        answers = [ref.ask(number, block=False) for number in range(3)]
        with pytest.raises(MailboxFullError):
            ref.tell("one too many")
        assert await ref.stop(block=False) is False  # nobody is there to be stopped
        assert ref.offer("ahead", control=True) is None
        assert ref._actor.backlog == 3
        assert await sup.restart_child("it") is True
        assert [(await answer)[1][-1] for answer in answers] == [0, 1, 2]
        if kind is Worker:
            assert ref._actor.holder.got == ["ahead", 0, 1, 2]

    run(main())
    assert [message for message, _ in letters] == ["one too many"]


def test_the_classs_own_policy_holds_while_nobody_is_there(letters):
    class Picky(Worker):
        mailbox_bound = 2
        when_full = drop_oldest

    async def main():
        sup = supervisor(backoff=Backoff(first=60.0))
        ref = sup.start(Picky, name="it")
        await vacancy(ref)
        answers = [ref.ask(number, block=False) for number in range(3)]
        with pytest.raises(MailboxFullError):
            await answers[0]
        assert await sup.restart_child("it") is True
        assert await answers[2] == (1, [1, 2])

    run(main())
    assert [message for message, _ in letters] == [0]


def test_a_reference_is_the_same_for_all_incarnations_also_inside_of_them():
    class Inside(Worker):
        def __init__(self, refs):
            refs.append(self.actor_ref)
            super().__init__()
            refs.append(self.actor_ref)

        def on_start(self):
            self.actor_ref.tell("from the start")

    async def main():
        refs = []
        ref = supervisor().start(Inside, refs)
        urn = ref.actor_urn
        assert await told(ref) == (0, ["?"])
        assert await told(ref) == (0, ["?", "from the start", "?"])
        first = ref._actor.holder
        ref.tell(KeyError())
        await told(ref)
        assert ref._actor.holder is not first
        assert refs == [ref] * 4
        assert len({*refs, ref}) == 1
        assert (ref.actor_urn, ref._actor.holder.actor_urn) == (urn, urn)
        assert ActorRegistry.get_by_urn(urn) == ref
        assert ActorRegistry.get_by_class(Inside) == [ref]
        assert ref.actor_class is Inside
        assert str(ref) == f"Inside ({urn})"
        proxy = ref.proxy()
        ref.tell(KeyError())
        assert await proxy.number == 2
        assert await proxy.more == {}
        assert not ref.actor_stopped.is_set()

    run(main())


def test_control_mail_keeps_its_lane_over_a_restart():
    async def main():
        ref = supervisor().start(Worker)
        ref.tell(KeyError(), control=True)
        ref.tell("mail")
        ref.tell("control", control=True)
        assert await told(ref) == (1, ["control", "mail", "?"])

    run(main())


def test_a_stop_is_for_who_is_there_and_a_permanent_one_comes_back():
    async def main():
        ref = supervisor().start(Worker)
        assert await ref.stop(block=False) is True
        assert await told(ref) == (1, ["?"])
        assert await ref.stop(block=False, now=True) is True
        assert await ref.kill(block=False) in (True, False)
        assert (await told(ref))[1] == ["?"]
        once = supervisor().start(Worker, restart="transient")
        assert await once.stop(block=False) is True
        await once.monitor()
        with pytest.raises(ActorDeadError):
            once.tell("late")

    run(main())


def test_a_kill_is_a_failure_and_what_waited_goes_on():
    class Hangs(Worker):
        async def on_receive(self, message):
            if message == "hang":
                await asyncio.Event().wait()
            return super().on_receive(message)

    async def main():
        ref = supervisor().start(Hangs, restart="transient")
        hangs = ref.ask("hang", block=False)
        waits = ref.ask("waits", block=False)
        await asyncio.sleep(0)
        assert await ref.kill(block=False) is True
        with pytest.raises(ActorDeadError):
            await hangs
        assert (await waits)[1] == ["waits"]

    run(main())


def test_mail_that_nobody_will_take_any_more_is_answered_and_becomes_dead_letters_with_the_reason(letters):
    async def main():
        sup = supervisor(intensity=0)
        ref, other = sup.start(Worker, name="a"), sup.start(Worker, name="b")
        watch = other.monitor()
        ref.tell(KeyError("the last"))
        ref.tell("told")
        asked = ref.ask("asked", block=False)
        with pytest.raises(ActorDeadError, match="is not restarted") as caught:
            await asked
        assert isinstance(caught.value.__cause__, TooManyRestartsError)
        down = await watch
        assert (down.ref, down.reason) == (other, "failed")
        assert isinstance(down.error, TooManyRestartsError)
        assert isinstance(down.error.__cause__, KeyError)
        assert down.error.child == "a"
        with pytest.raises(ActorDeadError):
            sup.start(Worker)

    run(main())
    assert [message for message, _ in letters if isinstance(message, str)] == ["told", "asked"]
    assert all("is not restarted" in reason for message, reason in letters if isinstance(message, str))


# ---- strategies, with real actors


@pytest.mark.parametrize(
    ("strategy", "order"),
    [
        ("one_for_one", ["init b", "start b"]),
        ("one_for_all", ["stop c", "stop a", "init a", "init b", "init c", "start a", "start b", "start c"]),
        ("rest_for_one", ["stop c", "init b", "init c", "start b", "start c"]),
    ],
)
@pytest.mark.parametrize("kind", [Worker, Threaded])
def test_the_group_is_stopped_in_reverse_order_and_started_in_order(kind, strategy, order):
    async def main():
        log = []
        sup = supervisor(strategy=strategy)
        refs = [sup.start(kind, name, log, name=name) for name in "abc"]
        for ref in refs:
            await told(ref)
        del log[:]
        refs[1].tell(KeyError())
        for ref in refs:
            await told(ref)
        await sup.children()
        if kind is Worker:
            assert log == order
        else:  # threads start beside each other
            assert [entry for entry in log if not entry.startswith("start")] == [
                entry for entry in order if not entry.startswith("start")
            ]

    run(main())


def test_a_start_that_fails_raises_the_first_time_and_counts_as_a_failure_later():
    class Moody(Worker):
        fails: ClassVar[list[bool]] = []

        def __init__(self):
            if self.fails and self.fails.pop():
                raise ConnectionError("not now")
            super().__init__()

    async def main():
        records = Records()
        sup = supervisor(observed=records)
        Moody.fails = [True]
        with pytest.raises(ConnectionError):
            sup.start(Moody, name="moody")
        assert await sup.children() == []
        ref = sup.start(Moody, name="moody")
        Moody.fails = [True, True]
        ref.tell(KeyError())
        assert await told(ref) == (1, ["?"])
        (child,) = await sup.children()
        assert (child.id, child.ref, child.state, child.restarts) == ("moody", ref, "up", 3)
        assert repr(child.last.error) == "ConnectionError('not now')"
        assert records.names() == ["ChildEnded", "ChildEnded", "ChildEnded", "ChildRestarted"]
        assert [record.restart_in for record in records[:3]] == pytest.approx([0.0, 0.02, 0.04])

    run(main())


def test_an_on_start_that_fails_is_a_failure():
    class Broken(Worker):
        def on_start(self):
            raise KeyError("start")

    class BrokenThread(Threaded):
        on_start = Broken.on_start

    async def main():
        for kind in (Broken, BrokenThread):
            sup = supervisor(intensity=2)
            down = await sup.start(kind).monitor()
            assert isinstance(down.error, TooManyRestartsError)
            assert isinstance(down.error.__cause__, KeyError)
            assert (await sup.monitor()).reason == "failed"

    run(main())


# ---- what is asked of a supervisor


def test_children_are_started_stopped_restarted_and_listed():
    async def main():
        sup = supervisor()
        log = []
        ref = sup.start_child(Child("one", (Worker, ("one", log), {"more": 1}), restart="transient"))
        two = sup.start(Worker, "two", log)
        assert [child.id for child in await sup.children()] == ["one", "Worker-1"]
        with pytest.raises(ValueError, match="'one' already"):
            sup.start(Worker, name="one")
        assert await sup.restart_child("one") is True
        assert await told(ref) == (1, ["?"])
        watch = ref.monitor()
        assert await sup.stop_child("one") is True
        assert (await watch).reason == "stopped"
        assert await sup.stop_child("one") is False
        assert await sup.restart_child("one") is False
        sup.start(Worker, name="one")  # its name is free
        assert log == [
            "init one",
            "init two",
            "start one",
            "start two",
            "stop one",
            "init one",
            "start one",
            "stop one",
        ]
        with pytest.raises(TypeError, match="take llm_actors"):
            sup.start(pykka.ThreadingActor)
        with pytest.raises(TypeError, match="a child is an Actor"):
            sup.start(dict)
        assert await sup.stop(block=False) is True
        assert not two.is_alive()
        for call in (lambda: sup.stop_child("x"), sup.children):
            with pytest.raises(ActorDeadError):
                await call()

    run(main())


def test_from_another_thread_a_child_is_started_on_the_supervisors_loop():
    async def main():
        sup = supervisor()
        loop = running()

        class Where(Worker):
            def on_receive(self, message):
                assert running() is loop
                return threading.current_thread().name

        def elsewhere():
            ref = sup.start(Where)
            return ref.ask("?", timeout=WAIT), sup.restart_child("Where-1").get(timeout=WAIT)

        assert await asyncio.to_thread(elsewhere) == (threading.current_thread().name, True)

    run(main())


def test_a_child_that_does_not_stop_in_time_is_killed_and_a_thread_is_left_alone(monkeypatch):
    monkeypatch.setattr(supervisor_, "KILL_GRACE", 0.02)
    free = threading.Event()

    class Clings(Worker):
        async def on_receive(self, message):
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    self.log.append("clings")
                    if len(self.log) > 3:
                        raise

    class Slow(Worker):
        async def on_stop(self):
            await asyncio.Event().wait()

    class Stuck(Threaded):
        def on_receive(self, message):
            free.wait(WAIT)

    async def main():
        sup = supervisor()
        log = []
        for kind, shutdown in ((Slow, 0.01), (Slow, 0), (Worker, None), (Stuck, 0.01), (Stuck, 0), (Clings, 0.01)):
            ref = sup.start(kind, "x", log, name="it", shutdown=shutdown)
            ref.tell("work")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert await sup.stop_child("it") is True
            assert not ref.is_alive()
        free.set()
        assert "clings" in log

    run(main())


def test_a_child_given_up_that_comes_to_its_end_after_all_hands_its_mail_on(monkeypatch):
    monkeypatch.setattr(supervisor_, "KILL_GRACE", 0.0)
    free, stuck = threading.Event(), threading.Event()

    class Stuck(Threaded):
        def on_receive(self, message):
            if message == "stuck":
                stuck.set()
                free.wait(WAIT)
            return super().on_receive(message)

    async def main():
        sup = supervisor()
        ref = sup.start(Stuck, name="it", shutdown=0)
        ref.tell("stuck")
        assert await asyncio.to_thread(stuck.wait, WAIT)
        answer = ref.ask("after", block=False)
        assert await sup.restart_child("it") is True
        assert (await answer)[1] == ["after"]
        free.set()
        old = ref._actor
        assert (await told(ref, "more"))[1] == ["after", "more"]
        assert old.holder.actor_inbox.empty()

    run(main())


# ---- supervisors of supervisors


def test_one_that_gives_up_is_restarted_by_its_own_with_all_its_children_and_references():
    async def main():
        records = Records()
        top = supervisor(observed=records)
        team = top.supervisor(strategy="one_for_all", intensity=1, name="team")
        log = []
        a, b = team.start(Worker, "a", log, name="a"), team.start(Worker, "b", log, name="b")
        once = team.start(Worker, "t", log, name="t", restart="temporary")
        await told(b)
        gone = once.monitor()
        for _ in range(2):
            a.tell(KeyError("again"))
        last = a.ask("waits", block=False)
        assert (await last)[1] == ["waits"]
        assert (await told(b))[1] == ["?"]
        await gone
        assert [child.id for child in await team.children()] == ["a", "b"]
        assert [(child.id, child.kind, child.restarts) for child in await top.children()] == [("team", "supervisor", 1)]
        assert "SupervisorGaveUp" in records.names()
        for _ in range(30):  # and again, until the top gives up as well
            if not a.is_alive():
                break
            a.offer(KeyError("again"))
            await asyncio.sleep(0.01)
        down = await a.monitor()
        assert isinstance(down.error, TooManyRestartsError)
        assert down.error.child == "team"
        assert isinstance(down.error.__cause__, TooManyRestartsError)
        assert (await team.monitor()).reason == "failed"
        assert (await top.monitor()).reason == "failed"
        assert not b.is_alive()

    run(main())


def test_a_supervisor_that_is_killed_takes_its_children_along_and_brings_them_back():
    async def main():
        top = supervisor()
        team = top.supervisor()
        log = []
        a, t = team.start(Worker, "a", log), team.start(Threaded, "t", log)
        await told(a), await told(t)
        first = a._actor.holder, t._actor.holder
        assert await team.kill(block=False) is True
        assert (await told(a))[0] == (await told(t))[0] == 1
        assert first[0]._actor_ending.reason == "killed"
        assert first[1]._actor_ending.reason == "stopped"
        assert len(await team.children()) == 2

    run(main())


def test_a_supervisor_with_a_defect_stops_its_children_and_they_come_back_with_it(monkeypatch):
    async def main():
        top = supervisor()
        team = top.supervisor()
        log = []
        a = team.start(Worker, "a", log)
        await told(a)
        came = asyncio.Event()
        a._actor.holder._actor_watch(lambda _: came.set())
        with monkeypatch.context() as patch:
            patch.setattr(supervisor_.Supervisor, "_status", lambda *_: 1 / 0)
            team.tell(supervisor_.ListChildren())
            await came.wait()
            assert (await told(a))[0] == 1
        assert log == ["init a", "start a", "stop a", "init a", "start a"]
        assert len(await team.children()) == 1

    run(main())


def test_stopping_a_supervisor_child_ends_all_below_it_in_reverse_order():
    async def main():
        top = supervisor()
        log = []
        outer = top.supervisor(name="outer")
        outer.start(Worker, "a", log)
        inner = outer.supervisor(name="inner")
        refs = [inner.start(Worker, name, log) for name in "bc"]
        for ref in refs:
            await told(ref)
        del log[:]
        watch = refs[0].monitor()
        assert await top.stop_child("outer") is True
        assert log == ["stop c", "stop b", "stop a"]
        assert (await watch).reason == "stopped"
        with pytest.raises(ActorDeadError):
            inner.start(Worker)
        with pytest.raises(ValueError, match="strategy is one of"):
            top.supervisor(strategy="all_for_one")
        with pytest.raises(ValueError, match="intensity"):
            top.supervisor(intensity=-1)

    run(main())


# ---- the end of the loop


def test_children_end_with_their_loop_and_are_not_restarted(letters):
    log = []
    refs = []

    async def main():
        sup = supervisor()
        refs.extend(
            [sup.start(Worker, "a", log), sup.start(Threaded, "t", log), sup.supervisor().start(Worker, "n", log)]
        )
        for ref in refs:
            await told(ref)
        refs.append(sup.start(Worker, "v", log))
        await told(refs[-1])
        refs[-1].tell(asyncio.CancelledError())
        refs[-1].tell("waits for the next")
        await asyncio.sleep(0)

    run(main())
    assert sorted(entry for entry in log if entry.startswith("init")) == ["init a", "init n", "init t", "init v"]
    assert {entry for entry in log if entry.startswith("stop")} == {"stop a", "stop n", "stop t"}
    for ref in refs:
        assert not ref.is_alive()
        assert ref.actor_stopped.wait(WAIT)
        assert ref.monitor().get(timeout=WAIT).reason in ("loop ended", "stopped")
        with pytest.raises(ActorDeadError):
            ref.tell("late")
    assert ("waits for the next", letters[0][1]) in letters


def test_a_loop_closed_without_its_end_leaves_no_thread_and_no_mail(letters):
    async def main():
        sup = supervisor()
        refs = [sup.start(Worker), sup.start(Threaded)]
        for ref in refs:
            await told(ref)
        return refs

    asyncio_loop = asyncio.new_event_loop()
    refs = asyncio_loop.run_until_complete(main())
    thread = refs[1]._actor.holder
    asyncio_loop.close()
    assert not refs[0].is_alive()
    assert refs[0].monitor().get(timeout=WAIT).reason == "loop ended"
    ended = threading.Event()
    thread._actor_watch(lambda _: ended.set())
    assert ended.wait(WAIT)
    assert not refs[1].is_alive()
    gc.collect()


def test_stop_all_of_pykkas_registry_ends_supervisors_and_children():
    async def main():
        sup = supervisor()
        ref = sup.start(Worker)
        await told(ref)
        ActorRegistry.stop_all(block=False)
        await ref.monitor()
        await sup.monitor()
        assert not {ref, sup} & set(ActorRegistry.get_all())

    run(main())
