"""Models in Python code: what execute() may be, yield and raise."""

import asyncio
import contextvars
import threading

import pytest

import llm_actors as llm
from llm_actors.messages import StreamEvent

from .speakers import Says, SyncSays, run


def made(kind, execute):
    """A model class with this execute(), without `super().__init__()`."""
    base = llm.AsyncModel if kind == "async" else llm.Model
    return type("Made", (base,), {"model_id": "made", "execute": execute, "__init__": lambda self: None})()


def text_of(model):
    if isinstance(model, llm.Model):
        return model.prompt("hi").text()

    async def main():
        return await model.prompt("hi").text()

    return run(main())


async def agen(self, prompt, stream, response, conversation):
    yield "a"
    yield "b"


async def coroutine_of_list(self, prompt, stream, response, conversation):
    return ["a", "b"]


async def coroutine_of_text(self, prompt, stream, response, conversation):
    return "ab"


async def coroutine_of_agen(self, prompt, stream, response, conversation):
    return agen(self, prompt, stream, response, conversation)


async def coroutine_of_nothing(self, prompt, stream, response, conversation):
    return None


def generator(self, prompt, stream, response, conversation):
    yield "a"
    yield "b"


def plain_list(self, prompt, stream, response, conversation):
    return ["a", "b"]


def plain_text(self, prompt, stream, response, conversation):
    return "ab"


def plain_nothing(self, prompt, stream, response, conversation):
    return None


@pytest.mark.parametrize(
    ("kind", "execute", "text"),
    [
        ("async", agen, "ab"),
        ("async", coroutine_of_list, "ab"),
        ("async", coroutine_of_text, "ab"),
        ("async", coroutine_of_agen, "ab"),
        ("async", coroutine_of_nothing, ""),
        ("async", generator, "ab"),
        ("async", plain_list, "ab"),
        ("sync", generator, "ab"),
        ("sync", plain_list, "ab"),
        ("sync", plain_text, "ab"),
        ("sync", plain_nothing, ""),
    ],
)
def test_execute_may_be_written_in_any_of_these_ways(kind, execute, text):
    assert text_of(made(kind, execute)) == text


class Peculiar:
    """An event of somebody else's class."""

    type = "reasoning"
    chunk = "hm"
    part_index = None


def test_it_yields_text_and_events_and_tells_usage_model_and_json():
    def tell(response):
        response.set_usage(input=3, output=2, details={"cached": 1})
        response.set_resolved_model("really")
        response.response_json = {"raw": True}
        response.stop_reason = "length"

    async def main():
        response = Says(StreamEvent("reasoning", "thinking"), Peculiar(), StreamEvent("text", "a"), "b", tell).prompt(
            "hi"
        )
        assert await response.text() == response.partial == "ab"
        assert await response.usage() == llm.Usage(3, 2, {"cached": 1})
        assert (response.resolved_model, response.stop_reason) == ("really", "length")
        assert response.response_json == {"raw": True}
        kinds = [event.type async for event in response.astream_events()]
        assert kinds == ["reasoning", "reasoning", "text", "text"]

    run(main())


@pytest.mark.parametrize("model", [Says("a", 3), SyncSays("a", 3)])
def test_anything_else_it_yields_is_a_type_error(model):
    with pytest.raises(TypeError, match="yields str or StreamEvent, not int"):
        text_of(model)


@pytest.mark.parametrize("model", [Says("half", ValueError("no")), SyncSays("half", ValueError("no"))])
def test_what_it_raises_is_passed_on_unchanged(model):
    with pytest.raises(ValueError, match="no"):
        text_of(model)


@pytest.mark.parametrize("error", [asyncio.CancelledError("x"), SystemExit(3), KeyboardInterrupt()])
@pytest.mark.parametrize("kind", [Says, SyncSays])
def test_what_would_end_or_cancel_its_readers_is_told_as_a_models_error(kind, error):
    with pytest.raises(llm.ModelError, match=type(error).__name__) as info:
        text_of(kind("half", error))
    assert info.value.__cause__ is error


def test_a_tool_call_gets_an_id_where_it_has_none():
    def ask_for_two(response):
        response.add_tool_call(llm.ToolCall("one", {"a": 1}))
        response.add_tool_call(llm.ToolCall("two", {}, "mine"))

    async def main():
        response = Says(ask_for_two).prompt("hi")
        first, second = await response.tool_calls()
        assert first.tool_call_id.startswith("tc_")
        assert second.tool_call_id == "mine"
        assert response.stop_reason == "tool_calls"

    run(main())


def test_cancelled_an_async_one_is_cancelled_and_its_generator_closed_when_cancel_returns():
    closed = []

    async def execute(self, prompt, stream, response, conversation):
        try:
            yield "half"
            await asyncio.get_running_loop().create_future()
        finally:
            closed.append(prompt.prompt)

    async def main():
        response = made("async", execute).prompt("hi")
        async for _ in response.events():
            break
        await response.cancel()
        assert closed == ["hi"]
        assert response.partial == "half"

    run(main())


def test_cancelled_before_its_first_step_it_ends_all_the_same():
    async def main():
        conversation = Says(asyncio.Event()).conversation()
        for _ in range(3):
            response = conversation.prompt("hi")
            await response.cancel()
            with pytest.raises(llm.ResponseCancelledError):
                await response.text()
        conversation.model = Says("a")
        assert await conversation.prompt("hi").text() == "a"

    run(main())


def test_cancelled_a_sync_one_is_told_and_what_it_still_yields_goes_nowhere():
    told, go, yielded = threading.Event(), threading.Event(), threading.Event()

    def execute(self, prompt, stream, response, conversation):
        yield "half"
        go.wait(30)
        if llm.cancelled():
            told.set()
        try:
            yield "too late"
        finally:
            yielded.set()

    conversation = made("sync", execute).conversation()
    response = conversation.prompt("hi")
    next(iter(response))
    response.cancel()  # returns though the thread has not
    go.set()
    assert yielded.wait(30)
    assert told.is_set()
    assert response.partial == "half"
    assert "too late" not in str(conversation.messages())


def test_a_late_error_of_a_cancelled_sync_one_goes_nowhere():
    go, raised = threading.Event(), threading.Event()

    def execute(self, prompt, stream, response, conversation):
        yield "half"
        go.wait(30)
        raised.set()
        raise ValueError("late")

    response = made("sync", execute).prompt("hi")
    next(iter(response))
    response.cancel()
    go.set()
    assert raised.wait(30)
    with pytest.raises(llm.ResponseCancelledError):
        response.text()


def test_its_execute_sees_the_context_of_the_call():
    who = contextvars.ContextVar("who", default="nobody")

    def execute(self, prompt, stream, response, conversation):
        yield who.get()

    async def execute_async(self, prompt, stream, response, conversation):
        yield who.get()

    async def main():
        who.set("caller")
        return await made("async", execute_async).prompt("hi").text(), await made("async", execute).prompt("hi").text()

    assert run(main()) == ("caller", "caller")


def test_it_is_told_whether_to_stream_and_what_came_before():
    seen = []

    def execute(self, prompt, stream, response, conversation):
        seen.append((stream, [message.text for message in prompt.messages], conversation is not None, response.id))
        yield "a"

    model = made("sync", execute)
    model.can_stream = True
    conversation = model.conversation()
    conversation.prompt("one").text()
    second = conversation.prompt("two", stream=False)
    second.text()
    model.prompt("alone").text()
    assert [call[:3] for call in seen] == [
        (True, ["one"], True),
        (False, ["one", "a", "two"], True),
        (True, ["alone"], False),
    ]
    assert seen[1][3] == second.id
