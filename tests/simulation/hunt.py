"""Runs many seeds, in as many processes as asked for, and brings back what failed."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

import msgspec
import pytest

from .mutants import MUTANTS
from .play import Outcome, play
from .program import draw_program

BATCH = 250
"""Seeds that a process takes at once."""


class Hunt(msgspec.Struct):
    """What came of some seeds: how many ran, how many responses they sent, the first one that failed."""

    seeds: int = 0
    responses: int = 0
    seconds: float = 0.0
    failed: int | None = None
    outcome: Outcome | None = None


def hunt(first: int, count: int) -> Hunt:
    """Plays these seeds until one fails."""
    found = Hunt()
    for seed in range(first, first + count):
        outcome = play(draw_program(seed))
        found.seeds += 1
        found.responses += outcome.responses
        found.seconds += outcome.seconds
        if outcome.promise is not None:
            found.failed, found.outcome = seed, outcome
            break
        if seed % 50 == 0:
            gc.collect()
    return found


def hunt_all(first: int, count: int, *, processes: int, told: Callable[[Hunt], None] | None = None) -> Hunt:
    """The same, split over processes. The failing seed is the lowest of those found; the others stop at their next batch."""
    total = Hunt()
    starts = range(first, first + count, BATCH)
    with _pool(processes) as pool:
        jobs = [pool.submit(hunt, start, min(BATCH, first + count - start)) for start in starts]
        for job in as_completed(jobs):
            if job.cancelled():
                continue
            part = job.result()
            total.seeds += part.seeds
            total.responses += part.responses
            total.seconds += part.seconds
            if part.failed is not None:
                if total.failed is None or part.failed < total.failed:
                    total.failed, total.outcome = part.failed, part.outcome
                for other in jobs:
                    other.cancel()
            if told is not None:
                told(total)
    return total


def _pool(processes: int) -> ProcessPoolExecutor:
    context = get_context("spawn")
    return ProcessPoolExecutor(processes, mp_context=context, initializer=_settle, initargs=(context.Value("i", 0),))


def _settle(count: Any) -> None:
    """Keeps a process on one core: its threads take turns, and between two cores each turn takes twice as long."""
    with count.get_lock():
        count.value += 1
        place = count.value
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[place % len(cores)]})


def catch(name: str, limit: int) -> tuple[str, int | None, str, float]:
    """The first seed that catches this mutant, if one below the limit does; what it says; the seconds that it took."""
    began = time.perf_counter()
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[name](patch)
        found = hunt(0, limit)
    said = f"{found.outcome.promise}: {found.outcome.what}" if found.outcome is not None else ""
    return name, found.failed, said, time.perf_counter() - began


def catch_all(limit: int, *, processes: int) -> Iterator[tuple[str, int | None, str, float]]:
    """The same for all mutants."""
    with _pool(processes) as pool:
        for job in as_completed([pool.submit(catch, name, limit) for name in MUTANTS]):
            yield job.result()
