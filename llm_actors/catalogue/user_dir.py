"""The user's folder, and its files: read when they have changed, written in one move.

above it   aliases.py, keys.py
below it   errors
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from llm_actors.errors import UserFileError

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")

_APP = "io.datasette.llm"  # the peer's folder: keys and aliases saved with it are found here


def user_dir() -> Path:
    """The folder of keys.json, aliases.json and default_model.txt; made if missing. Any thread.

    `$LLM_USER_PATH`, else the platform's folder for the peer's application data (as click's `get_app_dir("io.datasette.llm")` has it).
    Raises `OSError` when it can't be made.
    """
    path = _path(user_folder())
    path.mkdir(exist_ok=True, parents=True)
    return path


def _path(text: str) -> Path:
    from pathlib import Path  # noqa: PLC0415 - 3 ms, with urllib; a look-up of a model in an empty folder takes none

    return Path(text)


def user_folder() -> str:
    """Where it is, or would be."""
    own = os.environ.get("LLM_USER_PATH")
    if own:
        return own
    if sys.platform == "win32":
        return os.path.join(os.environ.get("APPDATA") or os.path.expanduser("~"), _APP)  # noqa: PTH111, PTH118 - a look-up is microseconds
    if sys.platform == "darwin":
        return os.path.join(os.path.expanduser("~/Library/Application Support"), _APP)  # noqa: PTH111, PTH118 - as above
    return os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), _APP)  # noqa: PTH111, PTH118 - as above


class UserFile(Generic[T]):
    """One file of the user's folder, read again only when it has changed (its inode, size or time of change). Any thread.

    `parse` gives the value of its text, and raises `ValueError` with a reason that shows nothing of the text. A missing file has the
    value `missing`. Reading makes no folder.
    """

    def __init__(self, name: str, parse: Callable[[str], T], missing: T) -> None:
        self.name = name
        self._parse = parse
        self._missing = missing
        self._seen: tuple[object, T | None, str | None] | None = None  # replaced whole, so threads need no lock

    def __repr__(self) -> str:
        return f"UserFile({self.name!r})"

    def read(self) -> T:
        """Its value; to be left as it is. Raises `UserFileError`."""
        value, fault = self.look()
        if value is None:
            msg = f"{self.path()} {fault}. It is left as it is: repair or remove it"
            raise UserFileError(msg)
        return value

    def look(self) -> tuple[T | None, str | None]:
        """Its value, or None and what is wrong with it."""
        path = self.path()
        try:
            stat = os.stat(path)  # noqa: PTH116 - a third of a Path's time, at each look-up
        except FileNotFoundError:
            return self._missing, None
        except OSError as error:
            return None, f"can't be read: {error.strerror}"
        stamp = (path, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        seen = self._seen
        if seen is None or seen[0] != stamp:
            seen = self._seen = (stamp, *self._load(path))
        return seen[1], seen[2]

    def path(self) -> str:
        """Where it is, or would be."""
        return os.path.join(user_folder(), self.name)  # noqa: PTH118 - as above

    def exists(self) -> bool:
        """Whether it is there."""
        return os.path.exists(self.path())  # noqa: PTH110 - as above

    def write(self, text: str) -> None:
        """Replaces the file in one move: a reader sees the old text or the new, never a part. Two writers at once: the last one wins."""
        import tempfile  # noqa: PLC0415 - 4 ms, with what it can unpack: for who writes

        path = user_dir() / self.name
        path.parent.mkdir(exist_ok=True)  # `name` may be in a folder of its own
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            _path(temporary).replace(path)
        except BaseException:
            _path(temporary).unlink(missing_ok=True)
            raise
        self._seen = None  # a second write within one tick of the file system's clock may leave the same stamp

    def remove(self) -> None:
        """Deletes the file, if it is there."""
        _path(self.path()).unlink(missing_ok=True)

    def _load(self, path: str) -> tuple[T | None, str | None]:
        # The fault leaves as text: an exception from here would carry the content, and with it keys, in its frames or its `doc`.
        try:
            return self._parse(_path(path).read_text(encoding="utf-8")), None
        except UnicodeDecodeError:
            return None, "is not UTF-8 text"
        except ValueError as error:
            return None, str(error)
        except OSError as error:
            return None, f"can't be read: {error.strerror}"


def json_names(text: str) -> dict[str, str]:
    """The names and texts of a JSON object. Raises `ValueError` with the place of the fault, without its text."""
    try:
        plain = json.loads(text)
    except json.JSONDecodeError as error:
        fault = f"is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}"
    else:
        if isinstance(plain, dict) and all(isinstance(value, str) for value in plain.values()):
            return plain
        fault = "is not a JSON object of names and texts"
    raise ValueError(fault)
