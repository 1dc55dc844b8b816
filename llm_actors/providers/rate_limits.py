"""The limits of a key, from the headers of a provider's answer.

    above it   the decoders and error modules of each wire, which put them into the result and the error
    below it   messages (RateLimits, the common form)

OpenAI's headers, and those of the servers that follow it: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, the reset in Go's
notation for durations ("1s", "6m0s", "20ms"; https://developers.openai.com/api/docs/guides/rate-limits, "Rate limits in headers"). Azure
sends -1 or 0 for what it does not know (openai/openai-dotnet#838): a limit of 0 says nothing, as does anything negative.
"""

import math
import re
from collections.abc import Mapping

from llm_actors.messages import RateLimit, RateLimits

__all__ = ["RateLimit", "RateLimits", "count", "go_duration", "openai_rate_limits"]

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_PART = r"(\d+(?:\.\d*)?)(h|ms|m|s|us|µs|μs|ns)"
_DURATION = re.compile(rf"(?:{_PART})+", re.ASCII)
_PARTS = re.compile(_PART, re.ASCII)


def openai_rate_limits(headers: Mapping[str, str]) -> RateLimits | None:
    """The limits that an answer of OpenAI tells, or None. Header names in lower case."""
    found = RateLimits(_of(headers, "requests"), _of(headers, "tokens"))
    return found if found != RateLimits() else None


def count(text: str | None) -> int | None:
    """A number of requests or tokens; None for what is negative or no number."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return int(number) if math.isfinite(number) and number >= 0 else None


def go_duration(text: str | None) -> float | None:
    """Seconds of a duration as Go writes it, or of a plain number; None for anything else."""
    text = (text or "").strip()
    if _DURATION.fullmatch(text):
        return sum(float(number) * _UNITS[unit] for number, unit in _PARTS.findall(text))
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _of(headers: Mapping[str, str], what: str) -> RateLimit | None:
    limit = count(headers.get(f"x-ratelimit-limit-{what}"))
    remaining = count(headers.get(f"x-ratelimit-remaining-{what}"))
    if not limit and not remaining:
        # Nothing is left of an unknown limit: Azure's way of saying that it does not know, unless it says when that ends.
        limit = None
        remaining = remaining if go_duration(headers.get(f"x-ratelimit-reset-{what}")) else None
    found = RateLimit(limit, remaining, go_duration(headers.get(f"x-ratelimit-reset-{what}")))
    return found if found != RateLimit() else None
