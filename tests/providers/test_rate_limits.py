"""Headers of answers that tell a key's limits."""

import pytest

from llm_actors.messages import ModelRequest, RateLimit, RateLimits, user
from llm_actors.providers.openai_chat import OpenAIChat
from llm_actors.providers.openai_errors import error_of_response
from llm_actors.providers.rate_limits import go_duration, openai_rate_limits

from .recordings import PLAIN

# The example of https://developers.openai.com/api/docs/guides/rate-limits
HEADERS = {
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-limit-tokens": "150000",
    "x-ratelimit-remaining-requests": "59",
    "x-ratelimit-remaining-tokens": "149984",
    "x-ratelimit-reset-requests": "1s",
    "x-ratelimit-reset-tokens": "6m0s",
}
LIMITS = RateLimits(RateLimit(60, 59, 1.0), RateLimit(150_000, 149_984, 360.0))


def test_the_limits_of_the_headers_are_numbers_and_seconds():
    assert openai_rate_limits(HEADERS) == LIMITS
    assert openai_rate_limits({}) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("2m59.56s", 179.56),  # Groq
        ("86µs", 8.6e-05),
        ("0s", 0.0),
        ("7.5", 7.5),
        ("-1", None),
        ("soon", None),
        ("1s later", None),
        ("inf", None),
        ("", None),
        (None, None),
    ],
)
def test_a_duration_is_read_as_go_writes_it(text, seconds):
    assert go_duration(text) == (pytest.approx(seconds) if seconds is not None else None)


def test_what_azure_does_not_know_is_not_taken_for_a_limit():
    # openai/openai-dotnet#838
    unknown = {f"x-ratelimit-{what}-tokens": value for what, value in (("limit", "-1"), ("remaining", "-1"))}
    assert openai_rate_limits(unknown) is None
    assert openai_rate_limits({"x-ratelimit-limit-requests": "0", "x-ratelimit-remaining-requests": "0"}) is None
    assert openai_rate_limits({"x-ratelimit-limit-requests": "ten", "x-ratelimit-reset-requests": "x"}) is None


def test_a_limit_that_is_used_up_is_told():
    used = {"x-ratelimit-limit-tokens": "10", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "3s"}
    assert openai_rate_limits(used) == RateLimits(tokens=RateLimit(10, 0, 3.0))


def test_answers_and_errors_of_openai_tell_the_limits():
    decoder = OpenAIChat().decoder(
        ModelRequest("m", [user("hi")]),
        {**HEADERS, "content-type": "text/event-stream"},
        max_event=9999,
        max_answer=9999,
    )
    decoder.feed(PLAIN)
    assert decoder.close().rate_limits == LIMITS
    assert error_of_response("openai", 429, HEADERS, b"").rate_limits == LIMITS
    assert error_of_response("openai", 429, {}, b"").rate_limits is None
