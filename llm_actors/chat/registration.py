"""`on_done` as the views offer it: registers a callback, or runs it at once when the answer is there."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from llm_actors.runtime import running

from .callbacks import Callback

if TYPE_CHECKING:
    from .event_log import EventLog


def register(log: EventLog, function: Any, view: Any) -> Any:
    """Registers `function` to be called with `view`; for a finished answer calls it now and gives back what it returned.

    Registered on a loop it runs there, in a thread without one in a worker thread. Not called after an error.
    """
    callback = Callback(function, view, running())
    if log.on_done(callback) or log.error is not None:
        return _nothing()
    outcome = callback.start(log)
    return outcome if inspect.isawaitable(outcome) else _nothing()


class _nothing:  # noqa: N801 - it stands for a coroutine that has nothing to wait for
    def __await__(self) -> Iterator[Any]:
        return iter(())
