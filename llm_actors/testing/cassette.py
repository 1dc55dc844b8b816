"""Real traffic, recorded once and replayed for ever: an httpx client for `client=`.

    with Cassette("tests/cassettes/greeting.json") as cassette:         # records where there is no such file, else replays it
        model = llm.endpoint("m", base_url="https://api.example.com/v1", client=cassette.client, key=key).async_model

A request is found by a hash of its method, URL and body; the same one asked for twice gets the first recording, then the second. One that
was not recorded fails with CassetteMissError, which shows how it differs from the nearest one; a replay never reaches the network. Answers
come in the chunks they came in, at once or (`pace=True`) with their pauses. No key gets into the file: see tape.py.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from llm_actors.transport.fault import names_a_secret

from .tape import Answered, Asked, Chunk, Exchange, Tape, asked, key_of, masked, miss

__all__ = ["Cassette"]

# Of one connection, of one moment, or a secret.
_DROPPED = frozenset({"connection", "content-length", "date", "keep-alive", "set-cookie", "transfer-encoding"})


class Cassette:
    """A file of exchanges and the client that plays or records it. Use it by `with`, which writes what was recorded.

    `record`: true to record it anew, false to replay it (FileNotFoundError where there is none), None to record where there is none.
    `ignore`: fields of a JSON body that do not count, as those with a time stamp. `transport`: what reaches the network for recording.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        record: bool | None = None,
        ignore: Iterable[str] = (),
        pace: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.path = Path(path)
        self.recording = record if record is not None else not self.path.exists()
        self.tape = Tape() if self.recording else Tape.read(self.path)
        ignored = frozenset(ignore)
        self._transport: httpx.AsyncBaseTransport
        if self.recording:
            self._transport = _Recorder(self.tape, transport or httpx.AsyncHTTPTransport())
        else:
            self._transport = _Replayer(self.tape, self.path, ignored, pace=pace)
        self.client = httpx.AsyncClient(transport=self._transport, timeout=None)  # noqa: S113 - the pump has its own

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:  # what a failed test saw is not what the next run is to see
            self.save()

    def save(self) -> None:
        """Writes what was recorded; nothing when it replays."""
        if self.recording:
            self.tape.write(self.path)


class _Replayer(httpx.AsyncBaseTransport):
    """Answers from the tape."""

    def __init__(self, tape: Tape, path: Path, ignored: frozenset[str], *, pace: bool) -> None:
        self._recorded = [exchange.request for exchange in tape.exchanges]
        self._path = path
        self._ignored = ignored
        self._pace = pace
        self._left: dict[str, deque[Answered]] = {}
        for exchange in tape.exchanges:
            self._left.setdefault(key_of(exchange.request, ignored), deque()).append(exchange.response)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Httpx's call."""
        wanted = await _asked(request)
        left = self._left.get(key_of(wanted, self._ignored))
        if not left:
            raise miss(wanted, self._recorded, self._path)
        answer = left.popleft()
        return httpx.Response(answer.status, headers=answer.headers, stream=_Replay(answer, pace=self._pace))


class _Replay(httpx.AsyncByteStream):
    def __init__(self, answer: Answered, *, pace: bool) -> None:
        self._answer = answer
        self._pace = pace

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._answer.chunks:
            if self._pace and chunk.milliseconds:
                await asyncio.sleep(chunk.milliseconds / 1000)
            yield chunk.data
        if self._answer.broken is not None:
            raise httpx.ReadError(self._answer.broken)


class _Recorder(httpx.AsyncBaseTransport):
    """Passes requests on and keeps what comes back."""

    def __init__(self, tape: Tape, transport: httpx.AsyncBaseTransport) -> None:
        self._tape = tape
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Httpx's call."""
        request.headers["accept-encoding"] = "identity"  # what is compressed can't be masked, or read in a diff
        wanted, secrets = await _asked(request), _secrets(request)
        response = await self._transport.handle_async_request(request)
        headers = {
            name: masked(value.encode(), secrets).decode()
            for name, value in response.headers.items()
            if name not in _DROPPED
        }
        answer = Answered(response.status_code, headers)
        self._tape.exchanges.append(Exchange(wanted, answer))
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Recording(response.stream, answer, secrets)
        return response

    async def aclose(self) -> None:
        """Closes the transport inside."""
        await self._transport.aclose()


class _Recording(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, answer: Answered, secrets: list[str]) -> None:
        self._stream = stream
        self._answer = answer
        self._secrets = secrets
        self._came: list[tuple[int, bytes]] = []

    async def __aiter__(self) -> AsyncIterator[bytes]:
        now = asyncio.get_running_loop().time
        before = now()
        try:
            async for data in self._stream:
                at = now()
                self._came.append((int((at - before) * 1000), data))
                before = at
                yield data
        except httpx.TransportError as error:
            self._answer.broken = str(error) or type(error).__name__
            raise
        finally:
            self._keep()

    def _keep(self) -> None:
        """Writes down what came: masked as a whole, since a secret may lie across two chunks, and cut as it was."""
        whole = masked(b"".join([data for _, data in self._came]), self._secrets)
        start = 0
        chunks = []
        for milliseconds, data in self._came:
            chunks.append(Chunk.of(milliseconds, whole[start : start + len(data)]))
            start += len(data)
        self._answer.chunks = chunks

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _asked(request: httpx.Request) -> Asked:
    return asked(request.method, str(request.url), await request.aread(), _secrets(request))


def _secrets(request: httpx.Request) -> list[str]:
    """What must not get into a file: the values of headers and parameters that are named like secrets. The longest first."""
    found: set[str] = set()
    for name, value in (*request.headers.items(), *request.url.params.multi_items()):
        if names_a_secret(name):
            found |= {value, value.rpartition(" ")[2]}
    return sorted(found - {""}, key=lambda secret: (-len(secret), secret))
