"""python -m tests.simulation --seeds 1000000 [--from N]     plays seeds on all cores; a failing one is shrunk and shown
python -m tests.simulation --program '{...}'              plays one program and shows what happened
python -m tests.simulation --mutants                      which seed catches which mutant
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from .hunt import Hunt, catch_all, hunt_all
from .play import play
from .program import Program
from .shrink import shown, shrink


def main(arguments: list[str]) -> int:
    """The exit status: 0 when all that ran was clean."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--program")
    parser.add_argument("--mutants", action="store_true")
    given = parser.parse_args(arguments)
    if given.program is not None:
        outcome = play(Program.decode(given.program))
        print(shown(outcome))
        return int(outcome.promise is not None)
    if given.mutants:
        return _mutants(given.seeds, given.processes)
    return _seeds(given.first, given.seeds, given.processes)


def _seeds(first: int, count: int, processes: int) -> int:
    began = time.monotonic()
    said = began

    def told(hunt: Hunt) -> None:
        nonlocal said
        if time.monotonic() - said > 10:
            said = time.monotonic()
            print(f"{hunt.seeds} of {count} seeds, {said - began:.0f} s", flush=True)

    found = hunt_all(first, count, processes=processes, told=told)
    seconds = time.monotonic() - began
    clean = found.seeds - (found.failed is not None)
    print(
        f"{clean} seeds ran clean, {found.responses} responses in {found.seconds / 86400:.1f} virtual days, {seconds:.0f} s"
    )
    if found.outcome is None:
        return 0
    print(f"seed {found.failed} failed: {found.outcome.promise}: {found.outcome.what}\nshrinking ...", flush=True)
    print(shown(shrink(found.outcome)))
    return 1


def _mutants(limit: int, processes: int) -> int:
    free = 0
    for name, seed, said, seconds in catch_all(limit, processes=processes):
        free += seed is None
        print(
            f"{'NOT CAUGHT' if seed is None else f'seed {seed}':>12}  {seconds:5.1f} s  {name}: {said[:110]}",
            flush=True,
        )
    return int(free > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
