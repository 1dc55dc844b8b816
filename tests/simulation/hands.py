"""The two APIs behind one set of words: what a user in a task does by `await`, and a user in a thread by blocking."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import llm_actors as llm
from llm_actors.chat.response import AsyncResponse, Response


class Hands(Protocol):
    """What a user does with a log. `limit`: leaves after so many items. Each gives what it saw, and raises what the API raises."""

    async def sleep(self, seconds: float) -> None: ...

    async def text(self, log: Any) -> str: ...

    async def chunks(self, log: Any, into: list[Any], limit: int | None = None) -> None: ...

    async def events(self, log: Any, into: list[Any], after: int = 0) -> None: ...

    async def cancel(self, log: Any) -> None: ...

    async def on_done(self, log: Any, callback: Any) -> None: ...

    async def close(self, conversation: Any) -> None: ...

    async def answer(self, future: Any) -> Any: ...

    async def group(self, group: Any, block: Callable[[], Coroutine[Any, Any, None]]) -> None: ...


class AsyncHands:
    """In a task."""

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)

    async def text(self, log):
        return await AsyncResponse(log).text()

    async def chunks(self, log, into, limit=None):
        async for chunk in AsyncResponse(log):
            into.append(chunk)
            if limit is not None and len(into) >= limit:
                break

    async def events(self, log, into, after=0):
        async for event in AsyncResponse(log).events(after):
            into.append(event)

    async def cancel(self, log):
        await AsyncResponse(log).cancel()

    async def on_done(self, log, callback):
        await AsyncResponse(log).on_done(callback)

    async def close(self, conversation):
        await llm.AsyncConversation.close(conversation)

    async def answer(self, future):
        return await future

    async def group(self, group, block):
        async with group:
            await block()


class SyncHands:
    """In a thread: nothing of it ever suspends."""

    async def sleep(self, seconds):
        time.sleep(seconds)  # noqa: ASYNC251 - it runs in a thread

    async def text(self, log):
        return Response(log).text()

    async def chunks(self, log, into, limit=None):
        for chunk in Response(log):
            into.append(chunk)
            if limit is not None and len(into) >= limit:
                break

    async def events(self, log, into, after=0):
        into.extend(Response(log).events(after))

    async def cancel(self, log):
        Response(log).cancel()

    async def on_done(self, log, callback):
        Response(log).on_done(callback)

    async def close(self, conversation):
        llm.Conversation.close(conversation)

    async def answer(self, future):
        return future.get()

    async def group(self, group, block):
        with group:
            await block()


def drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine of SyncHands to its end, in this thread."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise AssertionError("it suspended in a thread")
