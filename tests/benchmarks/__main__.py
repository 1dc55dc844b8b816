"""`python -m tests.benchmarks`: measures this library beside its peers, prints the tables, writes them and the picture.

The peers are installed into environments of their own (`.bench/`), at the first run. A peer that can't be installed, does not do its job
or fails makes the command fail. Results go to `tests/benchmarks/results/` as each benchmark ends; figures of benchmarks that are not run
this time are kept there and shown with their own date. Progress is on standard error.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from .contest import BENCHMARKS, ENVIRONMENTS, TALKERS
from .environments import renew, versions
from .report import picture, summary, table, targets_table
from .runner import Figures, check, run, say, serving

RESULTS = Path(__file__).resolve().parent / "results"
NAMED = (
    "openai",
    "llm",
    "pydantic-ai-slim",
    "openai-agents",
    "autogen-core",
    "pykka",
    "ray",
    "httpx",
    "httpx-aiohttp",
    "aiohttp",
    "msgspec",
    "uvloop",
)
HEAD = (
    "Medians, with the lowest and the highest round in brackets; [n]: of n rounds, where a peer took so long that it was not measured in "
    "all of them. **Bold**: better than ours. `x ours`: how many times as much as ours it takes; what runs on aiohttp or uvloop is "
    "compared with ours on the same."
)


class Measured(msgspec.Struct):
    """One benchmark's figures, and when they were taken."""

    date: str
    rounds: int
    minutes: float
    machine: str
    peers: dict[str, Figures]
    scale: float = 1.0
    """The share of the counts of contest.py that was measured."""


class Kept(msgspec.Struct):
    """What results/figures.json holds: each benchmark's last figures, and the versions of the libraries."""

    libraries: str = ""
    benchmarks: dict[str, Measured] = {}

    @property
    def results(self) -> dict[str, dict[str, Figures]]:
        """The figures alone, in the order of the contest."""
        return {name: self.benchmarks[name].peers for name in BENCHMARKS if name in self.benchmarks}


def main(arguments: list[str]) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", default="B", help="benchmarks, by commas: B1 is B1 alone, B4 is B4-50 and B4-500")
    parser.add_argument("--missing", action="store_true", help="those that have no figures in the folder yet: goes on")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the actors, conversations and agents")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder for tables, picture and figures")
    given = parser.parse_args(arguments)
    kept = load(given.results)
    names = chosen(given.only, without=kept.benchmarks if given.missing else ())
    renew()
    with serving() as url:
        check({peer for name in names for peer in BENCHMARKS[name].peers if peer in TALKERS}, url)
        for name in names:
            began = time.monotonic()
            date = f"{datetime.now(UTC):%Y-%m-%d}"
            figures = run(name, given.rounds, url, scale=given.scale)
            scale = given.scale if any(peer.many for peer in BENCHMARKS[name].peers) else 1.0
            minutes = (time.monotonic() - began) / 60
            kept.benchmarks[name] = Measured(date, given.rounds, round(minutes, 1), machine(), figures, scale)
            say(f"{name} took {minutes:.1f} minutes")
            write(given.results, kept)
    kept.libraries = libraries()
    write(given.results, kept)
    print(page(kept))
    return 0


def chosen(only: str, without: object = ()) -> list[str]:
    """The benchmarks that are asked for: `B1` is B1 alone, `B4` is B4-50 and B4-500, `B` is all."""
    asked = [each for each in only.split(",") if each]
    assert isinstance(without, dict | tuple)
    return [
        name
        for name in BENCHMARKS
        if name not in without and any(each in ("B", name) or name.startswith(f"{each}-") for each in asked)
    ]


def load(folder: Path) -> Kept:
    """What was measured before."""
    path = folder / "figures.json"
    return msgspec.json.decode(path.read_bytes(), type=Kept) if path.exists() else Kept()


def write(folder: Path, kept: Kept) -> None:
    """The tables, the picture and the figures."""
    folder.mkdir(exist_ok=True)
    rounded = {
        name: {
            peer: {of: [round(value, 3) for value in each] for of, each in figures.items()}
            for peer, figures in peers.items()
        }
        for name, peers in kept.results.items()
    }
    for name, peers in rounded.items():
        kept.benchmarks[name].peers = peers
    (folder / "figures.json").write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=0) + b"\n")
    (folder / "tables.md").write_text(page(kept) + "\n", "utf-8")
    (folder / "picture.svg").write_text(picture(kept.results), "utf-8")


def page(kept: Kept) -> str:
    """All tables."""
    parts = [
        HEAD,
        kept.libraries,
        summary(kept.results),
        "**Targets**",
        targets_table({name: of.peers for name, of in kept.benchmarks.items() if of.scale == 1.0}),
    ]
    for name, peers in kept.results.items():
        of = kept.benchmarks[name]
        rounds = "one round" if of.rounds == 1 else f"{of.rounds} rounds"
        rounds += f" of {of.scale:g} of all" if of.scale != 1.0 else ""
        loads = [load for figures in peers.values() for load in figures.get("load", [])]
        load = f", load {min(loads):.1f}-{max(loads):.1f}" if loads else ""
        parts.append(table(name, peers, f" ({of.date}, {rounds}, {of.minutes:.1f} minutes{load}; {of.machine})"))
    return "\n\n".join(part for part in parts if part)


def machine() -> str:
    """Where it was measured."""
    return f"CPython {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores"


def libraries() -> str:
    """The versions of what was measured."""
    found: dict[str, str] = {}
    for environment in reversed(ENVIRONMENTS):
        found |= versions(environment)
    return ", ".join(f"{name} {found[name]}" for name in NAMED if name in found) + "."


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failed:
        sys.exit(f"a peer failed, so there is no table: {failed}")
