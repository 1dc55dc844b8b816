"""Circles of waits among actors: who closes one is told at once, everybody else goes on, and nobody else is told."""

import asyncio
import contextlib
import threading
from typing import Any

import pytest

from llm_actors.errors import BlocksLoopWarning, DeadlockError
from llm_actors.runtime import Timeout, ask, future, waiting
from tests.runtime.peers import WAIT, Blunt, Peer, acquainted, blocks_on, blunt, passes_on, run

# ---- circles ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", ["a", "ba", "bca", "bcdea", "bcb"])
def test_an_ask_that_comes_back_to_who_waits_raises_with_the_chain(names):
    async def main():
        refs = acquainted(**dict.fromkeys("abcde", Peer))
        with pytest.raises(DeadlockError) as caught:
            await refs["a"].ask(passes_on(*names), block=False)
        around = names[names.index(names[-1]) :] if names.count(names[-1]) > 1 else "a" + names
        expected = [f"Peer ({refs[name].actor_urn})" for name in around[:-1]]
        assert sorted(caught.value.chain) == sorted(expected)
        assert str(caught.value).endswith(" -> ".join([*caught.value.chain, caught.value.chain[0]]))
        assert await asyncio.gather(*[ref.ask("alive", block=False) for ref in refs.values()]) == ["alive"] * 5

    run(main())


def test_two_that_began_independently_are_told_apart_one_fails_and_the_other_is_answered():
    async def main():
        refs = acquainted(a=Peer, b=Peer)
        both = [refs["a"].ask(passes_on("b"), block=False), refs["b"].ask(passes_on("a"), block=False)]
        outcomes = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["DeadlockError", "str"]

    run(main())


def test_a_handlers_deadlock_goes_to_who_asked_it():
    async def main():
        refs = acquainted(a=Peer, b=Peer)

        async def careful(actor):
            try:
                return await actor.friends["b"].ask(passes_on("a"), block=False)
            except DeadlockError as error:
                return error.chain

        assert len(await refs["a"].ask(careful, block=False)) == 2

    run(main())


@pytest.mark.parametrize("names", ["a", "ba", "bca"])
def test_threading_actors_in_a_circle(names):
    with blunt(a=Blunt, b=Blunt, c=Blunt) as refs:
        with pytest.raises(DeadlockError) as caught:
            refs["a"].ask(blocks_on(*names), timeout=WAIT)
        assert {name.split(" ")[0] for name in caught.value.chain} == {"Blunt"}
        assert len(caught.value.chain) == len(names)
        assert [ref.ask("alive", timeout=WAIT) for ref in refs.values()] == ["alive"] * 3


def test_a_threading_actor_that_asks_itself_in_pykkas_own_ways():
    with blunt(a=Blunt) as refs:
        for message in (
            lambda actor: actor.actor_ref.ask("x", timeout=WAIT),
            lambda actor: actor.actor_ref.proxy().use_daemon_thread.get(timeout=WAIT),
            lambda actor: actor.actor_ref.ask("x", block=False).get(timeout=WAIT),
            lambda actor: actor.actor_ref.stop(timeout=WAIT),
        ):
            with pytest.raises(DeadlockError):
                refs["a"].ask(message, timeout=WAIT)


def test_an_actor_on_a_loop_and_a_threading_actor_in_a_circle():
    async def main():
        with blunt(a=Peer, b=Blunt) as refs:
            with pytest.raises(DeadlockError, match=r"Blunt .* -> Peer .* -> Blunt|Peer .* -> Blunt .* -> Peer"):
                await refs["a"].ask(lambda a: ask(a.friends["b"], blocks_on("a")), block=False)

            def asks_a_loop_actor(actor):
                return actor.friends["a"].ask(passes_on("b"), timeout=WAIT)

            with pytest.raises(DeadlockError):
                await ask(refs["b"], asks_a_loop_actor)

    run(main())


def test_actors_on_two_loops_in_a_circle_that_closes_from_both_sides_at_once():
    meet = threading.Barrier(2)
    refs: dict[str, Any] = {}
    outcomes: list[Any] = []

    def world(name, other):
        async def main():
            refs[name] = Peer.start()
            await asyncio.to_thread(meet.wait, WAIT)
            refs[name]._actor.friends = refs
            for _ in range(50):
                await asyncio.to_thread(meet.wait, WAIT)
                outcomes.append(await one(name, other))
            await asyncio.to_thread(meet.wait, WAIT)

        async def one(name, other):
            try:
                return await refs[name].ask(passes_on(other), block=False)
            except DeadlockError as error:
                return error

        run(main())

    threads = [threading.Thread(target=world, args=names) for names in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * WAIT)
    assert len(outcomes) == 100, "all went on"
    assert sum(outcome == "end" for outcome in outcomes) >= 50, "of two that close a circle at once one is told"


def test_a_stop_that_waits_for_who_waits_for_it():
    async def main():
        class Last(Peer):
            async def on_stop(self) -> None:  # type: ignore[override]
                with pytest.raises(DeadlockError) as caught:
                    await self.friends["b"].ask("too late", block=False)
                told.append(caught.value)

        told: list[Any] = []
        refs = acquainted(a=Last, b=Peer)

        async def stops(actor):
            return await actor.friends["a"].stop(block=False)

        assert await refs["b"].ask(stops, block=False) is True
        assert len(told) == 1

        async def stops_itself(actor):
            await actor.actor_ref.stop(block=False)

        with pytest.raises(DeadlockError):
            await refs["b"].ask(stops_itself, block=False)

    run(main())


def test_a_kill_ends_the_coroutine_that_waits_for_it_so_that_is_no_circle():
    async def main():
        refs = acquainted(a=Peer, b=Peer)

        async def kills(actor):
            return await actor.friends["a"].kill(block=False)

        answer = refs["a"].ask(lambda a: ask(a.friends["b"], kills), block=False)
        with pytest.raises(Exception, match="CancelledError"):
            await answer
        assert await refs["b"].ask("alive", block=False) == "alive"

    run(main())


def test_a_loop_that_is_blocked_is_part_of_the_circle():
    """Its own blocking wait can't end before something is done that has to be done on it."""

    async def main():
        here = Peer.start()
        with blunt(b=Blunt) as refs:
            refs["b"]._actor_weakref().friends["a"] = here
            with pytest.warns(BlocksLoopWarning) if not future._warned else contextlib.nullcontext():
                with pytest.raises(DeadlockError, match=r"an event loop that is blocked -> Blunt|Blunt .* -> an event"):
                    ask(refs["b"], blocks_on("a")).get(timeout=WAIT)
                assert ask(refs["b"], "alive").get(timeout=WAIT) == "alive"
            assert await ask(refs["b"], blocks_on("a", then="free")) == "free"

    run(main())


# ---- no circles -------------------------------------------------------------------------------------------------------------


def test_a_diamond_of_waits_and_waits_one_after_the_other_are_no_circle():
    async def main():
        refs = acquainted(a=Peer, b=Peer, c=Peer, d=Peer)

        async def both(actor):
            return await asyncio.gather(*[ask(actor.friends[name], passes_on("d")) for name in "bc"])

        assert await refs["a"].ask(both, block=False) == ["end", "end"]

        async def one_by_one(actor):
            return [await ask(actor.friends[name], passes_on(*"cd")) for name in "bb"]

        assert await refs["a"].ask(one_by_one, block=False) == ["end", "end"]

    run(main())


def test_an_ask_back_that_nobody_waits_for_is_no_circle():
    async def main():
        refs = acquainted(a=Peer, b=Peer)
        late: list[Any] = []

        async def asks_back(actor):
            late.append(actor.friends["a"].ask("back", block=False))  # nobody waits
            late.append(asyncio.create_task(passes_on("a")(actor)))  # a task waits, and nobody for it
            await asyncio.sleep(0.05)
            return "answered"

        assert await refs["a"].ask(lambda a: ask(a.friends["b"], asks_back), block=False) == "answered"
        assert [await one for one in late] == ["back", "end"]

    run(main())


def test_waits_outside_of_handlers_make_no_edge():
    async def main():
        refs = acquainted(a=Peer, b=Peer)
        reached, go_on = asyncio.Event(), asyncio.Event()

        async def holds(_):
            reached.set()
            await go_on.wait()
            return "held"

        held = refs["a"].ask(holds, block=False)
        await reached.wait()
        assert waiting.get() is None
        behind = asyncio.create_task(outside(refs["a"]))
        await asyncio.sleep(0)
        go_on.set()
        assert (await held, await behind) == ("held", "behind")

    async def outside(ref):
        return await ref.ask("behind", block=False)

    run(main())


def test_an_actor_that_was_started_in_a_handler_waits_for_itself():
    async def main():
        refs = acquainted(a=Peer, b=Peer)

        async def starts(actor):
            child = Peer.start(a=actor.actor_ref)
            child.tell(passes_on("a"))  # waits for us, and we do not for it
            return await passes_on("b")(actor)

        assert await refs["a"].ask(starts, block=False) == "end"
        assert await refs["a"].ask("alive", block=False) == "alive"

    run(main())


# ---- tasks beside the handler -----------------------------------------------------------------------------------------------


async def gathered(wait):
    await asyncio.gather(asyncio.sleep(0), wait())


async def in_a_group(wait):
    async with asyncio.TaskGroup() as group:
        group.create_task(wait())


async def shielded(wait):
    await asyncio.shield(asyncio.create_task(wait()))


async def waited_for(wait):
    await asyncio.wait_for(wait(), WAIT)


async def under_a_timeout(wait):
    async with asyncio.timeout(WAIT):
        await wait()


async def later_by_a_turn(wait):
    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    await task


async def much_later(wait):
    task = asyncio.create_task(wait())
    await asyncio.sleep(0.05)
    await task


@pytest.mark.parametrize(
    "how",
    [gathered, in_a_group, shielded, waited_for, under_a_timeout, later_by_a_turn, much_later],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("first", ["beside", "back"])
def test_a_task_that_the_handler_waits_for_holds_it_up(how, first):
    """Whichever of the two waits begins first."""

    async def main():
        refs = acquainted(a=Peer, b=Peer)
        told: list[Any] = []
        ready = asyncio.Event()

        async def asks_back(actor):
            ready.set()
            if first == "beside":
                await asyncio.sleep(0.03)
            try:
                return await passes_on("a")(actor)
            except DeadlockError as error:
                told.append(error)
                return "told"

        async def waits(actor):
            try:
                await passes_on_to_b(actor)
            except DeadlockError as error:
                told.append(error)

        async def passes_on_to_b(actor):
            if first == "back":
                await ready.wait()
                await asyncio.sleep(0)
            await ask(actor.friends["b"], "end" if first == "back" else asks_back)

        async def handler(actor):
            await how(lambda: waits(actor))
            return "done"

        answer = refs["a"].ask(handler, block=False)
        if first == "back":
            refs["b"].tell(asks_back)
        assert await answer == "done"
        assert await refs["b"].ask("alive", block=False) == "alive"
        assert [len(error.chain) for error in told] == [2]

    run(main())


@pytest.mark.parametrize("how", ["first completed", "not at all", "an event"])
def test_a_task_that_the_handler_can_go_on_without_does_not_hold_it_up(how):
    async def main():
        refs = acquainted(a=Peer, b=Peer)
        left: list[Any] = []

        async def handler(actor):
            go_on = asyncio.Event()
            left.append(asyncio.create_task(ask_of(actor)))
            asyncio.get_running_loop().call_later(0.1, go_on.set)
            if how == "first completed":
                await asyncio.wait([left[0], asyncio.create_task(go_on.wait())], return_when=asyncio.FIRST_COMPLETED)
            else:
                await go_on.wait()
            return "done"

        async def ask_of(actor):
            return await ask(actor.friends["b"], passes_on("a"))

        assert await refs["a"].ask(handler, block=False) == "done"
        assert await left[0] == "end"

    run(main())


def test_a_wait_in_a_thread_that_a_handler_made_is_not_followed():
    """Left to its time limit: `asyncio.to_thread` leaves no trace of who waits for it."""

    async def main():
        refs = acquainted(a=Peer, b=Peer)

        async def handler(actor):
            return await asyncio.to_thread(lambda: ask(actor.friends["b"], passes_on("a")).get(timeout=0.2))

        with pytest.raises(Timeout):
            await refs["a"].ask(handler, block=False)

    run(main())
