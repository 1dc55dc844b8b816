"""Gemini's errors as ours: the vendor's bodies, and those that gateways make."""

import msgspec
import pytest

from llm_actors.errors import (
    AuthenticationError,
    ContextLengthError,
    InvalidRequestError,
    OverloadedError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
)
from llm_actors.providers.gemini import Gemini

KEY = "AIzaSyMARKED-0123456789"


def error_of(status, body, headers=None):
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Gemini().error(status, headers or {}, data)


def google(code, status, message="Sorry.", *details):
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def info(reason):
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def quota(*ids):
    violations = [{"quotaMetric": "generate_content_free_tier_requests", "quotaId": each} for each in ids]
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations}


def delay(text):
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": text}


# https://ai.google.dev/gemini-api/docs/troubleshooting, and https://cloud.google.com/apis/design/errors
@pytest.mark.parametrize(
    ("status", "word", "kind"),
    [
        (400, "INVALID_ARGUMENT", InvalidRequestError),
        (400, "FAILED_PRECONDITION", InvalidRequestError),
        (401, "UNAUTHENTICATED", AuthenticationError),
        (403, "PERMISSION_DENIED", AuthenticationError),
        (404, "NOT_FOUND", InvalidRequestError),
        (429, "RESOURCE_EXHAUSTED", RateLimitError),
        (499, "CANCELLED", ServerError),
        (500, "INTERNAL", ServerError),
        (503, "UNAVAILABLE", OverloadedError),
        (504, "DEADLINE_EXCEEDED", ServerError),
    ],
)
def test_each_status_is_its_error_also_in_a_list_and_without_its_word(status, word, kind):
    for body in (google(status, word), [google(status, word)], {"error": {"message": "Sorry."}}):
        error = error_of(status, body, {"x-request-id": "req_1"})
        assert type(error) is kind
        assert (error.status, error.request_id, error.provider) == (status, "req_1", "gemini")
        assert f"gemini answered {status}" in str(error)
        assert "Sorry. What to do: " in str(error)
    assert error_of(status, google(status, word)).code == word


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (google(400, "INVALID_ARGUMENT", "Please pass a valid API key.", info("API_KEY_INVALID")), AuthenticationError),
        (google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."), AuthenticationError),
        (
            google(
                400,
                "INVALID_ARGUMENT",
                "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
            ),
            ContextLengthError,
        ),
    ],
)
def test_a_bad_request_that_has_a_better_name_gets_it(body, kind):
    assert type(error_of(400, body)) is kind


def test_a_rate_tells_how_long_to_wait_in_its_details_or_its_text():
    per_minute = quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")
    error = error_of(429, google(429, "RESOURCE_EXHAUSTED", "slow", per_minute, delay("45.837906927s")))
    assert type(error) is RateLimitError
    assert error.retry_after == pytest.approx(45.837906927)
    assert "wait 45.8379 s" in str(error)
    for text, seconds in [
        ("Please retry in 20.04466179s.", 20.04466179),
        ("Please retry in 1h2m3.5s.", 3723.5),
        ("Please retry in 533.9ms.", 0.5339),
        ("Try again.", None),
    ]:
        assert error_of(429, google(429, "RESOURCE_EXHAUSTED", text)).retry_after == (
            None if seconds is None else pytest.approx(seconds)
        )
    assert error_of(429, google(429, "RESOURCE_EXHAUSTED"), {"retry-after": "7"}).retry_after == 7


@pytest.mark.parametrize(
    "body",
    [
        # google-gemini/gemini-cli#10925, diegosouzapw/OmniRoute#9504: by the day, with a delay of seconds all the same
        google(
            429, "RESOURCE_EXHAUSTED", "quota", quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), delay("36s")
        ),
        google(429, "RESOURCE_EXHAUSTED", "quota", quota("X-PerMinute", "GenerateRequestsPerDayPerProjectPerModel")),
        # continuedev/continue#10062: a model that the plan does not hold
        google(429, "RESOURCE_EXHAUSTED", "* Quota exceeded for metric: x, limit: 0, model: gemini-2.5-pro"),
        google(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."),
    ],
)
def test_a_quota_that_does_not_come_back_by_waiting_is_told_apart(body):
    error = error_of(429, body)
    assert type(error) is QuotaExhaustedError
    assert error.retry_after is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html><style>x{}</style><h1>502 Bad Gateway</h1></html>", "502 Bad Gateway"),
        (b"", "no text in the body"),
        (b'{"error": "plain"}', "plain"),
        (b'"text"', "text"),
        (b"[]", "[]"),
        (b'{"error": {"code": "x", "details": {"a": 1}}}', "details"),
        (b'{"error": {"message": {"deep": 1}}}', "deep"),
        (b"\xff\xfe", "\ufffd"),
    ],
)
def test_a_body_of_any_kind_is_a_typed_error_with_its_words(body, words):
    error = error_of(502, body)
    assert type(error) is ServerError
    assert words in str(error)


def test_a_key_is_nowhere_in_an_error():
    bodies = [
        google(400, "INVALID_ARGUMENT", f"API key not valid: {KEY}", {"reason": "x", "metadata": {"key": KEY}}),
        [google(403, "PERMISSION_DENIED", f"denied {KEY}")],
        f"<p>{KEY}</p>".encode(),
        {"error": KEY},
    ]
    for body in bodies:
        error = error_of(400, body)
        assert KEY not in str(error) + repr(error) + repr(vars(error))
