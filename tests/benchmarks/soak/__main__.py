"""The soak's command: random work for so many minutes, a row of counts every so often, and a verdict.

Ends with 0 if each answer was the right one, nothing grew after the warm-up (until all conversations have been replaced once), and
nothing was left at the end.
"""

import argparse
import asyncio
import json
import logging
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

import llm_actors as llm

from . import watch
from .work import choose, do
from .world import HANGS, World

LOOPBACK = "localhost,127.0.0.1,::1"
AT_ONCE = 150
QUIET = 60.0
"""Seconds that work under way has to end in."""
MOST_TIMES = 4
"""So many times as long as it was told it works on a machine so busy that the warm-up has not ended yet."""
LATE = 0.005
"""The share of prompts that a busy machine may have run into a wire's timeout."""


class Verdict(msgspec.Struct):
    """What a soak came to."""

    minutes: float
    counts: dict[str, int]
    complaints: list[str]
    samples: list[watch.Sample]
    shutdown: str = ""

    def __str__(self) -> str:
        said = ", ".join(f"{name} {count:,}" for name, count in sorted(self.counts.items()))
        rss, blocks = watch.slope(self.samples, "rss_mb"), watch.slope(self.samples, "blocks")
        slopes = f"Behind the warm-up memory grows by {rss:+.1f} MB an hour, and by {blocks:+,.0f} blocks."
        where = f"CPython {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores"
        head = f"Soak of {datetime.now(UTC):%Y-%m-%d}, {self.minutes:.1f} minutes, {where}: {'FAILED' if self.complaints else 'passed'}."
        parts = [head, f"{said}.", watch.table(self.samples), slopes, self.shutdown]
        return "\n\n".join(parts + [f"WRONG: {each}" for each in self.complaints])


class Heard(logging.Handler):
    """Keeps what is logged as an error: a task's exception that nobody took, a defect of ours."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        """One of them. A response that ran into a wire's timeout behind another one that did is late too, and nobody reads it."""
        if record.exc_info and isinstance(record.exc_info[1], llm.ModelTimeoutError):
            self._world.late += 1
            return
        self._world.complain(f"logged by {record.name}: {record.getMessage()} {record.exc_info or ''}")


async def soak(port: int, *, seconds: float, conversations: int, rate: float, seed: int) -> Verdict:
    """Works for so long, at so many pieces of work a second."""
    began = time.monotonic()
    sockets_before = watch.sockets()
    threads_before = 1
    system = llm.ActorSystem(stall_bound=None)
    with system:
        # The warm-up ends when all have been replaced once, in a third of the time and five minutes at most: from then on the sum of their
        # histories stays what it is.
        life = max(1, int(min(300.0, seconds / 3) * 0.8 * rate / conversations))
        world = World(port, seed, conversations, life)
        heard = Heard(world)
        logging.getLogger().addHandler(heard)
        sys.unraisablehook = lambda unraisable: world.complain(f"unraisable: {unraisable}")
        samples = await _work(world, system, seconds, rate)
        world.talks.clear()
        await _until_quiet(system)
        report = await system.shutdown(drain=5.0)
        await world.client.aclose()
        await asyncio.get_running_loop().shutdown_default_executor()
    stats = await _stats(port, until_idle=True)
    for name in ("open", "connections"):
        if stats[name]:
            world.complain(f"the server still has {stats[name]} of: {name}")
    if not report.clean or report.cancelled:
        world.complain(str(report))
    for text in (*stats["complaints"], *watch.growth(samples), *watch.left_over(sockets_before, threads_before)):
        world.complain(text)
    if world.late > max(3, LATE * world.counts["prompts"]):
        world.complain(f"{world.late} answers came too late")
    logging.getLogger().removeHandler(heard)
    counts = {**world.counts, "requests": stats["requests"], "too late": world.late}
    return Verdict((time.monotonic() - began) / 60, counts, world.complaints, samples, str(report))


async def _work(world: World, system: llm.ActorSystem, seconds: float, rate: float) -> list[watch.Sample]:
    """Work at random moments, with at most AT_ONCE at a time; gives the samples behind the warm-up."""
    began = sampled = said = due = time.monotonic()
    until, warm = began + seconds, False
    under_way: set[asyncio.Task[None]] = set()
    samples: list[watch.Sample] = []
    every = max(0.2, min(5.0, seconds / 100))
    while (now := time.monotonic()) < until or (not warm and now < began + MOST_TIMES * seconds):
        if now - sampled > every:
            sampled = now
            if not warm and (warm := world.replaced_all):
                until = max(until, now + seconds / 2)  # a busy machine takes longer to get there
            found = watch.sample(world, system, now - began)
            samples += [found] if warm else []
            if now - said > 60:
                said = now
                print(f"{found} {world.counts['prompts']} prompts", file=sys.stderr, flush=True)
        kind, talk = choose(world) if len(under_way) < AT_ONCE else (None, None)
        if talk is not None:
            task = asyncio.create_task(do(world, kind, talk))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        # Behind its time it does not catch up: a busy machine gets less work, not more at once.
        due = max(due, now - 0.1) + world.random.expovariate(rate)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    if not warm:
        world.complain(f"no verdict on growth: too few of the conversations were replaced in {seconds:.0f} s")
    if under_way:
        _, pending = await asyncio.wait(under_way, timeout=QUIET)
        for task in pending:
            world.complain(f"work that does not end: {task}")
    return samples


async def _until_quiet(system: llm.ActorSystem) -> None:
    """Until turns that nobody read to the end, and tools that hung, have ended."""
    until = time.monotonic() + QUIET
    while time.monotonic() < until:
        loops = system.tree().loops
        if not any(view.conversations or view.abandoned or (view.tools and view.tools.running) for view in loops):
            return
        await asyncio.sleep(HANGS / 4)


async def _stats(port: int, *, until_idle: bool = False) -> dict[str, Any]:
    """What the server has counted; `until_idle`: once it has heard of the end of all connections, or a second later."""
    for _ in range(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /stats HTTP/1.1\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        found: dict[str, Any] = json.loads(
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        )
        writer.close()
        await writer.wait_closed()
        if not until_idle or not (found["open"] or found["connections"]):
            return found
        await asyncio.sleep(0.05)
    return found


def main(arguments: list[str]) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--conversations", type=int, default=2_000)
    parser.add_argument("--rate", type=float, default=100.0, help="pieces of work a second")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--write", type=Path, help="the file that the result is written to")
    given = parser.parse_args(arguments)
    print(f"seed {given.seed}", flush=True)
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = LOOPBACK
    command = [sys.executable, "-m", "tests.benchmarks.soak.server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        settings = {"conversations": given.conversations, "rate": given.rate, "seed": given.seed}
        verdict = asyncio.run(soak(port, seconds=given.minutes * 60, **settings))
        server.terminate()
    print(verdict)
    if given.write is not None:
        given.write.write_text(f"{verdict}\n", "utf-8")
    return 1 if verdict.complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
