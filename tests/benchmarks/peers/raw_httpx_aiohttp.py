"""The same over httpx-aiohttp."""

import httpx_aiohttp
from peers import raw_httpx
from peers.raw_httpx import close_peer, open_peer, talk

__all__ = ["close_peer", "open_peer", "talk"]


def transport():
    import httpx

    return httpx_aiohttp.AiohttpTransport(limits=httpx.Limits(max_connections=1000, max_keepalive_connections=1000))


raw_httpx.transport = transport
