"""What the flags stand for: tools, attachments, options, schemas, seconds.

Each raises `WrongFlag` with what is wrong, or `OSError` for a file that can't be read.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import stat
import sys
import traceback
from pathlib import Path
from typing import Any

import llm_actors as llm


class WrongFlag(ValueError):  # noqa: N818 - it is the flag that is wrong
    """A flag that can't be what the user means; ends the command with status 2."""


def tool(name: str) -> Any:
    """What `module:function` names, dots go on inside; a Toolbox class is made an instance. Modules of the current folder are found."""
    module, _, path = name.partition(":")
    if not (module and path):
        msg = f"-T takes MODULE:FUNCTION, as in -T mytools:add for the function add of mytools.py; not {name!r}"
        raise WrongFlag(msg)
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does
    found = _loaded(name, module)
    for step in path.split("."):
        try:
            found = getattr(found, step)
        except AttributeError as error:
            msg = f"-T {name}: {error}"
            raise WrongFlag(msg) from error
    if not (isinstance(found, type) and issubclass(found, llm.Toolbox)):
        return found
    try:
        return found()
    except Exception as error:
        msg = f"-T {name}: {found.__name__}() failed: {_told(error)}. Name an instance instead"
        raise WrongFlag(msg) from error


def attachment(where: str) -> llm.Attachment:
    """A URL, a path, or `-` for the bytes of standard input.

    What is no regular file, such as `<(command)`, is read now: it can be read once.
    """
    if where.startswith(("http://", "https://")):
        return llm.Attachment(url=where)
    if where == "-":
        return llm.Attachment(content=sys.stdin.buffer.read() if sys.stdin is not None else b"")
    kind = Path(where).stat().st_mode
    if stat.S_ISREG(kind):
        with Path(where).open("rb"):  # may we read it?
            return llm.Attachment(path=where)
    return llm.Attachment(content=Path(where).read_bytes())


def option(name: str, value: str) -> tuple[str, Any]:
    """A value is JSON where it can be read as JSON, else text."""
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def schema(text: str) -> dict[str, Any]:
    """JSON, a file with JSON, or the short form `name, age int`."""
    what = "--schema"
    if not text.lstrip().startswith(("{", "[")):
        if not os.path.isfile(text):  # noqa: PTH113 - a long short form is "too long a name" to Path, and no file to this
            return _short_form(text)
        what, text = f"--schema {text}", Path(text).read_text(encoding="utf-8-sig")
    try:
        found = json.loads(text)
    except ValueError as error:
        msg = f"{what} is not valid JSON: {error}"
        raise WrongFlag(msg) from error
    if not isinstance(found, dict):
        msg = f"{what} is a JSON object, not {text.strip()[:40]!r}"
        raise WrongFlag(msg)
    return found


def seconds(text: str) -> float:
    """More than 0, and not for ever."""
    found = float(text)
    if not (found > 0 and math.isfinite(found)):
        raise ValueError(text)
    return found


def _short_form(text: str) -> dict[str, Any]:
    if text.strip().endswith(".json") and "," not in text:
        msg = f"--schema: no file {text!r}"
        raise WrongFlag(msg)
    try:
        found = llm.schema_dsl(text)
    except ValueError as error:
        msg = f"--schema: {error}"
        raise WrongFlag(msg) from error
    if not found["properties"]:
        msg = "--schema is empty"
        raise WrongFlag(msg)
    return found


def _loaded(name: str, module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        hint = f": without .py, {module.removesuffix('.py')}:..." if module.endswith(".py") else ""
        msg = f"-T {name}: {error}{hint}"
        raise WrongFlag(msg) from error
    except Exception as error:
        msg = f"-T {name}: importing {module} failed: {_told(error)}"
        raise WrongFlag(msg) from error


def _told(error: BaseException) -> str:
    """An exception of a user's module in one line, with the place: there is no traceback to look it up in."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = "" if isinstance(error, SyntaxError) else f" ({last.filename}, line {last.lineno})"
    return f"{type(error).__name__}: {error}{where}"
