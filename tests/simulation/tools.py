"""The tools of a program, by name: what each does is all its name says. Each takes `n`, the name of its call, and `d`, its seconds."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import llm_actors as llm

from .stage import world

LONG = 200.0
"""Seconds that a hanging tool hangs: past every timeout, and short of the end of a program."""


def quick(n: str, d: float) -> str:
    with world().runs(n):
        return f"result of {n}"


def slow(n: str, d: float) -> str:
    with world().runs(n):
        time.sleep(d)
        return f"result of {n}"


async def async_slow(n: str, d: float) -> str:
    with world().runs(n):
        await asyncio.sleep(d)
        return f"result of {n}"


def crash(n: str, d: float) -> str:
    with world().runs(n):
        time.sleep(d)
        raise ValueError(f"crash of {n}")


async def async_crash(n: str, d: float) -> str:
    with world().runs(n):
        await asyncio.sleep(d)
        raise ValueError(f"crash of {n}")


def leaves(n: str, d: float) -> str:
    with world().runs(n):
        raise SystemExit(n)


async def cancels_itself(n: str, d: float) -> str:
    with world().runs(n):
        await asyncio.sleep(d)
        raise asyncio.CancelledError(n)


def hang(n: str, d: float) -> str:
    with world().runs(n, hangs=True):
        time.sleep(LONG)
        return f"late result of {n}"


async def async_hang(n: str, d: float) -> str:
    with world().runs(n):
        await asyncio.sleep(LONG)
        return f"late result of {n}"


async def stubborn(n: str, d: float) -> str:
    with world().runs(n, hangs=True):
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            await asyncio.sleep(d * 4)
        return f"late result of {n}"


def generates(n: str, d: float) -> Any:
    with world().runs(n):
        for number in range(3):
            yield f"progress {number} of {n}"
            time.sleep(d)
        return f"result of {n}"


async def async_generates(n: str, d: float) -> Any:
    with world().runs(n):
        for number in range(3):
            yield f"progress {number} of {n}"
            await asyncio.sleep(d)
        yield llm.ToolOutput(f"result of {n}")


def asks(n: str, d: float) -> str:
    with world().runs(n, waits=True):
        try:
            return f"result of {n}: {world().inner('sync').prompt(f'{d} {n}').text()}"
        except llm.LLMError as error:
            return f"result of {n}: {error!r}"


async def async_asks(n: str, d: float) -> str:
    with world().runs(n, waits=True):
        try:
            return f"result of {n}: {await world().inner('async').prompt(f'{d} {n}').text()}"
        except llm.LLMError as error:
            return f"result of {n}: {error!r}"


def pauses(n: str, d: float) -> str:
    with world().runs(n, again=True):
        time.sleep(d)
        raise llm.PauseChain(n)


class Box(llm.Toolbox):
    """Its sync methods never run at the same time."""

    def __init__(self) -> None:
        self._inside = 0
        self._ready = 0

    def put(self, n: str, d: float) -> str:
        return self._serial(n, d)

    def take(self, n: str, d: float) -> str:
        return self._serial(n, d)

    async def look(self, n: str, d: float) -> str:
        with world().runs(n):
            await asyncio.sleep(d)
            return f"result of {n}"

    def _serial(self, n: str, d: float) -> str:
        with world().runs(n):
            self._inside += not llm.cancelled()
            if self._inside > 1 or self._ready != 1:
                world().broken("T2", f"sync methods of one toolbox at once, or it was not prepared once: {n}")
            try:
                time.sleep(d)
            finally:
                self._inside = 0
            return f"result of {n}"

    def prepare(self) -> None:
        time.sleep(0.01)

    async def prepare_async(self) -> None:
        await asyncio.sleep(0.01)
        self._ready += 1


TOOLS = (
    "quick",
    "slow",
    "async_slow",
    "crash",
    "async_crash",
    "leaves",
    "cancels_itself",
    "hang",
    "async_hang",
    "stubborn",
    "generates",
    "async_generates",
    "asks",
    "async_asks",
    "pauses",
    "Box_put",
    "Box_take",
    "Box_look",
)
_made = {name: llm.Tool.function(globals()[name]) for name in TOOLS if not name.startswith("Box_")}


def tools_of(names: tuple[str, ...]) -> list[Any]:
    """These tools; those of the toolbox come as one Toolbox, new each time."""
    boxes = [Box()] if any(name.startswith("Box_") for name in names) else []
    return [*(_made[name] for name in names if name in _made), *boxes]
