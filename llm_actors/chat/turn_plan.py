"""What a turn needs to know of its conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from llm_actors.messages import Prompt

from .compaction import Compacts
from .failures import FailureTable
from .scope import NOTHING, Scope


class TurnPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a turn needs to know of its conversation: fixed when the prompt is sent. `scope`: what it inherited, and its deadline.

    `compacts`: how the history is made shorter, before a call that would exceed its bound.
    `joined`: the prompts that this turn answers together, each a user message of its own; `prompt` is then all of them in one.
    """

    id: str
    prompt: Prompt
    conversation: str
    model: str
    chain_limit: int
    tools: dict[str, Any]
    toolboxes: bool = False
    before_call: bool = False
    after_call: bool = False
    scope: Scope = NOTHING
    joined: tuple[Prompt, ...] = ()
    failures: FailureTable = FailureTable.DEFAULT
    compacts: Compacts | None = None
    observers: Sequence[object] = ("somebody",)
    """Who listens. Where that is nobody, records that nothing is counted by are not made."""
