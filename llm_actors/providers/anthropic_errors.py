"""Errors of Anthropic's API, and of servers that speak its messages, as the typed tree of `llm_actors.errors`.

    above it   anthropic.py (an answer of status 400 or more), anthropic_answer.py (an error inside an answer of status 200)
    below it   errors, error_words.py, anthropic_limits.py, retry_after.py

The body is `{"type": "error", "error": {"type", "message", "details": {"error_code"}}, "request_id"}`; the type is broad, the code names
the cause: https://platform.claude.com/docs/en/api/errors. Other servers send FastAPI's `{"detail": ...}`, OpenAI's form, a page, nothing.
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

from .anthropic_limits import anthropic_rate_limits, wait_for_limits
from .error_words import MAX_TEXT, blank_keys, blanked, words_of
from .retry_after import retry_after

_BY_TYPE: dict[str, type[ProviderError]] = {
    "invalid_request_error": InvalidRequestError,
    "authentication_error": AuthenticationError,
    "billing_error": QuotaExhaustedError,
    "permission_error": AuthenticationError,
    "not_found_error": InvalidRequestError,
    "conflict_error": InvalidRequestError,
    "request_too_large": InvalidRequestError,
    "rate_limit_error": RateLimitError,
    "timeout_error": ServerError,
    "api_error": ServerError,
    "overloaded_error": OverloadedError,
}
_BY_CODE: dict[str, type[ProviderError]] = {
    "linked_organization_billing_unavailable": QuotaExhaustedError,
    "organization_on_hold": QuotaExhaustedError,
    "user_profile_not_billable": QuotaExhaustedError,
    "ramp_limit_exceeded": RateLimitError,
    "cmek_context_unavailable": ServerError,
    "content_filter": ContentFilterError,
    "context_length_exceeded": ContextLengthError,  # these two of servers that say it in OpenAI's words
    "insufficient_quota": QuotaExhaustedError,
}
_BY_STATUS: dict[int, type[ProviderError]] = {
    401: AuthenticationError,
    402: QuotaExhaustedError,
    403: AuthenticationError,
    408: ServerError,
    429: RateLimitError,
    503: OverloadedError,
    529: OverloadedError,
}
# Types that are used for more than their status says; the status, where it is more exact, goes before them.
_VAGUE = frozenset({"invalid_request_error", "api_error"})
_TOO_LONG = re.compile(
    r"prompt is too long|exceed(?:s|ed)? (?:the )?(?:maximum )?context|context (?:length|window|size)", re.IGNORECASE
)
# Limits that a person has to lift come as 400 too, in these words (of the page on errors, and anthropics/claude-code#66314).
_SPENT = re.compile(
    r"credit balance is too low|reached your specified (?:API |workspace )*usage limits|spend limit|monthly limit",
    re.IGNORECASE,
)
_FILTERED = re.compile(r"output blocked by content filtering policy", re.IGNORECASE)
_HINTS: dict[type[ProviderError], str] = {
    AuthenticationError: "check the key and what it may do",
    ContextLengthError: "shorten the history or take a model with a larger window",
    QuotaExhaustedError: "waiting does not help: check the plan, the billing and the spend limits of this account",
    RateLimitError: "wait, then try again",
    OverloadedError: "try again later",
    ContentFilterError: "change the prompt",
    ServerError: "the provider failed: try again later",
    InvalidRequestError: "the request has to change: check model id, options and base URL",
}


def error_of_response(provider: str, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """The error for an answer of status 400 or more. `headers` in lower case; the body may be anything."""
    text = body.decode("utf-8", "replace")
    try:
        plain = blanked(msgspec.json.decode(text))
    except (ValueError, RecursionError):
        plain = None
    said = _said(plain)
    if not said.message:
        said.message = words_of(text, plain)
    return _error(provider, status, headers, said, blank_keys(text)[:MAX_TEXT] if plain is None else plain)


def error_of_event(provider: str, plain: Any, headers: Mapping[str, str]) -> ProviderError:
    """The error for one that came inside an answer of status 200: as an event, or as the whole body."""
    plain = blanked(plain)
    said = _said(plain)
    if not said.message:
        said.message = _text(plain)[:MAX_TEXT]
    return _error(provider, None, headers, said, plain)


class _Said(msgspec.Struct):
    """What an error says of itself."""

    message: str = ""
    kind: str | None = None
    code: str | None = None
    request_id: str | None = None


def _said(plain: Any) -> _Said:
    if isinstance(plain, list):
        plain = plain[0] if plain else None
    if not isinstance(plain, dict):
        return _Said()
    request_id = _word(plain.get("request_id"))
    error = plain.get("error") or plain.get("detail") or plain
    if not isinstance(error, dict):
        return _Said(_text(error)[:MAX_TEXT], request_id=request_id)
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else error.get("code")
    kind = _word(error.get("type"))
    return _Said(_text(error.get("message"))[:MAX_TEXT], None if kind == "error" else kind, _word(code), request_id)


def _error(provider: str, status: int | None, headers: Mapping[str, str], said: _Said, body: Any) -> ProviderError:
    kind = _classify(status, said, headers)
    code = said.code or said.kind
    words = " ".join([str(word) for word in (status, f"({code})" if code else None) if word])
    limits = anthropic_rate_limits(headers)
    wait = retry_after(headers)
    if wait is None and kind is RateLimitError:
        wait = wait_for_limits(limits)
    hint = f"wait {wait:g} s, then try again" if kind is RateLimitError and wait is not None else _HINTS[kind]
    return kind(
        f"{provider} answered {words or 'with an error'}: {said.message.rstrip('. ')}. What to do: {hint}.",
        provider=provider,
        status=status,
        code=code,
        request_id=headers.get("request-id") or said.request_id or headers.get("x-request-id"),
        retry_after=wait,
        body=body,
        rate_limits=limits,
    )


def _classify(status: int | None, said: _Said, headers: Mapping[str, str]) -> type[ProviderError]:
    if said.code and said.code.endswith("_spend_limit_reached"):
        return QuotaExhaustedError
    kind = _BY_CODE.get(said.code or "") or (None if said.kind in _VAGUE else _BY_TYPE.get(said.kind or ""))
    if kind is None and status is not None:
        kind = _BY_STATUS.get(status) or (ServerError if status >= 500 else InvalidRequestError)  # noqa: PLR2004 - 5xx
    kind = kind or _BY_TYPE.get(said.kind or "") or ServerError
    if kind is InvalidRequestError:
        for words, narrower in (
            (_TOO_LONG, ContextLengthError),
            (_SPENT, QuotaExhaustedError),
            (_FILTERED, ContentFilterError),
        ):
            if words.search(said.message):
                return narrower
    if kind is RateLimitError and (headers.get("x-should-retry") == "false" or _SPENT.search(said.message)):
        return QuotaExhaustedError
    return kind


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
