"""The thread of the background loop: runs an asyncio loop from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from llm_actors.errors import LoopClosedError

if TYPE_CHECKING:
    from .loop import Loop

logger = logging.getLogger("llm_actors.runtime")

GRACE = 5.0
"""Seconds that tasks have to end in, after they were cancelled."""
EXIT_GRACE = 8.0
"""Seconds that `end()` waits for the thread."""


def _new_loop() -> asyncio.AbstractEventLoop:
    """One of uvloop where the extra `fast` is installed, unless the environment has LLM_ACTORS_FAST=0.

    It halves the CPU of paced streams: 63 -> 32 us a chunk.
    """
    if os.environ.get("LLM_ACTORS_FAST") == "0":
        return asyncio.new_event_loop()
    try:
        import uvloop  # noqa: PLC0415 - of an extra
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class BackgroundThread(threading.Thread):
    """A daemon. `of` gives the Loop of an asyncio loop."""

    def __init__(self, of: Callable[[asyncio.AbstractEventLoop], Loop]) -> None:
        super().__init__(name="llm_actors background loop", daemon=True)
        self.asyncio_loop = _new_loop()
        self.loop = of(self.asyncio_loop)
        self.loop.name = "the background loop"
        self.last_acts: list[Callable[[], object]] = []
        self._over = asyncio.Event()

    def run(self) -> None:
        """Its thread only."""
        # asyncio.Runner would start a thread to end the loop's executor, which Python 3.12 refuses at the interpreter's exit.
        life = self.asyncio_loop.create_task(self._live(), name="llm_actors background loop")
        while not life.done():
            try:
                self.asyncio_loop.run_until_complete(life)
            except (SystemExit, KeyboardInterrupt):  # some call's on this loop: all others must not suffer for it
                logger.exception("a call on the background loop wanted to end the program")
        self.asyncio_loop.run_until_complete(self.asyncio_loop.shutdown_asyncgens())
        self.asyncio_loop.close()
        for act in self.last_acts:
            act()

    async def _live(self) -> None:
        self.loop.park()
        await self._over.wait()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE)

    def finish(self) -> None:
        """Has the loop end. Any thread."""
        with contextlib.suppress(LoopClosedError):
            self.loop.post(self._over.set)

    def end(self) -> None:
        """Ends the loop and waits for the thread, but not for long. Any other thread."""
        self.finish()
        self.join(EXIT_GRACE)
