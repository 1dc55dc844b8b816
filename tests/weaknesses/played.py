"""Models in Python code that play what a test gives them, round by round, and remember what they were asked.

A round is a list of: str (yielded), ToolCall (asked for), an exception (raised), a function (called; awaited where it gives an awaitable).
After the last round each prompt is answered by "re: " and its text. As users' models do, they don't call `super().__init__()`.
"""

import asyncio
import inspect
from typing import Any

import llm_actors as llm


class Played(llm.Model):
    model_id = "played"
    can_stream = True
    supports_tools = True
    supports_schema = True
    attachment_types = frozenset({"*/*"})

    def __init__(self, *rounds):
        self.rounds = list(rounds)
        self.asked = []
        self.closed = 0

    def execute(self, prompt, stream, response, conversation):
        try:
            for item in _round(self, prompt):
                said = _step(item, response)
                if said is not None:
                    yield said
        finally:
            self.closed += 1


class AsyncPlayed(llm.AsyncModel):
    model_id = "played"
    can_stream = True
    supports_tools = True
    supports_schema = True
    attachment_types = frozenset({"*/*"})

    def __init__(self, *rounds):
        self.rounds = list(rounds)
        self.asked = []
        self.closed = 0

    async def execute(self, prompt, stream, response, conversation):
        try:
            for item in _round(self, prompt):
                said = _step(item, response)
                if inspect.isawaitable(said):
                    await said
                elif said is not None:
                    yield said
                    await asyncio.sleep(0)
        finally:
            self.closed += 1


def played(is_async, *rounds) -> Any:
    """The one or the other, for tests of both worlds."""
    return AsyncPlayed(*rounds) if is_async else Played(*rounds)


def wired(server, is_async, **more) -> Any:
    """A model that speaks to the scripted server."""
    pair = llm.endpoint("m", base_url=server.base_url, **more)
    return pair.async_model if is_async else pair.model


def _round(model, prompt):
    model.asked.append(list(prompt.messages))
    return model.rounds.pop(0) if model.rounds else [f"re: {prompt.prompt}"]


def _step(item, response):
    if isinstance(item, str):
        return item
    if isinstance(item, BaseException):
        raise item
    if callable(item):
        return item()
    response.add_tool_call(item)
    return None


def call(name, call_id="c1", **arguments):
    return llm.ToolCall(name, arguments, call_id)


def said(messages):
    """The messages in short: (role, text), a call as "-> name", a result as its output."""
    return [(message.role, "".join(_short(part) for part in message.parts)) for message in messages]


def _short(part):
    if isinstance(part, llm.ToolCallPart):
        return f"-> {part.name}"
    return part.output if isinstance(part, llm.ToolResultPart) else part.text


def outputs(messages):
    """The outputs of all tool results."""
    return [part.output for message in messages for part in message.parts if isinstance(part, llm.ToolResultPart)]


def run(main, seconds=10):
    """Runs an async function to its end, in an event loop of its own."""

    async def bounded():
        async with asyncio.timeout(seconds):
            return await main()

    return asyncio.run(bounded())


async def longest_stall(work):
    """How long, in seconds, the loop at most did not get to its other tasks while `work` was awaited."""
    loop = asyncio.get_running_loop()
    longest = 0.0

    async def tick():
        nonlocal longest
        while True:
            before = loop.time()
            await asyncio.sleep(0.001)
            longest = max(longest, loop.time() - before - 0.001)

    ticking = asyncio.create_task(tick())
    await work
    ticking.cancel()
    return longest


def finish(target, verb, *args, **kwargs) -> Any:
    """Calls `target.prompt(...)` or `target.chain(...)` in the way of its world, waits for the end, and gives the response."""
    if not isinstance(target, llm.AsyncModel | llm.AsyncConversation):
        response = getattr(target, verb)(*args, **kwargs)
        response.text()
        return response

    async def main():
        return await getattr(target, verb)(*args, **kwargs)

    return run(main)


def read(response, name) -> Any:
    """What a method of a response gives, awaited where it is to be."""
    value = getattr(response, name)()
    if not inspect.isawaitable(value):
        return value

    async def main():
        return await value

    return run(main)
