"""Random programs in groups: however a block is left, nothing of it runs behind it."""

import asyncio
import random

import pytest

import llm_actors as llm
from llm_actors.chat.budget import NONE
from llm_actors.runtime import carried
from tests.strict import check_next as check_accepted

from .speakers import run


class World:
    """Counts what runs; each step may fail, wait, or go on."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.running = 0

    async def steps(self):
        self.running += 1
        try:
            for _ in range(self.random.randrange(6)):
                await asyncio.sleep(self.random.choice([0, 0, 0.001]))
                if self.random.random() < 0.04:
                    raise ValueError("drawn")
            if self.random.random() < 0.1:
                await asyncio.get_running_loop().create_future()
        finally:
            try:
                if self.random.random() < 0.3:
                    await asyncio.sleep(0)
            finally:  # cancelled twice, by two groups
                self.running -= 1


class Talks(llm.AsyncModel):
    model_id = "talks"
    supports_tools = True

    def __init__(self, world):
        self.world = world

    async def execute(self, prompt, stream, response, conversation):
        yield "some "
        await self.world.steps()
        if self.world.random.random() < 0.3:
            response.add_tool_call(llm.ToolCall("nested", {}))
        yield "text"


async def block(world, group, depth):
    draw = world.random
    conversations = []

    async def nested() -> str:
        await world.steps()
        return "ok"

    async def inner():
        async with llm.Group(timeout=draw.choice([None, 0.01])) as inside:
            await block(world, inside, depth - 1)

    for _ in range(draw.randrange(1, 8)):
        kind = draw.choice(["turn", "turn", "chain", "task", "spawn", "inner", "sleep", "cancel", "read", "thread"])
        if kind in ("turn", "chain", "read"):
            conversation = group.conversation(Talks(world), tools=[nested], chain_limit=3)
            conversations.append(conversation)
            response = conversation.chain("hi") if kind == "chain" else conversation.prompt("hi")
            if kind == "read":
                await response.text()
        elif kind == "task":
            group.create_task(world.steps())
        elif kind == "spawn":
            group.spawn(world.steps)
        elif kind == "thread":
            group.spawn(int, "7")
        elif kind == "inner" and depth:
            group.create_task(inner()) if draw.random() < 0.5 else await inner()
        elif kind == "sleep":
            await asyncio.sleep(0.001)
        elif kind == "cancel" and draw.random() < 0.2:
            group.cancel()
    return conversations


async def program(seed):
    world = World(seed)
    me = asyncio.current_task()
    group = llm.Group(
        timeout=world.random.choice([None, 0.01, 0.03]), budget=llm.Budget(requests=world.random.choice([2, 50]))
    )
    kept = []

    async def user():
        async with group:
            kept.extend(await block(world, group, depth=1))

    task = asyncio.create_task(user())
    if world.random.random() < 0.3:
        await asyncio.sleep(world.random.choice([0, 0.002, 0.01]))
        task.cancel()
    done, _ = await asyncio.wait([task], timeout=1)
    if not done:  # somebody in it waits for ever, and nothing limits that
        task.cancel()
        await asyncio.wait([task], timeout=5)
    assert task.done()
    assert world.running == 0, "something of it still runs"
    assert group.ended or group._state == "new"
    assert group.reserved == NONE
    assert not [other for other in asyncio.all_tasks() if other is not me]
    assert carried.get() is None
    for conversation in kept:
        if conversation.messages():
            check_accepted(conversation.messages())
    if not task.cancelled():
        assert isinstance(task.exception(), BaseExceptionGroup | llm.DeadlineExceededError | None)


@pytest.mark.parametrize("seed", range(150))
def test_however_a_block_is_left_nothing_of_it_runs_behind_it(seed):
    run(program(seed))
