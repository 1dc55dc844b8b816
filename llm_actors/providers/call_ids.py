"""The id of a tool call in the form that a provider takes: another provider's may be longer.

above it   the request writers
below it   nothing
"""

import hashlib

_DIGITS = 16


def id_of_length(name: str, length: int) -> str:
    """The id itself where it is of so many letters and digits, else so many digits of a hash: the same for the same id."""
    if len(name) == length and name.isascii() and name.isalnum():
        return name
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def short_id(name: str, longest: int) -> str:
    """The id itself where it fits, else its beginning and a hash of all of it: the same for the same id, in call and result alike."""
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{name[: longest - _DIGITS - 1]}_{digest}"
