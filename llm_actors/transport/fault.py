"""What can go wrong on the way, as our errors, without keys.

Exceptions of HTTP libraries are known by their names: a user's client may come from httpx or from httpx2 (its successor, the same names
in another namespace), and neither has to be imported to tell. The foreign exception is not kept as `__cause__`: its request holds the key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from llm_actors.errors import ConnectionFailedError, ModelError, ModelTimeoutError, StreamTruncatedError, redact
from llm_actors.messages import Secret
from llm_actors.providers.protocol import Endpoint

_LIBRARIES = frozenset({"httpx", "httpx2", "httpcore", "httpcore2", "aiohttp"})
_CONNECTING = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol", "InvalidURL"}
)
_CONNECTING_AIOHTTP = frozenset(
    {"ClientConnectorError", "ConnectionTimeoutError", "InvalidURL", "NonHttpUrlClientError"}
)
# Headers and query parameters whose values are blanked in texts. Others (an organisation, a title) are ordinary words.
_SECRET_WORDS = ("auth", "key", "token", "secret", "cookie", "password", "credential", "signature")

WHAT_TO_DO = {
    "connect": "check the base URL, the network and the proxy settings (HTTPS_PROXY, NO_PROXY)",
    "first byte": "try again, or raise timeouts.first_byte if this model needs longer to begin",
    "idle": "try again, or raise timeouts.idle if this model pauses for longer",
    "read": "try again",
    "total": "try again, or raise timeouts.total",
}


def timed_out(phase: str, seconds: float | None, where: str) -> ModelTimeoutError:
    """The error for a timeout of ours: `phase` as in `WHAT_TO_DO`, `where` as from `shown()`."""
    within = f" within {seconds:g} s" if seconds is not None else " in time"
    what = {
        "connect": f"no connection to {where}{within}",
        "first byte": f"{where} did not begin to answer{within}",
        "idle": f"{where} stopped sending: nothing came{within}",
        "total": f"the answer of {where} was not complete{within}",
        "read": f"{where} did not go on{within}",
    }[phase]
    return ModelTimeoutError(f"{what}. What to do: {WHAT_TO_DO[phase]}.", phase=phase)


def explained(error: Exception, where: str, *, streaming: bool, connect: float | None = None) -> Exception:
    """Our error for one of an HTTP library or of the operating system; any other is given back as it is.

    `streaming`: the response's headers had come. `connect`: the connect timeout in force, in seconds.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    foreign = any(kind.__module__.partition(".")[0] in _LIBRARIES for kind in type(error).__mro__)
    # RuntimeError: a client that is closed, or that belongs to another loop.
    if not foreign and not isinstance(error, OSError | RuntimeError):
        return error
    said = str(error).rstrip(". ") or type(error).__name__
    slow = bool(names & {"TimeoutException", "TimeoutError"})
    if names & (_CONNECTING | _CONNECTING_AIOHTTP):
        if slow:
            return timed_out("connect", connect, where)
        text = f"no connection to {where}: {said}. What to do: {WHAT_TO_DO['connect']}."
        return ConnectionFailedError(text, phase="connect")
    if slow:
        return timed_out("idle" if streaming else "first byte", None, where)
    if streaming:
        return broken(where, said)
    text = f"the connection to {where} broke before the answer began: {said}. What to do: {WHAT_TO_DO['read']}."
    return ConnectionFailedError(text, phase="first byte")


def broken(where: str, said: str) -> StreamTruncatedError:
    """The error for a stream that broke: never an answer."""
    text = (
        f"the connection to {where} broke while the answer was streaming: {said}. What did arrive is kept as partial."
    )
    return StreamTruncatedError(f"{text} What to do: {WHAT_TO_DO['read']}.")


def shown(url: str) -> str:
    """A URL as it may be shown: without user, password, query and fragment."""
    url = url.partition("?")[0].partition("#")[0]
    scheme, separator, rest = url.rpartition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def names_a_secret(name: str) -> bool:
    """Whether the value of a header or parameter of this name must not be shown."""
    return any(word in name.lower() for word in _SECRET_WORDS)


def secrets_of(endpoint: Endpoint, *keys: Secret | None) -> tuple[str, ...]:
    """What must not be shown of a call: keys, secret headers and parameters, a password in the URL; as sent, in JSON and in URLs."""
    found = {key.reveal() for key in keys if key is not None}
    for name, value in (*endpoint.headers.items(), *endpoint.query.items()):
        if names_a_secret(name):
            found |= {value, value.rpartition(" ")[2]}  # `Bearer xyz`: also xyz alone
    userinfo = endpoint.base_url.partition("://")[2].partition("/")[0].rpartition("@")[0]
    if userinfo:
        found |= {userinfo, userinfo.partition(":")[2]}
    for value in list(found):
        found |= {json.dumps(value)[1:-1], quote(value), quote(value, safe="")}
    # The longest first: a short one may be a part of a long one.
    return tuple(sorted(found - {""}, key=len, reverse=True))


def masked(value: Any, secrets: tuple[str, ...]) -> Any:
    """A plain value with each secret in its texts replaced by `***`."""
    if isinstance(value, str):
        return redact(value, *secrets)
    if isinstance(value, bytes):
        return redact(value.decode("utf-8", "surrogateescape"), *secrets).encode("utf-8", "surrogateescape")
    if isinstance(value, Mapping):
        return {masked(name, secrets): masked(item, secrets) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([masked(item, secrets) for item in value])
    return value


def without_secrets(error: BaseException, secrets: tuple[str, ...]) -> BaseException:
    """The same error, its texts masked if it is one of ours; one of a user's own provider stays as it was raised."""
    if isinstance(error, ModelError):
        error.args = masked(error.args, secrets)
        for name, value in vars(error).items():
            setattr(error, name, masked(value, secrets))
        error.__cause__ = error.__context__ = None
        # Who shows tracebacks with their variables would show what our frames held: the headers.
        error.__traceback__ = None
    return error
