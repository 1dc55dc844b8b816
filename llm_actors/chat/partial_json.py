"""A JSON text as it arrives: the value so far, and where it goes wrong.

    strings             shown growing, from their opening quote on; an escape when it is whole, a surrogate pair when both halves are there
    objects, arrays     from their opening bracket on; a member from the beginning of its value on
    numbers, literals   when they are whole: at what follows them

Each character is looked at once, however the text is cut. What is whole is checked against the schema at once. A value is a new object
along the path that is still open; what is finished is shared between one value and the next, so treat it as read only. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, ClassVar

from .json_schema import Check
from .schema_place import SchemaPlace

DEPTH = 200
"""Objects and arrays inside of one another, at most."""

LONGEST = 4000
"""Characters of a number, at most."""


class _Absent:
    """The type of ABSENT."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Any = _Absent()
"""The value before it has begun."""

_SPACE = re.compile(r"[ \t\n\r]*")
_BODY = re.compile(r'(?:[^"\\\x00-\x1f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
_HALF_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_HIGH_SURROGATE = re.compile(r"(?<!\\)(?:\\\\)*(\\u[dD][89abAB][0-9a-fA-F]{2})\Z")
_SCALAR = re.compile(r"[-+.0-9A-Za-z]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_LITERALS: dict[str, Any] = {"true": True, "false": False, "null": None}
_INSIDE = frozenset({"string", "in name", "scalar"})
"""States in which a blank means something."""
_KINDS = {'"': "string", "{": "object", "[": "array", "t": "boolean", "f": "boolean", "n": "null"}


class _Open:
    """An object or array that has not ended: its finished members, and the name of the one that is read."""

    __slots__ = ("inside", "members", "name", "place")

    def __init__(self, members: Any, place: SchemaPlace | None, inside: SchemaPlace | None) -> None:
        self.members = members
        self.name = ""
        self.place = place
        self.inside = inside

    def child(self) -> SchemaPlace | None:
        """The place of the member that is read next."""
        if self.inside is None:
            return None
        return self.inside.item(len(self.members)) if isinstance(self.members, list) else self.inside.member(self.name)

    def put(self, value: Any) -> None:
        """A member is whole."""
        if isinstance(self.members, list):
            self.members.append(value)
        else:
            self.members[self.name] = value

    def with_(self, value: Any) -> Any:
        """A copy, with this value for the member that is read."""
        if isinstance(self.members, list):
            return self.members.copy() if value is ABSENT else [*self.members, value]
        return self.members.copy() if value is ABSENT else {**self.members, self.name: value}


class PartialJson:
    """Reads one JSON text, piece by piece. Where it raises ValueError, it is no JSON or does not fit the schema, and that is the end."""

    __slots__ = (
        "_child",
        "_held",
        "_name_so_far",
        "_open",
        "_place",
        "_read",
        "_root",
        "_scalar",
        "_state",
        "_text",
        "changes",
    )

    def __init__(self, schema: dict[str, Any] | None = None) -> None:
        self._root: Any = ABSENT
        self._place = SchemaPlace(Check(schema), schema) if schema is not None else None
        self._child = self._place  # of the value that is read
        self._open: list[_Open] = []
        self._state = "value"
        self._text: list[str] | None = None  # the string that grows, in pieces: to join them at each would be quadratic
        self._name_so_far: list[str] = []
        self._scalar = ""
        self._held = ""  # an escape of which a part is missing
        self._read = 0
        self.changes = 0
        """How often the value has changed."""

    @property
    def value(self) -> Any:
        """What has arrived of it, ABSENT before it has begun."""
        value = ABSENT if self._open else self._root
        if self._text is not None:
            self._text[:] = [value := "".join(self._text)]
        for container in reversed(self._open):
            value = container.with_(value)
        return value

    def feed(self, text: str) -> None:
        """The next piece."""
        text, held = self._held + text, len(self._held)
        self._held, start = "", self._read - held
        place, end = 0, len(text)
        while place < end:
            if self._state not in _INSIDE:
                place = _SPACE.match(text, place).end()  # type: ignore[union-attr]  # it matches always
                if place == end:
                    break
            try:
                place = self._STEPS[self._state](self, text, place)
            except ValueError as error:
                error.args = (f"{error} (at character {start + place})",)
                raise
        self._read = start + end

    def finish(self) -> Any:
        """The text has ended: the whole value."""
        if self._state == "scalar":
            self._end_scalar()
        if self._state != "end":
            msg = f"the JSON ends too early (at character {self._read})"
            raise ValueError(msg)
        return self._root

    # ---- steps: each takes some of the text and says how far it came

    def _begin(self, text: str, place: int) -> int:
        sign = text[place]
        if self._state == "value or ]" and sign == "]":
            return self._close(text, place)
        kind = _KINDS.get(sign) or ("number" if sign in "-0123456789" else None)
        if kind is None:
            msg = f"{sign!r} can't begin a value"
            raise ValueError(msg)
        self._child = self._open[-1].child() if self._open else self._place
        inside = self._child.begun(kind) if self._child is not None else None
        if kind in ("object", "array"):
            self._nest({} if kind == "object" else [], inside)
            return place + 1
        if kind == "string":
            self._state, self._text = "string", []
            self.changes += 1
            return place + 1
        self._state = "scalar"
        return place

    def _nest(self, members: Any, inside: SchemaPlace | None) -> None:
        if len(self._open) == DEPTH:
            msg = f"more than {DEPTH} objects and arrays inside of one another"
            raise ValueError(msg)
        self._open.append(_Open(members, self._child, inside))
        self._state = "name or }" if isinstance(members, dict) else "value or ]"
        self.changes += 1

    def _name(self, text: str, place: int) -> int:
        if self._state == "name or }" and text[place] == "}":
            return self._close(text, place)
        if text[place] != '"':
            msg = f"{text[place]!r} where a name should be"
            raise ValueError(msg)
        self._state, self._name_so_far = "in name", []
        return place + 1

    def _in_name(self, text: str, place: int) -> int:
        piece, place, over = self._piece(text, place)
        self._name_so_far.append(piece)
        if over:
            self._open[-1].name = "".join(self._name_so_far)
            self._open[-1].child()  # a name that may not be there is said at once
            self._state = "colon"
        return place

    def _colon(self, text: str, place: int) -> int:
        if text[place] != ":":
            msg = f"{text[place]!r} where a colon should be"
            raise ValueError(msg)
        self._state = "value"
        return place + 1

    def _string(self, text: str, place: int) -> int:
        piece, place, over = self._piece(text, place)
        assert self._text is not None
        if piece:
            self._text.append(piece)
            self.changes += 1
        if over:
            whole, self._text = "".join(self._text), None
            self._whole(whole, changed=False)
        return place

    def _piece(self, text: str, place: int) -> tuple[str, int, bool]:
        """What can be read of a string from here on, where that ends, and whether the string does."""
        end = _BODY.match(text, place).end()  # type: ignore[union-attr]  # as above
        over = end < len(text) and text[end] == '"'
        rest = len(text)
        if not over:
            if end < len(text) and not _HALF_ESCAPE.match(text, end):
                msg = f"{text[end]!r} can't stand in a string"
                raise ValueError(msg)
            half = _HIGH_SURROGATE.search(text, place, end)  # its other half may follow
            if half is not None:
                end = half.start(1)
            self._held = text[end:]
        body = text[place:end]
        return (json.loads(f'"{body}"') if "\\" in body else body), end + 1 if over else rest, over

    def _in_scalar(self, text: str, place: int) -> int:
        end = _SCALAR.match(text, place).end()  # type: ignore[union-attr]  # as above
        self._scalar += text[place:end]
        if len(self._scalar) > LONGEST:
            msg = f"a number of more than {LONGEST} characters"
            raise ValueError(msg)
        if end < len(text):
            self._end_scalar()
        return end

    def _end_scalar(self) -> None:
        word, self._scalar = self._scalar, ""
        if word in _LITERALS:
            self._whole(_LITERALS[word])
        elif _NUMBER.fullmatch(word):
            self._whole(json.loads(word))
        else:
            msg = f"{word[:40]!r} is no value"
            raise ValueError(msg)

    def _comma(self, text: str, place: int) -> int:
        is_list = isinstance(self._open[-1].members, list)
        if text[place] == ",":
            self._state = "value" if is_list else "name"
            return place + 1
        if text[place] == ("]" if is_list else "}"):
            return self._close(text, place)
        msg = f"{text[place]!r} where a comma or the end should be"
        raise ValueError(msg)

    def _close(self, _: str, place: int) -> int:
        ended = self._open.pop()
        self._child = ended.place
        self._whole(ended.members, changed=False)
        return place + 1

    def _whole(self, value: Any, *, changed: bool = True) -> None:
        """A value is whole; `changed`: it was not shown before."""
        if self._child is not None:
            self._child.check(value)
        self.changes += changed
        if self._open:
            self._open[-1].put(value)
            self._state = "comma"
        else:
            self._root = value
            self._state = "end"

    def _end(self, text: str, place: int) -> int:
        msg = f"{text[place]!r} behind the end of the JSON"
        raise ValueError(msg)

    _STEPS: ClassVar[dict[str, Callable[[Any, str, int], int]]] = {
        "value": _begin,
        "value or ]": _begin,
        "name": _name,
        "name or }": _name,
        "in name": _in_name,
        "colon": _colon,
        "string": _string,
        "scalar": _in_scalar,
        "comma": _comma,
        "end": _end,
    }
