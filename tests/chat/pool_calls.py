"""A tool pool under test: each call's outcome can be awaited, and each call is checked to be answered exactly once, on the loop."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

from llm_actors.chat.tool_pool import Outcome, StuckThread, ToolPool
from llm_actors.observe import Record
from llm_actors.runtime import Loop, running

WAIT = 30
"""Seconds; a test that waits that long has failed."""


class Gate:
    """What a sync tool of a test stands at until the test opens it: `reached` when it got there."""

    def __init__(self):
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, value=None):
        self.reached.set()
        assert self.opened.wait(WAIT)
        return value

    async def is_reached(self):
        await asyncio.to_thread(wait_for, self.reached)

    def open(self):
        self.opened.set()


def this_loop() -> Loop:
    loop = running()
    assert loop is not None
    return loop


async def until(reached: Callable[[], object]):
    """Lets the loop turn until that is so."""
    async with asyncio.timeout(WAIT):
        while not reached():  # noqa: ASYNC110 - what a thread does is told by no event of the loop
            await asyncio.sleep(0.001)


def wait_for(event: threading.Event):
    assert event.wait(WAIT)


class Call:
    def __init__(self):
        self.job: Any = None
        self.outcomes: list[Outcome] = []
        self.end = asyncio.get_running_loop().create_future()

    def done(self, outcome: Outcome):
        assert asyncio.get_running_loop() is self.end.get_loop()
        assert self.job is not None, "answered from inside run()"
        self.outcomes.append(outcome)
        if not self.end.done():
            self.end.set_result(outcome)

    async def outcome(self) -> Outcome:
        async with asyncio.timeout(WAIT):
            return await asyncio.shield(self.end)

    async def value(self):
        outcome = await self.outcome()
        assert outcome.kind == "value", outcome
        return outcome.value

    async def error(self):
        outcome = await self.outcome()
        assert outcome.kind == "error", outcome
        return outcome.error


class Calls:
    """`async with Calls(workers=2) as calls:`; at the end the pool is closed and every call has had one answer."""

    def __init__(self, *, grace: float = WAIT, **settings):
        self.loop = this_loop()
        self.grace = grace
        self.records: list[Record] = []
        self.made: list[Call] = []
        self.gates: list[Gate] = []
        self.stuck: list[StuckThread] = []
        self._news = asyncio.Event()
        self.pool = ToolPool(self.loop, observed=self, **settings)

    def observe(self, record):
        assert self.loop.is_current()
        self.records.append(record)
        self._news.set()

    def named(self, kind):
        return [record for record in self.records if isinstance(record, kind)]

    async def observed(self, kind, count=1):
        async with asyncio.timeout(WAIT):
            while len(self.named(kind)) < count:
                self._news.clear()
                await self._news.wait()
        return self.named(kind)

    def gate(self) -> Gate:
        """A Gate that is open at the end, whatever the test came to."""
        self.gates.append(Gate())
        return self.gates[-1]

    def call(self, function: Callable[..., Any], *args, name=None, context=None, **settings) -> Call:
        call = Call()
        self.made.append(call)
        call.job = self.pool.run(
            function,
            args,
            {},
            name=name or getattr(function, "__name__", "tool"),
            context=context or contextvars.copy_context(),
            done=call.done,
            **settings,
        )
        return call

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, error, traceback):
        for gate in self.gates:
            gate.open()
        self.stuck = await self.pool.close(self.grace)
        if error is None:
            assert [len(call.outcomes) for call in self.made] == [1] * len(self.made)
            stats = self.pool.stats()
            assert (stats.running, stats.waiting_in_waits, stats.queued, stats.idle) == (0, 0, 0, 0)
            assert len(self.pool._lines) == len(
                {id(job.line) for job in self.pool._abandoned._calls if job.line is not None}
            )


def tool_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("llm-actors-tool-")]
