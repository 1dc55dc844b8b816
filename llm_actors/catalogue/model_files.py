"""The models of each provider, from a plain data file: the user's `models/NAME.json` in the user's folder, else ours in families/.

above it   presets.py
below it   preset.py, user_dir.py

Nothing is read before a model is looked up. The form, in which only `models` and each `id` have to be there:

    {"provider": "gemini", "as_of": "2026-11-25", "takes": {"image": ["image/png"]},
     "models": [{"id": "m", "aliases": ["a"], "context": 1048576, "takes": ["image"], "tools": true, "schema": true, "stream": true,
                 "price": {"input": 1.5, "cached_input": 0.15, "output": 7.5, "above": 200000, "long": {"input": 3, "output": 9}}}]}

`takes` of the file: media types by kind; of a model: the kinds that it takes, all of them where it does not say. Prices are for a million
tokens, in the currency of budgets; `long` holds for requests whose input is above so many tokens.
"""

import json
import logging
import os
from typing import Any, NamedTuple

from llm_actors.chat.budget import Price

from .preset import SEEN_AND_READ, LongPrice, Row
from .user_dir import UserFile, user_folder

_LOG = logging.getLogger(__name__)
_OURS = "families"
_USERS = "models"

_files: dict[str, "UserFile[Family | None]"] = {}
_told: set[str] = set()


class Family(NamedTuple):
    """The models of one provider. `any_model`: what an id that is not among them is taken to be able to do."""

    as_of: str
    rows: tuple[Row, ...]
    any_model: Row


def family_of(provider: str) -> Family | None:
    """The models of a provider, as the user's file says, else ours; None without either.

    A file of the user's that isn't valid is passed over, and logged once: it must not break look-ups.
    """
    found, wrong = _file(provider).look()
    if wrong is not None:
        text = f"{_file(provider).path()} {wrong}"
        if text not in _told:
            _told.add(text)
            _LOG.warning("models are taken from the library's own file: %s", text)
    return found or _library_s(provider)


def family_text(provider: str) -> str | None:
    """The text of the file that `family_of()` reads; None without one."""
    file = _file(provider)
    if file.exists() and file.look()[0] is not None:
        return _text(file.path())
    return _text(_library_s_path(provider))


def stamp() -> tuple[Any, ...]:
    """What changes when a file of the user's does. Nearly nobody has one: then it is one look at a folder that isn't there."""
    folder = os.path.join(user_folder(), _USERS)  # noqa: PTH118 - as in user_dir.py, at each look-up
    try:
        with os.scandir(folder) as entries:
            files = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith(".json")]
    except OSError:
        return (folder,)
    return (folder, *sorted([(name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in files]))


def write_family(provider: str, text: str) -> str:
    """Makes it the user's file for this provider; gives its path. Raises OSError."""
    file = _file(provider)
    file.write(text)
    return file.path()


def parse_family(text: str) -> Family:
    """The models in the text of a file. Raises `ValueError` with the place of the fault, without the text."""
    try:
        plain = json.loads(text)
    except json.JSONDecodeError as error:
        fault = f"is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        raise ValueError(fault) from None
    top = _Fields(plain, "")
    kinds = {kind: frozenset(_texts(types, f"takes.{kind}")) for kind, types in top.take("takes", dict, {}).items()}
    every = frozenset().union(*kinds.values()) if kinds else SEEN_AND_READ
    rows = tuple(
        _row(_Fields(each, f"models[{place}]"), kinds, every) for place, each in enumerate(top.take("models", list))
    )
    return Family(top.take("as_of", str, ""), rows, Row("", attachment_types=every))


def _row(fields: "_Fields", kinds: dict[str, frozenset[str]], every: frozenset[str]) -> Row:
    takes = fields.take("takes", list, None)
    unknown = [kind for kind in takes or () if kind not in kinds]
    if unknown:
        msg = f"is not of its form: {fields.place}.takes names kinds that `takes` of the file does not have"
        raise ValueError(msg)
    price = fields.take("price", dict, None)
    return Row(
        fields.take("id", str),
        _texts(fields.take("aliases", list, []), f"{fields.place}.aliases"),
        every if takes is None else frozenset().union(*[kinds[kind] for kind in takes]),
        supports_schema=fields.take("schema", bool, True),
        supports_tools=fields.take("tools", bool, True),
        can_stream=fields.take("stream", bool, True),
        context_size=fields.take("context", int, None),
        price=None if price is None else _price(_Fields(price, f"{fields.place}.price")),
    )


def _price(fields: "_Fields") -> Price:
    figures: dict[str, Any] = {name: fields.number(name) for name in ("input", "output")}
    figures["cached_input"] = fields.number("cached_input", optional=True)
    try:
        long = fields.take("long", dict, None)
        if long is None:
            return Price(**figures)
        return LongPrice(**figures, above=fields.take("above", int), long=_price(_Fields(long, f"{fields.place}.long")))
    except ValueError as error:
        if "form" in str(error):
            raise
        msg = f"is not of its form: {fields.place} is below 0"
        raise ValueError(msg) from None


class _Fields:
    """An object of the file, whose fields are of the types they should be."""

    def __init__(self, plain: Any, place: str) -> None:
        self.place = place
        if not isinstance(plain, dict):
            msg = f"is not of its form: {place or 'it'} is no object"
            raise ValueError(msg)  # noqa: TRY004 - what a user's file raises
        self._plain = plain

    def take(self, name: str, kind: type, default: Any = ...) -> Any:
        """A field, or its default where it has one. Raises `ValueError`."""
        value = self._plain.get(name)
        if value is None and default is not ...:
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            place = f"{self.place}.{name}".lstrip(".")
            msg = f"is not of its form: {place} is no {kind.__name__}"
            raise ValueError(msg)
        return value

    def number(self, name: str, *, optional: bool = False) -> float | None:
        """A price."""
        value = self._plain.get(name)
        if value is None and optional:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            msg = f"is not of its form: {self.place}.{name} is no number"
            raise ValueError(msg)  # noqa: TRY004 - as above
        return value


def _texts(values: Any, place: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        msg = f"is not of its form: {place} is no list of texts"
        raise ValueError(msg)
    return tuple(values)


def _file(provider: str) -> "UserFile[Family | None]":
    file = _files.get(provider)
    if file is None:
        file = _files.setdefault(provider, UserFile(f"{_USERS}/{provider}.json", parse_family, missing=None))
    return file


_read: dict[str, Family | None] = {}


def _library_s(provider: str) -> Family | None:
    if provider not in _read:
        text = _text(_library_s_path(provider))
        _read[provider] = parse_family(text) if text is not None else None
    return _read[provider]


def _library_s_path(provider: str) -> str:
    return os.path.join(os.path.dirname(__file__), _OURS, f"{provider}.json")  # noqa: PTH118, PTH120 - see _text


def _text(path: str) -> str | None:
    from pathlib import Path  # noqa: PLC0415 - 3 ms, with urllib: for who looks a model up

    found = Path(path)
    return found.read_text(encoding="utf-8") if found.exists() else None
