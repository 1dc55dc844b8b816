"""The peer's API around tools: Tool, Toolbox, results, hooks, pauses. The rest: test_peer_api.py."""

import asyncio
import functools
import threading
from typing import Any

import pytest

import llm_actors as llm
from tests.weaknesses.played import Played, call, finish, outputs, played, run, said

BOTH = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


def add(a: int, b: int = 1) -> int:
    """Adds two numbers."""
    return a + b


# ---- tools --------------------------------------------------------------------------------------------------------------------


def test_a_tool_of_a_function():
    tool = llm.Tool.function(add)
    assert (tool.name, tool.description, tool.plugin) == ("add", "Adds two numbers.", None)
    assert tool.input_schema["properties"]["a"] == {"type": "integer"}
    assert tool.input_schema["properties"]["b"]["type"] == "integer"
    assert tool.input_schema["required"] == ["a"]
    named = llm.Tool.function(lambda text: text, name="echo", description="Says it again.")
    assert (named.name, named.description) == ("echo", "Says it again.")
    assert named.input_schema["properties"] == {"text": {"type": "string"}}
    with pytest.raises(ValueError) as raised:
        llm.Tool.function(lambda: None)
    assert str(raised.value) == "Cannot create a Tool from a lambda function without providing name="


def test_self_and_llm_tool_call_are_not_shown_to_the_model():
    def tool(text: str, llm_tool_call: llm.ToolCall) -> str:
        return text

    assert list(llm.Tool.function(tool).input_schema["properties"]) == ["text"]


@BOTH
def test_llm_tool_call_gets_the_call(is_async):
    def tool(llm_tool_call: llm.ToolCall) -> str:
        return f"{llm_tool_call.name} {llm_tool_call.tool_call_id}"

    model = played(is_async, [call("tool")], ["done"])
    finish(model, "chain", "q", tools=[tool])
    assert outputs(model.asked[1]) == ["tool c1"]


def test_a_tool_with_its_own_schema():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    model = Played([call("own", n=2)], ["done"])
    finish(model, "chain", "q", tools=[llm.Tool("own", "Its own.", schema, lambda n: n * 2)])
    assert outputs(model.asked[1]) == ["4"]


class _Odd:
    def __repr__(self):
        return "<odd>"


@BOTH
@pytest.mark.parametrize(
    ("value", "output"),
    [
        ("text", "text"),
        (5, "5"),
        (None, "null"),
        ({"a": [1, 2]}, '{"a": [1, 2]}'),
        ({"a": _Odd()}, '{"a": "<odd>"}'),
        (llm.ToolOutput({"a": 1}), '{"a": 1}'),
    ],
    ids=["str", "int", "none", "dict", "repr", "tool output"],
)
def test_what_a_tool_returns_as_the_model_reads_it(is_async, value, output):
    model = played(is_async, [call("tool")], ["done"])
    finish(model, "chain", "q", tools=[llm.Tool.function(lambda: value, name="tool")])
    assert outputs(model.asked[1]) == [output]


@BOTH
def test_attachments_of_a_tool_go_to_the_model_behind_the_results(is_async):
    picture = llm.Attachment(type="image/png", content=b"png")

    def draw() -> llm.ToolOutput:
        return llm.ToolOutput("drawn", [picture])

    model = played(is_async, [call("draw")], ["done"])
    finish(model, "chain", "q", tools=[draw])
    assert [message.role for message in model.asked[1]] == ["user", "assistant", "tool", "user"]
    assert model.asked[1][3].parts == [llm.AttachmentPart(picture)]


@BOTH
def test_failing_missing_and_empty_tools_are_results(is_async):
    def fails() -> str:
        raise ValueError("no luck")

    def cancels() -> str:
        raise llm.CancelToolCall("from inside")

    seen = []

    def after_call(tool, tool_call, result):
        seen.append((tool_call.name, type(result.exception)))

    names = ["fails", "cancels", "missing", "empty"]
    model = played(is_async, [call(name, f"c{place}") for place, name in enumerate(names)], ["done"])
    finish(model, "chain", "q", tools=[fails, cancels, llm.Tool("empty")], after_call=after_call)
    assert outputs(model.asked[1]) == [
        "Error: no luck",
        "Error: from inside",  # an ordinary error, where it's not raised by before_call
        'Error: tool "missing" does not exist',
        'Error: tool "empty" has no implementation',  # the peer's async chains; its sync ones raise
    ]
    assert [part.exception for part in model.asked[1][2].parts[:2]] == [
        "ValueError: no luck",
        "CancelToolCall: from inside",
    ]
    assert sorted(seen, key=lambda one: one[0]) == [("cancels", llm.CancelToolCall), ("fails", ValueError)]


@BOTH
def test_arguments_are_converted_and_what_does_not_fit_is_told(is_async):
    model = played(is_async, [call("add", a="2"), call("add", "c2", a="x"), call("add", "c3", b=1)], ["done"])
    finish(model, "chain", "q", tools=[add])
    fits, wrong, missing = outputs(model.asked[1])  # the peer calls the function with whatever came
    assert fits in ("3", "Error: " + fits.removeprefix("Error: "))
    assert wrong.startswith("Error: ")
    assert "a" in missing
    assert missing.startswith("Error: ")


# ---- hooks --------------------------------------------------------------------------------------------------------------------


def _hooked(kind, function):
    if kind == "plain":
        return function

    @functools.wraps(function)
    async def hook(*args):
        await asyncio.sleep(0)
        return function(*args)

    return hook


@BOTH
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_before_call_and_after_call_see_tool_call_and_result(is_async, kind):
    """Async hooks work in sync chains as well, where the peer raises a TypeError."""
    seen: list[tuple[Any, ...]] = []
    before = _hooked(kind, lambda tool, tool_call: seen.append(("before", tool and tool.name, tool_call.name)))
    after = _hooked(
        kind, lambda tool, tool_call, result: seen.append(("after", tool.name, tool_call.name, result.output))
    )
    model = played(is_async, [call("add", a=1), call("missing", "c2")], ["done"])
    assert finish(model, "chain", "q", tools=[add], before_call=before, after_call=after).text_or_raise() == "done"
    assert [one for one in seen if one[0] == "before"] == [("before", "add", "add"), ("before", None, "missing")]
    assert [one for one in seen if one[0] == "after"] == [("after", "add", "add", "2")]


@BOTH
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_cancel_tool_call_refuses_the_call_and_the_chain_goes_on(is_async, kind):
    ran, seen = [], []

    def tool() -> str:
        ran.append("tool")
        return "out"

    def refuse(tool, tool_call):
        if tool_call.tool_call_id == "c1":
            raise llm.CancelToolCall("not this one")

    model = played(is_async, [call("tool"), call("tool", "c2")], ["done"])
    conversation = model.conversation([tool], _hooked(kind, refuse), lambda *args: seen.append(args[1].tool_call_id))
    assert finish(conversation, "chain", "q").text_or_raise() == "done"
    assert outputs(model.asked[1]) == ["Cancelled: not this one", "out"]
    assert model.asked[1][2].parts[0].exception == "CancelToolCall: not this one"
    assert ran == ["tool"]
    assert seen == ["c2"]


@BOTH
@pytest.mark.parametrize("stage", ["before_call", "after_call"])
def test_what_else_a_hook_raises_leaves_the_chain(is_async, stage):
    def fails(*_):
        raise ZeroDivisionError("of the hook")

    model = played(is_async, [call("add", a=1)], ["never"])
    conversation = model.conversation(tools=[add])
    with pytest.raises(ZeroDivisionError, match="of the hook"):
        finish(conversation, "chain", "q", **{stage: fails})
    assert len(model.asked) == 1


@BOTH
def test_hooks_and_tools_of_a_chain_win_over_those_of_the_conversation(is_async):
    seen = []

    def other() -> str:
        return "other"

    model = played(is_async, [call("other")], ["done"], [call("add", a=1)], ["done"])
    conversation = model.conversation([add], lambda *_: seen.append("conversation"))
    finish(conversation, "chain", "q", tools=[other], before_call=lambda *_: seen.append("chain"))
    finish(conversation, "chain", "q", tools=[])
    assert seen == ["chain", "conversation"]
    assert outputs(model.asked[3]) == ["other", "2"]


# ---- pauses -------------------------------------------------------------------------------------------------------------------


@BOTH
def test_a_pause_leaves_the_chain_with_its_call_and_its_siblings_results_and_can_be_resumed(is_async):
    allowed = threading.Event()
    seen = []

    def ask_a_human() -> str:
        if not allowed.is_set():
            raise llm.PauseChain("somebody has to say yes")
        return "yes"

    model = played(is_async, [call("ask_a_human"), call("add", "c2", a=1), call("add", "c3", a=2)], ["done"])
    conversation = model.conversation([ask_a_human, add], after_call=lambda *args: seen.append(args[1].tool_call_id))
    with pytest.raises(llm.PauseChain, match="somebody has to say yes") as raised:
        finish(conversation, "chain", "q")
    assert raised.value.tool_call == call("ask_a_human")
    assert [result.output for result in raised.value.tool_results] == [
        "2",
        "3",
    ]  # the peer's sync chains stop before them
    assert sorted(seen) == ["c2", "c3"]
    assert len(model.asked) == 1
    allowed.set()
    assert finish(conversation, "chain").text_or_raise() == "done"
    assert outputs(model.asked[1]) == ["yes", "2", "3"]
    assert sorted(seen) == ["c1", "c2", "c3"]


@BOTH
def test_of_several_pauses_the_first_by_call_order_is_raised(is_async):
    def pause(n: int) -> str:
        raise llm.PauseChain(f"pause {n}")

    model = played(is_async, [call("pause", n=1), call("pause", "c2", n=2)], ["never"])
    with pytest.raises(llm.PauseChain, match="pause 1") as raised:
        finish(model, "chain", "q", tools=[pause])
    assert raised.value.tool_call.tool_call_id == "c1"


@BOTH
def test_open_calls_in_given_messages_are_run_first(is_async):
    model = played(is_async, ["done"])
    given = [llm.user("q"), llm.assistant(llm.ToolCallPart("add", {"a": 1}, "c1"), llm.ToolCallPart("add", {"a": 2}, "c2")),
             llm.tool_message(llm.ToolResultPart("add", "known", "c1"))]  # fmt: skip
    assert finish(model, "chain", messages=given, tools=[add]).text_or_raise() == "done"
    assert outputs(model.asked[0]) == ["known", "3"]


@BOTH
def test_a_user_message_behind_open_calls_means_that_they_are_not_run(is_async):
    model = played(is_async, ["done"])
    given = [llm.user("q"), llm.assistant(llm.ToolCallPart("add", {"a": 1}, "c1"))]
    finish(model, "chain", "never mind", messages=given, tools=[add])
    assert outputs(model.asked[0]) != ["2"]
    assert said(model.asked[0])[-1] == ("user", "never mind")


# ---- toolboxes ----------------------------------------------------------------------------------------------------------------


class Memory(llm.Toolbox):
    """Keeps what it is told."""

    def __init__(self, start: int = 0, *, name: str = "memory"):
        self.count = start

    def bump(self, by: int = 1) -> int:
        """Counts up."""
        self.count += by
        return self.count

    async def later(self) -> str:
        """Takes a moment."""
        await asyncio.sleep(0)
        return f"count {self.count}"

    def _hidden(self):
        return "never"


def test_the_tools_of_a_toolbox_are_named_after_class_and_method():
    assert [tool.name for tool in Memory().tools()] == ["Memory_bump", "Memory_later"]
    assert [tool.name for tool in Memory.method_tools()] == ["Memory_bump", "Memory_later"]
    assert [tool.description for tool in Memory().tools()] == ["Counts up.", "Takes a moment."]


@BOTH
def test_a_toolbox_is_called_on_its_instance(is_async):
    box = Memory(5)
    model = played(is_async, [call("Memory_bump", by=2)], [call("Memory_later", "c2")], ["done"])
    finish(model, "chain", "q", tools=[box])
    assert outputs(model.asked[2]) == ["7", "count 7"]
    assert box.count == 7


@BOTH
def test_tools_can_be_added_to_a_toolbox(is_async):
    box = Memory(5)

    def peek(box: Memory) -> int:
        return box.count

    box.add_tool(add)
    box.add_tool(peek, pass_self=True)
    box.add_tool(llm.Tool.function(lambda: "x", name="given"))
    assert [tool.name for tool in box.tools()] == ["Memory_bump", "Memory_later", "add", "peek", "given"]
    with pytest.raises(TypeError, match=r"^Tool must be an instance of Tool or a callable function$"):
        box.add_tool(5)
    model = played(is_async, [call("peek"), call("given", "c2"), call("add", "c3", a=1)], ["done"])
    finish(model, "chain", "q", tools=[box])
    assert outputs(model.asked[1]) == ["5", "x", "2"]


def test_the_signature_of_a_toolboxs_constructor_stays_visible_and_its_arguments_are_kept():
    import inspect

    assert list(inspect.signature(Memory).parameters) == ["start", "name"]
    assert Memory(3)._config == {"start": 3, "name": "memory"}


def test_prepare_runs_once_for_an_instance_before_its_first_use():
    prepared = []

    class Prepared(llm.Toolbox):
        def prepare(self):
            prepared.append("sync")

        async def prepare_async(self):
            prepared.append("async")

        def use(self) -> str:
            return ",".join(prepared)

    box = Prepared()
    model = Played([call("Prepared_use")], ["done"], [call("Prepared_use", "c2")], ["done"])
    finish(model, "chain", "q", tools=[box])
    finish(model, "chain", "q", tools=[box])
    assert outputs(model.asked[1]) == ["sync,async"]
    assert prepared == ["sync", "async"]


# ---- tools without a chain ----------------------------------------------------------------------------------------------------


@BOTH
def test_a_prompt_offers_tools_and_runs_none(is_async):
    ran = []

    def tool() -> str:
        ran.append("tool")
        return "out"

    model = played(is_async, [call("tool")])
    conversation = model.conversation(tools=[tool])  # the peer's async prompt drops these
    response = finish(conversation, "prompt", "q")
    assert response.tool_calls_or_raise() == [call("tool")]
    assert [one.name for one in response.prompt.tools] == ["tool"]
    assert ran == []


@BOTH
def test_tool_results_answer_the_calls_of_the_round_before(is_async):
    model = played(is_async, [call("add", a=1)], ["so it is 2"])
    conversation = model.conversation(tools=[add])
    finish(conversation, "prompt", "q")
    response = finish(conversation, "prompt", tool_results=[llm.ToolResult("add", "2", tool_call_id="c1")])
    assert response.text_or_raise() == "so it is 2"
    assert said(model.asked[1]) == [("user", "q"), ("assistant", "-> add"), ("tool", "2")]


def test_cancelled_tells_a_sync_tool_that_nobody_waits_any_more():
    started, ended = threading.Event(), threading.Event()
    told = []

    def works() -> str:
        started.set()
        while not llm.cancelled():
            if ended.wait(0.01):
                return "never told"
        told.append(True)
        ended.set()
        return "late"

    async def main():
        response = played(True, [call("works")], ["never"]).chain("q", tools=[works])
        await asyncio.to_thread(started.wait, 5)
        await response.cancel()

    run(main)
    assert ended.wait(5)
    assert told == [True]


@BOTH
def test_results_without_an_id_answer_by_name_one_for_one(is_async):
    model = played(is_async, [call("add", a=1), call("add", "c2", a=2)], ["so they are"])
    conversation = model.conversation(tools=[add])
    finish(conversation, "prompt", "q")
    finish(conversation, "prompt", tool_results=[llm.ToolResult("add", "2"), llm.ToolResult("add", "3")])
    assert model.asked[1][2].parts == [llm.ToolResultPart("add", "2", "c1"), llm.ToolResultPart("add", "3", "c2")]


@BOTH
def test_a_pause_beside_a_result_with_attachments_can_be_resumed(is_async):
    allowed = threading.Event()
    picture = llm.Attachment(type="image/png", content=b"png")

    def ask_a_human() -> str:
        if not allowed.is_set():
            raise llm.PauseChain("wait")
        return "yes"

    def draw() -> llm.ToolOutput:
        return llm.ToolOutput("drawn", [picture])

    model = played(is_async, [call("ask_a_human"), call("draw", "c2")], ["done"])
    conversation = model.conversation(tools=[ask_a_human, draw])
    with pytest.raises(llm.PauseChain):
        finish(conversation, "chain", "q")
    allowed.set()
    assert finish(conversation, "chain").text_or_raise() == "done"
    assert outputs(model.asked[1]) == ["yes", "drawn"]
    assert [message.role for message in model.asked[1]] == ["user", "assistant", "tool", "user"]


@BOTH
def test_a_paused_conversation_that_was_written_down_can_be_resumed_from_there(is_async):
    allowed = threading.Event()

    def ask_a_human() -> str:
        if not allowed.is_set():
            raise llm.PauseChain("wait")
        return "yes"

    def draw() -> llm.ToolOutput:
        return llm.ToolOutput("drawn", [llm.Attachment(type="image/png", content=b"png")])

    model = played(is_async, [call("ask_a_human"), call("draw", "c2"), call("add", "c3", a=1)], ["done"])
    tools = [ask_a_human, draw, add]
    conversation = model.conversation(tools=tools)
    with pytest.raises(llm.PauseChain):
        finish(conversation, "chain", "q")
    again = type(conversation).from_dict(conversation.to_dict(), model=model, tools=tools)
    allowed.set()
    assert finish(again, "chain").text_or_raise() == "done"
    assert outputs(model.asked[1]) == ["yes", "drawn", "2"]
    assert [message.role for message in model.asked[1]] == ["user", "assistant", "tool", "user"]


def test_a_prompt_sent_as_a_message_gets_the_tools_of_the_conversation_and_its_own_limit():
    model = played(True, [call("add", a=1)], ["done"], [call("add", "c2", a=1)], ["never"])

    async def main():
        conversation = model.conversation(tools=[add])
        first = await conversation.ref.ask(llm.Prompt("q", chain=True), block=False)
        assert await first.text() == "done"
        second = await conversation.ref.ask(llm.Prompt("q", chain=True, chain_limit=1), block=False)
        with pytest.raises(llm.ChainLimitError):
            await second.text()

    run(main)
    assert outputs(model.asked[1]) == ["2"]
    assert len(model.asked) == 3
