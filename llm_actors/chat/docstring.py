"""What a docstring says of a function's parameters, in Google's form (`Args:` with indented lines) or Sphinx's (`:param name: text`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_SECTION = re.compile(r"(Args|Arguments|Parameters):\s*$")
_GOOGLE = re.compile(r"\*{0,2}(\w+)(?: ?\([^)]*\))?:\s+(.+)")
_SPHINX = re.compile(r":(?:param|arg|parameter) (?:[^:]* )?\*{0,2}(\w+):\s*(.+)")


def parameter_texts(docstring: str, names: Iterable[str]) -> dict[str, str]:
    """The text for each of these parameters that has one; lines that go on below are joined. `docstring` is cleaned of its indentation."""
    known = set(names)
    found: dict[str, str] = {}
    for name, text in _entries(docstring.splitlines()):
        if name in known:
            found.setdefault(name, text)
    return found


def _entries(lines: list[str]) -> Iterator[tuple[str, str]]:
    inside = False
    for place, line in enumerate(lines):
        if line and not line[0].isspace():
            inside = _SECTION.match(line) is not None
        entry = _SPHINX.match(line.strip()) or (_GOOGLE.match(line.strip()) if inside and line[:1].isspace() else None)
        if entry:
            indent = len(line) - len(line.lstrip())
            yield entry[1], " ".join([entry[2].strip(), *_going_on(lines[place + 1 :], indent)])


def _going_on(lines: list[str], indent: int) -> Iterator[str]:
    for line in lines:
        if not line.strip() or len(line) - len(line.lstrip()) <= indent:
            return
        yield line.strip()
