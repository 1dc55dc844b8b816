"""The targets of performance, as ratios of medians in the same run: each says what it is, its bound, and how its figure is read off."""

import statistics
from collections.abc import Callable
from typing import NamedTuple

from .contest import LIBRARIES, MILLION, OURS, OURS_FAST, OURS_HALVES, PARTS, RAW, RAW_FAST, TASKS_HALVES, THREADING
from .runner import Results

DEFAULT, FAST = "default", "[fast]"
GIB = 1024.0
"""In MB."""


class Target(NamedTuple):
    """`figure` of a run's medians must be at most `bound`."""

    what: str
    install: str
    bound: float
    figure: Callable[["Medians"], float]
    unit: str = "x"


class Medians:
    """The medians of a run. Raises KeyError for what was not measured."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def of(self, benchmark: str, peer: str, figure: str) -> float:
        """One of them."""
        return statistics.median(self._results[benchmark][peer][figure])

    def ratio(self, benchmark: str, figure: str, ours: str, *peers: str) -> float:
        """Ours over the least of these peers'."""
        return self.of(benchmark, ours, figure) / min(self.of(benchmark, peer, figure) for peer in peers)


def _ratio(benchmark: str, figure: str, ours: str, *peers: str) -> Callable[[Medians], float]:
    return lambda medians: medians.ratio(benchmark, figure, ours, *peers)


def _of(benchmark: str, figure: str, ours: str = OURS) -> Callable[[Medians], float]:
    return lambda medians: medians.of(benchmark, ours, figure)


def _beyond(benchmark: str, figure: str, ours: str, peer: str) -> Callable[[Medians], float]:
    return lambda medians: medians.of(benchmark, ours, figure) - medians.of(benchmark, peer, figure)


def _grown(benchmark: str, late: str, early: str) -> Callable[[Medians], float]:
    return lambda medians: medians.of(benchmark, OURS, late) / medians.of(benchmark, OURS, early)


def _compared(
    what: str, benchmark: str, figure: str, install: str, *bounds: tuple[str, float, tuple[str, ...]]
) -> list[Target]:
    ours = OURS if install == DEFAULT else OURS_FAST
    return [
        Target(f"{benchmark} {what} / {name}", install, bound, _ratio(benchmark, figure, ours, *peers))
        for name, bound, peers in bounds
    ]


BEST = "the best peer"
TARGETS: tuple[Target, ...] = (
    *_compared("CPU a chunk", "B1", "cpu_us", DEFAULT, (RAW, 1.25, (RAW,)), (BEST, 1 / 8, LIBRARIES)),
    *_compared("CPU a chunk", "B1", "cpu_us", FAST, (RAW_FAST, 1.3, (RAW_FAST,)), (BEST, 1 / 25, LIBRARIES)),
    *_compared("CPU a chunk", "B2", "cpu_us", DEFAULT, (RAW, 1.25, (RAW,)), (BEST, 1 / 4, LIBRARIES)),
    *_compared("CPU a chunk", "B2", "cpu_us", FAST, (RAW_FAST, 1.3, (RAW_FAST,)), (BEST, 1 / 12, LIBRARIES)),
    Target("B2 longest loop stall", DEFAULT, 50, _of("B2", "stall_ms"), "ms"),
    Target(f"B2 longest loop stall beyond {RAW_FAST}", FAST, 10, _beyond("B2", "stall_ms", OURS_FAST, RAW_FAST), "ms"),
    *_compared("CPU", "B3", "cpu_us", DEFAULT, ("llm", 1 / 15, ("llm",)), ("openai", 1 / 2, ("openai",))),
    *_compared(
        "CPU", "B3", "cpu_us", FAST, ("openai[aiohttp]", 1 / 2, ("openai[aiohttp]",)), ("llm", 1 / 50, ("llm",))
    ),
    Target("B3 connections for 2,002 requests", DEFAULT, 1000, _of("B3", "connections"), ""),
    Target("B3 connections for 2,002 requests", FAST, 1000, _of("B3", "connections", OURS_FAST), ""),
    *[
        target
        for name in ("B4-50", "B4-500")
        for target in (
            *_compared(
                "CPU a chunk",
                name,
                "cpu_us",
                DEFAULT,
                ("llm", 1 / 4, ("llm",)),
                ("openai[aiohttp]", 1.0, ("openai[aiohttp]",)),
            ),
            *_compared("CPU a chunk", name, "cpu_us", FAST, ("openai[aiohttp]", 1 / 2.5, ("openai[aiohttp]",))),
        )
    ],
    Target("B4-50 lateness p99", FAST, 20, _of("B4-50", "late_p99_ms", OURS_FAST), "ms"),
    *[
        target
        for name in ("B5-async", "B5-sync")
        for target in (
            *_compared("wall", name, "wall_s", DEFAULT, (RAW, 1.2, (RAW,)), (BEST, 0.6, LIBRARIES)),
            *_compared("wall", name, "wall_s", FAST, (RAW_FAST, 1.3, (RAW_FAST,))),
            Target(f"{name} longest stall", DEFAULT, 60, _of(name, "stall_ms"), "ms"),
            Target(f"{name} longest stall / {RAW_FAST}", FAST, 1.0, _ratio(name, "stall_ms", OURS_FAST, RAW_FAST)),
        )
    ],
    *[
        target
        for name in ("B6-shared", "B6-own")
        for target in (
            Target(f"{name} a conversation beyond its text", DEFAULT, 1024, _of(name, "beyond_text"), "bytes"),
            Target(f"{name} process of 1,000,000", DEFAULT, 2 * GIB, _of(name, "process_mb", MILLION), "MB"),
            *_compared("bytes", name, "bytes", DEFAULT, ("llm", 1 / 5, ("llm",))),
        )
    ],
    Target("B7 bytes of an idle actor", DEFAULT, 600, _of("B7-life", "bytes"), "bytes"),
    *_compared("CPU one by one", "B7-ask", "ask_us", DEFAULT, ("autogen-core", 1 / 15, ("autogen-core",))),
    *_compared("CPU pipelined", "B7-ask", "piped_ask_us", DEFAULT, (THREADING, 1 / 2, (THREADING,))),
    *_compared("start", "B7-life", "start_us", DEFAULT, (THREADING, 1 / 10, (THREADING,))),
    Target("B7 stop of 100,000 actors", DEFAULT, 2, _of("B7-life", "stop_all_s"), "s"),
    *_compared("import", "B8", "cpu_ms", DEFAULT, (PARTS, 1.3, (PARTS,))),
    Target("B10 a turn at 10,000 / at 100", DEFAULT, 1.5, _grown("B10-turns", "at_10000", "at_100")),
    Target("B10 a round at 1,000 / at 100", DEFAULT, 1.5, _grown("B10-rounds", "at_1000", "at_100")),
    Target("B11 one call, two processes", DEFAULT, 60, _of("B11-one", "seconds", OURS_HALVES), "s"),
    Target("B11 one call, memory", DEFAULT, 4 * GIB, _of("B11-one", "peak_mb", OURS_HALVES), "MB"),
    Target(f"B11 one call / {TASKS_HALVES}", DEFAULT, 1.0, _ratio("B11-one", "seconds", OURS_HALVES, TASKS_HALVES)),
    Target("B11 one call, the aim", DEFAULT, 20, _of("B11-one", "seconds", OURS_HALVES), "s"),
    Target("B11 one call, memory, the aim", DEFAULT, 2 * GIB, _of("B11-one", "peak_mb", OURS_HALVES), "MB"),
)


def judged(results: Results) -> list[tuple[Target, float | None]]:
    """Each target with its figure; None where it was not measured."""
    medians = Medians(results)
    found: list[tuple[Target, float | None]] = []
    for target in TARGETS:
        try:
            found.append((target, target.figure(medians)))
        except KeyError:
            found.append((target, None))
    return found
