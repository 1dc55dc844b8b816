"""Programs of waits that have no circle raise nothing; one with a circle is always told of it; in both everybody ends."""

import asyncio
import random

import pytest

from .wait_programs import KINDS, Scene, planted, program, wild

PROGRAMS = {"actors": (1000, ["loop"]), "everybody": (100, list(KINDS))}


def scenes(kinds, chance):
    return Scene([chance.choice(kinds) for _ in range(chance.randint(2, 6))])


@pytest.mark.parametrize("who", PROGRAMS)
def test_no_program_without_a_circle_is_told_of_one(who):
    count, kinds = PROGRAMS[who]

    async def main():
        for seed in range(count):
            chance = random.Random(seed)
            scene = scenes(kinds, chance)
            target = chance.randrange(len(scene.units))
            told = await scene.play(target, program(chance, target, len(scene.units)))
            assert told == [], f"seed {seed}"
            scene.close()

    asyncio.run(main())


@pytest.mark.parametrize("who", PROGRAMS)
def test_whatever_waits_for_whatever_everybody_ends(who):
    """Several programs at once, each of which may ask anybody: a circle that nobody is told of would be a hang."""
    count, kinds = PROGRAMS[who][0] // 4, PROGRAMS[who][1]
    told = 0

    async def main():
        nonlocal told
        for seed in range(count):
            chance = random.Random(seed)
            scene = scenes(kinds, chance)
            units = len(scene.units)
            roots = [(chance.randrange(units), wild(chance, units)) for _ in range(3)]
            told += len(await scene.play_all(roots))
            scene.close()

    asyncio.run(main())
    assert told > count / 2


@pytest.mark.parametrize("who", PROGRAMS)
def test_each_program_with_a_circle_is_told_of_it_and_everybody_ends(who):
    count, kinds = PROGRAMS[who]

    async def main():
        for seed in range(count):
            chance = random.Random(seed)
            scene = scenes(kinds, chance)
            told = await scene.play(*planted(chance, len(scene.units)))
            assert len(told) == 1, f"seed {seed}: {told}"
            scene.close()

    asyncio.run(main())
