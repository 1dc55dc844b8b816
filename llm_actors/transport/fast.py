"""The HTTP stack of the extra `fast`: httpx as ever, its bytes moved by aiohttp (httpx-aiohttp, which its authors keep).

Measured on one machine in one run, CPU: a chunk of one long stream 11.0 -> 2.6 us, a short request 1.5 -> 0.28 ms, a chunk of a paced
stream 148 -> 76 us. An HTTP stack of our own would save half of that again, and is not what this library is for.

What httpx-aiohttp 0.2 does not do is done here: it tells a connection that the server closed from one that could not be made, and tells
kept.py whether a connection was made for the request. Behind a proxy of the environment httpx's own stack is used.
"""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl

    import httpx

_tracing: ContextVar[Any] = ContextVar("llm_actors_http_trace", default=None)


@cache
def installed() -> bool:
    """Whether the extra is there."""
    return all(importlib.util.find_spec(name) is not None for name in ("httpx_aiohttp", "aiohttp"))


def has_proxy() -> bool:
    """Whether the environment names a proxy."""
    from urllib.request import getproxies  # noqa: PLC0415 - 10 ms, with http and email: httpx brings it

    return any(name in getproxies() for name in ("http", "https", "all"))


def transport(limits: httpx.Limits, verify: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """A transport for a client of httpx. Raises ImportError without the extra."""
    import aiohttp  # noqa: PLC0415 - of an extra, and 200 ms: see library.py
    import httpx  # noqa: PLC0415
    import httpx_aiohttp  # noqa: PLC0415

    @contextmanager
    def told_apart() -> Generator[None, None, None]:
        try:
            yield
        except httpx.TransportError as error:
            raise _told_apart(error, aiohttp, httpx) or error from error.__cause__

    class Stream(httpx.AsyncByteStream):
        def __init__(self, inner: httpx.AsyncByteStream) -> None:
            self._inner = inner

        async def __aiter__(self) -> AsyncIterator[bytes]:
            with told_apart():
                async for data in self._inner:
                    yield data

        async def aclose(self) -> None:
            await self._inner.aclose()

    class Transport(httpx_aiohttp.AiohttpTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            _tracing.set(request.extensions.get("trace"))  # the task is the flight's own
            with told_apart():
                response = await super().handle_async_request(request)
            assert isinstance(response.stream, httpx.AsyncByteStream)
            response.stream = Stream(response.stream)
            return response

    return Transport(verify=verify, limits=limits, client=lambda: _session(limits, verify, aiohttp))


def _session(limits: httpx.Limits, verify: ssl.SSLContext, aiohttp: Any) -> Any:
    connector = aiohttp.TCPConnector(
        limit=limits.max_connections or 0, keepalive_timeout=limits.keepalive_expiry, ssl=verify
    )
    return aiohttp.ClientSession(
        connector=connector, trace_configs=[_traced(aiohttp)], cookie_jar=aiohttp.DummyCookieJar()
    )


def _told_apart(error: httpx.TransportError, aiohttp: Any, httpx: Any) -> Exception | None:
    """The error of httpx that says what happened; None where the one at hand does."""
    cause = error.__cause__
    if isinstance(cause, aiohttp.ServerDisconnectedError):
        return httpx.RemoteProtocolError("Server disconnected without sending a response.")  # type: ignore[no-any-return]
    if isinstance(cause, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout(str(cause))  # type: ignore[no-any-return]
    if isinstance(cause, aiohttp.ClientConnectorError):
        return httpx.ConnectError(str(cause))  # type: ignore[no-any-return]
    if isinstance(cause, aiohttp.ServerTimeoutError):
        return None
    if isinstance(cause, aiohttp.ClientConnectionError):
        return httpx.ReadError(str(cause))  # type: ignore[no-any-return]
    return None


def _traced(aiohttp: Any) -> Any:
    """Tells the `trace` of a request, as httpcore would, that a connection is made for it, and that it is sent."""
    config = aiohttp.TraceConfig()

    async def making(_: Any, __: SimpleNamespace, ___: Any) -> None:
        await _tell("aiohttp.connect_tcp")

    async def sending(_: Any, __: SimpleNamespace, ___: Any) -> None:
        await _tell("aiohttp.send_request_headers")

    config.on_connection_create_start.append(making)
    config.on_request_headers_sent.append(sending)
    return config


async def _tell(event: str) -> None:
    trace = _tracing.get()
    if trace is not None:
        await trace(event, {})
