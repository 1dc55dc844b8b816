"""Runs Pykka's own test-suite with our actors among its runtimes: `python tests/runtime/pykka_suite.py FOLDER`.

The suite comes with Pykka's source distribution of the version that is installed; it is fetched from the package index into FOLDER, once.
It takes its runtime as a fixture: ours are added to a copy of its conftest.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree as ET

LONG = 110
"""Seconds for one step, on a machine where all have to wait; it takes ten at most."""

ENTRIES = """
import llm_actors.runtime

for _name, _class in {"asyncio": llm_actors.runtime.Actor, "thread": llm_actors.runtime.ThreadingActor}.items():
    _runtime = Runtime(
        name=_name,
        actor_class=_class,
        event_class=threading.Event,
        future_class=llm_actors.runtime.Future,
        sleep_func=time.sleep,
    )
    RUNTIMES[_name] = pytest.param(_runtime, id=_name)
"""


def fetch(folder: Path) -> tuple[Path, Path]:
    """Pykka's sources, and a folder with what its suite needs beyond what is installed."""
    name = f"pykka-{version('pykka')}"
    sources, needs = folder / name, folder / "needs"
    if not sources.exists():
        # Not `--no-binary :all:`, which holds for what builds it too: that would be compiled, for minutes.
        _pip("download", "--no-deps", "--no-binary", "pykka", "--dest", str(folder), name.replace("-", "=="))
        with tarfile.open(folder / f"{name}.tar.gz") as archive:
            # Python 3.11.2, which Debian 12 has, does not know `extractall(filter="data")` yet.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(folder)
    if not needs.exists():
        _pip("install", "--no-deps", "--target", str(needs), "pytest-mock")
    return sources, needs


def run(folder: Path) -> dict[str, str]:
    """Runs the suite; gives the outcome of each test by its name: `passed`, or what went wrong."""
    sources, needs = fetch(folder)
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(sources / "tests", work / "tests")
    conftest = work / "tests" / "conftest.py"
    table, fixture, rest = conftest.read_text().partition(
        "\n@pytest.fixture("
    )  # the first fixture is made of the table above it
    conftest.write_text(table + ENTRIES + fixture + rest)
    (work / "pytest.ini").write_text("[pytest]\n")  # or pytest would find our settings above it
    report = work / "report.xml"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--timeout=20",
            f"--junit-xml={report}",
            "tests",
        ],
        cwd=work,
        env=_environment(needs),
        capture_output=True,
        timeout=LONG,
        check=False,
    )
    return {
        f"{case.attrib['classname']}::{case.attrib['name']}": _outcome(case)
        for case in ET.parse(report).iter("testcase")
    }


def _environment(needs: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(needs)}


def _outcome(case: ET.Element) -> str:
    troubles = [child for child in case if child.tag in {"failure", "error", "skipped"}]
    return "\n".join(f"{child.tag}: {child.attrib.get('message')}\n{child.text}" for child in troubles) or "passed"


def _pip(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        check=True,
        capture_output=True,
        timeout=LONG,
    )


if __name__ == "__main__":
    outcomes = run(Path(sys.argv[1]))
    for test, outcome in outcomes.items():
        if outcome != "passed":
            print(f"{test}: {outcome}")
    print(f"{sum(outcome == 'passed' for outcome in outcomes.values())} of {len(outcomes)} passed")
    sys.exit(0 if outcomes and all(outcome == "passed" for outcome in outcomes.values()) else 1)
