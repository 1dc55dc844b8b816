"""`python -m tests.benchmarks`: measures this library beside its peers in one run, prints the tables, writes them and the picture.

The peers are installed into environments of their own (`.bench/`), at the first run. A peer that can't be installed or run makes the
command fail. `--only B1,B2` for some; `--rounds 3`; results go to `tests/benchmarks/results/`.
"""

import argparse
import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from .contest import BENCHMARKS, ENVIRONMENTS
from .environments import versions
from .report import picture, table
from .runner import Results, run

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
    "msgspec",
    "uvloop",
)


def main(arguments: list[str]) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", default=",".join(BENCHMARKS), help="benchmarks, by commas (B1 for all that begin so)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--idle", type=int, default=10_000, help="idle conversations of B6")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder for tables and picture")
    given = parser.parse_args(arguments)
    wanted = [name for name in BENCHMARKS if name.startswith(tuple(given.only.split(",")))]
    began = datetime.now(UTC)
    results = run(wanted, given.rounds, idle=given.idle)
    page = f"{_heading(began, given.rounds, results)}\n\n" + "\n\n".join(
        table(name, peers) for name, peers in results.items()
    )
    print(page)
    given.results.mkdir(exist_ok=True)
    (given.results / "tables.md").write_text(page + "\n", "utf-8")
    (given.results / "picture.svg").write_text(picture(results), "utf-8")
    (given.results / "figures.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    return 0


def _heading(began: datetime, rounds: int, results: Results) -> str:
    environments = {peer.environment for name in results for peer in BENCHMARKS[name].peers}
    found: dict[str, str] = {}
    for environment in (name for name in ENVIRONMENTS if name in environments):
        found |= versions(environment)
    libraries = ", ".join(f"{name} {found[name]}" for name in NAMED if name in found)
    cores = subprocess.run(["nproc"], capture_output=True, text=True, check=False).stdout.strip()
    return (
        f"{began:%Y-%m-%d}, {rounds} rounds, peers in turn: median (lowest-highest). "
        f"CPython {platform.python_version()}, {platform.system()}, {cores} shared cores. {libraries}."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
