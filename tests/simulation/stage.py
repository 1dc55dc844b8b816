"""The world that plays now: tools and models are made once and find it here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .world import World

_playing: list[World] = []


def world() -> World:
    """The one that plays, or played last: what a thread of a finished one still does is for that one."""
    return _playing[-1]


def enter(entering: World) -> None:
    """It plays from now on."""
    _playing[:] = [entering]
