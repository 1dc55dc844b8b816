"""Bodies and statuses of failed requests, as the typed tree."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from llm_actors.providers.openai_chat import OpenAIChat
from llm_actors.providers.openai_errors import error_of_event


def error_of(status: int, body: Any = b"", **headers: str) -> ProviderError:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    error = OpenAIChat().error(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)
    assert isinstance(error, ProviderError)
    return error


def api(message: str, code: Any = None, kind: Any = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, api("bad key", "invalid_api_key", "invalid_request_error"), AuthenticationError),
        (403, api("not for you"), AuthenticationError),
        (402, api("pay"), QuotaExhaustedError),
        (404, api("no such model", "model_not_found", "invalid_request_error"), InvalidRequestError),
        (400, api("bad", None, "invalid_request_error"), InvalidRequestError),
        (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, InvalidRequestError),
        (400, api("too long", "context_length_exceeded"), ContextLengthError),
        (400, api("n_ctx", 400, "exceed_context_size_error"), ContextLengthError),
        (
            400,
            {"object": "error", "message": "This model's maximum context length is 4096", "code": 400},
            ContextLengthError,
        ),
        (400, api("no", "content_filter"), ContentFilterError),
        (400, api("no", "content_policy_violation"), ContentFilterError),
        (408, b"", ServerError),
        (409, b"", InvalidRequestError),
        (429, api("slow", "rate_limit_exceeded", "requests"), RateLimitError),
        (429, api("slow", "slow_down"), RateLimitError),
        (429, b"", RateLimitError),
        (429, api("pay", "insufficient_quota", "insufficient_quota"), QuotaExhaustedError),
        (429, api("pay", "credit_balance_exhausted"), QuotaExhaustedError),
        (429, api("pay", "organization_spend_limit_reached"), QuotaExhaustedError),
        (400, api("pay", None, "insufficient_quota"), QuotaExhaustedError),
        (500, api("oops", None, "server_error"), ServerError),
        (502, b"<html><head><style>p{}</style></head><body><h1>502</h1> Bad  gateway</body></html>", ServerError),
        (503, api("Loading model", 503, "unavailable_error"), OverloadedError),
        (503, api("busy", "server_is_overloaded"), OverloadedError),
        (503, api("busy", None, "server_error"), OverloadedError),
        (529, b"", OverloadedError),
        (418, b"\xff\xfe", InvalidRequestError),
    ],
)
def test_code_and_status_decide_the_type(status: int, body: Any, kind: type[ProviderError]):
    error = error_of(status, body)
    assert type(error) is kind
    assert error.status == status
    assert error.provider == "openai"
    assert "What to do: " in str(error)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (api("the words"), "the words"),
        ({"error": "the words"}, "the words"),
        ({"message": "the words"}, "the words"),
        ({"detail": "the words"}, "the words"),
        ({"detail": {"message": "the words"}}, "the words"),
        ({"object": "error", "message": "the words"}, "the words"),
        ([api("the words")], "the words"),
        ({"error": {"message": {"text": "the words"}}}, '{"text":"the words"}'),
        (
            {"error": {"message": "Provider returned error", "metadata": {"raw": "the words"}}},
            "Provider returned error: the words",
        ),
        (b'"the words"', "the words"),
        (b"the words", "the words"),
        (b"<p>the\n <b>words</b></p><script>x()</script>", "the words"),
        (b"", "no text in the body"),
        (b"[]", "[]"),
        (b"{}", "{}"),
        (b'{"choices":', '{"choices":'),
        ({"error": {"code": 3}}, '{"error":{"code":3}}'),
    ],
)
def test_the_providers_words_are_found_whatever_the_body(body: Any, message: str):
    assert f": {message}. What to do" in str(error_of(400, body))


def test_an_error_carries_code_request_id_retry_after_and_body():
    error = error_of(429, api("slow", "rate_limit_exceeded"), x_request_id="req_1", retry_after="7")
    assert (error.code, error.request_id, error.retry_after) == ("rate_limit_exceeded", "req_1", 7.0)
    assert error.body == api("slow", "rate_limit_exceeded")
    assert str(error) == "openai answered 429 (rate_limit_exceeded): slow. What to do: wait 7 s, then try again."
    assert error_of(502, b"<p>x").body == "<p>x"


def test_a_429_that_must_not_be_retried_is_no_rate_limit():
    assert type(error_of(429, b"", x_should_retry="false")) is QuotaExhaustedError
    assert type(error_of(429, b"", x_should_retry="true")) is RateLimitError


def test_no_key_that_a_provider_echoes_is_in_the_error():
    key = "sk-proj-ABCDEF1234567890"
    for body in (
        api(f"Incorrect API key provided:\n{key}. Find yours"),
        {"error": key},
        {"message": {"nested": [key]}, key: 1},
        {"error": {"message": f"Authorization: Bearer {key}", "code": key, "metadata": {"raw": key}}},
        f"<p>{key}</p>".encode(),
        msgspec.json.encode(key),
        b"bad header: Bearer " + key.encode(),
    ):
        error = error_of(401, body)
        assert "ABCDEF" not in f"{error} {error!r} {error.body!r} {error.code}"
        assert "***" in str(error)
    error = error_of_event("openai", {"error": {"message": key}}, {})
    assert "ABCDEF" not in f"{error} {error.body!r}"


def test_an_error_inside_a_stream_has_the_status_that_it_names():
    def kind(plain: Any) -> tuple[type, int | None]:
        error = error_of_event("openrouter", plain, {})
        return type(error), error.status

    assert kind(api("slow", 429)) == (RateLimitError, 429)
    assert kind(api("slow", "529")) == (OverloadedError, 529)
    assert kind(api("slow", "rate_limit_exceeded")) == (RateLimitError, None)
    assert kind(api("no", None, "invalid_request_error")) == (InvalidRequestError, None)
    assert kind(api("no", 7)) == (ServerError, None)
    assert kind({"error": True}) == (ServerError, None)
    assert kind({"error": {}}) == (ServerError, None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "type", "detail", "metadata", "raw", "status"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.integers(400, 599), json_values.map(msgspec.json.encode) | st.binary(max_size=60))
def test_any_body_makes_a_typed_error_with_something_to_do(status: int, body: bytes):
    error = error_of(status, body)
    assert error.status == status
    assert "What to do: " in str(error)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Rate limit reached for gpt-5 on tokens per min (TPM): Limit 30000. Please try again in 1.898s. Visit", 1.898),
        ("Please try again in 28ms.", 0.028),
        ("Please try again in 6m0s", 360.0),
        ("Please try again in a minute", None),
    ],
)
def test_how_long_to_wait_is_read_from_the_words_where_no_header_says_it(text, seconds):
    body = {"error": {"message": text, "code": "rate_limit_exceeded"}}
    assert error_of_event("openai", body, {}).retry_after == (pytest.approx(seconds) if seconds else None)
    assert error_of_event("openai", body, {"retry-after": "7"}).retry_after == 7
    assert error_of_event("openai", {"error": {"message": text, "code": "server_error"}}, {}).retry_after is None
