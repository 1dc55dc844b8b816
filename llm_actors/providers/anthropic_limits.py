"""The limits of a key, from the headers of Anthropic's answers.

above it   anthropic_answer.py, anthropic_errors.py
below it   rate_limits.py, messages (RateLimits, the common form)

`anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`; the reset is the moment (RFC 3339) at which the
bucket is full again: https://platform.claude.com/docs/en/api/rate-limits#response-headers
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from llm_actors.messages import RateLimit, RateLimits

from .rate_limits import count

_PREFIX = "anthropic-ratelimit"


def anthropic_rate_limits(headers: Mapping[str, str]) -> RateLimits | None:
    """The limits that an answer tells, or None. Header names in lower case."""
    found = RateLimits(*[_of(headers, what) for what in ("requests", "tokens", "input-tokens", "output-tokens")])
    return found if found != RateLimits() else None


def wait_for_limits(limits: RateLimits | None) -> float | None:
    """Seconds until the last of the empty limits is full, for a 429 without `retry-after`; None where none is told to be empty."""
    if limits is None:
        return None
    each = (limits.requests, limits.tokens, limits.input_tokens, limits.output_tokens)
    waits = [one.reset for one in each if one is not None and one.remaining == 0 and one.reset is not None]
    return max(waits, default=None)


def _of(headers: Mapping[str, str], what: str) -> RateLimit | None:
    limit, remaining = (count(headers.get(f"{_PREFIX}-{what}-{word}")) for word in ("limit", "remaining"))
    found = RateLimit(limit, remaining, _seconds(headers.get(f"{_PREFIX}-{what}-reset"), headers.get("date")))
    return found if found != RateLimit() else None


def _seconds(reset: str | None, date: str | None) -> float | None:
    """From the answer's own date: there is no clock here, and the server's would be off against ours anyway."""
    try:
        until = datetime.fromisoformat(reset or "")
        now = parsedate_to_datetime(date or "")
    except (ValueError, TypeError, OverflowError):
        return None
    until, now = (moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in (until, now))
    return max(0.0, (until - now).total_seconds())
