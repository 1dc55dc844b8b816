"""Mail that nobody could take: told to whoever listens, and to the log. Nothing vanishes silently."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

logger = logging.getLogger("llm_actors.runtime")
logger.addHandler(logging.NullHandler())

DeadLetterHook: TypeAlias = Callable[[str, Any, str], object]
"""Gets the actor as a string, the message and the reason; in the thread that found out, so it returns at once."""

dead_letters: list[DeadLetterHook] = []
"""Append a hook to be told of each dead letter in the process. What it raises is logged."""

Bury: TypeAlias = Callable[[Any, object, Any, str], object]
"""Gets whose observers are told (see `_actor_observed`), the actor, the message and the reason."""

_bury: list[Bury] = []


class Tally:
    """A count that any thread adds to."""

    __slots__ = ("_lock", "count")

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.RLock()  # reentrant: a finalizer may send mail while its own thread is inside

    def add(self) -> None:
        """One more."""
        with self._lock:
            self.count += 1


def install_undertaker(bury: Bury) -> None:
    """Says who tells the observers of a system; the layer above does it at import."""
    _bury[:] = [bury]


def dead_letter(actor: object, message: Any, reason: str) -> None:
    """Tells of a message that `actor` could not take. Any thread. The log has its type alone: messages may hold private things."""
    logger.debug("dead letter for %s: a %s: %s", actor, type(message).__name__, reason)
    taker: Any = getattr(actor, "_actor", actor)  # of a reference
    observed = taker._actor_observed() if hasattr(taker, "_actor_observed") else None
    for bury in _bury:
        bury(observed, actor, message, reason)
    for hook in tuple(dead_letters):  # a hook may take itself out
        try:
            hook(str(actor), message, reason)
        except Exception:
            logger.exception("a dead letter hook raised: %r", hook)
