"""The grouping rules by which items become messages."""

import pytest

from llm_actors.messages import (
    Item,
    Message,
    ReasoningPart,
    StreamEvent,
    TextPart,
    ToolCall,
    ToolCallPart,
    ToolResultPart,
    assistant,
)
from llm_actors.messages.assembly import Assembler, assemble, parse_arguments


def reasoning(chunk: str, **fields: object) -> StreamEvent:
    return StreamEvent("reasoning", chunk, **fields)


def name(chunk: str, call_id: str | None = None, **fields: object) -> StreamEvent:
    return StreamEvent("tool_call_name", chunk, tool_call_id=call_id, **fields)


def args(chunk: str, call_id: str | None = None, **fields: object) -> StreamEvent:
    return StreamEvent("tool_call_args", chunk, tool_call_id=call_id, **fields)


CASES: dict[str, tuple[list[Item], list[Message]]] = {
    "nothing": ([], []),
    "empty text is nothing": ([""], []),
    "consecutive text shares a part": (["a", StreamEvent("text", "b"), "c"], [assistant("abc")]),
    "reasoning and text are parts in order": (
        [reasoning("x"), reasoning("y"), "a", reasoning("z"), "b"],
        [assistant(ReasoningPart("xy"), "a", ReasoningPart("z"), "b")],
    ),
    "tool calls group by id": (
        [name("f", "1"), name("g", "2"), args('{"a":', "1"), args("{}", "2"), args("1}", "1")],
        [assistant(ToolCallPart("f", {"a": 1}, "1"), ToolCallPart("g", {}, "2"))],
    ),
    "without an id each name begins a part and arguments join the last": (
        [name("f"), args('{"a":'), args("1}"), name("f"), args('{"a":2}'), name("g")],
        [assistant(ToolCallPart("f", {"a": 1}), ToolCallPart("f", {"a": 2}), ToolCallPart("g", {}))],
    ),
    "arguments without any call before them are a part": ([args("{}")], [assistant(ToolCallPart("", {}))]),
    "text around a call is two parts": (["a", name("f", "1"), "b"], [assistant("a", ToolCallPart("f", {}, "1"), "b")]),
    "a tool result is always its own part": (
        [
            StreamEvent("tool_result", "1", tool_name="f", tool_call_id="1", server_executed=True),
            StreamEvent("tool_result", "2", tool_name="f"),
        ],
        [assistant(ToolResultPart("f", "1", "1", server_executed=True), ToolResultPart("f", "2"))],
    ),
    "explicit indexes win": (
        [StreamEvent("text", "a", part_index=3), name("f", "1"), StreamEvent("text", "b", part_index=3)],
        [assistant("ab", ToolCallPart("f", {}, "1"))],
    ),
    "an explicit index of a call is found by its id": (
        [name("f", "1", part_index=0), args("{}", "1"), "a"],
        [assistant(ToolCallPart("f", {}, "1"), "a")],
    ),
    "a change of message index begins a message": (
        ["a", StreamEvent("text", "b", message_index=1), StreamEvent("text", "c", message_index=1), "d"],
        [Message("assistant", [TextPart("a"), TextPart("d")]), assistant("bc")],
    ),
    "bad arguments are raw": ([name("f", "1"), args("{x", "1")], [assistant(ToolCallPart("f", {"_raw": "{x"}, "1"))]),
    "metadata is merged and the last wins": (
        [
            reasoning("x", provider_metadata={"p": {"a": 1}, "q": 1}),
            reasoning("", provider_metadata={"p": {"b": 2}}),
        ],
        [assistant(ReasoningPart("x", provider_metadata={"p": {"b": 2}, "q": 1}))],
    ),
    "reasoning of metadata alone is kept in place": (
        ["a", reasoning("", provider_metadata={"p": 1})],
        [assistant("a", ReasoningPart("", provider_metadata={"p": 1}))],
    ),
    "reasoning of nothing is nothing": ([reasoning(""), "a"], [assistant("a")]),
    "redacted reasoning comes first": (
        ["a", reasoning("", redacted=True)],
        [assistant(ReasoningPart("", redacted=True), "a")],
    ),
    "events that are no part of an answer are passed over": (
        ["a", StreamEvent("round"), StreamEvent("tool_started", "f"), "b"],
        [assistant("ab")],
    ),
    "server executed calls": (
        [name("f", "1", server_executed=True)],
        [assistant(ToolCallPart("f", {}, "1", server_executed=True))],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_items_become_messages_by_the_grouping_rules(case: str):
    items, expected = CASES[case]
    assert assemble(items) == expected
    bit_by_bit = Assembler()
    for item in items:
        bit_by_bit.add([item])
        bit_by_bit.messages()
    assert bit_by_bit.messages() == expected


def test_many_parts_cost_no_more_than_their_number():
    items: list[Item] = [item for n in range(30_000) for item in (str(n), reasoning("x"))]
    [message] = assemble(items)
    assert len(message.parts) == 60_000


def test_calls_that_were_added_come_last_unless_they_were_streamed():
    added = [ToolCall("f", {"a": 1}, "1"), ToolCall("g", {}, "2"), ToolCall("h", {}, None)]
    [message] = assemble([name("f", "1"), "text"], added)
    assert message.parts == [
        ToolCallPart("f", {}, "1"),
        TextPart("text"),
        ToolCallPart("g", {}, "2"),
        ToolCallPart("h", {}),
    ]
    assert assemble([], added[:1]) == [assistant(ToolCallPart("f", {"a": 1}, "1"))]


def test_two_families_on_one_index_are_a_value_error():
    events: list[Item] = [StreamEvent("text", "a", part_index=0), name("f", part_index=0)]
    with pytest.raises(ValueError, match="'tool_call_name' is incompatible with prior type at part_index=0"):
        assemble(events)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", {}),
        (" \n", {}),
        ("null", {}),
        ("{}", {}),
        ('{"a":[1,"é"]}', {"a": [1, "é"]}),
        ("[]", {"_raw": "[]"}),
        ('{"a"', {"_raw": '{"a"'}),
        ("[" * 100_000, {"_raw": "[" * 100_000}),
    ],
)
def test_arguments_are_an_object_or_raw(text: str, arguments: dict[str, object]):
    assert parse_arguments(text) == arguments
