"""Which tasks a task holds up, for each way asyncio has to wait for one."""

import asyncio
import contextlib
import threading

import pytest

from llm_actors.runtime.holding_up import holds_up


async def settle():
    for _ in range(4):
        await asyncio.sleep(0)


async def directly(task):
    await task


async def by_gather(task):
    await asyncio.gather(asyncio.sleep(0), task)


async def by_gather_with_exceptions(task):
    await asyncio.gather(task, return_exceptions=True)


async def by_shield(task):
    await asyncio.shield(task)


async def by_wait_for(task):
    await asyncio.wait_for(task, 20)


async def under_a_timeout(task):
    async with asyncio.timeout(20):
        await task


async def by_wait_for_all(task):
    await asyncio.wait([task])


async def over_another_task(task):
    await asyncio.create_task(directly(task))


async def by_all_of_it(task):
    await asyncio.wait_for(asyncio.gather(asyncio.shield(asyncio.create_task(by_wait_for_all(task)))), 20)


async def at_a_task_groups_end(task):
    async with asyncio.TaskGroup() as group:
        group.create_task(directly(task))


async def by_wait_for_the_first(task):
    await asyncio.wait([task, asyncio.create_task(asyncio.sleep(20))], return_when=asyncio.FIRST_COMPLETED)


async def by_as_completed(task):
    for first in asyncio.as_completed([task, asyncio.create_task(asyncio.sleep(20))]):
        await first


async def by_an_event(task):
    ended = asyncio.Event()
    task.add_done_callback(lambda _: ended.set())
    await ended.wait()


async def inside_a_task_group(task):
    async with asyncio.TaskGroup() as group:
        group.create_task(directly(task))
        await asyncio.sleep(20)


async def not_at_all(task):
    await asyncio.sleep(20)


HELD = [
    directly,
    by_gather,
    by_gather_with_exceptions,
    by_shield,
    by_wait_for,
    under_a_timeout,
    by_wait_for_all,
    over_another_task,
    by_all_of_it,
    at_a_task_groups_end,
]
FREE = [by_wait_for_the_first, by_as_completed, by_an_event, inside_a_task_group, not_at_all]


async def ends(*tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("how", [*HELD, *FREE], ids=lambda how: how.__name__)
def test_a_task_holds_up_who_can_not_go_on_without_its_end(how):
    async def main():
        never = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(directly(never))
        waits = asyncio.create_task(how(task))
        await settle()
        assert holds_up(task, waits) is (how in HELD)
        assert not holds_up(waits, task)
        assert not holds_up(task, threading.get_ident()), "main() does not wait for it"
        never.set_result(None)
        await settle()
        assert not holds_up(task, waits)
        await ends(*asyncio.all_tasks() - {asyncio.current_task()})

    asyncio.run(main())


def test_who_has_been_cancelled_or_answered_by_another_is_not_held_up():
    async def main():
        never = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(directly(never))

        async def fails():
            raise OSError

        async def gathers():
            with contextlib.suppress(OSError):
                await asyncio.gather(task, failing)
            await asyncio.sleep(20)

        failing = asyncio.create_task(fails())
        waits = asyncio.create_task(gathers())
        await settle()
        assert not holds_up(task, waits)
        shielding = asyncio.create_task(by_shield(task))
        await settle()
        assert holds_up(task, shielding)
        shielding.cancel()
        assert not holds_up(task, shielding)
        await ends(task, waits, shielding)

    asyncio.run(main())


def test_tasks_that_a_group_is_cancelling_hold_up_nobody():
    async def main():
        never = asyncio.get_running_loop().create_future()
        stubborn = asyncio.get_running_loop().create_future()
        tasks = []

        async def resists():
            try:
                await never
            finally:
                await stubborn

        async def fails():
            await asyncio.sleep(0)
            raise OSError

        async def groups():
            async with asyncio.TaskGroup() as group:
                tasks.append(group.create_task(resists()))
                group.create_task(fails())

        waits = asyncio.create_task(groups())
        await settle()
        assert not holds_up(tasks[0], waits)
        stubborn.set_result(None)
        await asyncio.gather(waits, return_exceptions=True)

    asyncio.run(main())


def test_a_loop_of_its_own_holds_up_the_thread_that_runs_it():
    seen = []

    async def main():
        beside = asyncio.create_task(asyncio.sleep(20))
        below = asyncio.create_task(asks())
        await asyncio.gather(below)
        beside.cancel()
        return beside

    async def asks():
        await settle()
        beside = next(task for task in asyncio.all_tasks() if task.get_coro().__name__ == "sleep")
        for task in (asyncio.current_task(), beside):
            seen.append(holds_up(task, threading.get_ident()))
            seen.append(holds_up(task, threading.get_ident() + 1))

    asyncio.run(main())
    assert seen == [True, False, False, False]


def test_a_task_that_is_awaited_in_two_ways_is_followed_in_both():
    async def main():
        never = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(directly(never))
        ways = [asyncio.create_task(directly(task)) for _ in range(2)]
        waits = asyncio.create_task(asyncio.wait(ways))
        beside = asyncio.create_task(not_at_all(task))
        await settle()
        assert all(holds_up(task, one) for one in (*ways, waits))
        assert not holds_up(task, beside)
        never.set_result(None)
        await waits
        await ends(beside)

    asyncio.run(main())
