"""The bytes behind a URL, for attachments that a provider doesn't fetch itself."""

from __future__ import annotations

import asyncio
from typing import Any

from llm_actors.errors import AttachmentError, ConnectionFailedError, StreamTruncatedError

from . import library
from .body import Body, collect
from .clients import Clients
from .fault import explained, shown

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


async def fetch(
    clients: Clients,
    url: str,
    *,
    limit: int,
    max_redirects: int = 3,
    timeout: float | None = 60.0,  # noqa: ASYNC109 - a bound for all hops
) -> tuple[str, bytes]:
    """Gets a URL by the loop's shared client: its media type without parameters (`""` when not given), and its bytes.

    At most `limit` bytes, `max_redirects` redirects, `timeout` seconds in all (None: for ever). Only http and https, also when redirected.
    Raises `AttachmentError` for everything that goes wrong. The clients' loop only.
    """
    try:
        async with asyncio.timeout(timeout):
            return await _follow(clients, url, limit, max_redirects)
    except TimeoutError:
        msg = f"{shown(url)} could not be fetched within {timeout} s"
    except (ConnectionFailedError, StreamTruncatedError) as error:
        msg = f"{shown(url)} could not be fetched: {error}"
    raise AttachmentError(msg)


async def _follow(clients: Clients, url: str, limit: int, max_redirects: int) -> tuple[str, bytes]:
    first = url
    for _ in range(max_redirects + 1):
        if not url.lower().startswith(("http://", "https://")):
            msg = f"{shown(url)} can't be fetched: an attachment's URL is http or https"
            raise AttachmentError(msg)
        body, response = await _get(clients, url)
        try:
            location = response.headers.get("location")
            if response.status_code not in _REDIRECTS or location is None:
                return await _content(url, body, response, limit)
            url = str(response.url.join(location))
        finally:
            await body.close()
    msg = f"{shown(first)} redirects more than {max_redirects} times"
    raise AttachmentError(msg)


async def _get(clients: Clients, url: str) -> tuple[Body, Any]:
    try:
        await library.load(library.parts(url, by_httpx=True))
        client = clients.fetching()
        request = client.build_request("GET", url, headers={"accept-encoding": "identity", "user-agent": "llm-actors"})
        response = await client.send(request, stream=True)
        return Body(response, shown(url), clients.turns), response
    except Exception as error:  # noqa: BLE001 - fault.py knows which it can explain
        fault = explained(error, shown(url), streaming=False)
    raise fault


async def _content(url: str, body: Body, response: Any, limit: int) -> tuple[str, bytes]:
    if response.status_code != 200:  # noqa: PLR2004
        msg = f"{shown(url)} could not be fetched: the server answered {response.status_code}"
        raise AttachmentError(msg)
    announced = response.headers.get("content-length", "")
    data = bytearray()
    if not (announced.isdigit() and int(announced) > limit):
        await collect(body, data, limit + 1)
        if len(data) <= limit:
            return response.headers.get("content-type", "").partition(";")[0].strip().lower(), bytes(data)
    msg = f"{shown(url)} is larger than the limit of {limit} bytes for an attachment"
    raise AttachmentError(msg)
