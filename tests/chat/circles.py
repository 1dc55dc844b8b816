"""Conversations whose tools ask one another: a model that calls the tools it is told to, and tools that wait for a response."""

import asyncio
import itertools
from typing import Any

import llm_actors as llm
from llm_actors.chat.script_model import script_pair
from llm_actors.messages import RoundResult, ToolCall, ToolResultPart
from llm_actors.messages.assembly import assemble
from llm_actors.providers.protocol import Script, ScriptStep

_ids = itertools.count()


def play(request):
    """`call f g:7` calls these tools, g with `number=7`, and then answers `f=... g=...`; anything else is answered `heard ...`."""
    last = request.messages[-1]
    results = [part for part in last.parts if isinstance(part, ToolResultPart)]
    words = last.text.split()
    if results:
        return said(" ".join(f"{part.name}={part.output}" for part in results))
    if words[:1] == ["call"]:
        calls = [called(*word.split(":")) for word in words[1:]]
        return Script([], RoundResult(tool_calls=calls, messages=assemble([], calls), stop_reason="tool_calls"))
    return said(f"heard {last.text}")


def called(name, number=None):
    return ToolCall(name, {} if number is None else {"number": int(number)}, f"c{next(_ids)}")


def said(text):
    return Script([ScriptStep(0.0, [text])], RoundResult(messages=assemble([text], []), stop_reason="stop"))


SYNC, ASYNC = script_pair("circles", play)
MODELS: dict[str, Any] = {"sync": SYNC, "async": ASYNC}
DEADLOCK = "this wait would never end"


def asking(dress, name, get, method="text"):
    """A tool of this name that waits for the text of the response that `get()` gives."""

    async def native() -> str:
        return str(await getattr(get(), method)())

    def plain() -> str:
        return str(getattr(get(), method)())

    return llm.Tool.function(native if dress == "async" else plain, name=name)


async def wait_for(call):
    """What `call()` gives, be it awaited or blocking."""
    if asyncio.iscoroutinefunction(call):
        return await call()
    return await asyncio.to_thread(call)


async def text(response):
    return await wait_for(response.text)


async def texts(*responses):
    return await asyncio.gather(*map(text, responses))


def deadlocks(*answers):
    """How many of these hold a tool's result that says that it would have waited for itself."""
    return sum(answer.count(DEADLOCK) for answer in answers)


def run(main, seconds=20):
    async def bounded():
        async with asyncio.timeout(seconds):
            return await main

    return asyncio.run(bounded())
