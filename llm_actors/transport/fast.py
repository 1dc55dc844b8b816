"""The HTTP stack of the extra `fast`: aiohttp, whose parser is written in C.

Measured on one machine in one run against the default stack, CPU, conversation and all: a chunk of one long stream 11.6 -> 3.4 us, a short
request 1.06 -> 0.54 ms, a chunk of 200 streams at once 21 -> 11.5 us, of a paced stream 144 -> 81 us. Used by itself where it is installed,
but for requests through a proxy of the environment, and for attachments: those are httpx's. Without httpx-aiohttp in between, which maps
requests and answers to httpx's and back, a short request is 0.83 -> 0.54 ms.
"""

from __future__ import annotations

import asyncio
import functools
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

from . import library
from .kept import Trace
from .request import Outgoing, texts, without_user

if TYPE_CHECKING:
    import aiohttp

# As much as httpcore takes; aiohttp's own limits are 8 KiB for a line and for a header.
_HEAD_BYTES = 100 * 2**10

# What a read gives at most; aiohttp holds up to 128 KiB of a body that nobody reads.
_PIECE = 32 * 2**10

_sending: ContextVar[Trace | None] = ContextVar("llm_actors_sending", default=None)


class FastAnswer:
    """A response whose head has come: what of httpx's Response is needed here."""

    __slots__ = ("_connection_lost", "_response", "headers", "status_code", "stream")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status_code = response.status
        self.headers = texts(response.raw_headers)
        self.stream: Any = response.content.iter_chunked(_PIECE)
        connection = response.connection
        protocol = connection.protocol if connection is not None else None  # none: the body is here to its end
        self._connection_lost = getattr(protocol, "closed", None)
        if self._connection_lost is not None:
            self._connection_lost.remove_done_callback(
                _heard
            )  # it is the connection's, which may have had other requests
            self._connection_lost.add_done_callback(_heard)
            self._connection_lost.add_done_callback(self._lost)

    def _lost(self, _: Any) -> None:
        """The connection is gone. Of what it can't parse in mid-stream aiohttp (3.14) does not tell its reader, who waited for ever."""
        content = self._response.content
        if not content.is_eof() and content.exception() is None:
            import aiohttp  # noqa: PLC0415 - see library.py

            content.set_exception(aiohttp.ClientPayloadError("the body could not be read to its end"))

    async def aclose(self) -> None:
        """Ends the response: its connection is kept if the body was read to its end, else closed. Again is no error."""
        if self._connection_lost is not None:
            self._connection_lost.remove_done_callback(self._lost)
        self._response.release()  # closes the connection of a body that has not ended: nobody else can read it


class FastClient:
    """A client for one base URL. Its loop only. The settings are `pool.Pool`'s; of idle connections aiohttp keeps all for so long."""

    def __init__(self, *, connections: int, seconds: float) -> None:
        import aiohttp  # noqa: PLC0415 - see library.py, which has imported it by now

        connector = _connector()(limit=connections, keepalive_timeout=seconds)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_HEAD_BYTES,
            max_field_size=_HEAD_BYTES,
            skip_auto_headers=("user-agent", "accept", "accept-encoding", "content-type"),
        )

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._session.closed

    async def open(self, outgoing: Outgoing) -> FastAnswer:
        """Sends a request; the answer has to be closed. Raises the errors of aiohttp, and RuntimeError when it is closed."""
        url, authorization = without_user(outgoing.url)
        headers = outgoing.headers
        if authorization is not None:
            headers = {**headers, "authorization": authorization}
        _sending.set(outgoing.trace)  # the task is the flight's own
        return FastAnswer(
            await self._session.request(
                outgoing.method,
                _url(url),
                headers=headers,
                data=outgoing.body,
                allow_redirects=False,
                timeout=_timeout(outgoing.connect),
                ssl=library.ssl_context() if url.startswith("https:") else True,
            )
        )

    async def aclose(self) -> None:
        """Closes all connections: requests under way are broken."""
        await self._session.close()


def _heard(connection_lost: asyncio.Future[None]) -> None:
    """Its error is told by the body; asyncio complains of one that nobody looks at."""
    if not connection_lost.cancelled():
        connection_lost.exception()


@functools.lru_cache(maxsize=256)
def _url(text: str) -> Any:
    import aiohttp  # noqa: PLC0415 - as above
    import yarl  # noqa: PLC0415

    try:
        return yarl.URL(text)
    except ValueError as error:
        raise aiohttp.InvalidURL(text, str(error)) from None


@functools.lru_cache(maxsize=16)
def _timeout(connect: float | None) -> Any:
    import aiohttp  # noqa: PLC0415 - as above

    return aiohttp.ClientTimeout(sock_connect=connect)


@cache
def _connector() -> Any:
    """aiohttp's, telling the trace of a request whether a connection was made for it, and when it has one."""
    import aiohttp  # noqa: PLC0415 - as above

    class Connector(aiohttp.TCPConnector):
        async def connect(self, *args: Any, **kwargs: Any) -> Any:
            connection = await super().connect(*args, **kwargs)
            trace = _sending.get()
            if trace is not None:
                trace.sent = True
            return connection

        async def _create_connection(self, *args: Any, **kwargs: Any) -> Any:
            trace = _sending.get()
            if trace is not None:
                trace.made = True
            return await super()._create_connection(*args, **kwargs)

    return Connector
