"""What a checker knows of the tools for tests."""

from typing import assert_type

import llm_actors as llm
from llm_actors import testing
from llm_actors.testing.cassette import Cassette
from llm_actors.testing.memory import MemoryServer


async def main() -> str:
    scripted = testing.ScriptedModel("a", testing.says("b", 1.0, "c"), testing.fails(llm.RateLimitError("no")))
    assert_type(scripted.model, llm.Model)
    assert_type(scripted.async_model, llm.AsyncModel)
    return await scripted.async_model.prompt("hi").text()


assert_type(testing.run(main(), seed=1), str)
with testing.Simulation("a seed", max_time=60.0) as world:
    assert_type(world, testing.Simulation)
    assert_type(world.run(main()), str)
    assert_type(world.now, float)
    assert_type(world.trace.encode(), bytes)
    server = MemoryServer(testing.reply(429), delay=world.random.random)
    assert_type(server.requests, list[testing.Recorded])
    with Cassette("tape.json") as cassette:
        llm.endpoint("m", base_url=server.base_url, client=cassette.client)
