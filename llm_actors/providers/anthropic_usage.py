"""The usage in Anthropic's words.

above it   anthropic_answer.py
below it   messages

`input_tokens` leaves out what was read from the prompt cache and what was written to it, so the input is the sum of the three; the output
holds the thinking: https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance
"""

from typing import Any

from llm_actors.messages import Usage

_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def usage_of(plain: dict[str, Any]) -> Usage | None:
    """The usage as it was told at last; what else is counted goes to the details, without zeros."""
    if not plain:
        return None
    read = [tokens for name in _INPUT if (tokens := _tokens(plain.get(name))) is not None]
    details = {
        name: value for name, value in plain.items() if name not in ("input_tokens", "output_tokens", "iterations")
    }
    return Usage(sum(read) if read else None, _tokens(plain.get("output_tokens")), _without_zeros(details) or None)


def later(usage: dict[str, Any], told: Any) -> dict[str, Any]:
    """What is told later is the whole so far, not what came on top; what it leaves out, or says is null, stands."""
    return (
        usage | {name: value for name, value in told.items() if value is not None} if isinstance(told, dict) else usage
    )


def _tokens(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None


def _without_zeros(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    cleaned = {name: _without_zeros(inner) for name, inner in value.items()}
    return {name: inner for name, inner in cleaned.items() if inner not in (None, 0, {})}
