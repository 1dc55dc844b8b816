"""Fields of a user's own in a request's body, merged last, for all wires whose bodies are JSON objects."""

from collections.abc import Mapping
from typing import Any


def merge(body: dict[str, Any], extra_body: Mapping[str, Any]) -> None:
    """Puts the fields into the body, one by one in place of those that it has; None takes a field out."""
    for field, value in extra_body.items():
        if value is None:
            body.pop(field, None)
        else:
            body[field] = value
