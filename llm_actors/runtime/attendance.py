"""Who is there, in the order they came. Whom nobody else holds any more is gone."""

from __future__ import annotations

import itertools
import threading
import weakref
from typing import Generic, TypeVar

T = TypeVar("T")


class Attendance(Generic[T]):
    """Holds its members weakly. Any thread, a signal's handler too."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._members: weakref.WeakValueDictionary[int, T] = weakref.WeakValueDictionary()
        self._lock = threading.RLock()

    def add(self, member: T) -> None:
        """One more."""
        with self._lock:
            self._members[next(self._numbers)] = member

    def all(self) -> list[T]:
        """Those who are there now."""
        with self._lock:
            return list(self._members.values())
