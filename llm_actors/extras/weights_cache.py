"""The cache folder of this user, and how several processes write to it at once."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_WORK = ".fetching-"


def cache_folder() -> Path:
    """Where models are kept: `LLM_ACTORS_CACHE`, else the platform's cache folder (`XDG_CACHE_HOME` on Linux). It need not exist."""
    own = os.environ.get("LLM_ACTORS_CACHE")
    if own:
        return Path(own).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "llm-actors" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "llm-actors"
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    return (Path(xdg) if Path(xdg).is_absolute() else Path.home() / ".cache") / "llm-actors"


@contextmanager
def exclusive(folder: Path, name: str, say: Callable[[str], None]) -> Generator[Path]:
    """Holds the lock `name` of `folder` and gives an empty folder to work in, which goes away at the end.

    Blocks while another process or thread holds it, and says so. The kernel gives the lock back when its holder dies, so none is ever
    stale; what a holder that was killed left behind is swept away. Raises `OSError`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("ab") as file:
        _lock(file, say)
        for left in folder.glob(f"{_WORK}{name}-*"):
            shutil.rmtree(left, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=f"{_WORK}{name}-", dir=folder))
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def write_atomically(path: Path, work: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Lets `write` fill a file in `work`, then puts it at `path` in one step: nobody sees half a file. Raises `OSError`."""
    draft = work / path.name
    with draft.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


if sys.platform == "win32":  # pragma: no cover - tests run where fcntl is
    import msvcrt

    def _lock(file: IO[bytes], say: Callable[[str], None]) -> None:
        waited = False
        while True:
            try:
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # tries for ten seconds
            except OSError:
                if not waited:
                    say(_WAITING)
                waited = True
            else:
                return

else:
    import fcntl

    def _lock(file: IO[bytes], say: Callable[[str], None]) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(_WAITING)
            fcntl.flock(file, fcntl.LOCK_EX)


_WAITING = "Another process is fetching the same model; waiting for it."
