"""The same scene played in both worlds: by `await` on a loop, and blocking in a thread."""

import asyncio
import json
import threading

import llm_actors as llm


class World:
    """Answers of either dress as values: `await world.text(response)` awaits an AsyncResponse and blocks, in a thread, for a Response."""

    def __init__(self, dress):
        self.is_async = dress == "async"

    def model(self, pair):
        return pair.async_model if self.is_async else pair.model

    async def call(self, response, method, *args):
        """`response.method(*args)` in the way of its world."""
        if self.is_async:
            return await getattr(response, method)(*args)
        return await asyncio.to_thread(getattr(response, method), *args)

    async def text(self, response):
        return await self.call(response, "text")

    async def cancel(self, response):
        await self.call(response, "cancel")

    async def error(self, response):
        """What `text()` raises."""
        try:
            await self.text(response)
        except BaseException as error:
            return error
        raise AssertionError("text() gave an answer")

    async def events(self, response):
        if self.is_async:
            return [event async for event in response.events()]
        return await asyncio.to_thread(lambda: list(response.events()))

    async def some_events(self, response, count):
        """The first `count` events: returns as soon as they are there."""

        async def read():
            seen = []
            async for event in response.events():
                seen.append(event)
                if len(seen) >= count:
                    break
            return seen

        def read_blocking():
            seen = []
            for event in response.events():
                seen.append(event)
                if len(seen) >= count:
                    break
            return seen

        return await read() if self.is_async else await asyncio.to_thread(read_blocking)


def check_valid(messages):
    """The rules that all providers share: each call has exactly one result, directly behind; nothing empty; no result without a call."""
    waiting = []
    for message in messages:
        assert message.parts, f"an empty message: {messages}"
        results = [part for part in message.parts if type(part).__name__ == "ToolResultPart"]
        if message.role == "tool":
            assert sorted(part.tool_call_id for part in results) == sorted(waiting), messages
            waiting = []
            continue
        assert not results
        assert not waiting, f"calls without results: {waiting} in {messages}"
        waiting = [part.tool_call_id for part in message.parts if type(part).__name__ == "ToolCallPart"]
    assert not waiting, f"calls without results: {waiting} in {messages}"


def wire_messages(request):
    """The messages of a recorded request, as (role, content)."""
    return [(message["role"], message.get("content")) for message in request.json()["messages"]]


def calls(**named):
    """A prompt at which the scripted server asks for these tools, in this order: `calls(add={"a": 1})`."""
    return " and ".join(f"call {name} {json.dumps(arguments)}" for name, arguments in named.items())


class Held:
    """A sync tool that waits for the test: `entered` when it runs, goes on at `let_go`."""

    def __init__(self, result="held"):
        self.entered = threading.Event()
        self.let_go = threading.Event()
        self.told = threading.Event()
        self.result = result

    def tool(self, name="hold"):
        def hold() -> str:
            self.entered.set()
            while not self.let_go.wait(0.01):
                if llm.cancelled():
                    self.told.set()
            return self.result

        return llm.Tool.function(hold, name=name)


async def until(event, seconds=30):
    """Waits off the loop for a threading.Event."""
    assert await asyncio.to_thread(event.wait, seconds)
