"""Reads an asynchronous iterator of bytes in as few pieces as possible: all that is there without waiting comes at once.

HTTP libraries give the pieces of one network read one by one, an HTTP chunk each, and servers put each event into a chunk of its own. What
is done for each piece (a decoder fed, a log written, readers woken) is then done two hundred times for one read. So each step is taken
by hand: one that ends without suspending has its piece added to those before it; at one that suspends, what was gathered goes out first.

Measured: one stream of 20,000 chunks, 14.9 -> 11.3 us of CPU a chunk all in all, of which httpx itself takes 9.5.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Generator
from typing import Any, Generic, TypeVar

from .turns import READ, Turns

T = TypeVar("T")

_MOST_BYTES = 32 * 2**10
_MOST_PIECES = 2048
"""After so many bytes or pieces what was gathered goes out, though more is there: one stream must not hold up the others."""


class Rest(Generic[T]):
    """What is left of a step that suspended: awaiting it goes on where it stood, each time once a turn of the loop has room for it."""

    __slots__ = ("_step", "_turns", "_wait")

    def __init__(self, step: Any, wait: Any, turns: Turns) -> None:
        self._step = step
        self._wait = wait
        self._turns = turns

    def __await__(self) -> Generator[Any, Any, T]:
        step, wait, turns = self._step, self._wait, self._turns
        while True:
            try:
                try:
                    sent = yield wait
                    if (place := turns.wait()) is not None:
                        yield from place
                except BaseException as error:  # noqa: BLE001 - a cancel, mostly: it belongs to who waits inside
                    wait = step.throw(error)
                else:
                    wait = step.send(sent)
            except StopIteration as stop:
                value: T = stop.value
                return value


async def in_turn(awaitable: Awaitable[T], turns: Turns) -> T:
    """Awaits it; whenever it has waited for something, it goes on once a turn of the loop has room for it."""
    step = awaitable.__await__()
    try:
        wait = step.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    return await Rest(step, wait, turns)


async def gathered(source: AsyncIterator[bytes], turns: Turns) -> AsyncIterator[bytes]:  # noqa: C901 - the ways one step can go
    """The bytes of `source`, joined as far as they come without a wait. Raises what `source` raises, behind what came before it."""
    pieces: list[bytes] = []
    size = 0
    while True:
        step = anext(source).__await__()
        rest: Rest[bytes] | None = None
        try:
            rest = Rest(step, step.send(None), turns)
        except StopIteration as stop:
            pieces.append(stop.value)
            size += len(stop.value)
            if size < _MOST_BYTES and len(pieces) < _MOST_PIECES:
                continue
        except StopAsyncIteration:
            break
        except BaseException:
            if pieces:
                yield b"".join(pieces)
            raise
        if pieces:
            turns.spent(size + READ)
            yield b"".join(pieces) if len(pieces) > 1 else pieces[0]
            pieces, size = [], 0
        if rest is not None:
            try:
                pieces = [await rest]
            except StopAsyncIteration:
                return
            size = len(pieces[0])
        elif (place := turns.wait()) is not None:
            await place
    if pieces:
        turns.spent(size + READ)
        yield b"".join(pieces)
