"""The body of a response, read as it arrives and closed by the task that reads it."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import suppress
from typing import Any

from .fast import FastAnswer
from .fault import explained
from .gathering import gathered
from .turns import Turns

# Beyond what an HTTP library buffers of a body that is being given up (httpcore reads 64 KiB at a time), in pieces of gathering.py.
_READS_OF_A_BUFFER = 64


@types.coroutine
def next_turn() -> Generator[None, None, None]:
    """Lets the loop run whatever else is ready, then goes on: what `asyncio.sleep(0)` does, without a word about time."""
    yield


class Body:
    """The bytes of one response: `async for data in body.chunks`, then `await body.close()`, in the same task and in any case.

    `response`: of httpx, or of a library with its interface; `where` it is from, for errors: `StreamTruncatedError` when it breaks. Read
    below `aiter_bytes()`, whose layers cost as much as the decoding of a chunk, unless the server compressed it without being asked to.
    What is there without waiting comes in one piece (gathering.py), and no turn of the loop reads much more than its bound (turns.py).
    """

    def __init__(self, response: Any, where: str, turns: Turns) -> None:
        self._response = response
        self._where = where
        self._turns = turns
        self._over = False
        self.chunks = self._read()

    async def _read(self) -> AsyncGenerator[bytes, None]:
        try:
            async for data in self._pieces():
                yield data
        except Exception as error:  # noqa: BLE001 - fault.py knows which it can explain
            fault = explained(error, self._where, streaming=True)
        else:
            return
        finally:
            self._over = True
        raise fault  # out here, so that it does not carry the library's exception, which holds the request and its key

    def _pieces(self) -> AsyncIterator[bytes]:
        if isinstance(self._response, FastAnswer):  # aiohttp unpacks by itself, in C
            return gathered(aiter(self._response.stream), self._turns)
        plain = self._response.headers.get("content-encoding", "identity") in ("", "identity")
        return gathered(aiter(self._response.stream if plain else self._response.aiter_bytes()), self._turns)

    async def close(self) -> None:
        """Closes the response, and its connection if the body has not been read to its end."""
        await self._response.aclose()
        if not self._over:
            await self._leave()
        with suppress(AttributeError):
            self._response.stream = (
                None  # httpx's knows the response: a circle that would keep the request's body until a collection
            )

    async def _leave(self) -> None:
        """Leaves generators that stand at a `yield`.

        Dropped there, they would be finished later by tasks that the garbage collector makes, one for each layer, perhaps after the end of
        the loop. Read on, they meet the closed connection and unwind here and now. Should one wait instead, a cancel of ourselves ends
        that; not earlier: httpcore's pool loses a place for ever when a cancel hits it while it closes a response.
        """
        task = asyncio.current_task()
        assert task is not None
        before = task.cancelling()
        task.cancel()
        try:
            with suppress(Exception):  # the body is given up: how it ends is of no interest
                for _ in range(_READS_OF_A_BUFFER):
                    await anext(self.chunks)
            await next_turn()  # takes the cancel, if no wait has taken it
        except asyncio.CancelledError:
            if (
                before or task.cancelling() > before + 1
            ):  # somebody else's came meanwhile, or had come and was still to be taken
                raise
        finally:
            task.uncancel()


async def collect(body: Body, data: bytearray, limit: int) -> None:
    """Reads into `data` until it holds `limit` bytes or more, or the body ends."""
    async for piece in body.chunks:
        data += piece
        if len(data) >= limit:
            return
