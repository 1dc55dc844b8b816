"""The HTTP clients of one loop.

A client is a pool of connections: shared by all conversations that speak to one base URL, so that connections are reused (a client for
each prompt costs a TLS handshake and the reading of 150 CA certificates each time). A client belongs to the loop it was first used on.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from llm_actors.errors import LoopClosedError
from llm_actors.observe import ClientClosed, ClientOpened, Observed
from llm_actors.providers.protocol import Endpoint, WireRequest
from llm_actors.runtime.loop import Loop

from . import fast
from .fault import shown
from .library import ssl_context, uses_fast

if TYPE_CHECKING:
    import httpx

# Common servers (uvicorn, llama.cpp's) close an idle connection after 5 s. One found closed is replaced, and a request that is sent at the
# very moment goes out again (kept.py); closing ours first makes that rare. Busy programs reuse a connection within that time.
_KEEP_ALIVE_SECONDS = 4.0
_FETCHING = object()


class Clients:
    """Makes, shares and closes the clients of one loop. Its loop only.

    `connections`: how many requests to one base URL can be under way at once (the next ones wait for a free connection, within their
    first-byte timeout); `keep_alive`: how many idle connections are kept for the next request.
    """

    def __init__(
        self, loop: Loop, *, connections: int = 1000, keep_alive: int = 100, observed: Observed | None = None
    ) -> None:
        self._loop = loop
        self._observed = observed
        self._connections = connections
        self._keep_alive = keep_alive
        self._shared: dict[Hashable, tuple[httpx.AsyncClient, str]] = {}
        self._closed = False
        loop.on_end(self.close)

    def of(self, endpoint: Endpoint) -> Any:
        """The client for this endpoint: the user's own if it has one, which is never closed here, else the shared one.

        A server that is started for us may come back on another port: its client is found by the server, not by the URL. It is on
        this machine, so the environment's proxy has no business between it and us.
        """
        if endpoint.client is not None:
            return endpoint.client
        if endpoint.server is not None:
            return self._get(id(endpoint.server), "a server of this program's", trust_env=False)
        return self._get(endpoint.base_url, shown(endpoint.base_url))

    def fetching(self) -> httpx.AsyncClient:
        """The client that fetches attachments, from anywhere."""
        return self._get(_FETCHING, "anywhere")

    async def close(self) -> None:
        """Closes the shared clients with their idle connections; runs when the loop ends. Requests under way are broken."""
        self._closed = True
        clients = list(self._shared.values())
        self._shared.clear()
        for client, url in clients:
            await client.aclose()
            self._observe(ClientClosed, url)

    def _observe(self, kind: type[ClientOpened | ClientClosed], url: str) -> None:
        if self._observed is not None:
            self._observed.observe(kind(now=self._loop.clock.monotonic(), url=url))

    def _get(self, key: Hashable, url: str, *, trust_env: bool = True) -> httpx.AsyncClient:
        client, _ = self._shared.get(key, (None, url))
        if client is None:
            if self._closed:
                msg = "the event loop of this HTTP client has ended"
                raise LoopClosedError(msg)
            client = _make(self._connections, self._keep_alive, trust_env=trust_env)
            self._shared[key] = client, url
            self._observe(ClientOpened, url)
        return client


def build_request(client: Any, endpoint: Endpoint, base_url: str, wire: WireRequest, headers: dict[str, str]) -> Any:
    """The request, as an object of the client's own library. Of its timeouts only `connect` is on: the others are the pump's.

    Built by hand for a client of ours, where `client.build_request` would merge URL, headers and cookies anew each time at the cost of
    half a short request. A user's client may have headers, parameters and cookies of its own, so it builds the request itself.
    """
    timeouts = {"connect": endpoint.timeouts.connect, "read": None, "write": None, "pool": None}
    rest: dict[str, Any] = {"headers": headers, "content": wire.body, "extensions": {"timeout": timeouts}}
    path, _, query = wire.path.partition("?")
    url = base_url.rstrip("/") + path
    parameters = dict(parse_qsl(query, keep_blank_values=True)) | endpoint.query
    if endpoint.client is not None:
        # By `params`: parameters of the client's own would replace those of the URL.
        return client.build_request(wire.method, url, params=parameters or None, **rest)
    import httpx  # noqa: PLC0415 - as in _make

    return httpx.Request(wire.method, _url(f"{url}?{urlencode(parameters)}" if parameters else url), **rest)


def _make(connections: int, keep_alive: int, *, trust_env: bool) -> httpx.AsyncClient:
    import httpx  # noqa: PLC0415 - see library.py, which has imported it by now

    limits = httpx.Limits(
        max_connections=connections, max_keepalive_connections=keep_alive, keepalive_expiry=_KEEP_ALIVE_SECONDS
    )
    quick = fast.transport(limits, ssl_context()) if uses_fast() and not (trust_env and fast.has_proxy()) else None
    own = {"verify": ssl_context(), "limits": limits, "trust_env": trust_env, "transport": quick}
    return httpx.AsyncClient(timeout=None, **own)  # type: ignore[arg-type]  # noqa: S113 - the pump has timeouts of its own


@functools.lru_cache(maxsize=256)
def _url(text: str) -> httpx.URL:
    import httpx  # noqa: PLC0415 - as in _make

    return httpx.URL(text)
