"""One scripted server for each file: real HTTP, in another process, and strict about histories."""

import asyncio

import pytest

import llm_actors as llm
from llm_actors.testing import ScriptedServer


@pytest.fixture(scope="module")
def _server():
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def server(_server):
    """The server, as if new."""
    _server.set()
    _server.forget()
    yield _server
    _server.forget()


@pytest.fixture
def pair(server):
    """A model of that server, in both dresses: `.model` and `.async_model`."""
    return llm.endpoint("m", wire="openai-chat", base_url=server.base_url, key="sk-test")


@pytest.fixture(params=["async", "sync"])
def dress(request):
    """For promises that hold in both worlds: see `worlds.World`."""
    return request.param


@pytest.fixture
def run():
    """`asyncio.run` with a bound."""

    def bounded(main, seconds=20):
        async def inside():
            async with asyncio.timeout(seconds):
                return await main

        return asyncio.run(inside())

    return bounded
