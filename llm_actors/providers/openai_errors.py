"""Errors of OpenAI's API and of the servers that follow it, as the typed tree of `llm_actors.errors`.

    above it   openai_chat.py, openai_responses.py (an answer of status 400 or more), their decoders (an error inside one of status 200)
    below it   errors, error_words.py

The body is `{"error": {"message", "type", "param", "code"}}` at OpenAI; others send `{"error": "text"}`, `{"message": ...}`,
`{"detail": ...}` (FastAPI), `{"object": "error", ...}`, a list of these, an HTML page of a proxy, or nothing. The code decides,
then the status: a 429 may be a rate that passes or a credit that is used up, and a 200 can carry any of them.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from llm_actors.errors import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    OverloadedError,
    ProviderError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
)

from .error_words import MAX_TEXT, blank_keys, blanked, words_of
from .rate_limits import go_duration, openai_rate_limits
from .retry_after import retry_after

_CLASSES: dict[type[ProviderError], tuple[str, ...]] = {
    ContextLengthError: (
        "context_length_exceeded",
        "exceed_context_size_error",
        "context_window_exceeded",
        "model_context_window_exceeded",
    ),
    QuotaExhaustedError: (
        "insufficient_quota",
        "credit_balance_exhausted",
        "insufficient_credits",
        "insufficient_balance",
        "billing_hard_limit_reached",
        "billing_not_active",
        "billing_error",
        "quota_exceeded",
        "spend_limit_reached",
    ),
    RateLimitError: ("rate_limit_exceeded", "rate_limit_error", "slow_down", "too_many_requests"),
    OverloadedError: (
        "server_is_overloaded",
        "overloaded_error",
        "overloaded",
        "engine_overloaded",
        "unavailable_error",
        "service_unavailable",
    ),
    AuthenticationError: (
        "invalid_api_key",
        "authentication_error",
        "permission_error",
        "permission_denied",
        "account_deactivated",
    ),
    ContentFilterError: (
        "content_filter",
        "content_policy_violation",
        "moderation_blocked",
        "responsible_ai_policy_violation",
        # of a response that failed (openai 3.57.0, types/responses/response_error.py)
        "invalid_prompt",
        "bio_policy",
        "misalignment_policy_violation",
        "image_content_policy_violation",
    ),
    ServerError: (
        "server_error",
        "internal_error",
        "internal_server_error",
        "api_error",
        "timeout_error",
        "vector_store_timeout",
    ),
    InvalidRequestError: (
        "invalid_request_error",
        "model_not_found",
        "not_found_error",
        "badrequesterror",
        "unsupported_parameter",
        "data_residency_mismatch",
        "invalid_image",
        "invalid_image_format",
        "invalid_base64_image",
        "invalid_image_url",
        "image_too_large",
        "image_too_small",
        "image_parse_error",
        "invalid_image_mode",
        "image_file_too_large",
        "unsupported_image_media_type",
        "empty_image_file",
        "failed_to_download_image",
        "image_file_not_found",
    ),
}
_BY_CODE: dict[str, type[ProviderError]] = {code: kind for kind, codes in _CLASSES.items() for code in codes}
_BY_STATUS: dict[int, type[ProviderError]] = {
    401: AuthenticationError,
    402: QuotaExhaustedError,
    403: AuthenticationError,
    408: ServerError,
    429: RateLimitError,
    503: OverloadedError,
    529: OverloadedError,
}
# A type that only repeats the status says less than the status: the code and the status go before it.
_VAGUE = frozenset({"invalid_request_error", "api_error", "server_error", "badrequesterror"})
_TOO_LONG = re.compile(
    r"maximum context length|context (?:length|window|size)|too many (?:input )?tokens|prompt is too long",
    re.IGNORECASE,
)
_HINTS: dict[type[ProviderError], str] = {
    AuthenticationError: "check the key and what it may do",
    ContextLengthError: "shorten the history or take a model with a larger window",
    QuotaExhaustedError: "waiting does not help: check the plan and the billing of this account",
    RateLimitError: "wait, then try again",
    OverloadedError: "try again later",
    ContentFilterError: "change the prompt",
    ServerError: "the provider failed: try again later",
    InvalidRequestError: "the request has to change: check model id, options and base URL",
}
# "Rate limit reached for ... Please try again in 1.898s.": all there is to go by where the error is an event in a stream.
_AGAIN_IN = re.compile(r"try again in ((?:\d+(?:\.\d+)?(?:h|ms|m|s))+)", re.ASCII)


def error_of_response(provider: str, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """The error for an answer of status 400 or more. `headers` in lower case; the body may be anything."""
    text = body.decode("utf-8", "replace")
    try:
        plain = blanked(msgspec.json.decode(text))
    except (ValueError, RecursionError):
        plain = None
    fields = _fields(plain)
    if not fields.message:
        fields.message = words_of(text, plain)
    return _error(provider, status, headers, fields, blank_keys(text)[:MAX_TEXT] if plain is None else plain)


def error_of_event(provider: str, plain: Any, headers: Mapping[str, str]) -> ProviderError:
    """The error for one that came inside an answer of status 200: as an event, or as the whole body."""
    plain = blanked(plain)
    fields = _fields(plain)
    if not fields.message:
        fields.message = _text(plain)[:MAX_TEXT]
    return _error(provider, None, headers, fields, plain)


class _Fields(msgspec.Struct):
    message: str = ""
    code: str | None = None
    kind: str | None = None
    status: int | None = None


def _fields(plain: Any) -> _Fields:
    """What the known shapes of bodies say, whichever this one is."""
    if isinstance(plain, list):
        plain = plain[0] if plain else None
    if not isinstance(plain, dict):
        return _Fields()
    error = plain.get("error") or plain.get("detail") or plain
    if not isinstance(error, dict):
        return _Fields(_text(error), _word(plain.get("code")), _word(plain.get("type")), _status(plain.get("code")))
    message = _text(error.get("message") or error.get("detail") or error.get("error"))
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and metadata.get("raw"):  # OpenRouter: what its own provider said
        message = f"{message}: {_text(metadata['raw'])}"
    code = error.get("code")
    return _Fields(message[:MAX_TEXT], _word(code), _word(error.get("type") or error.get("status")), _status(code))


def _error(provider: str, status: int | None, headers: Mapping[str, str], fields: _Fields, body: Any) -> ProviderError:
    status = status or fields.status
    kind = _classify(status, fields, headers)
    code = fields.code or fields.kind
    said = " ".join([str(word) for word in (status, f"({code})" if code else None) if word])
    wait = retry_after(headers)
    if wait is None and kind is RateLimitError:
        said_wait = _AGAIN_IN.search(fields.message)
        wait = go_duration(said_wait[1]) if said_wait else None
    hint = f"wait {wait:g} s, then try again" if kind is RateLimitError and wait is not None else _HINTS[kind]
    return kind(
        f"{provider} answered {said or 'with an error'}: {fields.message.rstrip('. ')}. What to do: {hint}.",
        provider=provider,
        status=status,
        code=code,
        request_id=headers.get("x-request-id"),
        retry_after=wait,
        body=body,
        rate_limits=openai_rate_limits(headers),
    )


def _classify(status: int | None, fields: _Fields, headers: Mapping[str, str]) -> type[ProviderError]:
    kind = _by_word(fields.code) or (None if (fields.kind or "").lower() in _VAGUE else _by_word(fields.kind))
    if kind is None and status is not None:
        kind = _BY_STATUS.get(status) or (ServerError if status >= 500 else InvalidRequestError)  # noqa: PLR2004 - 5xx
    kind = kind or _by_word(fields.kind) or ServerError
    if kind is InvalidRequestError and _TOO_LONG.search(fields.message):
        return ContextLengthError
    if kind is RateLimitError and headers.get("x-should-retry") == "false":
        return QuotaExhaustedError
    return kind


def _by_word(word: str | None) -> type[ProviderError] | None:
    if word is None:
        return None
    word = word.lower()
    return QuotaExhaustedError if word.endswith("_spend_limit_reached") else _BY_CODE.get(word)


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value and not value.isdigit() else None


def _status(code: Any) -> int | None:
    """A code that is a status: OpenRouter, vLLM and llama.cpp put it there."""
    number = int(code) if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 3 else code  # noqa: PLR2004
    return number if type(number) is int and 400 <= number <= 599 else None  # noqa: PLR2004 - what HTTP calls errors


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
