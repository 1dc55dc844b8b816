"""Who lives on a loop, as the loop sees it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol


class Inhabitant(Protocol):
    """Who has work on a loop and must be ended with it: an actor."""

    def _actor_end(self) -> Coroutine[Any, Any, None] | None:
        """The loop ends: stop, answer all mail. Gives what is to be awaited, if anything is. Its loop only."""
        ...

    def _actor_abandon(self) -> None:
        """The loop was closed under it: answer all mail at once. Any thread."""
        ...
