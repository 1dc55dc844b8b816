"""What is quoted of a provider's words in an error: without what looks like a key, without the tags of a page, and not too much of it.

above it   the error modules and decoders of all wires
"""

import re
from typing import Any

MAX_TEXT = 1000
"""Characters of a provider's words in an error."""

# Providers echo a wrong key in part; whatever looks like one is blanked. The pump blanks the key itself as well.
_KEY = re.compile(
    r"\b(?:sk|rk|pk|gsk|xai|hf|nvapi|tgp|csk)[-_][\w\-*.]{6,}|\bAIza[\w\-]{10,}|(?i:\bbearer)\s+[\w\-.~+/=*]{6,}"
)
_TAGS = re.compile(r"(?is)<(script|style)\b.*?</\1\s*>|<[^>]*>")
_FRAME = 2048


def blank_keys(text: str) -> str:
    """`text` with everything that looks like an API key replaced by `***`."""
    return _KEY.sub("***", text)


def blanked(plain: Any) -> Any:
    """Plain values with the keys blanked; value by value, as an escape in the JSON text may stand right before a key and hide it."""
    if isinstance(plain, str):
        return blank_keys(plain)
    if isinstance(plain, dict):
        return {blank_keys(name): blanked(value) for name, value in plain.items()}
    return [blanked(value) for value in plain] if isinstance(plain, list) else plain


def words_of(text: str, plain: Any = None) -> str:
    """The words of a body that is not an error object: the text that it is as JSON (`plain`), else its own, of a page without the tags."""
    words = plain if isinstance(plain, str) else blank_keys(" ".join(_TAGS.sub(" ", text).split()))
    return words[:MAX_TEXT] or "no text in the body"


def frame(data: bytes) -> bytes:
    """The beginning of these bytes for an error, without keys."""
    return blank_keys(data[:_FRAME].decode("utf-8", "replace")).encode()
