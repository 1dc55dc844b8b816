"""Models that say what a test tells them."""

import pytest

import llm_actors as llm
from llm_actors import testing
from llm_actors.messages import RoundResult, Usage
from llm_actors.providers.protocol import Script, ScriptStep
from llm_actors.testing import ScriptedModel, calls, fails, says, thinks


def add(a: int, b: int) -> int:
    return a + b


def test_its_answers_are_played_in_order_in_both_dresses():
    scripted = ScriptedModel("one", lambda request: request.messages[-1].text.upper(), says("th", "ree"))

    async def main():
        return await scripted.async_model.prompt("two").text()

    with testing.Simulation() as world:
        assert scripted.model.prompt("1").text() == "one"
        assert world.run(main()) == "TWO"
        assert list(scripted.model.prompt("3")) == ["th", "ree"]
    assert [request.messages[-1].text for request in scripted.requests] == ["1", "two", "3"]


def test_pauses_are_seconds_before_what_follows_or_before_the_end():
    scripted = ScriptedModel(says(1, "a", 2, 3, "b", 4), fails(llm.RateLimitError("slow"), "x", 5))
    with testing.Simulation() as world:
        assert scripted.model.prompt("1").text() == "ab"
        assert world.now == 10
        failed = scripted.model.prompt("2")
        with pytest.raises(llm.RateLimitError):
            failed.text()
        assert (failed.partial, world.now) == ("x", 15)


def test_calls_get_ids_of_their_own_each_time_and_run():
    script = calls(add={"a": 1, "b": 2})
    scripted = ScriptedModel(script, script, "done", rest="more")
    with testing.Simulation():
        conversation = scripted.model.conversation(tools=[add])
        response = conversation.chain("go")
        assert response.text() == "done"
        assert [call.tool_call_id for call in response.tool_calls()] == ["call_1", "call_2"]
        assert conversation.prompt("again").text() == "more"
    results = [
        part
        for message in scripted.requests[2].messages
        for part in message.parts
        if isinstance(part, llm.ToolResultPart)
    ]
    assert [(part.tool_call_id, part.output) for part in results] == [("call_1", "3"), ("call_2", "3")]


def test_reasoning_usage_and_stop_reasons_are_told():
    scripted = ScriptedModel(says(thinks("hm"), "ha", stop_reason="length", usage=Usage(3, 4)))
    with testing.Simulation():
        response = scripted.model.prompt("x")
        assert [event.type for event in response.stream_events()] == ["reasoning", "text"]
        assert (response.text(), response.stop_reason, response.input_tokens) == ("ha", "length", 3)


def test_whole_scripts_are_played_as_they_are():
    scripted = ScriptedModel(Script([ScriptStep(1.0, ["a"])], RoundResult(stop_reason="stop")))
    with testing.Simulation():
        assert scripted.model.prompt("x").text() == "a"


def test_a_request_too_many_fails_and_says_so():
    scripted = ScriptedModel("one")
    with testing.Simulation():
        scripted.model.prompt("x").text()
        with pytest.raises(llm.ModelError, match="no answer for request 2"):
            scripted.model.prompt("x").text()
