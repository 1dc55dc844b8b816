"""What a million idle conversations take: each is held, has a system prompt, and has had one exchange, with a scripted model.

    python -m tests.benchmarks.idle_conversations --count 1000000 [--system shared|distinct] [--at-once 200] [--traced]

Prints the bytes for each conversation: of the process (RSS, from before the first to after the last), and with `--traced` those that
Python allocated (tracemalloc, which makes all of it some five times slower); and how long an exchange took. Shared: all have the same
system prompt, as the agents of a simulation; distinct: each its own, as the users of a service.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import time
import tracemalloc
from pathlib import Path
from typing import NamedTuple

from llm_actors.chat.script_model import script_pair
from llm_actors.messages import ModelRequest, RoundResult
from llm_actors.providers.protocol import Script, ScriptStep

ANSWER = ["It ", "is ", "a ", "skunk."]


class Figures(NamedTuple):
    """Bytes for each conversation (`traced` 0 where not asked for), microseconds for each exchange."""

    rss: float
    traced: float
    microseconds: float


def play(_request: ModelRequest) -> Script:
    """The answer, in four pieces."""
    return Script([ScriptStep(0, [*ANSWER])], RoundResult(stop_reason="stop"))


async def measured(count: int, *, distinct: bool, traced: bool, at_once: int = 200) -> Figures:
    """Makes that many conversations, holds them, and gives the figures."""
    model = script_pair("script", play)[1]

    async def exchange(number: int) -> object:
        who = number if distinct else 0
        conversation = model.conversation()
        text = await conversation.prompt(f"Number {number}?", system=f"You are agent {who} of many. Be brief.").text()
        assert text == "It is a skunk."
        return conversation

    await asyncio.gather(*[exchange(-number) for number in range(1, at_once + 1)])  # what is made once, is made
    held: list[object] = []
    gc.collect()
    if traced:
        tracemalloc.start()
    rss, began = resident(), time.perf_counter()
    for first in range(0, count, at_once):
        held += await asyncio.gather(*[exchange(number) for number in range(first, min(first + at_once, count))])
    seconds = time.perf_counter() - began
    gc.collect()
    bytes_traced = tracemalloc.get_traced_memory()[0] if traced else 0
    grown = resident() - rss
    tracemalloc.stop()
    assert len(held) == count
    return Figures(grown / count, bytes_traced / count, seconds / count * 1e6)


def resident() -> int:
    """The process's memory in RAM, in bytes (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--system", choices=["shared", "distinct"], default="shared")
    parser.add_argument("--at-once", type=int, default=200)
    parser.add_argument("--traced", action="store_true")
    given = parser.parse_args()
    distinct = given.system == "distinct"
    figures = asyncio.run(measured(given.count, distinct=distinct, traced=given.traced, at_once=given.at_once))
    print(f"{given.count} idle conversations with {given.system} system prompts and one exchange each")
    print(f"{figures.rss:.0f} bytes each, {figures.rss * given.count / 2**30:.3f} GiB in all (RSS)")
    if given.traced:
        print(f"{figures.traced:.0f} bytes each by Python's own count (tracemalloc)")
    print(f"{figures.microseconds:.0f} us an exchange; {resident() / 2**30:.3f} GiB is the process now")


if __name__ == "__main__":
    main()
