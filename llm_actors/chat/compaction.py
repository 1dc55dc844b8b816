"""Making a history shorter: what a compaction policy gets and gives.

A policy is a function, plain (it runs in a worker thread) or `async def` (it runs on the loop). It gets a `Compacting` and gives the
messages with which the conversation goes on. They are made valid before a model reads them: no tool call stands without its result.

    DropOldest, Summarise   the two that come with the library: compaction_policies.py
    when                    before a model call that would exceed `compact_at` tokens (conversation(compaction=...)), and where the
                            failure table says so (`Compact`): at once for a history that the provider finds too long
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec

from llm_actors.messages import Message


class Compacting(msgspec.Struct, frozen=True):
    """The history to be made shorter. `model`: the one that is to read it; `error`: what it said to the whole, if that is why.

    `tokens`: what it takes now, as far as that is known (history_size.py); `bound`: the most it should take, None where nobody said.
    """

    messages: list[Message]
    conversation: str
    model: Any
    error: BaseException | None = None
    tokens: int = 0
    bound: int | None = None


Compaction: TypeAlias = Callable[[Compacting], Awaitable[list[Message]] | list[Message]]
"""A policy. What it raises ends the turn."""


class Compacts(msgspec.Struct, frozen=True):
    """How one conversation compacts: by which policy, and from how many tokens on; None: when the provider finds it too long."""

    policy: Any
    compact_at: int | None = None


def compacts(policy: Any, compact_at: int | None, context_size: int | None) -> Compacts | None:
    """The arguments of a conversation, with the model's window for a bound that is not given: three quarters of it."""
    if policy is None:
        return None
    return Compacts(policy, compact_at or (context_size * 3 // 4 if context_size else None))


def check_compaction(policy: Any, compact_at: Any) -> tuple[Compaction | None, int | None]:
    """The two as they are.

    Raises TypeError for a policy that is no function, ValueError for a bound that is no number of tokens, or has no policy.
    """
    checked: Compaction | None = policy
    if policy is not None and not callable(policy):
        msg = (
            f"compaction= takes a policy, a function (llm.DropOldest(), llm.Summarise(model), your own), not {policy!r}"
        )
        raise TypeError(msg)
    if compact_at is not None and (policy is None or not isinstance(compact_at, int) or compact_at < 1):
        msg = f"compact_at= is a number of tokens, at least 1, and goes with compaction=, not {compact_at!r}"
        raise ValueError(msg)
    return checked, compact_at
