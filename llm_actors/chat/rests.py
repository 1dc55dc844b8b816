"""Which conversations of a loop came to rest last: they keep their actors, as who has just spoken may well speak again."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conversation import AnyConversation

LATEST = 64
"""Conversations that keep their actors at rest; a new actor costs 4 us, a twentieth of a turn. Of a million idle ones 64 more or less are
nothing, and one that is spoken to again and again pays nothing."""


class Rests:
    """See the head of this file. Its loop only."""

    __slots__ = ("_latest",)

    def __init__(self) -> None:
        self._latest: dict[weakref.ref[AnyConversation[Any]], None] = {}

    def add(self, conversation: weakref.ref[AnyConversation[Any]]) -> None:
        """It has come to rest; the one that has been there longest lets go of its actor."""
        latest = self._latest
        latest.pop(conversation, None)
        latest[conversation] = None
        if len(latest) > LATEST:
            longest = next(iter(latest))
            del latest[longest]
            handle = longest()
            if handle is not None:
                handle.let_go()
