"""Starts model calls over HTTP, one pump for each loop.

    Pump        starts flights; ends those under way when the loop ends
    flight.py   WireCall, what a call needs to know, and HttpFlight, one call from the request to its one ending

A flight is one attempt: whoever wants another (a retry) starts another.
"""

from __future__ import annotations

import asyncio

from llm_actors.providers.protocol import FlightSink
from llm_actors.runtime.loop import Loop

from .clients import Clients
from .flight import HttpFlight, WireCall

__all__ = ["HttpFlight", "Pump", "WireCall"]

GRACE = 5.0
"""Seconds that calls have to end in, after they were cancelled."""


class Pump:
    """Starts model calls on one loop. Its loop only."""

    def __init__(self, loop: Loop, clients: Clients) -> None:
        self._loop = loop
        self._clients = clients
        self._tasks: set[asyncio.Task[None]] = set()
        # After the clients' own, so before it: what ends last was made first.
        loop.on_end(self.close)

    def start(self, call: WireCall, sink: FlightSink) -> HttpFlight:
        """Sends the call as a task of this loop. The sink hears of it in later turns of the loop, never before this returns.

        Raises `LoopClosedError` when the loop has ended. All else comes to the sink: `ended(RoundResult)`, `failed(error)` with one of
        the tree of `llm_actors.errors` or what a provider of the user's own raised, or `stopped()`.
        """
        flight = HttpFlight(self._loop, self._clients, call, sink)
        self._tasks.add(flight.task)
        flight.task.add_done_callback(self._tasks.discard)
        return flight

    @property
    def open(self) -> int:
        """How many calls are under way. Any thread."""
        return len(self._tasks)

    async def close(self) -> None:
        """Ends the calls under way; runs when the loop ends."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE)
