"""Runs the benchmarks: one process for each peer, benchmark and round, peers in turn within a round, the server in a process of its own."""

import json
import os
import resource
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .contest import BENCHMARKS, ENVIRONMENTS, Peer
from .environments import python_of, size_mb

HERE = Path(__file__).resolve().parent
TIMEOUT = 600

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


def run(benchmarks: Iterable[str], rounds: int, *, idle: int = 10_000) -> Results:
    """All figures. Raises CalledProcessError when a peer fails: none is left out of a table."""
    results: Results = {name: {} for name in benchmarks}
    with serving() as url:
        for name in results:
            pythons = {peer: python_of(peer.environment) for peer in BENCHMARKS[name].peers}
            for number in range(rounds):
                for peer, python in pythons.items():
                    figures = _once(name, peer, python, url, idle)
                    print(f"{name} round {number + 1} {peer.name}: {json.dumps(figures)}", file=sys.stderr, flush=True)
                    kept = results[name].setdefault(peer.name, defaultdict(list))
                    for figure, value in figures.items():
                        kept[figure].append(value)
    return results


def _once(benchmark: str, peer: Peer, python: Path, url: str, idle: int) -> dict[str, Any]:
    if benchmark == "B8":
        cpu, wall = _process([python, "-c", ENVIRONMENTS[peer.environment].imports])
        bare_cpu, bare_wall = _process([python, "-c", "pass"])
        return {"cpu_ms": cpu - bare_cpu, "wall_ms": wall - bare_wall, "disk_mb": size_mb(peer.environment)}
    if benchmark == "B9":
        cpu, wall = _process([python, HERE / "worker.py", peer.module, "B9", url, *peer.options])
        return {"cpu_ms": cpu, "wall_ms": wall}
    job = (
        f"{benchmark}-{idle if peer.module in ('idle_dicts', 'idle_llm_actors') else 1000}"
        if benchmark.startswith("B6")
        else benchmark
    )
    _stats(url)
    command = [python, HERE / "worker.py", peer.module, job, url, *peer.options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False, env=_environment())
    if done.returncode != 0:
        print(done.stderr, file=sys.stderr)
        done.check_returncode()
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if benchmark == "B3":
        figures["connections"] = _stats(url)["connections"]
    return figures


def _process(command: list[Any]) -> tuple[float, float]:
    """CPU and wall time of a whole process, in milliseconds."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=TIMEOUT, env=_environment())
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000, wall * 1000


def _environment() -> dict[str, str]:
    """Without what would have a peer look elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "OPENAI_", "LLM_"))}


def _stats(url: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{url}/stats", timeout=10) as answer:
        return json.load(answer)
