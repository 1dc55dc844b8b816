# mypy: disable-error-code="override, var-annotated, assignment, arg-type, union-attr"
# (these tests look at the inside, replace parts of it, and collect what they see in mixed lists)

import asyncio
import contextlib
import contextvars
import logging
import threading
import uuid
from typing import Any

import pykka
import pytest

from llm_actors.errors import BlockingWaitError, LoopClosedError, MailboxFullError
from llm_actors.runtime import (
    Actor,
    ActorDeadError,
    ActorRef,
    ActorRegistry,
    Future,
    ThreadingActor,
    background,
    drain,
    drop_newest,
    drop_oldest,
    here,
    loop,
    running,
)
from llm_actors.runtime.mailbox import Envelope

WAIT = 30.0
colour = contextvars.ContextVar("colour", default="none")


class Echo(Actor):
    def on_receive(self, message):
        if isinstance(message, BaseException):
            raise message
        return message


class AsyncEcho(Actor):
    async def on_receive(self, message):
        await asyncio.sleep(0)
        if isinstance(message, BaseException):
            raise message
        return message

    async def double(self, number):
        return number * 2


class Hooks(Actor):
    """Notes its hooks in a list that the test gives it."""

    def __init__(self, notes):
        super().__init__()
        self.notes = notes

    def on_start(self):
        self.notes.append("start")

    def on_stop(self):
        self.notes.append("stop")

    def on_failure(self, kind, error, traceback):
        self.notes.append(kind.__name__)

    def on_receive(self, message):
        if isinstance(message, BaseException):
            raise message
        return message


class AsyncHooks(Actor):
    def __init__(self, notes, wrong=None):
        super().__init__()
        self.notes = notes
        self.wrong = wrong

    async def on_start(self):
        await self._note("start")

    async def on_stop(self):
        await self._note("stop")

    async def on_failure(self, kind, error, traceback):
        await self._note(kind.__name__)

    async def on_receive(self, message):
        await asyncio.sleep(0)
        if isinstance(message, BaseException):
            raise message
        return message

    async def _note(self, what):
        await asyncio.sleep(0.01)
        self.notes.append(what)
        if self.wrong == what:
            raise ZeroDivisionError


@pytest.mark.parametrize("hooks", [Hooks, AsyncHooks])
def test_hooks_may_be_def_or_async_def(hooks):
    async def main():
        notes: list[Any] = []
        ref = hooks.start(notes)
        assert await ref.ask("x", block=False) == "x"
        assert await ref.stop(block=False) is True
        assert notes == ["start", "stop"]
        notes.clear()
        ref = hooks.start(notes)
        ref.tell(KeyError("x"))
        with pytest.raises(ActorDeadError):
            await ref.ask("after", block=False)
        await _until(lambda: len(notes) == 2)
        assert notes == ["start", "KeyError"]
        await _until(lambda: not here().busy)

    asyncio.run(main())


async def _until(true):
    async with asyncio.timeout(WAIT):
        while not true():  # noqa: ASYNC110 - what is looked for has no event
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("wrong", ["start", "stop", "KeyError"])
def test_a_hook_that_fails_is_logged_and_the_actor_is_stopped(wrong, caplog):
    async def main():
        notes: list[Any] = []
        ref = AsyncHooks.start(notes, wrong)
        asked = ref.ask("x", block=False)
        if wrong == "KeyError":
            ref.tell(KeyError("x"))
        stopped = ref.stop(block=False)
        if wrong == "start":
            with pytest.raises(ActorDeadError):
                await asked
        else:
            assert await asked == "x"
        assert await stopped is True
        assert notes[-1] == wrong
        assert not ref.is_alive()
        assert ref not in ActorRegistry.get_all()

    asyncio.run(main())
    assert "Unhandled exception in AsyncHooks" in caplog.text


@pytest.mark.parametrize("echo", [Echo, AsyncEcho])
def test_a_handlers_exception_goes_to_who_asked_and_the_actor_goes_on(echo):
    async def main():
        ref = echo.start()
        with pytest.raises(ZeroDivisionError):
            await ref.ask(ZeroDivisionError(), block=False)
        assert await ref.ask("x", block=False) == "x"

    asyncio.run(main())


@pytest.mark.parametrize("hooks", [Hooks, AsyncHooks])
@pytest.mark.parametrize("how", ["ask", "tell"])
def test_a_cancelled_handler_stops_only_its_actor(hooks, how, caplog):
    async def main():
        notes, other = [], Echo.start()
        ref = hooks.start(notes)
        if how == "ask":
            with pytest.raises(ActorDeadError) as caught:
                await ref.ask(asyncio.CancelledError(), block=False)
            assert isinstance(caught.value.__cause__, asyncio.CancelledError)
        else:
            ref.tell(asyncio.CancelledError())
        await _until(lambda: len(notes) == 2)
        assert notes == ["start", "CancelledError"]
        assert not ref.is_alive()
        assert await other.ask("x", block=False) == "x"

    with caplog.at_level(logging.INFO, logger="llm_actors.runtime"):
        asyncio.run(main())
    assert "was cancelled: it stops" in caplog.text


def test_a_cancelled_start_stops_only_its_actor():
    class Starts(AsyncHooks):
        async def on_start(self):
            raise asyncio.CancelledError

    async def main():
        notes: list[Any] = []
        ref = Starts.start(notes)
        with pytest.raises(ActorDeadError):
            await ref.ask("x", block=False)
        await _until(lambda: notes)
        assert notes == ["CancelledError"]

    asyncio.run(main())


def test_a_kill_during_an_async_start_ends_the_actor_at_once():
    class Starts(Hooks):
        async def on_start(self):
            await asyncio.sleep(100)

    async def main():
        notes: list[Any] = []
        ref = Starts.start(notes)
        await asyncio.sleep(0.01)
        assert await ref.kill(block=False) is True
        assert notes == []

    asyncio.run(main())


def test_other_base_exceptions_stop_all_actors_of_the_registry():
    class Unknown(BaseException):
        pass

    async def main():
        notes: list[Any] = []
        other, ref = Hooks.start(notes), Hooks.start(notes)
        with pytest.raises(ActorDeadError) as caught:
            await ref.ask(Unknown(), block=False)
        assert isinstance(caught.value.__cause__, Unknown)
        await _until(lambda: not other.is_alive())
        assert notes == ["start", "start", "stop", "stop"]

    asyncio.run(main())


@pytest.mark.parametrize("echo", [Echo, AsyncEcho])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_handler_ends_the_program_that_runs_the_loop(echo, error):
    answers = []

    async def main():
        answers.append(echo.start().ask(error(), block=False))
        await asyncio.sleep(WAIT)

    with pytest.raises(error):
        asyncio.run(main())
    with pytest.raises(ActorDeadError):
        answers[0].get(timeout=0)


def test_an_interrupt_in_a_handler_does_not_end_the_background_loop():
    ref = Echo.start_on(background()).actor_ref
    with pytest.raises(ActorDeadError):
        ref.ask(SystemExit(), timeout=WAIT)
    assert not background().closed
    assert Echo.start().ask("x", timeout=WAIT) == "x"
    ActorRegistry.stop_all()


def test_a_proxy_awaits_what_a_coroutine_method_gives():
    async def main():
        proxy = AsyncEcho.start().proxy()
        assert await proxy.double(4) == 8
        assert await proxy.mailbox_bound is None
        proxy.double.defer(1)
        assert await proxy.stop() is None

    asyncio.run(main())


def test_a_long_mailbox_does_not_hold_up_the_loop(monkeypatch):
    async def main():
        ref, ticks = Echo.start(), []
        for number in range(drain.BATCH * 4):
            ref.tell(number)

        async def tick():
            for _ in range(3):
                ticks.append(ref._actor.backlog)
                await asyncio.sleep(0)

        await tick()
        assert len(set(ticks)) == 3
        monkeypatch.setattr(drain, "BATCH_SECONDS", -1)
        assert await ref.ask("x", block=False) == "x"

    asyncio.run(main())


# ---- where it lives ---------------------------------------------------------------------------------------------------------


def test_an_actor_started_inside_a_running_loop_lives_there_else_on_the_background_loop():
    class Where(Actor):
        def on_receive(self, message):
            return running()

    async def main():
        there = Where.start()
        assert await there.ask("x", block=False) is running()
        given = Where.start_on(background())
        assert isinstance(given, Where)
        assert await given.actor_ref.ask("x", block=False) is background()
        given.stop()

    asyncio.run(main())
    here = Where.start()
    assert here._actor._actor_lives_on is None
    assert here.ask("x", timeout=WAIT) is background()
    assert here.stop() is True


def test_an_actor_cannot_start_on_a_closed_loop():
    async def main():
        running()
        await asyncio.get_running_loop().shutdown_asyncgens()
        with pytest.raises(LoopClosedError):
            Echo.start()
        return running()

    closed = asyncio.run(main())
    with pytest.raises(LoopClosedError):
        Echo.start_on(closed)


def test_mail_at_the_interpreters_exit_is_refused(monkeypatch):
    ref = Echo.start()
    monkeypatch.setattr(loop, "_background", None)
    monkeypatch.setattr(loop, "_exiting", True)
    with pytest.raises(ActorDeadError) as caught:
        ref.tell("x")
    assert isinstance(caught.value.__cause__, LoopClosedError)
    ref.actor_stopped.set()


def test_a_loop_that_closes_while_mail_is_taken_refuses_it(monkeypatch):
    asyncio_loop = asyncio.new_event_loop()
    ref = Echo.start_on(loop.of(asyncio_loop)).actor_ref
    asyncio_loop.close()
    looks = iter([False, False, True])
    monkeypatch.setattr(asyncio_loop, "is_closed", lambda: next(looks, True))
    with pytest.raises(ActorDeadError) as caught:
        ref.tell("x")
    assert isinstance(caught.value.__cause__, LoopClosedError)


def test_handlers_run_in_the_context_that_start_was_called_in():
    class Sees(Actor):
        def on_receive(self, message):
            seen = colour.get()
            if message is not None:
                colour.set(message)
            return seen

    class Blind(Sees):
        keeps_context = False

    async def main():
        colour.set("red")
        ref, blind = Sees.start(), Blind.start()
        colour.set("green")
        assert await ref.ask("blue", block=False) == "red"
        assert await ref.ask(None, block=False) == "blue"  # it is the actor's own
        assert await asyncio.to_thread(ref.ask, None) == "blue"
        assert colour.get() == "green"
        assert await blind.ask("blue", block=False) == "none"
        assert await blind.ask(None, block=False) == "none"

    asyncio.run(main())


# ---- what it looks like -----------------------------------------------------------------------------------------------------


def test_references_to_one_actor_are_equal_and_keep_it():
    class Unlisted(Echo):
        registered = False

    async def main():
        ref = Unlisted.start()
        same = ref._actor.actor_ref
        assert same == ref
        assert hash(same) == hash(ref)
        assert ref != Unlisted.start()
        assert ref != "x"
        assert ref not in ActorRegistry.get_all()
        assert ref.actor_class is Unlisted
        assert ref._actor_weakref() is ref._actor
        assert isinstance(ref, ActorRef)
        assert uuid.UUID(ref.actor_urn).version == 4
        assert uuid.UUID(ref.actor_urn).variant == uuid.RFC_4122
        assert isinstance(ref._actor, pykka.Actor)
        assert ref.actor_urn in str(ref)
        await ref.stop(block=False)
        assert ref.actor_class is Unlisted

    asyncio.run(main())


def test_a_class_that_forgets_super_init_is_told():
    class Forgets(Actor):
        def __init__(self):
            pass

    with pytest.raises(AssertionError, match="super"):
        Forgets.start()


def test_an_actor_is_its_own_inbox():
    with pytest.raises(NotImplementedError):
        Actor._create_actor_inbox()
    assert isinstance(Actor._create_future(), Future)
    ref = Echo.start()
    with pytest.raises(NotImplementedError):
        ref.actor_inbox.get()
    assert ref.actor_inbox.empty()
    assert ref._actor.actor_inbox.empty()
    ref.actor_inbox.put(Envelope("x"))
    ref.actor_inbox.put(Envelope("x", answer := pykka.ThreadingFuture()))
    assert answer.get(timeout=WAIT) == "x"
    assert ref.stop() is True
    with pytest.raises(ActorDeadError):
        ref.actor_inbox.put(Envelope("x"))
    ref.actor_inbox.put(Envelope("x", answer := pykka.ThreadingFuture()))
    with pytest.raises(ActorDeadError):
        answer.get(timeout=WAIT)


def test_actor_stopped_is_like_pykkas_event():
    release = threading.Event()

    class Gate(Actor):
        def on_receive(self, message):
            release.wait(WAIT)

    ref = Gate.start()
    ref.tell("x")
    assert ref.actor_stopped.wait(0.01) is False
    assert ref._actor.actor_stopped.is_set() is False
    stopping = ref.stop(block=False)
    threading.Timer(0.02, release.set).start()
    assert ref.actor_stopped.wait() is True
    assert ref.actor_stopped.wait(0) is True
    assert stopping.get(timeout=WAIT) is True
    other = Echo.start()
    other.actor_stopped.set()
    assert not other.is_alive()
    assert other.stop() is False


def test_actor_stopped_can_be_waited_for_until_its_loop_has_closed():
    asyncio_loop = asyncio.new_event_loop()
    ref = Echo.start_on(loop.of(asyncio_loop)).actor_ref
    threading.Timer(0.02, asyncio_loop.close).start()
    assert ref.actor_stopped.wait(WAIT) is True

    class Unlisted(Echo):
        registered = False

    async def main():
        with pytest.raises(BlockingWaitError):
            Echo.start().actor_stopped.wait()
        return Unlisted.start()

    assert asyncio.run(main()).actor_stopped.wait(WAIT) is True


def test_actor_stopped_that_was_set_has_waiting_mail_answered():
    async def main():
        ref = Echo.start()
        answer, stopping = ref.ask("x", block=False), ref.stop(block=False)
        ref.actor_stopped.set()
        with pytest.raises(ActorDeadError):
            await answer
        assert await stopping is True

    asyncio.run(main())


def test_an_answer_that_somebody_else_has_given_already_is_no_error():
    async def main():
        ref = Echo.start()
        for message in ("x", ValueError()):
            ref.actor_inbox.put(Envelope(message, answer := Future()))
            answer.set("first")
            await asyncio.sleep(0.01)
            assert await answer == "first"
        assert ref.is_alive()

    asyncio.run(main())


# ---- a bounded mailbox ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "kept"), [("refuse", [0, 1, 2]), (drop_newest, [0, 1, 2]), (drop_oldest, [3, 4, 5])]
)
def test_a_full_mailbox_keeps_what_its_policy_says_and_never_refuses_control_mail_or_a_stop(policy, kept):
    class Bounded(Actor):
        mailbox_bound = 3

        def on_receive(self, message):
            got.append(message)

    got: list[Any] = []
    if policy != "refuse":
        Bounded.when_full = policy

    async def main():
        ref = Bounded.start()
        refused = 0
        answers = [ref.ask(number, block=False) for number in range(6)]
        for _ in range(3):
            ref.tell("control", control=True)
        assert ref._actor.backlog == 3
        stopping = ref.stop(block=False)
        for answer in answers:
            try:
                await answer
            except MailboxFullError:
                refused += 1
        assert await stopping is True
        assert refused == 3
        return got

    assert asyncio.run(main()) == ["control"] * 3 + kept


def test_a_tell_to_a_full_mailbox_raises_and_drop_oldest_spares_a_stop():
    class One(Echo):
        mailbox_bound = 1

    class Oldest(One):
        when_full = drop_oldest

    async def main():
        ref = One.start()
        ref.tell("x")
        with pytest.raises(MailboxFullError, match="1 messages"):
            ref.tell("y")
        ref = Oldest.start()
        stopping = ref.stop(block=False)
        ref.tell("y")  # only the stop is there: the new one is dropped
        assert ref._actor.backlog == 1
        assert await stopping is True

    asyncio.run(main())


# ---- the end of the loop ----------------------------------------------------------------------------------------------------


def test_at_the_end_of_its_loop_an_actor_is_stopped_and_taken_out_of_the_registry():
    notes: list[Any] = []

    async def main():
        Hooks.start(notes)
        AsyncHooks.start(notes)
        refs = [Echo.start()]
        await asyncio.sleep(0.05)
        here().on_end(lambda: refs.append(Hooks.start(notes)))  # never got to its start
        return refs

    refs = asyncio.run(main())
    assert notes == ["start", "start", "stop", "stop"]
    assert not any(ref.is_alive() or ref in ActorRegistry.get_all() for ref in refs)


def test_a_handler_at_work_at_the_end_is_cancelled_and_stops_are_answered():
    answers = []

    class Slow(Hooks):
        async def on_receive(self, message):
            await asyncio.sleep(100)

    notes: list[Any] = []

    async def main():
        ref = Slow.start(notes)
        answers.extend([ref.ask("x", block=False), ref.stop(block=False)])
        await asyncio.sleep(0.01)
        await asyncio.get_running_loop().shutdown_asyncgens()

    asyncio.run(main())
    with pytest.raises(ActorDeadError):
        answers[0].get(timeout=0)
    assert answers[1].get(timeout=0) is True
    assert notes == ["start", "CancelledError"]


def test_an_actor_that_is_stopping_at_the_end_is_waited_for():
    notes: list[Any] = []

    async def main():
        ref = AsyncHooks.start(notes)
        await ref.ask("x", block=False)
        stopping = ref.stop(block=False)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not ref.is_alive()
        await asyncio.get_running_loop().shutdown_asyncgens()
        return stopping

    assert asyncio.run(main()).get(timeout=0) is True
    assert notes == ["start", "stop"]


def test_a_handler_that_refuses_to_end_is_answered_for_and_its_late_answer_is_dropped(monkeypatch):
    monkeypatch.setattr(loop, "GRACE", 0.02)

    class Stubborn(Actor):
        async def on_receive(self, message):
            while not message.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await message.wait()
            return "late"

    async def main():
        release = asyncio.Event()
        ref = Stubborn.start()
        answer = ref.ask(release, block=False)
        await asyncio.sleep(0.01)
        task = ref._actor._actor_work.task
        await asyncio.get_running_loop().shutdown_asyncgens()
        with pytest.raises(ActorDeadError) as caught:
            answer.get(timeout=0)
        assert isinstance(caught.value.__cause__, LoopClosedError)
        release.set()
        assert await task == "late"
        await asyncio.sleep(0)

    asyncio.run(main())


def test_a_stop_at_work_when_its_loop_is_just_closed_is_answered():
    class Slow(Actor):
        async def on_stop(self):
            await asyncio.sleep(100)

    async def main():
        ref = Slow.start()
        stopping = ref.stop(block=False)
        await asyncio.sleep(0.01)
        return ref, stopping

    asyncio_loop = asyncio.new_event_loop()
    ref, stopping = asyncio_loop.run_until_complete(main())
    task = ref._actor._actor_work.task
    asyncio_loop.close()
    assert stopping.get(timeout=WAIT) is True
    task._log_destroy_pending = False
    task.get_coro().close()


# ---- ThreadingActor ---------------------------------------------------------------------------------------------------------


class Worker(ThreadingActor):
    use_daemon_thread = True

    def on_receive(self, message):
        return message()


def test_the_inbox_of_a_threading_actor_answers_what_comes_after_its_end():
    ref = Worker.start()
    ref.stop()
    ref.actor_inbox.put(Envelope(print, answer := Future()))
    with pytest.raises(ActorDeadError):
        answer.get(timeout=0)
    assert ref.actor_inbox.empty()


def _cancelled():
    raise asyncio.CancelledError


def test_a_cancelled_handler_of_a_threading_actor_stops_only_itself():
    ref, other = Worker.start(), Worker.start()
    with pytest.raises(ActorDeadError) as caught:
        ref.ask(_cancelled, timeout=WAIT)
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    assert ref.actor_stopped.wait(WAIT)
    assert other.ask(lambda: 1, timeout=WAIT) == 1
    other.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_threading_actor_that_dies_in_its_start_answers_all_the_same():
    class Dies(Worker):
        go = threading.Event()

        def on_start(self):
            self.go.wait(WAIT)
            raise SystemExit

    ref = Dies.start()
    answer, stopping = ref.ask(print, block=False), ref.stop(block=False)
    Dies.go.set()
    with pytest.raises(ActorDeadError):
        answer.get(timeout=WAIT)
    assert stopping.get(timeout=WAIT) is True
    assert ref.actor_stopped.is_set()
    for thread in threading.enumerate():
        if thread.name.startswith("Dies"):
            thread.join(WAIT)  # what it died of is reported within this test
