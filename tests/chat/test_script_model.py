"""Models that play a script, by the loop's timers."""

import asyncio

import pytest

import llm_actors as llm
from llm_actors.chat.script_model import script_pair
from llm_actors.messages import RoundResult
from llm_actors.providers.protocol import Script, ScriptStep

from .speakers import run


def played(*steps, outcome=None):
    seen = []

    def play(request):
        seen.append(request)
        return Script(list(steps), outcome or RoundResult(stop_reason="stop"))

    sync, native = script_pair("script", play)
    return sync, native, seen


def test_steps_without_a_delay_are_written_together_and_the_others_after_theirs():
    sync, native, seen = played(ScriptStep(0.0, ["a"]), ScriptStep(0.0, ["b"]), ScriptStep(0.01, ["c"]))

    async def main():
        response = native.prompt("hi", tools=[ping])
        assert [text async for text in response] == ["a", "b", "c"]

    run(main())
    assert sync.prompt("hi").text() == "abc"
    request = seen[0]
    assert (request.model, [tool.name for tool in request.tools]) == ("script", ["ping"])
    assert [message.text for message in request.messages] == ["hi"]


def ping() -> str:
    return "pong"


def test_it_may_begin_late_have_no_steps_and_end_in_an_error():
    _, late, _ = played(ScriptStep(0.01, ["a"]))
    _, empty, _ = played()
    _, broken, _ = played(ScriptStep(0.0, ["half"]), outcome=llm.OverloadedError("busy"))

    async def main():
        assert await late.prompt("hi").text() == "a"
        assert await empty.prompt("hi").text() == ""
        response = broken.prompt("hi")
        with pytest.raises(llm.OverloadedError):
            await response.text()
        assert response.partial == "half"

    run(main())


@pytest.mark.parametrize("delay", [0.0, 30.0])
def test_stopped_it_plays_no_further(delay):
    _, native, _ = played(ScriptStep(delay, ["a"]), ScriptStep(30.0, ["never"]))

    async def main():
        response = native.prompt("hi")
        await asyncio.sleep(0)
        await response.cancel()
        with pytest.raises(llm.ResponseCancelledError):
            await response.text()
        assert response.partial in ("", "a")

    run(main())
