"""The usage in OpenAI's words.

above it   openai_chat_answer.py, openai_responses_answer.py
below it   messages
"""

from typing import Any

from llm_actors.messages import Usage


def usage_of(plain: dict[str, Any] | None) -> Usage | None:
    """The usage as a server of chat completions gives it: what else it counts goes to the details, without zeros."""
    return _usage(plain, "prompt_tokens", "completion_tokens")


def responses_usage_of(plain: dict[str, Any] | None) -> Usage | None:
    """The usage as a server of Responses gives it, under the names that it has there."""
    return _usage(plain, "input_tokens", "output_tokens")


def _usage(plain: dict[str, Any] | None, input: str, output: str) -> Usage | None:
    if plain is None:
        return None
    rest = {name: value for name, value in plain.items() if name not in (input, output, "total_tokens")}
    return Usage(_tokens(plain.get(input)), _tokens(plain.get(output)), _without_zeros(rest) or None)


def _tokens(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and value >= 0 else None


def _without_zeros(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    cleaned = {name: _without_zeros(inner) for name, inner in value.items()}
    return {name: inner for name, inner in cleaned.items() if inner not in (None, 0, {})}
