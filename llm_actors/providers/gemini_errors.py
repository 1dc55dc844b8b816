"""Errors of the Gemini API as the typed tree of `llm_actors.errors`.

    above it   gemini.py (an answer of status 400 or more), gemini_answer.py (an error inside an answer of status 200)
    below it   errors, error_words.py

The body is Google's `{"error": {"code", "message", "status", "details": [...]}}` (https://cloud.google.com/apis/design/errors), from some
gateways in a list (google-gemini/gemini-cli#6454). A 429 has no Retry-After header: how long to wait stands in a `RetryInfo` among the
details, and which quota it was in a `QuotaFailure`. One that is counted by the day does not come back by waiting for that delay, which is
told all the same (google-gemini/gemini-cli#10925).
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
from .retry_after import retry_after

# google.rpc.Code and its HTTP status: https://ai.google.dev/gemini-api/docs/troubleshooting
_BY_STATUS_WORD: dict[str, type[ProviderError]] = {
    "INVALID_ARGUMENT": InvalidRequestError,
    "FAILED_PRECONDITION": InvalidRequestError,
    "OUT_OF_RANGE": InvalidRequestError,
    "NOT_FOUND": InvalidRequestError,
    "UNIMPLEMENTED": InvalidRequestError,
    "UNAUTHENTICATED": AuthenticationError,
    "PERMISSION_DENIED": AuthenticationError,
    "RESOURCE_EXHAUSTED": RateLimitError,
    "UNAVAILABLE": OverloadedError,
    "INTERNAL": ServerError,
    "UNKNOWN": ServerError,
    "DEADLINE_EXCEEDED": ServerError,
    "CANCELLED": ServerError,
    "ABORTED": ServerError,
}
_BY_STATUS: dict[int, type[ProviderError]] = {
    401: AuthenticationError,
    402: QuotaExhaustedError,
    403: AuthenticationError,
    408: ServerError,
    429: RateLimitError,
    499: ServerError,
    503: OverloadedError,
}
_KEY_REASONS = frozenset({"API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "API_KEY_EXPIRED", "ACCESS_TOKEN_EXPIRED"})
_TOO_LONG = re.compile(r"(?:input )?token count .{0,40}exceeds|exceeds the maximum number of tokens", re.IGNORECASE)
_USED_UP = re.compile(r"limit: 0\b|credits are depleted|spend(?:ing)?[ -](?:cap|limit)", re.IGNORECASE)
_DELAY = re.compile(r"retry in ((?:\d+h)?(?:\d+m(?!s))?(?:[\d.]+m?s)?)", re.IGNORECASE)
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_HINTS: dict[type[ProviderError], str] = {
    AuthenticationError: "check the key and what it may do",
    ContextLengthError: "shorten the history or take a model with a larger window",
    QuotaExhaustedError: "waiting a minute does not help: check the plan and the quotas of this project",
    RateLimitError: "wait, then try again",
    OverloadedError: "try again later",
    ContentFilterError: "change the prompt",
    ServerError: "the provider failed: try again",
    InvalidRequestError: "the request has to change: check model id, options and base URL",
}


def error_of_response(provider: str, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """The error for an answer of status 400 or more. `headers` in lower case; the body may be anything."""
    text = body.decode("utf-8", "replace")
    try:
        plain = blanked(msgspec.json.decode(text))
    except (ValueError, RecursionError):
        return _error(provider, status, headers, {"message": words_of(text)}, blank_keys(text)[:MAX_TEXT])
    return _error(provider, status, headers, _fields(plain), plain)


def error_of_event(provider: str, error: Any, headers: Mapping[str, str]) -> ProviderError:
    """The error that came inside an answer of status 200: the value of its `error`."""
    plain = blanked(error)
    return _error(provider, None, headers, _fields({"error": plain}), {"error": plain})


def error_of_block(provider: str, feedback: Mapping[str, Any], headers: Mapping[str, str]) -> ContentFilterError:
    """The prompt was blocked: `promptFeedback` says why, and there is no answer."""
    reason = str(feedback.get("blockReason"))
    said = feedback.get("blockReasonMessage")
    why = f" ({blank_keys(said)})" if isinstance(said, str) and said else ""
    msg = f"{provider} blocked the prompt: {reason}{why}. What to do: {_HINTS[ContentFilterError]}."
    return ContentFilterError(
        msg, provider=provider, code=reason, request_id=headers.get("x-request-id"), body=blanked(dict(feedback))
    )


def error_of_finish(provider: str, reason: str, message: str | None, headers: Mapping[str, str]) -> ProviderError:
    """The model ended without an answer that can be used: a call that can't be read, or a history that it does not take."""
    kind = InvalidRequestError if reason == "MISSING_THOUGHT_SIGNATURE" else ServerError
    said = f" ({blank_keys(message)[:MAX_TEXT]})" if message else ""
    msg = f"{provider} ended its answer with {reason}{said}. What to do: {_HINTS[kind]}."
    return kind(msg, provider=provider, code=reason, request_id=headers.get("x-request-id"))


def _error(
    provider: str, status: int | None, headers: Mapping[str, str], fields: Mapping[str, Any], body: Any
) -> ProviderError:
    code = fields.get("code")
    status = status or (code if type(code) is int and 400 <= code <= 599 else None)  # noqa: PLR2004 - what HTTP calls errors
    word = fields.get("status") if isinstance(fields.get("status"), str) else None
    message = fields["message"]
    details = [detail for detail in fields.get("details") or () if isinstance(detail, dict)]
    kind = _classify(status, word, message, details)
    wait = retry_after(headers)
    wait = _told_delay(message, details) if wait is None else wait
    said = " ".join([str(part) for part in (status, f"({word})" if word else None) if part])
    hint = f"wait {wait:g} s, then try again" if kind is RateLimitError and wait is not None else _HINTS[kind]
    return kind(
        f"{provider} answered {said or 'with an error'}: {message.rstrip('. ')}. What to do: {hint}.",
        provider=provider,
        status=status,
        code=word,
        request_id=headers.get("x-request-id"),
        retry_after=None if kind is QuotaExhaustedError else wait,
        body=body,
    )


def _fields(plain: Any) -> dict[str, Any]:
    """The fields of the error, whatever it is wrapped in; `message` is always a text."""
    if isinstance(plain, list) and plain:
        plain = plain[0]
    error = plain.get("error", plain) if isinstance(plain, dict) else plain
    if not isinstance(error, dict):
        return {"message": _text(error)}
    message = error.get("message") or error.get("status") or error
    return {**error, "message": _text(message), "details": error.get("details") if _is_list(error) else None}


def _is_list(error: dict[str, Any]) -> bool:
    return isinstance(error.get("details"), list)


def _classify(status: int | None, word: str | None, message: str, details: list[dict[str, Any]]) -> type[ProviderError]:
    kind = _BY_STATUS_WORD.get(word or "")
    if kind is None and status is not None:
        kind = _BY_STATUS.get(status) or (ServerError if status >= 500 else InvalidRequestError)  # noqa: PLR2004 - 5xx
    kind = kind or ServerError
    if kind is InvalidRequestError:
        if any(detail.get("reason") in _KEY_REASONS for detail in details) or "API key not valid" in message:
            return AuthenticationError
        if _TOO_LONG.search(message):
            return ContextLengthError
    if kind is RateLimitError and (_by_the_day(details) or _USED_UP.search(message)):
        return QuotaExhaustedError
    return kind


def _by_the_day(details: list[dict[str, Any]]) -> bool:
    violations = [each for detail in details for each in _list(detail.get("violations")) if isinstance(each, dict)]
    return any("PerDay" in str(each.get("quotaId", "")) for each in violations)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _told_delay(message: str, details: list[dict[str, Any]]) -> float | None:
    """Seconds, as `RetryInfo` has them (`38s`, `45.837906927s`), else as the text does (`Please retry in 1m3.5s`)."""
    for detail in details:
        told = detail.get("retryDelay")
        if isinstance(told, str) and (seconds := _seconds(told)) is not None:
            return seconds
    found = _DELAY.search(message)
    return _seconds(found[1]) if found else None


def _seconds(text: str) -> float | None:
    pieces = re.findall(r"(\d{1,9}(?:\.\d{1,9})?)(ms|h|m|s)", text)
    return sum([float(number) * _UNITS[unit] for number, unit in pieces]) if pieces else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()[:MAX_TEXT]
