"""A place for one thing that is made at first use, whoever comes first, and made anew when it has gone stale."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

making = threading.RLock()
"""One for all: taken only where something is made, found stale or let go of."""


class Binding(Generic[T]):
    """Holds one value. Any thread; two that come at once get the same."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: T | None = None

    def bind(self, make: Callable[[], T], stale: Callable[[T], bool]) -> T:
        """The value; made by `make()` when there is none or `stale(value)`."""
        value = self.value
        if value is not None and not stale(value):
            return value
        with making:
            value = self.value
            if value is None or stale(value):
                value = self.value = make()
            return value
