"""How long a provider asks us to wait, from the headers of its answer."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, or None where the provider names none that makes sense.

    `retry-after-ms` first (OpenAI, Azure), then `retry-after` in seconds or as an HTTP date (RFC 9110, 10.2.3). A date is counted from the
    answer's own `date` header: there is no clock here, and the server's would be off against ours anyway. Names in lower case.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None:
        return seconds
    until, now = _date(text), _date(headers.get("date"))
    if until is None or now is None:
        return None
    return max(0.0, (until - now).total_seconds())


def _number(text: str | None) -> float | None:
    """A finite number that is not negative: Azure sends -1 for "unknown"."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _date(text: str | None) -> datetime | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - 5 ms, and few servers say it by a date

    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
