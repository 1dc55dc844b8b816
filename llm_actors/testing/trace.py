"""What happened in a simulation, in order: the records of observers, the turns of threads, events of responses that are followed.

Its bytes are the same for the same program and seed, in any process: one JSON object a line. What differs between processes and means
nothing, the addresses in reprs, is left out.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from llm_actors.messages import Event
from llm_actors.observe import Record

_ADDRESS = re.compile(rb"\b0x[0-9a-f]{8,16}\b")


class Stepped(Record, frozen=True, kw_only=True):
    """A thread had the turn."""

    thread: str


class Told(Record, frozen=True, kw_only=True):
    """A response that is followed had this event."""

    event: Event


class Noted(Record, frozen=True, kw_only=True):
    """The program under test noted this."""

    what: Any


class Trace:
    """An Observer that keeps what it gets. The simulation's threads only."""

    def __init__(self, now: Any) -> None:
        self._now = now
        self.records: list[Record] = []

    def __call__(self, record: Record) -> None:
        """Keeps a record."""
        self.records.append(record)

    def __len__(self) -> int:
        return len(self.records)

    def stepped(self, thread: str) -> None:
        """A thread had the turn."""
        self.records.append(Stepped(now=self._now(), thread=thread))

    def note(self, what: Any) -> None:
        """Keeps a value of the program's own; of what has no JSON form, its repr."""
        self.records.append(Noted(now=self._now(), what=what))

    def follow(self, response: Any) -> None:
        """Keeps the events of this response, from the first on, as they come. It counts as a reader that waits, as subscribers do."""
        response.subscribe(_Listener(self))

    def tell(self, event: Event) -> None:
        """Keeps an event."""
        self.records.append(Told(now=self._now(), event=event))

    def of(self, kind: type[Record]) -> list[Any]:
        """The records of one kind."""
        return [record for record in self.records if isinstance(record, kind)]

    def encode(self) -> bytes:
        """All of it, a line each."""
        lines = [msgspec.json.encode(record, enc_hook=repr) for record in self.records]
        return _ADDRESS.sub(b"0x", b"".join([line + b"\n" for line in lines]))


class _Listener:
    """Takes events as an actor's reference does."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def tell(self, event: Event) -> None:
        """One event."""
        self._trace.tell(event)
