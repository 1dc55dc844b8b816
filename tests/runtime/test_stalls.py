"""Steps of users' code that hold a loop are told of, by name, when they are over."""

import asyncio
import gc
import inspect
import logging
import math
import time
import types

import pytest

from llm_actors.runtime import Actor, running, stalls
from llm_actors.runtime.stalls import BOUND, NAMES, QUIET, StallWatch, Stepped

LONG = 0.03
hold = time.sleep  # the stall, where it is called on a loop


def heard(watch, bound=0.01):
    found = []
    watch.listen(found.append, bound)
    return found


def stalls_of(main, bound=0.01):
    """What was told while it ran, by name."""

    async def inside():
        found = heard(running().stalls, bound)
        await asyncio.wait_for(main(), 10)
        return found

    return asyncio.run(inside())


class Busy(Actor):
    def on_receive(self, message):
        hold(LONG if message == "long" else 0)

    def hold(self):
        hold(LONG)


def test_a_plain_handler_is_told_of_by_its_class_and_the_type_of_its_mail():
    async def main():
        ref = Busy.start()
        ref.tell("short")
        ref.tell("long")
        await ref.ask("short", block=False)
        ref.stop(block=False)

    found = stalls_of(main)
    assert [stall.what for stall in found] == ["Busy.on_receive(str)"]
    assert LONG <= found[0].seconds < 1


def test_a_method_called_by_a_proxy_is_told_of_by_its_own_name():
    async def main():
        ref = Busy.start()
        await ref.proxy().hold()
        await ref.stop(block=False)

    assert [stall.what for stall in stalls_of(main)] == ["Busy.hold"]


def test_hooks_are_told_of_too():
    class Starts(Actor):
        def on_start(self):
            hold(LONG)

        def on_stop(self):
            hold(LONG)

    async def main():
        ref = Starts.start()
        await ref.stop(block=False)

    name = "test_hooks_are_told_of_too.<locals>.Starts"
    assert [stall.what for stall in stalls_of(main)] == [f"{name}.on_start()", f"{name}.on_stop()"]


def test_each_step_of_a_coroutine_is_timed_by_itself():
    class Steps(Actor):
        async def on_receive(self, message):
            await asyncio.sleep(LONG)  # no stall: others run meanwhile
            hold(message)
            await asyncio.sleep(0)
            hold(message)

    async def main():
        ref = Steps.start()
        await ref.ask(0, block=False)
        await ref.ask(LONG, block=False)
        await ref.stop(block=False)

    found = stalls_of(main)
    assert [stall.what.rpartition(".")[2] for stall in found] == ["on_receive"] * 2
    assert all(LONG <= stall.seconds < 2 * LONG + 1 for stall in found)


def test_a_step_that_a_cancel_begins_is_timed_as_well():
    async def main():
        async def clean_up():
            try:
                await asyncio.Event().wait()
            finally:
                hold(LONG)

        task = running().spawn(clean_up(), name="x", watched="clean_up")
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert [stall.what for stall in stalls_of(main)] == ["clean_up"]


def test_while_it_lasts_what_is_inside_can_be_seen():
    async def main():
        watch, seen = running().stalls, []

        class Looks(Actor):
            def on_receive(self, message):
                seen.append((watch.inside[0] is self, watch.inside[1].message, watch.since > 0))

            async def look(self):
                seen.append(watch.inside)

        ref = Looks.start()
        await ref.ask("x", block=False)
        await ref.proxy().look()
        await ref.stop(block=False)
        return watch.inside, seen

    inside, (plain, step) = asyncio.run(main())
    assert inside is None
    assert plain == (True, "x", True)
    assert step.endswith("Looks.look")


# ---- telling


def test_a_name_is_told_once_in_a_while_and_then_how_often_it_was_since():
    watch = StallWatch()
    found = heard(watch, 0.1)
    for number in range(1, 6):
        watch.took("tool", number, number + number / 10 + 0.1)
    watch.took("other", 50.0, 51.0)
    watch.took("tool", 60.0, 60.3)
    watch.took("tool", 100.0, 100.2)
    assert [stall.told for stall in found] == [True, False, False, False, False, True, True, True]
    again = found[6]
    assert (again.times, round(again.longest, 6), round(again.seconds, 6)) == (5, 0.6, 0.3)
    assert found[7].times == 1


def test_the_log_says_the_name_and_the_seconds(caplog):
    watch = StallWatch()
    with caplog.at_level(logging.WARNING, "llm_actors.runtime"):
        watch.took("tool search", 0.0, 0.25)
        watch.took("tool search", 1.0, 1.5)
        watch.took("tool search", 20.0, 20.2)
    assert caplog.messages == [
        "tool search held the event loop for 0.250 s",
        "tool search held the event loop for 0.500 s; it is the longest of 2 times",
    ]


def test_what_was_told_of_inside_a_step_does_not_count_again():
    watch = StallWatch()
    found = heard(watch, 0.1)
    watch.took("an observer", 1.0, 1.5)
    watch.took("the handler that called it", 0.95, 1.55)
    watch.took("a handler that took long beside", 0.5, 1.9)
    assert [(stall.what, round(stall.seconds, 6)) for stall in found] == [
        ("an observer", 0.5),
        ("a handler that took long beside", 0.4),
    ]


def test_the_least_bound_that_somebody_asked_for_counts_and_each_hears_above_its_own():
    watch = StallWatch()
    assert watch.bound == BOUND
    eager, calm, deaf = [], [], []
    watch.listen(eager.append, 0.01)
    watch.listen(calm.append, 1.0)
    watch.listen(deaf.append, math.inf)
    assert watch.bound == 0.01
    watch.took("x", 0.0, 0.5)
    watch.took("x", 10.0, 12.0)
    assert (len(eager), len(calm), len(deaf)) == (2, 1, 0)
    for hearer in (eager.append, calm.append, deaf.append):
        watch.leave(hearer)
    watch.leave(eager.append)
    assert watch.bound == BOUND


def test_names_without_end_take_no_memory_without_end():
    watch = StallWatch()
    for number in range(3 * NAMES):
        watch.took(f"tool {number}", number, number + 0.5)
    assert len(watch._names) == NAMES
    assert QUIET > 1


# ---- in place of a coroutine


async def gives(value):
    await asyncio.sleep(0)
    return value


def test_it_stands_for_the_coroutine_as_asyncio_knows_one():
    async def main():
        inner = gives(7)
        stepped = Stepped(inner, "x", StallWatch(), time.monotonic)
        assert asyncio.iscoroutine(stepped)
        task = asyncio.ensure_future(stepped)
        assert "gives" in repr(task)
        assert task.get_stack()[0].f_code is gives.__code__
        assert await task == 7
        assert await Stepped(gives(8), "x", StallWatch(), time.monotonic) == 8

    asyncio.run(main())


def test_what_it_raises_is_what_the_coroutine_raised():
    async def fails():
        raise ZeroDivisionError

    async def main():
        with pytest.raises(ZeroDivisionError):
            await asyncio.ensure_future(Stepped(fails(), "x", StallWatch(), time.monotonic))

    asyncio.run(main())


def test_it_is_closed_and_thrown_into_as_a_coroutine_is():
    @types.coroutine
    def once():
        try:
            yield
        except KeyError as error:
            return error.args

    inner = gives(1)
    Stepped(inner, "x", StallWatch(), time.monotonic).close()
    assert inspect.getcoroutinestate(inner) == inspect.CORO_CLOSED

    async def waits():
        return await once()

    for thrown in ((KeyError("a"),), (KeyError, KeyError("a"), None)):
        stepped = Stepped(waits(), "x", StallWatch(), time.monotonic)
        stepped.send(None)
        with pytest.raises(StopIteration) as end:
            stepped.throw(*thrown)
        assert end.value.value == ("a",)


def test_one_that_never_began_says_so_as_a_coroutine_does():
    def drop():
        Stepped(gives(1), "x", StallWatch(), time.monotonic)
        gc.collect()

    with pytest.warns(RuntimeWarning, match="never awaited"):
        drop()


def test_what_runs_in_a_thread_is_none():
    async def main():
        await asyncio.to_thread(hold, LONG)

    assert stalls_of(main) == []
    assert stalls.BOUND == 0.1
