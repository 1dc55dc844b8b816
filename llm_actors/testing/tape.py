"""What is on a cassette: exchanges as plain values, found by a hash of the request; and how a request differs from the nearest one.

No header of a request is kept, and so no key; secrets in the URL are blanked, and what a server says of the key it got is masked byte by
byte, so that lengths and chunks stay as they were.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from llm_actors.errors import CassetteMissError
from llm_actors.transport.fault import names_a_secret

VERSION = 1
_DIFF_LINES = 80


class Asked(msgspec.Struct, frozen=True):
    """A request: `body` is its JSON where it is JSON, else its bytes in Base64."""

    method: str
    url: str
    body: Any = None

    def text(self) -> str:
        """For people, and for diffs."""
        return f"{self.method} {self.url}\n{json.dumps(self.body, indent=2, sort_keys=True, ensure_ascii=False)}\n"


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    """One read of the answer: milliseconds since the one before, and its text; or its bytes in Base64."""

    milliseconds: int
    text: str = ""
    raw: bytes | None = None

    @classmethod
    def of(cls, milliseconds: int, data: bytes) -> Chunk:
        """The chunk of these bytes."""
        try:
            return cls(milliseconds, data.decode())
        except UnicodeDecodeError:  # also where a chunk ends inside a character
            return cls(milliseconds, raw=data)

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return self.text.encode() if self.raw is None else self.raw


class Answered(msgspec.Struct):
    """The answer: its chunks as they came. `broken`: what ended it, where that was not its own end."""

    status: int
    headers: dict[str, str]
    chunks: list[Chunk] = []
    broken: str | None = None


class Exchange(msgspec.Struct):
    """One request and its answer."""

    request: Asked
    response: Answered


class Tape(msgspec.Struct):
    """All exchanges, in the order of the requests."""

    version: int = VERSION
    exchanges: list[Exchange] = []

    @classmethod
    def read(cls, path: Path) -> Tape:
        """The tape in this file. Raises ValueError for what is none."""
        try:
            tape = msgspec.json.decode(path.read_bytes(), type=cls)
        except msgspec.MsgspecError as error:
            msg = f"{path} is no cassette: {error}"
            raise ValueError(msg) from None
        if tape.version != VERSION:
            msg = f"{path} is a cassette of version {tape.version}, this is for {VERSION}: record it again"
            raise ValueError(msg)
        return tape

    def write(self, path: Path) -> None:
        """Writes it, for people too."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")


def asked(method: str, url: str, body: bytes, secrets: Iterable[str]) -> Asked:
    """A request as it is kept and compared."""
    parts = urlsplit(url)
    query = [
        (name, "***" if names_a_secret(name) else value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query=urlencode(query), fragment="").geturl()
    body = masked(body, secrets)
    try:
        said = msgspec.json.decode(body) if body else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = {"base64": base64.b64encode(body).decode()}
    return Asked(method, shown, said)


def key_of(request: Asked, ignored: frozenset[str]) -> str:
    """The hash by which a request is found; top-level fields of its JSON that are ignored do not count."""
    body = request.body
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name not in ignored}
    plain = json.dumps([request.method, request.url, body], sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def masked(data: bytes, secrets: Iterable[str]) -> bytes:
    """The same with each secret overwritten, byte by byte."""
    for secret in secrets:
        raw = secret.encode()
        data = data.replace(raw, b"*" * len(raw))
    return data


def miss(request: Asked, recorded: list[Asked], path: Path) -> CassetteMissError:
    """The error for a request that is not on the tape: with its difference from the nearest one that is."""
    text = f"{request.method} {request.url} is not on the cassette {path}"
    if not recorded:
        return CassetteMissError(f"{text}, which is empty. What to do: record it (record=True).\n{request.text()}")
    wanted = request.text()
    nearest = max((one.text() for one in recorded), key=lambda one: _likeness(one, wanted))
    lines = list(difflib.unified_diff(nearest.splitlines(), wanted.splitlines(), "recorded", "asked", lineterm="", n=2))
    if not lines:
        count = sum(one.text() == wanted for one in recorded)
        text = f"{request.method} {request.url} was recorded {count} times on {path}, and is asked for once more"
        return CassetteMissError(f"{text}. What to do: record it again (record=True).\n{wanted}")
    shown = "\n".join([*lines[:_DIFF_LINES], *(["..."] if len(lines) > _DIFF_LINES else [])])
    return CassetteMissError(
        f"{text}. What to do: record it again (record=True). The nearest request differs in:\n{shown}"
    )


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other, autojunk=False).quick_ratio()
