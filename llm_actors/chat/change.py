"""A change of a conversation's history that was asked for: when it is in, and what it came to."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_actors.messages import Message

    from .errand import Errand
    from .event_log import EventLog


class Change:
    """What `conversation.replace()` and `conversation.merge()` give: `await change`, or `change.get()` in a thread.

    It is under way already: prompts sent after it see it, whether anybody waits or not. Any thread.
    """

    __slots__ = ("_errand", "_log")

    def __init__(self, log: EventLog, errand: Errand) -> None:
        self._log = log
        self._errand = errand

    def __await__(self) -> Generator[Any, None, list[Message]]:
        """Waits until it is in; gives the messages that it put there. Raises what kept it out: a cancel, the end of the loop, the store."""
        yield from self._log.checked().__await__()
        return list(self._errand.messages)

    def get(self) -> list[Message]:
        """The same, blocking."""
        self._log.ended_blocking().check()
        return list(self._errand.messages)

    @property
    def done(self) -> bool:
        """Whether it is in, or will never be."""
        return self._log.released

    def __repr__(self) -> str:
        state = "done" if self.done else "waits its turn"
        return f"<Change {type(self._errand).__name__.lower()} {state}>"
