"""One model call as a provider sees it, and how it ended."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from .parts import Message
from .tools import ToolCall

StopReason: TypeAlias = Literal["stop", "length", "content_filter", "refusal", "tool_calls", "pause", "other"]
"""Why the provider ended its answer, in one set of words for all; `raw_stop_reason` keeps the provider's own."""


class Usage(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Tokens of one call, or of a whole chain. `input` includes what came from a cache; zeros in details are left out."""

    input: int | None = None
    output: int | None = None
    details: dict[str, Any] | None = None

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            _sum(self.input, other.input), _sum(self.output, other.output), _merge(self.details, other.details)
        )


class ToolSpec(msgspec.Struct, frozen=True):
    """A tool as the model is told of it. `input_schema` is JSON Schema; `strict` asks for constrained arguments."""

    name: str
    description: str | None
    input_schema: dict[str, Any]


class RateLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a provider said of one of its limits: how much a window holds, how much is left, in how many seconds it is full again."""

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None


class RateLimits(msgspec.Struct, frozen=True, omit_defaults=True):
    """A provider's limits for this key, as the headers of one answer tell them; None: not told.

    `tokens` is a limit on input and output together; some providers have one for each in its place, or beside it. `reset` counts from
    the moment of the answer.
    """

    requests: RateLimit | None = None
    tokens: RateLimit | None = None
    input_tokens: RateLimit | None = None
    output_tokens: RateLimit | None = None


class ModelRequest(msgspec.Struct, frozen=True):
    """Everything a provider needs to write one request, all of it values.

    `messages` is the whole valid history with the new turn. `attachments` in them are resolved: each has `type`, and
    `content`, or `url` where the provider fetches URLs itself. `options` holds only those set. `request_id` is ours, stable
    over retries: the idempotency key.
    """

    model: str
    messages: list[Message]
    tools: list[ToolSpec] = []
    server_tools: list[Any] = []
    schema: dict[str, Any] | None = None
    options: dict[str, Any] = {}
    stream: bool = True
    hide_reasoning: bool = False
    request_id: str = ""


class RoundResult(msgspec.Struct, frozen=True):
    """How a complete model call ended. A cut one never makes a result: it raises.

    `tool_calls` are those to execute. `messages` is the model's output, assembled by the decoder from what it emitted; None
    lets the turn assemble it from the events. `raw` keeps what only this provider understands of the answer's envelope.
    `cut_calls` names calls whose arguments were cut by the length limit: they're never executed. `rate_limits`: for the governor.
    """

    tool_calls: list[ToolCall] = []
    messages: list[Message] | None = None
    usage: Usage | None = None
    stop_reason: StopReason | None = None
    raw_stop_reason: str | None = None
    request_id: str | None = None
    resolved_model: str | None = None
    raw: dict[str, Any] | None = None
    cut_calls: list[ToolCall] = []
    rate_limits: RateLimits | None = None


def _sum(left: int | None, right: int | None) -> int | None:
    if left is None or right is None:
        return right if left is None else left
    return left + right


def _merge(left: dict[str, Any] | None, right: dict[str, Any] | None) -> dict[str, Any] | None:
    """Adds numbers, name by name, also in nested dicts; of anything else the later wins."""
    if not left or not right:
        return left or right
    merged = dict(left)
    for name, value in right.items():
        old = merged.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[name] = _merge(old, value)
        elif isinstance(old, int | float) and isinstance(value, int | float):
            merged[name] = old + value
        else:
            merged[name] = value
    return merged
