"""Sums of what is counted in several places, each of which counts by itself, in one thread, without a lock."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Iterable
from typing import TypeAlias

Counts: TypeAlias = dict[str, int]


class Sums:
    """What the places have counted together, those that are gone too. Any thread."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        self._numbers = itertools.count()
        self._past = self._none()
        self._places: dict[int, Counts] = {}
        self._lock = threading.RLock()  # reentrant: a finalizer comes where it likes

    def counts_of(self, place: object) -> Counts:
        """Where this place counts. What it has counted stays in the sums when it is gone."""
        number, counts = next(self._numbers), self._none()
        with self._lock:
            self._places[number] = counts
        weakref.finalize(place, self._fold, number).atexit = False
        return counts

    def sums(self) -> Counts:
        """The sums of this moment."""
        sums = self._none()
        with self._lock:
            for counts in (self._past, *self._places.values()):
                for name in self._names:
                    sums[name] += counts[name]
        return sums

    def _fold(self, number: int) -> None:
        with self._lock:
            counts = self._places.pop(number)
            self._past = {name: self._past[name] + counts[name] for name in self._names}

    def _none(self) -> Counts:
        return dict.fromkeys(self._names, 0)
