"""One HTTP request as it goes to a client, and what is known of the attempt to send it."""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, unquote, urlencode

from .kept import Trace


class Outgoing:
    """A request, its headers in lower case, its key among them. `connect`: seconds for a connection to be made."""

    __slots__ = ("body", "connect", "headers", "method", "trace", "url")

    def __init__(
        self, method: str, url: str, headers: dict[str, str], body: bytes, connect: float | None, trace: Trace
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.connect = connect
        self.trace = trace


def address(base_url: str, path: str, query: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The URL without its parameters, and these: those of the path, and over them those of the endpoint."""
    path, _, own = path.partition("?")
    parameters = dict(parse_qsl(own, keep_blank_values=True)) if own else {}
    return base_url.rstrip("/") + path, {**parameters, **query}


def joined(url: str, parameters: Mapping[str, str]) -> str:
    """The URL with its parameters."""
    return f"{url}?{urlencode(parameters)}" if parameters else url


def texts(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers of a response, names in lower case; those of one name joined by commas."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("utf-8", "replace")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


@functools.lru_cache(maxsize=256)
def without_user(url: str) -> tuple[str, str | None]:
    """The URL without the user and password in it, and the `authorization` that they stand for."""
    scheme, separator, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    user, at, host = place.rpartition("@")
    if not at:
        return url, None
    name, _, password = user.partition(":")
    pair = f"{unquote(name)}:{unquote(password)}".encode()
    return f"{scheme}{separator}{host}{slash}{path}", f"Basic {base64.b64encode(pair).decode('ascii')}"
