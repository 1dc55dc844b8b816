"""Whatever is called, stopped and timed out in whatever order: one answer each, no place lost, no line left."""

import asyncio
import random
import threading

import pytest

from llm_actors.observe import ToolAbandoned, ToolReturned
from llm_actors.runtime import Future

from .pool_calls import Calls, until
from .test_tool_pool_waits import nested


class Watch:
    """Counts what runs at once: tools of one box, and all tools that are in no wait of ours."""

    def __init__(self):
        self.lock = threading.Lock()
        self.inside: dict[int, int] = {}
        self.overlaps = 0

    def enter(self, box):
        with self.lock:
            self.inside[id(box)] = self.inside.get(id(box), 0) + 1
            self.overlaps += self.inside[id(box)] > 1

    def leave(self, box):
        with self.lock:
            self.inside[id(box)] -= 1


def tools(calls, chance, watch):
    """Tools that end in every way, after no time or a little."""

    def nap():
        threading.Event().wait(chance.random() * 0.002)

    def value():
        nap()
        return 1

    def error():
        nap()
        raise SystemExit

    async def task():
        await asyncio.sleep(chance.random() * 0.002)

    async def failing():
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    def awaitable():
        nap()
        return task()

    def outer():
        nested(calls, value).get(timeout=0.05)

    async def async_outer():
        await nested(calls, value)

    def waiting():
        Future().get(timeout=0.003)

    def boxed(box):
        watch.enter(box)
        nap()
        watch.leave(box)

    return [value, error, task, failing, awaitable, outer, async_outer, waiting, boxed]


@pytest.mark.parametrize("seed", range(12))
def test_every_call_is_answered_exactly_once_whatever_stops_it(seed):
    chance = random.Random(seed)

    async def main():
        watch = Watch()
        async with Calls(workers=chance.choice([1, 2, 5]), timeout=None) as calls:
            boxes = [object(), object()]
            choices = tools(calls, chance, watch)
            for _ in range(250):
                tool = chance.choice(choices)
                limit = chance.choice([None, None, 0.001, 0.003])
                if tool.__name__ == "boxed":
                    box = chance.choice(boxes)
                    calls.call(tool, box, timeout=limit, serial=box)
                else:
                    calls.call(tool, timeout=limit)
                if chance.random() < 0.3:
                    chance.choice(calls.made).job.stop()
                if chance.random() < 0.2:
                    await asyncio.sleep(chance.random() * 0.002)
            kinds = [(await call.outcome()).kind for call in calls.made]
            assert set(kinds) <= {"value", "error", "stopped", "timeout"}
            assert len(kinds) == 250
            await until(lambda: not calls.pool._running and not calls.pool.stats().abandoned)
            assert len(calls.named(ToolAbandoned)) == len(calls.named(ToolReturned))
            assert calls.pool._active == 0
            assert len(calls.pool._lines) == 0
            assert calls.pool.stats().queued == 0
            assert watch.overlaps == 0

    asyncio.run(main())
