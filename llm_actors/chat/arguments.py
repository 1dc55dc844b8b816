"""Arguments of a call, looked at when it is made: what is of the wrong type is said there, in words that say what to pass.

Nothing wrong may get as far as the conversation's actor: there it would be a defect, and end a turn that somebody waits for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from llm_actors.messages import Secret

T = TypeVar("T")


def text(name: str, given: Any) -> str | None:
    """A text or None. Raises TypeError."""
    if given is not None and not isinstance(given, str):
        msg = f"{name}= takes a str, not {_shown(given)}"
        raise TypeError(msg)
    return given


def listed(name: str, given: Any, kind: type[T], example: str) -> list[T]:
    """A copy of what was given, a list of its own; of None an empty one. Raises TypeError, with the example."""
    if given is None:
        return []
    wanted = f"{name}= takes a list, as in {name}=[{example}]"
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        msg = f"{wanted}, not {_shown(given)}"
        raise TypeError(msg)
    items = list(given)
    for item in items:
        if not isinstance(item, kind):
            msg = f"{wanted}; {_shown(item)} can't be in it"
            raise TypeError(msg)
    return items


def seconds(name: str, given: Any) -> float | None:
    """A time of more than 0 seconds, or None. Raises TypeError, ValueError."""
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float):
        msg = f"{name}= takes a number of seconds, not {_shown(given)}"
        raise TypeError(msg)
    if given <= 0 or math.isnan(given):
        msg = f"{name} is in seconds and more than 0, not {given!r}"
        raise ValueError(msg)
    return given


def moment(name: str, given: Any) -> datetime | float | None:
    """A point in time, or None: an aware datetime, or seconds on the monotonic clock; it may have passed. Raises TypeError, ValueError."""
    if given is None or (isinstance(given, datetime) and given.tzinfo is not None):
        return given
    if isinstance(given, datetime):
        msg = f"{name}= takes an aware datetime, such as datetime.now(UTC) + timedelta(seconds=5), not {given!r}"
        raise ValueError(msg)  # noqa: TRY004 - the type is right
    if isinstance(given, bool) or not isinstance(given, int | float):
        msg = (
            f"{name}= takes an aware datetime, or seconds on the monotonic clock (loop.time() + 5), not {_shown(given)}"
        )
        raise TypeError(msg)
    if math.isnan(given):
        msg = f"{name} is a point on the monotonic clock, not nan"
        raise ValueError(msg)
    return given


def limit(name: str, given: Any) -> int | None:
    """A count, 0 for no limit, or None. Raises TypeError, ValueError."""
    if given is not None and (isinstance(given, bool) or not isinstance(given, int)):
        msg = f"{name}= takes an int, 0 for no limit, not {_shown(given)}"
        raise TypeError(msg)
    if given is not None and given < 0:
        msg = f"{name} is at least 0 (no limit), not {given!r}"
        raise ValueError(msg)
    return given


def count(name: str, given: Any) -> int:
    """A count of at least 1. Raises TypeError, ValueError."""
    if isinstance(given, bool) or not isinstance(given, int):
        msg = f"{name}= takes an int, not {_shown(given)}"
        raise TypeError(msg)
    if given < 1:
        msg = f"{name} is at least 1, not {given}"
        raise ValueError(msg)
    return given


def hook(name: str, given: Any) -> Any:
    """Something to call, or None. Raises TypeError."""
    if given is not None and not callable(given):
        msg = f"{name}= takes a function, not {_shown(given)}"
        raise TypeError(msg)
    return given


def key(given: Any) -> Any:
    """A key, masked or not, or None. Raises TypeError, which never shows what was given."""
    if given is not None and not isinstance(given, str | Secret):
        msg = f"key= takes a str, not a {type(given).__name__}"
        raise TypeError(msg)
    return given


def _shown(given: Any) -> str:
    """Its type and a little of it; an attachment or a key would show no more in its own repr."""
    shown = repr(given)
    short = shown if len(shown) <= 60 else f"{shown[:57]}..."  # noqa: PLR2004 - what fits into a line of a message
    return f"{type(given).__name__} {short}"
