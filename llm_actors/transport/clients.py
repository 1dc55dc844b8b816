"""The HTTP clients of one loop.

A client is a pool of connections: shared by all conversations that speak to one base URL, so that connections are reused (a client for
each prompt costs a TLS handshake and the reading of 150 CA certificates each time). A client belongs to the loop it was first used on.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from llm_actors.errors import LoopClosedError
from llm_actors.observe import ClientClosed, ClientOpened, Observed
from llm_actors.providers.protocol import CONNECTIONS, Endpoint, WireRequest
from llm_actors.runtime.loop import Loop

from .fast import FastClient
from .fault import shown
from .kept import Trace
from .library import load, parts, ssl_context, uses_fast
from .pool import Pool
from .request import Outgoing, address, joined
from .turns import Turns

if TYPE_CHECKING:
    import httpx

# Common servers (uvicorn, llama.cpp's) close an idle connection after 5 s. One found closed is replaced, and a request that is sent at the
# very moment goes out again (kept.py); closing ours first makes that rare. Busy programs reuse a connection within that time.
_KEEP_ALIVE_SECONDS = 4.0
_FETCHING = object()


class Clients:
    """Makes, shares and closes the clients of one loop. Its loop only.

    `connections`: how many requests to one base URL can be under way at once (the next ones wait for a free connection, within their
    first-byte timeout). A connection is kept for the next request for `_KEEP_ALIVE_SECONDS`.
    """

    def __init__(self, loop: Loop, *, connections: int = CONNECTIONS, observed: Observed | None = None) -> None:
        self._loop = loop
        self._observed = observed
        self._connections = connections
        self._shared: dict[Hashable, tuple[Pool | FastClient | httpx.AsyncClient, str]] = {}
        self._loaded: set[str] = set()
        self._closed = False
        self.turns = Turns(loop)
        """What all requests of the loop share in each of its turns."""
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

    async def load(self, endpoint: Endpoint, base_url: str) -> None:
        """Before `of()`: returns when a request to this URL can be made without a stall. Raises what an import raises."""
        if endpoint.client is None and base_url not in self._loaded:
            by_httpx = endpoint.server is None and has_proxy()
            await load(parts(base_url, by_httpx=by_httpx))
            await load(parts(base_url, by_httpx=by_httpx))  # others, where what was imported proved unfit
            self._loaded.add(base_url)

    def fetching(self) -> httpx.AsyncClient:
        """The client that fetches attachments, from anywhere: httpx's, which knows redirects."""
        client: httpx.AsyncClient = self._get(_FETCHING, "anywhere")
        return client

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

    def _get(self, key: Hashable, url: str, *, trust_env: bool = True) -> Any:
        client, _ = self._shared.get(key, (None, url))
        if client is None:
            if self._closed:
                msg = "the event loop of this HTTP client has ended"
                raise LoopClosedError(msg)
            by_httpx = key is _FETCHING or (trust_env and has_proxy())
            client = self._by_httpx() if by_httpx else self._own()
            self._shared[key] = client, url
            self._observe(ClientOpened, url)
        return client

    def _own(self) -> Pool | FastClient:
        if uses_fast():
            return FastClient(connections=self._connections, seconds=_KEEP_ALIVE_SECONDS)
        return Pool(self._loop, connections=self._connections, seconds=_KEEP_ALIVE_SECONDS)

    def _by_httpx(self) -> httpx.AsyncClient:
        import httpx  # noqa: PLC0415 - see library.py, which has imported it by now

        limits = httpx.Limits(
            max_connections=self._connections,
            max_keepalive_connections=self._connections,
            keepalive_expiry=_KEEP_ALIVE_SECONDS,
        )
        return httpx.AsyncClient(verify=ssl_context(), limits=limits, timeout=None)  # noqa: S113 - the pump has timeouts of its own


def has_proxy() -> bool:
    """Whether the environment names a proxy. httpx's own client knows what to do with it."""
    return any(name in urllib.request.getproxies() for name in ("http", "https", "all"))


async def send(
    client: Any, endpoint: Endpoint, base_url: str, wire: WireRequest, headers: dict[str, str], trace: Trace
) -> Any:
    """The response, its head read; it has to be closed. Raises the errors of the client's library.

    A user's client of httpx's may have headers, parameters and cookies of its own, so it builds the request itself; of its timeouts only
    `connect` is on: the others are the pump's.
    """
    url, parameters = address(base_url, wire.path, endpoint.query)
    connect = endpoint.timeouts.connect
    if isinstance(client, Pool | FastClient):
        return await client.open(Outgoing(wire.method, joined(url, parameters), headers, wire.body, connect, trace))
    timeouts = {"connect": connect, "read": None, "write": None, "pool": None}
    rest: dict[str, Any] = {
        "headers": headers,
        "content": wire.body,
        "extensions": {"timeout": timeouts, "trace": trace},
    }
    if endpoint.client is not None:
        # By `params`: parameters of the client's own would replace those of the URL.
        request = client.build_request(wire.method, url, params=parameters or None, **rest)
    else:
        import httpx  # noqa: PLC0415 - as above

        request = httpx.Request(wire.method, joined(url, parameters), **rest)
    return await client.send(request, stream=True)
