"""Errors of Anthropic's API as typed ones: each type and code of its reference, bodies of others, and how long to wait."""

import msgspec
import pytest

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
from llm_actors.messages import RateLimit
from llm_actors.providers.anthropic import Anthropic

PROVIDER = Anthropic()
DATE = "Wed, 25 Nov 2026 08:00:00 GMT"


def error_of(
    status=400, kind="invalid_request_error", message="No.", code=None, headers=None, body=None
) -> ProviderError:
    error = {"type": kind, "message": message, **({"details": {"error_code": code}} if code else {})}
    plain = {"type": "error", "error": error, "request_id": "req_body"} if body is None else body
    data = plain if isinstance(plain, bytes) else msgspec.json.encode(plain)
    made = PROVIDER.error(status, headers or {}, data)
    assert isinstance(made, ProviderError)
    return made


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [  # https://platform.claude.com/docs/en/api/errors
        (400, "invalid_request_error", InvalidRequestError),
        (401, "authentication_error", AuthenticationError),
        (402, "billing_error", QuotaExhaustedError),
        (403, "permission_error", AuthenticationError),
        (404, "not_found_error", InvalidRequestError),
        (409, "conflict_error", InvalidRequestError),
        (413, "request_too_large", InvalidRequestError),
        (429, "rate_limit_error", RateLimitError),
        (500, "api_error", ServerError),
        (503, "api_error", OverloadedError),
        (504, "timeout_error", ServerError),
        (529, "overloaded_error", OverloadedError),
        (418, "new_error", InvalidRequestError),
        (599, "new_error", ServerError),
    ],
)
def test_each_type_is_a_typed_error_with_its_words_and_what_to_do(status, kind, expected):
    error = error_of(status, kind, "It went wrong.", headers={"request-id": "req_1"})
    assert type(error) is expected
    assert str(error).startswith(f"anthropic answered {status} ({kind}): It went wrong. What to do: ")
    assert (error.status, error.code, error.request_id, error.provider) == (status, kind, "req_1", "anthropic")
    assert error_of(status, kind).request_id == "req_body"


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [  # the codes of the vendor's SDK 2.13.0 that say more than the type
        (429, "enforced_spend_limit_reached", QuotaExhaustedError),
        (400, "contract_spend_limit_reached", QuotaExhaustedError),
        (429, "linked_organization_spend_limit_reached", QuotaExhaustedError),
        (403, "linked_organization_billing_unavailable", QuotaExhaustedError),
        (403, "organization_on_hold", QuotaExhaustedError),
        (429, "ramp_limit_exceeded", RateLimitError),
        (503, "cmek_context_unavailable", ServerError),
        (400, "image_dimensions_too_large", InvalidRequestError),
    ],
)
def test_a_code_says_more_than_its_type(status, code, expected):
    error = error_of(status, "rate_limit_error" if status == 429 else "invalid_request_error", code=code)
    assert (type(error), error.code) == (expected, code)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("prompt is too long: 209025 tokens > 200000 maximum", ContextLengthError),
        (  # docker/docker-agent#569
            "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease input length",
            ContextLengthError,
        ),
        (  # anthropics/claude-code#66314
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade",
            QuotaExhaustedError,
        ),
        ("You have reached your specified API usage limits. You will regain access on 2026-12-01", QuotaExhaustedError),
        ("Output blocked by content filtering policy", ContentFilterError),
        ("temperature: Extra inputs are not permitted", InvalidRequestError),
    ],
)
def test_what_a_vague_type_means_is_in_its_message(message, expected):
    assert type(error_of(400, message=message)) is expected


def test_a_rate_says_how_long_to_wait():
    error = error_of(429, "rate_limit_error", headers={"retry-after": "12"})
    assert (error.retry_after, "wait 12 s, then try again" in str(error)) == (12.0, True)
    assert error_of(429, "rate_limit_error", headers={"retry-after-ms": "500"}).retry_after == 0.5
    assert error_of(529, "overloaded_error", headers={"retry-after": "3"}).retry_after == 3.0


def test_a_rate_without_retry_after_waits_for_the_limit_that_is_used_up():
    headers = {
        "date": DATE,
        "anthropic-ratelimit-requests-remaining": "9",
        "anthropic-ratelimit-requests-reset": "2026-11-25T08:01:00Z",
        "anthropic-ratelimit-output-tokens-limit": "8000",
        "anthropic-ratelimit-output-tokens-remaining": "0",
        "anthropic-ratelimit-output-tokens-reset": "2026-11-25T08:00:20Z",
    }
    error = error_of(429, "rate_limit_error", headers=headers)
    assert error.retry_after == 20.0
    assert error.rate_limits.output_tokens == RateLimit(8000, 0, 20.0)
    assert error_of(429, "rate_limit_error", headers={**headers, "date": "yesterday"}).retry_after is None
    assert error_of(500, "api_error", headers=headers).retry_after is None


def test_a_429_that_waiting_does_not_help_is_no_rate():
    assert type(error_of(429, "rate_limit_error", headers={"x-should-retry": "false"})) is QuotaExhaustedError
    message = "This request would exceed your organization's monthly limit"
    assert type(error_of(429, "rate_limit_error", message)) is QuotaExhaustedError


@pytest.mark.parametrize(
    ("status", "body", "expected", "words"),
    [
        (502, b"<html><head><style>x{}</style></head><h1>Bad gateway</h1></html>", ServerError, "Bad gateway"),
        (429, b"", RateLimitError, "no text in the body"),
        (401, b'"nope"', AuthenticationError, "nope"),
        (404, {"detail": "Not Found"}, InvalidRequestError, "Not Found"),  # FastAPI, and so vLLM
        (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, InvalidRequestError, "field required"),
        (429, {"error": {"message": "quota", "code": "insufficient_quota"}}, QuotaExhaustedError, "quota"),
        (400, {"error": "model not loaded"}, InvalidRequestError, "model not loaded"),
        (400, [{"error": {"message": "in a list"}}], InvalidRequestError, "in a list"),
        (503, b"[" * 100_000, OverloadedError, "[[["),
        (500, b"\xff\xfe", ServerError, "\ufffd"),
    ],
)
def test_a_body_of_any_kind_is_a_typed_error(status, body, expected, words):
    error = error_of(status, body=body)
    assert type(error) is expected
    assert words in str(error)


def test_a_key_that_is_echoed_is_blanked():
    key = "sk-ant-api03-MARKED-abcdefghijklmnop"
    for body in ({"error": {"message": f"invalid x-api-key {key}", "details": {key: key}}}, f"<p>{key}</p>".encode()):
        error = error_of(401, body=body)
        assert "MARKED" not in str(error) + repr(error) + repr(vars(error))
