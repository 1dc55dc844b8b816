"""URNs of UUIDs (RFC 9562, version 4) that are told apart by a counter: an actor keeps an integer, its URN is made when asked for."""

from __future__ import annotations

import os
from itertools import count

_COUNTER_BITS = 48
_VERSION = 4 << 76
_VARIANT = 2 << 62
_RANDOM = ~(0xF << 76 | 3 << 62 | (1 << _COUNTER_BITS) - 1)

_numbers = count(1)


def _new_base() -> int:
    return int.from_bytes(os.urandom(16), "big") & _RANDOM | _VERSION | _VARIANT


_base = [_new_base()]


def new_number() -> int:
    """The next number. Any thread."""
    return next(_numbers)


def urn_of(number: int) -> str:
    """`urn:uuid:...` of this number in this process."""
    digits = f"{_base[0] | number:032x}"
    return f"urn:uuid:{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def renumber(seed: int | None = None, *, to: tuple[int, count[int]] | None = None) -> tuple[int, count[int]]:
    """Begins a row of URNs that is the same for the same seed (a simulation does), or goes back `to` one; gives the row before."""
    global _numbers
    before = (_base[0], _numbers)
    if to is None:
        to = (_new_base() if seed is None else seed << _COUNTER_BITS & _RANDOM | _VERSION | _VARIANT, count(1))
    _base[0], _numbers = to
    return before


def _after_fork() -> None:
    _base[:] = [_new_base()]


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
