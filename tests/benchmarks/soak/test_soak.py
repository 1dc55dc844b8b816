"""The soak in small, and that it would say so if something were wrong."""

import asyncio
import socket
import subprocess
import sys
from random import Random

import pytest

import llm_actors as llm
from tests.house.source import REPOSITORY

from . import watch
from .echo import NAME, Asked, asked, root
from .work import ALONE, WORK, choose
from .world import World

SECONDS = 150


def samples(values, name="rss_mb"):
    """Samples that differ in one thing."""
    plain = watch.Sample(*[0.0] * len(watch.Sample._fields))
    return [plain._replace(seconds=float(second), **{name: value}) for second, value in enumerate(values)]


def test_ten_seconds_of_it_pass():
    settings = ("--minutes", "0.17", "--conversations", "100", "--rate", "80", "--seed", "7")
    command = [sys.executable, "-m", "tests.benchmarks.soak", *settings]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed." in done.stdout
    for kind in WORK:
        assert f"{kind.__name__} " in done.stdout


@pytest.mark.parametrize("name", sorted(watch.BOUNDS))
def test_what_grows_is_named_and_what_swings_is_not(name):
    swinging = [1000.0 + 10 * Random(1).random() for _ in range(90)]
    assert watch.growth(samples(swinging, name)) == []
    [found] = watch.growth(samples([1000.0 + 10_000 * second for second in range(90)], name))
    assert found.startswith(f"{name} grew from ")


def test_the_slope_is_by_the_hour():
    assert watch.slope(samples([100.0 + second / 60 for second in range(600)]), "rss_mb") == pytest.approx(60.0)


def test_a_task_and_a_socket_that_are_left_are_named():
    async def main():
        before = watch.sockets()
        assert watch.left_over(before, 1_000) == []
        task = asyncio.create_task(asyncio.sleep(60), name="forgotten")
        with socket.socket():
            found = watch.left_over(before, 1_000)
        task.cancel()
        return found

    assert asyncio.run(main()) == ["tasks are left: ['forgotten']", "1 sockets are left"]


def test_a_conversation_that_is_left_is_named():
    held = llm.get_async_model("demo").conversation()
    found = asyncio.run(_left())
    del held
    assert "AsyncConversation" in found[0]


async def _left():
    return watch.left_over(1_000, 1_000)


def test_an_answer_of_another_prompt_a_missing_piece_and_a_strange_partial_are_complaints():
    async def main():
        world = World(9, 1, 2)
        mine, other = Asked("t1.0-1", "ok", 3), Asked("t2.0-1", "ok", 3)
        world.check_text(mine, mine.answer)
        assert world.complaints == []
        world.check_text(mine, other.answer)
        world.check_text(mine, mine.answer[:-8])
        world.check_history(world.talks[0], mine, mine.answer)
        await world.client.aclose()
        return world.complaints

    assert len(asyncio.run(main())) == 3


def test_a_prompt_says_what_it_asks_for():
    one = Asked("t17.0-4", "slow", 2, ("quick", "hangs"))
    assert asked(one.text) == one
    assert one.answer == "t17.0-4:0 t17.0-4:1 "
    assert {root(found[0]) for found in NAME.finditer(one.text + one.answer)} == {"t17"}


def test_nobody_comes_between_where_work_is_alone():
    async def main():
        world = World(9, 3, 3)
        for talk in world.talks:
            talk.busy, talk.left = 1, 9
        found = [choose(world) for _ in range(300)]
        assert all(talk is None for kind, talk in found if kind in ALONE)
        assert any(talk is not None for _, talk in found)
        world.talks[0].alone = world.talks[1].alone = world.talks[2].alone = True
        assert all(talk is None for _, talk in [choose(world) for _ in range(100)])
        await world.client.aclose()

    asyncio.run(main())
