"""Streams share each turn of a loop; who waits in line is let through, in order, and nobody is forgotten."""

import asyncio

from llm_actors.runtime import loop as loops
from llm_actors.transport.turns import TURN, Turns


def test_who_finds_room_does_not_wait():
    async def main():
        turns = Turns(loops.here())
        for _ in range(10):
            assert turns.wait() is None
            turns.spent(TURN // 10 + 1)
        assert turns.wait() is not None

    asyncio.run(main())


def test_a_turn_takes_no_more_than_its_bound_and_the_piece_that_passes_it():
    async def main():
        turns, taken = Turns(loops.here()), [0]

        async def stream(size):
            for _ in range(20):
                if (place := turns.wait()) is not None:
                    await place
                turns.spent(size)
                taken[-1] += size

        def turn():
            taken.append(0)
            asyncio.get_running_loop().call_soon(turn)

        turn()
        async with asyncio.timeout(30):
            await asyncio.gather(*[stream(TURN // 8) for _ in range(40)])
        assert sum(taken) == 40 * 20 * (TURN // 8)
        assert max(taken) <= 2.5 * TURN

    asyncio.run(main())


def test_the_line_is_first_come_first_served_and_a_cancelled_place_holds_up_nobody():
    async def main():
        turns, order = Turns(loops.here()), []
        turns.spent(TURN)

        async def stream(number):
            if (place := turns.wait()) is not None:
                await place
            turns.spent(TURN)  # each of them fills a turn
            order.append(number)

        tasks = [asyncio.create_task(stream(number)) for number in range(6)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        tasks[3].cancel()
        async with asyncio.timeout(30):
            await asyncio.wait(tasks)
        assert order == [1, 2, 4, 5]
        assert not turns._line

    asyncio.run(main())
