"""Models in Python code that do what a test says."""

import asyncio
import threading

import llm_actors as llm


class Says(llm.AsyncModel):
    """Yields what it was made with; an asyncio.Event is waited for, an exception raised."""

    model_id = "says"
    can_stream = supports_tools = supports_schema = True

    def __init__(self, *items):
        self.items = items
        self.prompts = []
        self.started = asyncio.Event()

    async def execute(self, prompt, stream, response, conversation):
        self.prompts.append(prompt)
        self.started.set()
        for item in self.items:
            if isinstance(item, asyncio.Event):
                await item.wait()
            elif isinstance(item, BaseException):
                raise item
            elif callable(item):
                item(response)
            else:
                yield item


class SyncSays(llm.Model):
    """The same in a thread; a threading.Event is waited for."""

    model_id = "sync-says"
    can_stream = supports_tools = supports_schema = True

    def __init__(self, *items):
        self.items = items
        self.prompts = []

    def execute(self, prompt, stream, response, conversation):
        self.prompts.append(prompt)
        for item in self.items:
            if isinstance(item, threading.Event):
                assert item.wait(30)
            elif isinstance(item, BaseException):
                raise item
            elif callable(item):
                item(response)
            else:
                yield item


async def taken(conversation):
    """Waits until the conversation has looked at all its mail: on a busy machine it may let others run in between."""
    actor = conversation._seat.found
    while super(type(actor), actor).backlog:  # noqa: ASYNC110 - that it looks at the last one has no event
        await asyncio.sleep(0)


def run(main):
    """`asyncio.run` with a bound."""

    async def bounded():
        async with asyncio.timeout(30):
            return await main

    return asyncio.run(bounded())
