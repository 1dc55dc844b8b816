"""The id of a tool call in the form that a provider takes: another provider's may be longer.

above it   the request writers
below it   nothing
"""

import hashlib

_DIGITS = 16


def short_id(name: str, longest: int) -> str:
    """The id itself where it fits, else its beginning and a hash of all of it: the same for the same id, in call and result alike."""
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{name[: longest - _DIGITS - 1]}_{digest}"
