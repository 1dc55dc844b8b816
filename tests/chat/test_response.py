"""The two views of a response: the same facts, by `await` and by blocking."""

import asyncio
import gc
import logging

import msgspec
import pytest

import llm_actors as llm
from llm_actors.messages import StreamEvent

from .speakers import Says, SyncSays, run


def tell(response):
    response.set_usage(input=3, output=2)
    response.response_json = {"id": 1}


def call_tool(response):
    if not response.prompt.tool_results:
        response.add_tool_call(llm.ToolCall("add", {"a": 1}, "c1"))


def add(a: int) -> int:
    return a + 1


class Both:
    """A finished response of each dress, asked for the same."""

    def __init__(self, *items, chain=False, **asked):
        self.sync = getattr(SyncSays(*items), "chain" if chain else "prompt")("hi", **asked)
        self.model = Says(*items)
        self.chain, self.asked = chain, asked

    def get(self, method, *args):
        async def main():
            response = getattr(self.model, "chain" if self.chain else "prompt")("hi", **self.asked)
            got = await getattr(response, method)(*args)
            return response, got

        response, from_async = run(main())
        return [(self.sync, getattr(self.sync, method)(*args)), (response, from_async)]


@pytest.mark.parametrize("place", [0, 1])
def test_both_views_tell_the_same(place):
    text = "[1, 2]"
    both = Both(StreamEvent("reasoning", "hm"), text, tell)
    assert both.get("text")[place][1] == text
    assert both.get("value")[place][1] == [1, 2]
    assert both.get("json")[place][1] == {"id": 1}
    assert both.get("usage")[place][1] == llm.Usage(3, 2)
    assert both.get("tool_calls")[place][1] == []
    assert [message.text for message in both.get("messages")[place][1]] == [text]
    response, milliseconds = both.get("duration_ms")[place]
    assert 0 <= milliseconds < 10_000
    assert both.get("datetime_utc")[place][1].endswith("+00:00")
    assert response.stop_reason == "stop"
    assert (response.input_tokens, response.output_tokens, response.token_details) == (3, 2, None)
    assert response.response_json == {"id": 1}
    assert (response.request_id, response.resolved_model) == (None, None)
    assert (response.attachments, response.tool_results) == ([], [])
    assert response.prompt.prompt == "hi"
    assert response.conversation is None
    assert response.stream is True
    assert response.done
    assert response.error is None
    assert response.text_or_raise() == text
    assert response.tool_calls_or_raise() == []
    plain = response.to_dict()
    assert plain["usage"] == {"input": 3, "output": 2}
    assert plain["prompt"]["messages"] == [llm.user("hi").to_dict()]
    assert plain["id"] == response.id
    assert repr(response).startswith(f"<{type(response).__name__} prompt='hi' text='[1, 2]'")
    assert response == type(response)(response._log)
    assert response != "something else"
    assert len({response, type(response)(response._log)}) == 1


def test_the_blocking_view_streams_prints_and_gives_events():
    response = SyncSays(StreamEvent("reasoning", "hm"), "a", "b").prompt("hi")
    assert list(response) == ["a", "b"]
    assert str(response) == "ab"
    assert [event.type for event in response.stream_events()] == ["reasoning", "text", "text"]
    assert [event.type for event in response.events(after=2)] == ["text", "end"]


def test_awaiting_a_response_gives_the_response():
    async def main():
        response = Says("a").prompt("hi")
        assert await response is response
        with pytest.raises(ValueError, match="no"):
            await Says(ValueError("no")).prompt("hi")

    run(main())


def test_what_never_waits_says_so_before_the_end():
    async def main():
        go = asyncio.Event()
        response = Says(go, "a").prompt("hi")
        for method in ("text_or_raise", "tool_calls_or_raise", "to_dict"):
            with pytest.raises(ValueError, match="not yet awaited"):
                getattr(response, method)()
        assert "not yet awaited" in repr(response)
        assert (response.stop_reason, response.input_tokens, response.done) == (None, None, False)
        go.set()
        await response

    run(main())


def test_a_failed_one_shows_its_error_and_a_long_one_is_shortened():
    async def main():
        response = Says("x" * 200, ValueError("no")).prompt("long " * 50)
        with pytest.raises(ValueError, match="no"):
            await response.text()
        shown = repr(response)
        assert "error=ValueError" in shown
        assert len(shown) < 300
        with pytest.raises(ValueError, match="no"):
            response.to_dict()

    run(main())


def test_an_answer_that_does_not_fit_its_schema_raises_from_value_alone():
    class Dog(msgspec.Struct):
        name: str

    async def main():
        response = Says('{"age": 3}').prompt("hi", schema=Dog)
        assert await response.text() == '{"age": 3}'
        with pytest.raises(llm.IncompleteAnswerError, match="does not fit the schema"):
            await response.value()
        fitting = Says('{"name": "Rex"}').prompt("hi", schema=Dog, options={})
        assert await fitting.value() == Dog("Rex")
        return response.to_dict()

    run(main())


@pytest.mark.parametrize("place", [0, 1])
def test_a_chains_response_sums_its_rounds_and_lists_them(place):
    """a chain's response is a response like any other; ... sums their usage and lists them by `responses()`"""
    response, calls = Both("a", tell, call_tool, chain=True, tools=[add]).get("tool_calls")[place]
    assert [call.tool_call_id for call in calls] == ["c1"]
    assert response.partial == "a a"
    assert response.input_tokens == 6

    async def listed():
        return [each async for each in response.responses()]

    rounds = list(response.responses()) if place == 0 else run(listed())
    assert [each.text_or_raise() for each in rounds] == ["a", "a"]
    assert [each.prompt.prompt for each in rounds] == ["hi", ""]
    assert [each.input_tokens for each in rounds] == [3, 3]
    assert [result.output for result in rounds[1].tool_results] == ["2"]
    with pytest.raises(TypeError, match="to_dict"):
        response.__reduce__()


def test_responses_of_one_call_are_the_response_itself():
    response = SyncSays("a").prompt("hi")
    assert list(response.responses()) == [response]


def test_a_failed_response_that_nobody_read_is_logged_once(caplog):
    """a failed response that nobody read is logged once"""

    async def main(read):
        response = Says(ValueError("no")).prompt("hi")
        async for _ in response.events():
            pass
        if read:
            with pytest.raises(ValueError, match="no"):
                await response.text()

    with caplog.at_level(logging.ERROR, "llm_actors"):
        run(main(read=True))
        gc.collect()
        assert caplog.records == []
        run(main(read=False))
        gc.collect()
    assert ["nobody read it" in record.message for record in caplog.records] == [True]


def test_reading_an_error_again_and_again_does_not_make_its_traceback_longer():
    def length(error):
        count, trace = 0, error.__traceback__
        while trace is not None:
            count, trace = count + 1, trace.tb_next
        return count

    response = SyncSays(ValueError("no")).prompt("hi")
    lengths = set()
    for _ in range(5):
        try:
            response.text()
        except ValueError as error:
            lengths.add(length(error))
    assert len(lengths) == 1


def test_a_response_after_its_conversation_knows_it():
    async def main():
        conversation = Says("a").conversation()
        response = conversation.prompt("hi")
        await response
        assert response.conversation is conversation
        assert response.model is conversation.model

    run(main())
