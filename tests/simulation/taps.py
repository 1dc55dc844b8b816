"""Counts what happens to every event log, before and behind the library's own code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from llm_actors.chat import rests
from llm_actors.chat.event_log import EventLog
from llm_actors.observe import PromptQueued, PromptsJoined, Record, TurnStarted

from .invariants import check_order
from .seen import Count
from .world import World


@contextmanager
def tapped(world: World) -> Iterator[None]:
    """While this lasts."""
    write, seal, release = EventLog.write, EventLog.seal, EventLog.release

    def tapped_write(log: EventLog, items: Any) -> None:
        if world.count(log).seals:
            world.broken("C4", f"{_name(world, log)} was written after its end")
        write(log, items)

    def tapped_seal(log: EventLog, *arguments: Any) -> Any:
        count = world.count(log)
        count.seals += 1
        if count.seals > 1:
            world.broken("C4", f"{_name(world, log)} was ended twice")
        count.items = list(log._items)
        count.sealed_at = world.now
        return seal(log, *arguments)

    def tapped_release(log: EventLog) -> None:
        count = world.count(log)
        count.releases += 1
        if not count.seals or count.releases > 1:
            world.broken("C4", f"{_name(world, log)} was released {count.releases} times, ended {count.seals} times")
        count.released_at = world.now
        release(log)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EventLog, "write", tapped_write)
        patch.setattr(EventLog, "seal", tapped_seal)
        patch.setattr(EventLog, "release", tapped_release)
        patch.setattr(rests, "LATEST", 0)  # few speak here: each lets go of its actor at once, as it would among many
        yield


def observer(world: World) -> Any:
    """Looks at the order in which turns begin."""

    def observe(record: Record) -> None:
        if isinstance(record, PromptQueued):
            world.counts.setdefault(record.response, Count()).queued_at = world.now
        elif isinstance(record, TurnStarted):
            check_order(world, record.conversation, [record.response])
        elif isinstance(record, PromptsJoined):
            check_order(world, record.conversation, record.joined)

    return observe


def _name(world: World, log: EventLog) -> str:
    seen = world.by_id.get(log.id)
    return seen.name if seen is not None else log.id
