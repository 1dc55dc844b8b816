"""Runs the benchmarks: one process for each peer, benchmark and round, peers in turn within a round, the server in a process of its own."""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .contest import BENCHMARKS, ENVIRONMENTS, TALKERS, Benchmark, Peer
from .environments import python_of, size_mb

HERE = Path(__file__).resolve().parent
TIMEOUT = 1800
LOOPBACK = "localhost,127.0.0.1,::1"
LONG = 20.0
"""Seconds of CPU time: a peer that takes more is measured in one round only, and its cells say so."""
STARTS = 5
"""How many fresh processes are started for one figure of B8."""

Figures = dict[str, list[float]]
Results = dict[str, dict[str, Figures]]
"""Benchmark -> peer -> figure -> one value a round."""


@contextmanager
def serving() -> Iterator[str]:
    """The server's address, while it runs."""
    with subprocess.Popen(
        [sys.executable, HERE / "server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


def check(peers: set[Peer], url: str) -> None:
    """Has each peer show that it does the job: see `check` in measures.py. Raises CalledProcessError when one doesn't."""
    for peer in (each for each in TALKERS if each in peers):
        say(f"{peer.name} does the job and keeps its history: ", end="")
        _work("check", peer, python_of(peer.environment), url)
        say("yes")


def run(name: str, rounds: int, url: str, *, scale: float = 1.0) -> dict[str, Figures]:
    """The figures of one benchmark. Raises CalledProcessError when a peer fails: none is left out of a table.

    `scale`: the share of the counts in contest.py that is measured, to try things out.
    """
    benchmark = BENCHMARKS[name]
    pythons = {peer: python_of(peer.environment) for peer in benchmark.peers}
    figures: dict[str, Figures] = {peer.name: {} for peer in benchmark.peers}
    slow: set[Peer] = set()
    for number in range(1, rounds + 1):
        for peer in (each for each in _order(benchmark, number) if each not in slow):
            began, before = time.monotonic(), _cpu_of_children()
            load = os.getloadavg()[0]
            smaller = peer._replace(many=max(1, int(peer.many * scale))) if peer.many else peer
            found = _once(name, smaller, pythons[peer], url) | {"load": load}
            took = time.monotonic() - began
            if _cpu_of_children() - before > LONG:
                slow.add(peer)
            say(f"{name} round {number} {peer.name}, {took:.1f} s: {_shortly(found)}")
            for figure, value in found.items():
                figures[peer.name].setdefault(figure, []).append(value)
    return figures


def say(text: str, end: str = "\n") -> None:
    """Progress."""
    print(text, end=end, file=sys.stderr, flush=True)


def _order(benchmark: Benchmark, number: int) -> tuple[Peer, ...]:
    """Each second round the other way round: nobody always comes after the same one."""
    return benchmark.peers if number % 2 else benchmark.peers[::-1]


def _shortly(figures: dict[str, float]) -> str:
    return json.dumps({figure: round(value, 3) for figure, value in figures.items()})


def _once(benchmark: str, peer: Peer, python: Path, url: str) -> dict[str, Any]:
    if benchmark == "B8":
        imports = [_process([python, "-c", ENVIRONMENTS[peer.environment].imports]) for _ in range(STARTS)]
        bare = [_process([python, "-c", "pass"]) for _ in range(STARTS)]
        cpu, wall = (
            statistics.median(each) - statistics.median(none)
            for each, none in zip(zip(*imports, strict=True), zip(*bare, strict=True), strict=True)
        )
        return {"cpu_ms": cpu, "wall_ms": wall, "disk_mb": size_mb(peer.environment)}
    if benchmark == "B9":
        cpu, wall = _process([python, HERE / "worker.py", peer.module, "B9", url, "0", *peer.options])
        return {"cpu_ms": cpu, "wall_ms": wall}
    _stats(url)
    figures = _work(benchmark, peer, python, url)
    stats = _stats(url)
    if peer in TALKERS:
        figures["server_s"] = stats["server_s"]
    if benchmark == "B3":
        figures["connections"] = stats["connections"]
    return figures


def _work(job: str, peer: Peer, python: Path, url: str) -> dict[str, Any]:
    """What the worker prints, as it did one job in the peer's environment."""
    command = [python, HERE / "worker.py", peer.module, job, url, str(peer.many), *peer.options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False, env=_environment())
    if done.returncode != 0:
        say(f"\n{job} failed with {peer.name}:\n{done.stderr}")
        done.check_returncode()
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _process(command: list[Any]) -> tuple[float, float]:
    """CPU and wall time of a whole process, in milliseconds."""
    before, began = _cpu_of_children(), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=TIMEOUT, env=_environment())
    wall = time.monotonic() - began
    return (_cpu_of_children() - before) * 1000, wall * 1000


def _cpu_of_children() -> float:
    """Seconds, of those that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _environment() -> dict[str, str]:
    """Without what would have a peer look elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "OPENAI_", "LLM_"))}
    return kept | dict.fromkeys(("no_proxy", "NO_PROXY"), LOOPBACK)


def _stats(url: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{url}/stats", timeout=10) as answer:
        found: dict[str, float] = json.load(answer)
    return found
