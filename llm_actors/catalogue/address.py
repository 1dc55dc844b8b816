"""Checks of what a user says of a server: its address, headers, timeouts, client. No error shows a header's value or a password.

above it   endpoints.py, presets.py
below it   providers/protocol.py
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llm_actors.providers.protocol import Limits, Timeouts

if TYPE_CHECKING:
    from urllib.parse import SplitResult

PICTURES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
"""What a model that sees is taken to see."""


def check_address(base_url: Any, what: str = "base_url") -> str:
    """The URL without a slash at its end. Raises `ValueError` with what is wrong and an example, `TypeError` for no text."""
    if not isinstance(base_url, str):
        msg = f"{what} is a text, not {type(base_url).__name__}"
        raise TypeError(msg)
    wrong = _fault(base_url)
    if wrong is not None:
        msg = f"{what} {wrong}. It looks like http://127.0.0.1:8000/v1 or https://api.openai.com/v1"
        raise ValueError(msg)
    return base_url.rstrip("/")


def _fault(url: str) -> str | None:
    if not url:
        return "is missing"
    if any(char.isspace() or not char.isprintable() for char in url):
        return "holds white space or control characters"
    from urllib.parse import urlsplit  # noqa: PLC0415 - 2 ms: for who has an address

    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a URL: its host or port can't be read"
    if port == 0:
        return "has the port 0"
    return _fault_of_parts(parts)


def _fault_of_parts(parts: SplitResult) -> str | None:
    if parts.scheme not in {"http", "https"}:
        return f"begins with {parts.scheme + ':' if parts.scheme else 'no scheme'}, not with http:// or https://"
    if not parts.hostname:
        return "has no host"
    if parts.username is not None or parts.password is not None:
        return "holds a user name or password: give the key as key=, or in headers="
    if parts.query or parts.fragment:
        return "holds a query or fragment: give them as query="
    for ending in ("/chat/completions", "/responses", "/api/chat"):
        if parts.path.rstrip("/").endswith(ending):
            return f"goes too far: leave {ending} out"
    return None


def ollama_address(host: str, what: str = "OLLAMA_HOST") -> str:
    """The base URL that OLLAMA_HOST stands for, by the rules of the ollama package (`_parse_host`). Raises `ValueError`.

    Any part may be missing: `:11434`, `box`, `https://box/path`. The variable is also the server's own, where 0.0.0.0 is what it
    listens on: the way there is 127.0.0.1.
    """
    host = host.strip() or "127.0.0.1"
    scheme, found, rest = host.rpartition("://")
    scheme = scheme if found else "http"
    place, slash, path = rest.partition("/")
    name, _, port = place.rpartition(":") if not place.endswith("]") and ":" in place else (place, "", "")
    name = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1"}.get(name, name)  # noqa: S104 - read, not listened on
    port = port or {"http": "80", "https": "443"}.get(scheme if found else "", "11434")
    return check_address(f"{scheme}://{name}:{port}{slash}{path}", what)


def check_headers(headers: Mapping[Any, Any] | None) -> dict[str, str]:
    """A copy. Raises `TypeError` for what is no text, `ValueError` for line ends, naming the header only."""
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):
            msg = f"headers are texts: {name!r} has a {type(value).__name__}"
            raise TypeError(msg)
        if any(char in "\r\n\0" for char in name + value):
            msg = f"the header {name!r} holds a line end or a zero"
            raise ValueError(msg)
    return dict(headers or {})


def check_texts(**texts: Any) -> None:
    """Raises `TypeError` or `ValueError` for what is no text, or an empty one."""
    for name, value in texts.items():
        if not isinstance(value, str):
            msg = f"{name} is a text, not {type(value).__name__}"
            raise TypeError(msg)
        if not value.strip():
            msg = f"{name} is empty"
            raise ValueError(msg)


def check_client(client: Any) -> Any:
    """The client. Raises `TypeError` for what is no async client, a sync httpx.Client among them: it would block the loop."""
    if client is None or (hasattr(client, "aclose") and hasattr(client, "send")):
        return client
    msg = f"client is an httpx.AsyncClient, not {type(client).__module__}.{type(client).__name__}"
    raise TypeError(msg)


def check_limits(limits: Any) -> Limits | None:
    """The limits, or None. Raises `TypeError`."""
    if limits is None or isinstance(limits, Limits):
        return limits
    msg = f"limits is llm.Limits(...), not {type(limits).__name__}"
    raise TypeError(msg)


def timeouts_of(timeout: float | Timeouts | None) -> Timeouts:
    """Timeouts as given; seconds become the bound of the whole call, which no other timeout exceeds. Raises `ValueError`, `TypeError`."""
    if timeout is None:
        return Timeouts()
    if isinstance(timeout, Timeouts):
        return timeout
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        msg = f"timeout is a number of seconds or Timeouts, not {type(timeout).__name__}"
        raise TypeError(msg)
    if not timeout > 0 or not math.isfinite(timeout):
        msg = f"timeout is more than 0 seconds, not {timeout}; None leaves the defaults"
        raise ValueError(msg)
    normal = Timeouts()
    limits = {name: min(getattr(normal, name), timeout) for name in ("connect", "first_byte", "idle")}
    return Timeouts(**limits, total=timeout)
