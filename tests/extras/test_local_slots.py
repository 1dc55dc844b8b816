"""The line in front of the engine."""

import asyncio
import gc
import threading
from typing import Any

import pytest

from llm_actors.extras.local_slots import Slots


async def _settled():
    for _ in range(10):
        await asyncio.sleep(0)


def test_callers_beyond_the_slots_wait_and_are_served_in_the_order_they_came():
    async def main():
        slots, served = Slots(2), []

        async def caller(number):
            await slots.acquire()
            served.append(number)

        tasks = [asyncio.create_task(caller(number)) for number in range(5)]
        await _settled()
        assert served == [0, 1]
        assert (slots.taken, slots.waiting) == (2, 3)
        for expected in ([0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4]):
            slots.release()
            await _settled()
            assert served == expected
        await asyncio.gather(*tasks)
        slots.release()
        slots.release()
        assert (slots.taken, slots.waiting) == (0, 0)

    asyncio.run(main())


def test_a_cancelled_wait_leaves_no_trace():
    async def main():
        slots = Slots(1)
        await slots.acquire()
        first, second = asyncio.create_task(slots.acquire()), asyncio.create_task(slots.acquire())
        await _settled()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert slots.waiting == 1
        slots.release()
        await asyncio.wait_for(second, 5)
        slots.release()
        assert (slots.taken, slots.waiting) == (0, 0)

    asyncio.run(main())


def test_a_place_given_to_a_wait_that_is_cancelled_at_that_moment_goes_on_to_the_next():
    async def main():
        slots = Slots(1)
        await slots.acquire()
        first, second = asyncio.create_task(slots.acquire()), asyncio.create_task(slots.acquire())
        await _settled()
        slots.release()  # first's, but it hasn't run since
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await asyncio.wait_for(second, 5)
        assert (slots.taken, slots.waiting) == (1, 0)

    asyncio.run(main())


def test_a_loop_closed_under_its_waiting_task_does_not_keep_a_place():
    slots = Slots(1)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(slots.acquire())
    task: Any = loop.create_task(slots.acquire())
    loop.run_until_complete(_settled())
    loop.close()
    task._log_destroy_pending = False  # that it was destroyed is this test
    del task
    slots.release()
    gc.collect()
    assert (slots.taken, slots.waiting) == (0, 0)


def test_callers_on_several_loops_share_the_places():
    slots, together, most, lock = Slots(2), 0, 0, threading.Lock()

    async def caller():
        nonlocal together, most
        for _ in range(20):
            await slots.acquire()
            with lock:
                together += 1
                most = max(most, together)
            await asyncio.sleep(0)
            with lock:
                together -= 1
            slots.release()

    async def main():
        await asyncio.wait_for(asyncio.gather(*(caller() for _ in range(3))), 10)

    threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert most <= 2
    assert (slots.taken, slots.waiting) == (0, 0)


def test_a_release_too_many_makes_no_place():
    slots = Slots(1)
    slots.release()
    assert slots.taken == 0
