"""What a server of chat completions sends, as typed structs: a chunk of a stream and a whole answer in one.

    above it   openai_chat_answer.py
    below it   nothing

Only the fields that are needed: with `gc=False` that decodes a chunk in a seventh of `json.loads`' time. `decode_chunk` is strict,
which is what makes it fast; `lenient_chunk` builds the same structs from whatever a server makes of the types.
"""

from typing import Any

import msgspec


class FunctionDelta(msgspec.Struct, gc=False):
    """Name and arguments of a call, or pieces of them. Some servers send the arguments as an object."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class CallDelta(msgspec.Struct, gc=False):
    """A tool call, or a piece of one. `extra_content` goes back as it came (Gemini's thought signatures)."""

    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None
    extra_content: Any = None


class Delta(msgspec.Struct, gc=False):
    """What a chunk adds to the message; in a whole answer, the message. The reasoning fields are none of OpenAI's: servers differ."""

    content: str | None = None
    tool_calls: list[CallDelta] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[Any] | None = None
    refusal: str | None = None
    function_call: FunctionDelta | None = None


class Choice(msgspec.Struct, gc=False):
    """One of the answers; we ask for one."""

    index: int | None = None
    delta: Delta | None = None
    finish_reason: str | None = None
    message: Delta | None = None
    error: Any = None


class Chunk(msgspec.Struct, gc=False):
    """One event, or one whole answer."""

    choices: list[Choice] | None = None
    usage: Any = None
    error: Any = None


class Envelope(msgspec.Struct, omit_defaults=True):
    """What an answer says of itself; the same on each chunk, so it is read from the first and the last ones only."""

    id: Any = None
    model: Any = None
    created: Any = None
    system_fingerprint: Any = None
    service_tier: Any = None
    provider: Any = None


decode_chunk = msgspec.json.Decoder(Chunk).decode
decode_envelope = msgspec.json.Decoder(Envelope).decode


def lenient_chunk(plain: dict[str, Any]) -> Chunk:
    """The chunk in an object whose fields are not all of the types they should be; what makes no sense is left out."""
    choices = plain.get("choices")
    return Chunk(
        choices=[_choice(choice) for choice in choices if isinstance(choice, dict)]
        if isinstance(choices, list)
        else None,
        usage=plain.get("usage"),
        error=plain.get("error"),
    )


def _choice(plain: dict[str, Any]) -> Choice:
    reason = plain.get("finish_reason")
    return Choice(
        index=_number(plain.get("index")),
        delta=_delta(plain.get("delta")),
        finish_reason=reason if isinstance(reason, str) or reason is None else msgspec.json.encode(reason).decode(),
        message=_delta(plain.get("message")),
        error=plain.get("error"),
    )


def _delta(plain: Any) -> Delta | None:
    if not isinstance(plain, dict):
        return None
    details, calls = plain.get("reasoning_details"), plain.get("tool_calls")
    calls = [calls] if isinstance(calls, dict) else calls
    content = plain.get("content")
    return Delta(
        content=_text(content),
        tool_calls=[_call(call) for call in calls if isinstance(call, dict)] if isinstance(calls, list) else None,
        reasoning_content=_text(plain.get("reasoning_content")) or _thinking(content),
        reasoning=_text(plain.get("reasoning")),
        reasoning_details=details if isinstance(details, list) else None,
        refusal=_text(plain.get("refusal")),
        function_call=_function(plain.get("function_call")),
    )


def _call(plain: dict[str, Any]) -> CallDelta:
    call_id = plain.get("id")
    return CallDelta(
        index=_number(plain.get("index")),
        id=str(call_id) if isinstance(call_id, str | int) else None,
        function=_function(plain.get("function")),
        extra_content=plain.get("extra_content"),
    )


def _function(plain: Any) -> FunctionDelta | None:
    if not isinstance(plain, dict):
        return None
    arguments = plain.get("arguments")
    if not isinstance(arguments, str | dict | None):
        arguments = msgspec.json.encode(arguments).decode()  # shown to the model as what it sent; no tool gets it
    return FunctionDelta(name=_text(plain.get("name")), arguments=arguments)


def _text(value: Any) -> str | None:
    """Text given as such, or as a list of parts (Mistral)."""
    if isinstance(value, list):
        return "".join([_text(part.get("text")) or "" for part in value if isinstance(part, dict)]) or None
    return value if isinstance(value, str) else None


def _thinking(content: Any) -> str | None:
    """The thinking among the parts of a content given as a list (Mistral)."""
    if not isinstance(content, list):
        return None
    return "".join([_text(part.get("thinking")) or "" for part in content if isinstance(part, dict)]) or None


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:  # noqa: PLR2004 - an index, not a novel
        return int(value)
    return value if type(value) is int else None
