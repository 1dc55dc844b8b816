"""The history: append-only, shared by forks, valid at every moment."""

from hypothesis import given, settings
from hypothesis import strategies as st

import llm_actors as llm
from llm_actors.chat.history import (
    Answered,
    CallRecord,
    History,
    Replaced,
    Returned,
    Said,
    Withdrawn,
    interrupted_messages,
    is_pending,
    open_calls,
    raw_messages,
    repair,
    result_part,
)
from llm_actors.messages import Message, TextPart, ToolResult
from llm_actors.messages.parts import (
    AttachmentPart,
    ReasoningPart,
    ToolCallPart,
    ToolResultPart,
    assistant,
    system,
    user,
)
from tests.promises.worlds import check_valid
from tests.strict import check_next

RECORD = CallRecord("r")


def asked(*ids, text="", server=False):
    parts = [TextPart(text)] if text else []
    return Message("assistant", [*parts, *(ToolCallPart("tool", {}, name, server_executed=server) for name in ids)])


def given_results(*ids):
    return Message("tool", [ToolResultPart("tool", f"result {name}", name) for name in ids])


# ---- entries ---------------------------------------------------------------------------------------------------------------


def test_forks_share_the_past_and_have_futures_of_their_own():
    history = History()
    assert not history
    history.append(Said("1", user("a")))
    fork = history.fork()
    history.append(Said("2", user("b")))
    fork.append(Said("3", user("c")))
    assert [message.text for message in history.messages()] == ["a", "b"]
    assert [message.text for message in fork.messages()] == ["a", "c"]
    assert history
    assert repr(fork) == "<History of 2 entries>"


def test_a_withdrawn_turn_does_not_count():
    history = History()
    history.append(Said("1", user("a")))
    history.append(Said("2", user("b")))
    history.append(Withdrawn("2"))
    history.append(Said("3", user("c")))
    assert [entry.turn for entry in history.entries()] == ["1", "3"]


def test_a_replaced_history_begins_anew():
    history = History()
    history.append(Said("1", user("a")))
    history.append(Replaced("2", (user("x"), assistant("y"))))
    history.append(Said("2", user("b")))
    assert [message.text for message in history.messages()] == ["x", "y", "b"]


def test_a_withdrawn_replacement_leaves_what_was_before():
    history = History()
    history.append(Said("1", user("a")))
    history.append(Replaced("2", (user("x"),)))
    history.append(Withdrawn("2"))
    assert [message.text for message in history.messages()] == ["a"]


def test_records_are_the_complete_calls_with_what_was_before_them():
    history = History()
    history.append(Said("1", user("a")))
    history.append(Answered("1", (assistant("b"),), CallRecord("first")))
    history.append(Answered("1", (assistant("half"),), CallRecord("cut"), "cancelled"))
    history.append(Said("2", user("c")))
    history.append(Answered("2", (assistant("d"),), CallRecord("second")))
    assert [
        (call.answered.record.id, len(call.before.messages()), len(call.after.messages())) for call in history.records()
    ] == [
        ("first", 1, 2),
        ("second", 4, 5),
    ]
    assert [call.answered.record.id for call in history.records("2")] == ["second"]


def test_results_go_behind_their_calls_in_call_order_and_their_files_behind_them():
    picture = llm.Attachment(content=b"x", type="image/png")
    late = ToolResult("tool", "B", tool_call_id="b")
    first = ToolResult("tool", "A", attachments=[picture], tool_call_id="a", exception=ValueError("no"))
    entries = [
        Answered("1", (asked("a", "b"),), RECORD),
        Returned("1", result_part(late)),
        Returned("1", result_part(first)),
    ]
    _, results, files = raw_messages(entries)
    assert [(part.output, part.exception) for part in results.parts] == [("A", "ValueError: no"), ("B", None)]
    assert all(part.attachments == [] for part in results.parts)
    assert files == Message("user", [AttachmentPart(picture)])


def test_entries_come_out_as_they_went_in_those_that_are_kept_in_a_lean_form_too():
    marked = {"x": {"y": 1}}
    entries = [
        Said("1", user("a")),
        Said("1", Message("system", [TextPart("a", marked)])),
        Said("1", Message("user", [TextPart("a")], marked)),
        Said("1", user("a", "b")),
        Said("1", user(llm.Attachment(content=b"x", type="image/png"))),
        Answered("1", (assistant("b"),), CallRecord("r", prompt="a", seconds=1.5)),
        Answered("1", (assistant("b"),), RECORD, "cancelled"),
        Answered("1", (assistant("b"), assistant("c")), RECORD),
        Answered("1", (user("b"),), RECORD),
        Answered("1", (asked("a", text="b"),), RECORD),
        Returned("1", result_part(ToolResult("tool", "c", tool_call_id="a"))),
    ]
    history = History()
    for entry in entries:
        history.append(entry)
    assert history.entries() == entries


def test_a_long_history_is_let_go_of_without_recursion():
    history = History()
    for number in range(200_000):
        history.append(Said("1", user("a")) if number % 2 else Answered("1", (assistant("b"),), RECORD))
    del history  # a crash of the interpreter, if it were


# ---- repair ----------------------------------------------------------------------------------------------------------------


def test_an_open_call_gets_a_result_marked_pending():
    valid = repair([user("hi"), asked("a", "b"), given_results("b")])
    check_valid(valid)
    first, second = valid[-1].parts
    assert is_pending(first)
    assert not is_pending(second)
    assert [call.tool_call_id for call in open_calls([user("hi"), asked("a", "b"), given_results("b")])] == ["a"]


def test_results_that_nobody_asked_for_second_results_and_empty_things_are_gone():
    valid = repair(
        [
            given_results("x"),
            user("hi"),
            asked("a"),
            given_results("a", "a", "z"),
            Message("assistant", [TextPart("")]),
            Message("assistant", [TextPart(""), TextPart("b"), ReasoningPart("")]),
            Message("user", [AttachmentPart(None)]),
        ]
    )
    check_valid(valid)
    assert [message.role for message in valid] == ["user", "assistant", "tool", "assistant"]
    assert valid[2] == given_results("a")
    assert valid[3] == Message("assistant", [TextPart("b")])


def test_reasoning_without_text_is_kept_where_the_provider_needs_it():
    parts = [ReasoningPart("", redacted=True), ReasoningPart("", provider_metadata={"anthropic": {"signature": "s"}})]
    assert repair([Message("assistant", [*parts])])[0].parts == parts


def test_calls_that_the_provider_ran_itself_need_no_result():
    message = asked("a", server=True)
    assert repair([message, user("next")]) == [message, user("next")]
    assert open_calls([message]) == []


def test_results_without_ids_are_matched_by_name():
    message = Message("assistant", [ToolCallPart("one", {}, None), ToolCallPart("two", {}, "t")])
    results = Message("tool", [ToolResultPart("two", "2", None), ToolResultPart("one", "1", None)])
    assert [part.output for part in repair([message, results])[1].parts] == ["1", "2"]


def test_a_result_of_another_name_under_the_right_id_still_counts():
    results = Message("tool", [ToolResultPart("renamed", "1", "a")])
    assert [part.output for part in repair([asked("a"), results])[1].parts] == ["1"]


def test_there_are_no_open_calls_where_there_is_nothing():
    assert open_calls([]) == []
    assert open_calls([user("hi")]) == []
    assert open_calls([given_results("a")]) == []


messages = st.lists(
    st.one_of(
        st.builds(user, st.text(max_size=3)),
        st.builds(system, st.text(max_size=3)),
        st.builds(
            lambda ids, text: asked(*ids, text=text), st.lists(st.sampled_from("abc"), unique=True), st.text(max_size=2)
        ),
        st.builds(lambda ids: given_results(*ids), st.lists(st.sampled_from("abcd"), max_size=4)),
    ),
    max_size=12,
)


@settings(max_examples=300)
@given(messages)
def test_repair_makes_any_messages_valid_and_leaves_valid_ones_alone(given_messages):
    valid = repair(given_messages)
    check_valid(valid)
    assert repair(valid) == valid
    texts = [part for message in given_messages for part in message.parts if type(part) is TextPart and part.text]
    assert [part for message in valid for part in message.parts if type(part) is TextPart] == texts


def test_an_id_that_comes_again_gets_a_number_and_the_first_keeps_it():
    earlier = [user("hi"), asked("a", "a_2"), given_results("a", "a_2")]
    later = [asked("a", "a"), given_results("a", "a"), asked("a"), user("next")]
    valid = repair([*earlier, *later])
    assert valid[:3] == repair(earlier) == earlier
    ids = [part.tool_call_id for message in valid[3:] for part in message.parts if not isinstance(part, TextPart)]
    assert ids == ["a_3", "a_4", "a_3", "a_4", "a_5", "a_5"]


def test_calls_of_tools_that_ran_elsewhere_keep_their_ids_and_nobody_else_gets_them():
    message = Message("assistant", [*asked("a", server=True).parts, *asked("a").parts])
    valid = repair([message, given_results("a")])
    assert [part.tool_call_id for part in valid[0].parts] == ["a", "a_2"]
    assert valid[1].parts[0].tool_call_id == "a_2"


def test_a_call_that_the_model_has_answered_itself_is_not_open():
    message = Message("assistant", [*asked("a").parts, *given_results("a").parts])
    assert open_calls([message]) == []
    assert repair([message]) == [asked("a"), given_results("a")]


def test_what_arrived_of_a_cut_answer_is_kept_as_marked_text():
    arrived = [
        Message("assistant", [ReasoningPart("thought"), TextPart("half"), ToolCallPart("tool", {}, "a")]),
        Message("assistant", [ToolCallPart("tool", {}, "b")]),
    ]
    assert interrupted_messages(arrived, "deadline") == (
        Message("assistant", [TextPart("half")], {"llm_actors": {"interrupted": "deadline"}}),
    )


def test_blanks_alone_are_no_answer_to_keep():
    arrived = [
        Message("assistant", [TextPart(" "), TextPart("\n")]),
        Message("assistant", [TextPart("\n"), TextPart("a ")]),
    ]
    (kept,) = interrupted_messages(arrived, "cancelled")
    assert kept.text == "\na "


# ---- any history, at every moment ------------------------------------------------------------------------------------------

texts = st.sampled_from(["", " ", "a", "b \n"])
ids = st.sampled_from(["a", "b", "a_2", "functions.c:0", "", None])
metadata = st.sampled_from(
    [
        None,
        {"anthropic": {"signature": "s"}},
        {"openai": {"id": "rs_1", "encrypted_content": "e"}},
        {"gemini": {"thoughtSignature": "g"}},
    ]
)
parts = st.one_of(
    st.builds(TextPart, texts),
    st.builds(lambda name: ToolCallPart("tool", {}, name or "x"), ids),
    st.builds(
        lambda call, name, out: ToolResultPart(name, out, call or "x"), ids, st.sampled_from(["tool", "t"]), texts
    ),
    st.builds(AttachmentPart, st.sampled_from([None, llm.Attachment(content=b"x", type="image/png")])),
)
any_message = st.builds(
    Message, st.sampled_from(["system", "user", "assistant", "tool"]), st.lists(parts, max_size=4).map(list)
)
answers = st.builds(
    lambda thought, said, calls: Message("assistant", [ReasoningPart("hm", provider_metadata=thought), *said, *calls]),
    metadata,
    st.lists(st.builds(TextPart, texts), max_size=2),
    st.lists(st.builds(lambda name: ToolCallPart("tool", {}, name or "x"), ids), max_size=3),
)
turns = st.sampled_from("123")
any_entry = st.one_of(
    st.builds(lambda turn, text: Said(turn, user(text)), turns, texts),
    st.builds(lambda turn, text: Said(turn, system(text)), turns, texts),
    st.builds(lambda turn, message: Answered(turn, (message,), RECORD), turns, answers),
    st.builds(
        lambda turn, message: Answered(turn, interrupted_messages([message], "failed"), RECORD, "failed"),
        turns,
        answers,
    ),
    st.builds(
        lambda turn, call, name, out: Returned(turn, ToolResultPart(name, out, call or "x")),
        turns,
        ids,
        st.sampled_from(["tool", "t"]),
        texts,
    ),
    st.builds(Withdrawn, turns),
    st.builds(lambda turn, said: Replaced(turn, tuple(said)), turns, st.lists(any_message, max_size=4)),
)


@settings(max_examples=300)
@given(st.lists(any_entry, max_size=12))
def test_the_history_passes_every_providers_rules_at_every_moment(entries):
    """C2: The history is valid at every moment: ... It passes every provider's rules at every moment (strict validators in the tests)."""
    history = History()
    check_next(history.messages())
    for entry in entries:
        history.append(entry)
        messages = history.messages()
        check_next(messages)
        assert repair(messages) == messages


@settings(max_examples=300)
@given(st.lists(any_message, max_size=8))
def test_what_any_messages_are_made_into_passes_every_providers_rules(given_messages):
    valid = repair(given_messages)
    check_next(valid)
    assert repair(valid) == valid
