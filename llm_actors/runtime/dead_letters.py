"""Mail that nobody could take: told to whoever listens, and to the log. Nothing vanishes silently."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeAlias

logger = logging.getLogger("llm_actors.runtime")
logger.addHandler(logging.NullHandler())

DeadLetterHook: TypeAlias = Callable[[str, Any, str], object]
"""Gets the actor as a string, the message and the reason; in the thread that found out, so it returns at once."""

dead_letters: list[DeadLetterHook] = []
"""Append a hook to be told of each dead letter in the process. What it raises is logged."""


def dead_letter(actor: object, message: Any, reason: str) -> None:
    """Tells of a message that `actor` could not take. Any thread. The log has its type alone: messages may hold private things."""
    logger.debug("dead letter for %s: a %s: %s", actor, type(message).__name__, reason)
    for hook in tuple(dead_letters):  # a hook may take itself out
        try:
            hook(str(actor), message, reason)
        except Exception:
            logger.exception("a dead letter hook raised: %r", hook)
