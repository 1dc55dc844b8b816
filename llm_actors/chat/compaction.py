"""Making a history shorter: what a compaction policy gets and gives.

A policy is a function, plain (it runs in a worker thread) or `async def` (it runs on the loop). It gets a `Compacting` and gives the
messages with which the conversation goes on. They are made valid before a model reads them: no tool call stands without its result.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec

from llm_actors.messages import Message


class Compacting(msgspec.Struct, frozen=True):
    """The history to be made shorter. `model`: the one that is to read it; `error`: what it said to the whole, if that is why."""

    messages: list[Message]
    conversation: str
    model: Any
    error: BaseException | None = None


Compaction: TypeAlias = Callable[[Compacting], Awaitable[list[Message]] | list[Message]]
"""A policy. What it raises ends the turn."""
