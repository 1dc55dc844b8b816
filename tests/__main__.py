"""All checks, in the environment that runs this: `python -m tests`. Ends with 0 only if each of them passed.

A check that fails doesn't keep the others from running: one look at the summary shows all that is wrong. Arguments go to pytest, in place
of the whole suite with coverage and the soak: `python -m tests tests/runtime -k future`.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PYTHON = (sys.executable, "-u", "-m")
STATIC = {
    "format": (*PYTHON, "ruff", "format", "--check", "."),
    "lint": (*PYTHON, "ruff", "check", "--output-format=concise", "."),
    "types (mypy)": (*PYTHON, "mypy"),
    "types (pyright)": (*PYTHON, "pyright", "--pythonpath", sys.executable),
}
WEIGHTS = {"weights": (*PYTHON, "llm_actors", "models", "install", "smollm2-135m")}
# The layers, sizes and names are tests too: tests/test_layers.py, tests/test_sizes.py, tests/test_names.py.
TESTS = (*PYTHON, "pytest", "--no-skips", "--continue-on-collection-errors")
SOAK = {"soak": (*PYTHON, "tests.benchmarks.soak", "--minutes", "5")}
WHOLE = ("--cov", "--cov-report=term-missing:skip-covered", "--durations=10")


def main(arguments: list[str]) -> int:
    """Runs all checks; the exit status for the shell."""
    # Else pyright asks npm's registry for a newer version of itself.
    os.environ["PYRIGHT_PYTHON_IGNORE_WARNINGS"] = "1"
    return run(STATIC | WEIGHTS | {"tests": (*TESTS, *(arguments or WHOLE))} | ({} if arguments else SOAK))


def run(checks: Mapping[str, tuple[str, ...]]) -> int:
    """Runs the checks one after the other and says what ran; 0 if there were some and all of them passed."""
    outcomes = {name: _run(name, command) for name, command in checks.items()}
    failed = [name for name, outcome in outcomes.items() if outcome.status != 0]
    print("\n== what ran")
    for name, (status, seconds, last_line) in outcomes.items():
        print(f"{'FAILED' if status else 'ok':6}  {name:16} {seconds:6.1f} s  {last_line}")
    print(
        f"{len(outcomes) - len(failed)} of {len(outcomes)} checks passed"
        + (f", not: {', '.join(failed)}" if failed else "")
    )
    return 1 if failed or not outcomes else 0


class _Outcome(NamedTuple):
    status: int
    seconds: float
    last_line: str


def _run(name: str, command: tuple[str, ...]) -> _Outcome:
    """Runs one check and passes its output on."""
    print(f"\n== {name}: {' '.join(['python', *command[1:]])}", flush=True)
    started = time.monotonic()
    last_line = ""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            last_line = line.strip() or last_line
    return _Outcome(process.returncode, time.monotonic() - started, last_line)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
