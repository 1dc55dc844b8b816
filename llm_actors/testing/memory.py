"""A scripted HTTP server without a network: the answers of script.py, byte for byte, through memory, in virtual time or real.

    server = MemoryServer(reply(429, {"error": {"message": "slow down"}}))
    model = llm.endpoint("m", base_url=server.base_url, client=server.client).async_model

What it says without a script is what ScriptedServer says: OpenAI chat completions by rule (wire_openai.py). The client's side is read by
h11, the parser of httpx's own connections, so that bytes cut anywhere, garbage and resets raise what they raise over a socket.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import h11
import httpx

from .player import Player, Stage
from .script import Answer, Play, Recorded, Setting

__all__ = ["MemoryServer"]


class MemoryServer:
    """A server that lives where its client does. One loop only, the one that makes requests.

    `answers` are played in order (see `play`); `key`: the Bearer token that the default answer wants to see, None for any; `pace`: seconds
    before each chunk of a default answer; `delay()`: seconds that a piece of bytes is under way, drawn for each; `rule`: what answers a
    request that no answer fits, in place of OpenAI's words.
    """

    base_url = "http://memory/v1"

    def __init__(
        self,
        *answers: Answer,
        key: str | None = None,
        pace: float = 0.0,
        delay: Callable[[], float] | None = None,
        rule: Callable[[Recorded], Answer] | None = None,
    ) -> None:
        self._stage = Stage(rule)
        self._stage.setting = Setting(key, pace)
        self._delay = delay
        self._connections = 0
        self.client = httpx.AsyncClient(transport=MemoryTransport(self._connect))
        self.play(*answers)

    def play(self, *answers: Answer) -> None:
        """Adds answers to those not played yet."""
        self._stage.play(Play(list(answers)).answers)

    def set(self, *, key: str | None = None, pace: float = 0.0) -> None:
        """The key to want, and the pace of default answers, from the next request on."""
        self._stage.setting = Setting(key, pace)

    def release(self, gate: str) -> None:
        """Opens a gate: answers that wait at `Gate(gate)` go on, later ones pass."""
        self._stage.gate(gate).set()

    def forget(self) -> None:
        """Drops the answers not played yet, and the records of requests that are over."""
        self._stage.forget()

    @property
    def requests(self) -> list[Recorded]:
        """Every request so far, in the order of arrival."""
        return self._stage.recorded

    def open_requests(self) -> int:
        """How many requests are being answered now."""
        return sum(request.open for request in self.requests)

    def _connect(self, request: httpx.Request, body: bytes) -> Connection:
        self._connections += 1
        path = request.url.raw_path.decode("ascii")
        headers = dict(request.headers.items())
        now = asyncio.get_running_loop().time()
        recorded = Recorded(request.method, path, headers, body, now, self._connections)
        self._stage.recorded.append(recorded)
        return Connection(self._stage, recorded, self._delay)


class Connection:
    """One request and the way back: a `player.Wire`."""

    def __init__(self, stage: Stage, request: Recorded, delay: Callable[[], float] | None) -> None:
        self._request = request
        self._delay = delay
        self._pieces: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._end: bool | None = None
        play = Player(stage, self, request).play(stage.next_answer(request))
        self._player = asyncio.get_running_loop().create_task(play, name=f"memory answer {request.connection}")
        self._player.add_done_callback(self._played)

    def _played(self, player: asyncio.Task[None]) -> None:
        self._request.open = False
        if not player.cancelled():
            player.result()  # a defect of ours is not to pass in silence

    # ---- the server's side

    async def write(self, data: bytes) -> None:
        """Sends bytes."""
        if self._delay is not None:
            await asyncio.sleep(self._delay())
        self._pieces.append(data)
        self._news.set()

    def end(self, *, reset: bool) -> None:
        """Closes the connection behind what was written, or breaks it."""
        self._end = reset
        self._news.set()

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self._end is not None

    # ---- the client's side

    async def read(self, timeout: float | None) -> bytes:  # noqa: ASYNC109 - httpx gives it so
        """The next bytes; none when the server has closed. Raises httpx.ReadError, httpx.ReadTimeout."""
        while not self._pieces:
            if self._end is not None:
                if self._end:
                    msg = "[Errno 104] Connection reset by peer"
                    raise httpx.ReadError(msg)
                return b""
            self._news.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._news.wait()
            except TimeoutError:
                msg = "nothing came in time"
                raise httpx.ReadTimeout(msg) from None
        return self._pieces.popleft()

    async def close(self) -> None:
        """The client is through, or gives up."""
        if not self._player.done():
            self._request.closed_early = True
            self._end = True
            self._player.cancel()
            await asyncio.wait([self._player])


class MemoryTransport(httpx.AsyncBaseTransport):
    """Carries requests of an httpx client to a server in memory."""

    def __init__(self, connect: Callable[[httpx.Request, bytes], Connection]) -> None:
        self._connect = connect

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Httpx's call: gives the response when its head has come."""
        body = await request.aread()
        reader = _Reader(self._connect(request, body), request)
        try:
            head = await reader.next(h11.Response)
            return httpx.Response(
                head.status_code,
                headers=head.headers.raw_items(),
                stream=_Stream(reader),
                extensions={"http_version": b"HTTP/1.1", "reason_phrase": bytes(head.reason)},
            )
        except BaseException:
            await reader.close()
            raise


class _Reader:
    """Cuts an answer's bytes into events, as httpcore does."""

    def __init__(self, connection: Connection, request: httpx.Request) -> None:
        self._connection = connection
        self._timeout: float | None = request.extensions.get("timeout", {}).get("read")
        self._parser = h11.Connection(our_role=h11.CLIENT)
        # Its own side of the dialogue: what was asked decides how the answer's end is told.
        self._parser.send(h11.Request(method=request.method, target=request.url.raw_path, headers=[("host", "memory")]))
        self._parser.send(h11.EndOfMessage())

    async def next(self, *kinds: Any) -> Any:
        """The next event of these kinds. Raises httpx.RemoteProtocolError and what `Connection.read()` raises."""
        while True:
            try:
                event = self._parser.next_event()
            except h11.RemoteProtocolError as error:
                raise httpx.RemoteProtocolError(str(error)) from None
            if isinstance(event, kinds):
                return event
            if event is h11.NEED_DATA:
                data = await self._connection.read(self._timeout)
                if not data and self._parser.their_state is h11.SEND_RESPONSE:
                    msg = "Server disconnected without sending a response."
                    raise httpx.RemoteProtocolError(msg)
                self._parser.receive_data(data)

    async def close(self) -> None:
        """Closes the connection."""
        await self._connection.close()


class _Stream(httpx.AsyncByteStream):
    """The body, in the pieces it came in."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._reader.next(h11.Data, h11.EndOfMessage), h11.Data):
            yield bytes(event.data)

    async def aclose(self) -> None:
        await self._reader.close()
