"""What the soak counts while it works, and the verdict on that: nothing may grow, and at the end nothing may be left."""

import asyncio
import gc
import os
import statistics
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import llm_actors as llm

from .world import World

MB = 2**20
KINDS = ("AsyncConversation", "Conversation", "ConversationActor", "AsyncResponse", "Response", "EventLog", "LiveTurn")
"""Of what an ended program of ours may hold none."""


class Sample(NamedTuple):
    """One moment. `blocks`: memory blocks that Python has allocated."""

    seconds: float
    rss_mb: float
    blocks: float
    tasks: float
    threads: float
    sockets: float
    callbacks: float
    timers: float
    prompts_waiting: float
    tools_waiting: float
    turns: float


class Bound(NamedTuple):
    """How much more the end may have than the beginning: a share of it, and so many."""

    share: float
    more: float


# Counts of what is under way swing with the machine's other work, which the soak bounds; memory does not. What leaks is left at the end.
SWINGS = Bound(1.0, 300)
BOUNDS = {
    "rss_mb": Bound(0.06, 12),
    "blocks": Bound(0.04, 20_000),
    **{name: SWINGS for name in Sample._fields if name not in ("seconds", "rss_mb", "blocks")},
}


def sample(world: World, system: llm.ActorSystem, seconds: float) -> Sample:
    """What there is now."""
    loop: Any = asyncio.get_running_loop()
    tools = [view.tools for view in system.tree().loops if view.tools is not None]
    counters = system.counters()
    ended = counters.turns_finished + counters.turns_failed + counters.turns_cancelled
    return Sample(
        seconds,
        resident_mb(),
        sys.getallocatedblocks(),
        len(asyncio.all_tasks()),
        threading.active_count(),
        sockets(),
        len(loop._ready),
        len(loop._scheduled),
        sum(talk.conversation.waiting for talk in world.talks),
        sum(each.queued for each in tools),
        counters.prompts - ended,
    )


def resident_mb() -> float:
    """This process's memory in RAM."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB


def sockets() -> int:
    """How many sockets this process has open."""
    found = 0
    for path in Path("/proc/self/fd").iterdir():
        try:
            found += str(path.readlink()).startswith("socket:")
        except FileNotFoundError:  # it was that of the folder itself
            continue
    return found


def growth(samples: list[Sample]) -> list[str]:
    """What is more at the end than it may be: medians of the last third are compared with those of the first."""
    if not samples:
        return []
    third = max(1, len(samples) // 3)
    grown: list[str] = []
    for name, bound in BOUNDS.items():
        before, after = (
            statistics.median([getattr(each, name) for each in part]) for part in (samples[:third], samples[-third:])
        )
        if after > before * (1 + bound.share) + bound.more:
            grown.append(f"{name} grew from {before:,.0f} to {after:,.0f}")
    return grown


def slope(samples: list[Sample], name: str) -> float:
    """By how much it grows in an hour, by least squares."""
    if len(samples) < 2:
        return 0.0
    times, values = [each.seconds for each in samples], [getattr(each, name) for each in samples]
    return statistics.linear_regression(times, values).slope * 3600


def table(samples: list[Sample]) -> str:
    """The samples, in a few rows."""
    heads = [name.replace("_", " ") for name in Sample._fields]
    lines = [f"| {' | '.join(heads)} |", f"|{'---:|' * len(heads)}"]
    step = max(1, (len(samples) - 1) // 6)
    for each in samples[::step]:
        lines.append(f"| {' | '.join(f'{value:,.0f}' for value in each)} |")
    return "\n".join(lines)


def left_over(sockets_before: int, threads_before: int) -> list[str]:
    """What is still there when all has been shut down."""
    tasks = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    threads = [thread.name for thread in threading.enumerate()]
    gc.collect()
    kinds: Counter[str] = Counter()
    for each in gc.get_objects():
        kind = type(each)
        if kind.__name__ in KINDS and kind.__module__.startswith("llm_actors."):
            kinds[kind.__name__] += 1
    found = [f"tasks are left: {tasks}"] if tasks else []
    found += [f"threads are left: {threads}"] if len(threads) > threads_before else []
    found += [f"{sockets() - sockets_before} sockets are left"] if sockets() > sockets_before else []
    return found + ([f"objects are left: {dict(kinds)}"] if kinds else [])
