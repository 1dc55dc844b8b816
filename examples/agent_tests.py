"""Tests of an agent, in virtual time: hours pass in milliseconds, a hang is an error at once, the same seed runs the same way.

`python examples/agent_tests.py` (or `pytest examples/agent_tests.py`) prints:

    test_it_looks_again_every_four_minutes_until_the_build_is_done passed
    test_a_model_that_is_silent_for_an_hour_ends_the_watch passed
    test_it_looks_ten_times_and_no_more passed
"""

import asyncio

import llm_actors as llm
from llm_actors.testing import ScriptedModel, calls, run, says

FOUR_MINUTES = 240.0  # a tool that takes longer than five says so: Tool.function(look_later, timeout=...)


async def watch(model: llm.AsyncModel, state: dict[str, str], looks: int = 10) -> str:
    """The agent: looks at a build until it is done, and has the model say so."""

    async def look_later() -> str:
        """Waits four minutes and looks at the build."""
        await asyncio.sleep(FOUR_MINUTES)
        return state["build"]

    return await model.chain(
        "Tell me when the build is done.", tools=[look_later], chain_limit=looks, timeout=3600 * 3
    ).text()


def test_it_looks_again_every_four_minutes_until_the_build_is_done() -> None:
    async def main() -> float:
        began = asyncio.get_running_loop().time()
        scripted = ScriptedModel(*[calls(look_later={})] * 3, says("It is done."))
        state = {"build": "running"}
        watching = asyncio.create_task(watch(scripted.async_model, state))
        await asyncio.sleep(600)
        state["build"] = "done"
        assert await watching == "It is done."
        assert [message.text for message in scripted.requests[-1].messages if message.role == "user"] == [
            "Tell me when the build is done."
        ]
        return asyncio.get_running_loop().time() - began

    assert run(main(), seed=1) == 3 * FOUR_MINUTES


def test_a_model_that_is_silent_for_an_hour_ends_the_watch() -> None:
    async def main() -> None:
        silent = ScriptedModel(says(3600.0 * 4, "too late"))
        try:
            await watch(silent.async_model, {"build": "running"})
        except llm.DeadlineExceededError:
            return
        raise AssertionError

    run(main(), seed=1)


def test_it_looks_ten_times_and_no_more() -> None:
    async def main() -> BaseException | None:
        scripted = ScriptedModel(rest=calls(look_later={}))
        (error,) = await asyncio.gather(watch(scripted.async_model, {"build": "running"}), return_exceptions=True)
        return error if isinstance(error, BaseException) else None

    assert isinstance(run(main(), seed=1), llm.ChainLimitError | llm.RepeatedToolCallsError)


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print(name, "passed")
