"""A turn under watch: everything that it causes is written down, and what is caused after its cancel returned is an offence."""

import asyncio
import random
import threading
from collections import Counter

import llm_actors as llm
from llm_actors.observe import ToolAbandoned, ToolReturned, TurnFinished, TurnRecord

from .worlds import calls

PLACES = (
    "queued",
    "sending",
    "event",
    "sync tool",
    "async tool",
    "before_call",
    "ToolStarted",
    "after_call",
    "second request",
    "some time",
)
"""Where the cancel comes: at a place the turn tells of as it gets there, or after some time."""


class WatchedTurn:
    """One chain with two parallel tools and hooks. When it gets to its `place` it sets `come`. Any thread."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.name = f"turn-{number:04}"
        self.place = chance.choice(PLACES)
        self.event = chance.randrange(1, 9)
        self.come = threading.Event()
        self.ended = False
        self.seen: list[str] = []
        self.offences: list[str] = []
        self.open_requests = 0
        self.requests = 0
        self.patience = chance.uniform(0, 0.1) if self.place == "some time" else 2.0  # seconds for the place to come
        self.pause = chance.choice([0, chance.uniform(0, 0.004)])  # seconds, behind the place
        self.hook_is_sync = chance.random() < 0.5
        self.prompt = f"{self.name}: {calls(slow={}, quick={})}"

    def mark(self, what: str) -> None:
        """Something happens for this turn."""
        self.seen.append(what)
        if self.ended:
            self.offences.append(what)
        if what == self.place:
            self.come.set()

    def end(self) -> None:
        """The cancel has returned: from now on nothing happens."""
        self.ended = True
        if self.open_requests:
            self.offences.append(f"{self.open_requests} requests open")

    # ---- what the turn is given ---------------------------------------------------------------------------------------------

    def tools(self):
        def slow() -> str:
            self.mark("sync tool")
            for _ in range(20):
                if llm.cancelled():
                    break
                threading.Event().wait(0.0005)
            return "slow"

        async def quick() -> str:
            self.mark("async tool")
            await asyncio.sleep(0.002)
            self.mark("async tool goes on")
            return "quick"

        return [slow, quick]

    def hooks(self):
        def sync_hook(stage):
            def hook(*_):
                self.mark(stage)

            return hook

        def async_hook(stage):
            async def hook(*_):
                self.mark(stage)
                await asyncio.sleep(0)
                self.mark(f"{stage} goes on")

            return hook

        make = sync_hook if self.hook_is_sync else async_hook
        return {"before_call": make("before_call"), "after_call": make("after_call")}

    def said(self, _response):
        """For on_done."""
        self.mark("callback")

    def count(self, number):
        """An event has been read."""
        if self.place == "event" and number == self.event:
            self.come.set()


class Watch:
    """Knows the watched turns by name, and sees every request of the process and every record of the system."""

    def __init__(self) -> None:
        self.turns: dict[str, WatchedTurn] = {}
        self.responses: dict[str, WatchedTurn] = {}
        self.ends: Counter[str] = Counter()

    def observe(self, record) -> None:
        turn = self.responses.get(record.response) if isinstance(record, TurnRecord) else None
        if turn is not None and not isinstance(record, ToolAbandoned | ToolReturned):
            turn.mark(type(record).__name__)
            if isinstance(record, TurnFinished):
                self.ends[(record.error or "done").partition("(")[0]] += 1

    def watched(self, send):
        """`Pool.open`, with an eye on it: each request, and each read of its answer."""

        async def handle(pool, request):
            turn = self.turns.get(last_words(request.body))
            if turn is None:
                return await send(pool, request)
            turn.requests += 1
            turn.open_requests += 1
            turn.mark("sending" if turn.requests == 1 else "second request")
            try:
                response = await send(pool, request)
            except BaseException:
                turn.open_requests -= 1
                raise
            return WatchedAnswer(response, turn)

        return handle


class WatchedAnswer:
    def __init__(self, answer, turn) -> None:
        self.answer = answer
        self.turn = turn
        self.status_code, self.headers = answer.status_code, answer.headers
        self.stream = self.read(answer.stream)

    async def read(self, stream):
        async for data in stream:
            self.turn.mark("bytes")
            yield data

    async def aclose(self) -> None:
        await self.answer.aclose()
        self.turn.open_requests -= 1


def last_words(body: bytes) -> str:
    """The name of the turn that a request is for: it begins the last user message."""
    at = body.rfind(b'"role":"user","content":"')
    return body[at + 25 : at + 34].decode(errors="replace") if at >= 0 else ""
