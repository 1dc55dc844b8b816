"""The virtual environments of the peers, made at first use in a folder that git does not see, and used again."""

import functools
import subprocess
import sys
from pathlib import Path

from .contest import ENVIRONMENTS

REPOSITORY = Path(__file__).resolve().parent.parent.parent
FOLDER = REPOSITORY / ".bench"


def renew() -> None:
    """What is measured is what stands here now: environments of ours that exist get this checkout again."""
    for name in ("ours", "ours-fast"):
        if (FOLDER / name / "done").exists():
            _install(_python(name), ["--force-reinstall", "--no-deps", *_wanted(name)])


@functools.cache
def python_of(name: str) -> Path:
    """The interpreter of an environment, made if need be. Raises CalledProcessError when pip fails: a peer never just vanishes."""
    python, done = _python(name), FOLDER / name / "done"
    wanted = _wanted(name)
    if not done.exists() or done.read_text("utf-8").split("\n") != wanted:
        print(f"making the environment {name}: {' '.join(ENVIRONMENTS[name].packages)}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER / name], check=True)
        _install(python, wanted)
        done.write_text("\n".join(wanted), "utf-8")
    return python


def _python(name: str) -> Path:
    return FOLDER / name / "bin" / "python"


def _wanted(name: str) -> list[str]:
    return [package.format(repository=REPOSITORY) for package in ENVIRONMENTS[name].packages]


def _install(python: Path, wanted: list[str]) -> None:
    done = subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        print(done.stderr, file=sys.stderr, flush=True)
        done.check_returncode()


def versions(name: str) -> dict[str, str]:
    """What is installed in an environment, by name."""
    command = [python_of(name), "-m", "pip", "freeze"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return dict(line.split("==", 1) for line in lines if "==" in line)


@functools.cache
def size_mb(name: str) -> float:
    """What an environment takes on disk, without pip and setuptools."""
    packages = next((FOLDER / name / "lib").glob("python*")) / "site-packages"
    skipped = ("pip", "setuptools", "pkg_resources", "_distutils_hack")
    files = [path for path in packages.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return (
        sum(path.stat().st_size for path in files if not path.relative_to(packages).parts[0].startswith(skipped))
        / 2**20
    )
