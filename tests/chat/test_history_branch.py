"""Where histories part and meet."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_actors.chat.errand import Merging
from llm_actors.chat.history import Answered, CallRecord, History, Replaced, Returned, Said, Withdrawn, not_run, repair
from llm_actors.chat.history_branch import said_since, settled, unheard
from llm_actors.messages import Message, ToolCall
from llm_actors.messages.parts import ToolCallPart, ToolResultPart, assistant, user
from tests.promises.worlds import check_valid

RECORD = CallRecord("r")
A, B = ToolCall("tool", {}, "a"), ToolCall("tool", {}, "b")


def history_of(*entries):
    history = History()
    for entry in entries:
        history.append(entry)
    return history


def said(turn, text="hi"):
    return Said(turn, user(text))


def answered(turn, *calls, text="yes"):
    parts = [ToolCallPart(call.name, call.arguments, call.tool_call_id) for call in calls]
    return Answered(turn, (Message("assistant", [*assistant(text).parts, *parts]),), RECORD)


def result(turn, call):
    return Returned(turn, ToolResultPart(call.name, "ok", call.tool_call_id))


def given_up(turn, call):
    return Returned(turn, not_run(call, "why"))


PAST = [said("1"), answered("1", A)]


@pytest.mark.parametrize(
    ("running", "kept"),
    [
        ([], 0),
        ([said("2")], 0),
        ([given_up("2", A), said("2")], 0),
        ([Replaced("2", (user("x"),)), said("2")], 0),
        ([Replaced("2", (user("x"),)), said("2"), answered("2")], 3),
        ([result("2", A), said("2")], 1),
        ([result("2", A)], 1),
        ([result("2", A), said("2"), answered("2", A, B)], 3),
        ([result("2", A), said("2"), answered("2", A, B), result("2", B)], 4),
        ([result("2", A), answered("2", B), result("2", B), said("2", "steered")], 3),
        ([result("2", A), answered("2", B), result("2", B), Replaced("2", (user("short"),), compacted=True)], 3),
        ([result("2", A), answered("2", B), given_up("2", B)], 3),
        ([said("2"), Withdrawn("2")], 2),
        ([Replaced("", (user("x"),))], 1),
    ],
    ids=str,
)
def test_a_fork_begins_at_the_last_thing_that_can_not_be_taken_back(running, kept):
    history = history_of(*PAST, *running)
    place = settled(history)
    expected = history_of(*PAST, *running[:kept])
    assert place.entries() == expected.entries()
    check_valid(place.messages())


def test_nothing_is_settled_where_nothing_was_said():
    assert not settled(History())
    assert not settled(history_of(said("1")))


def test_what_was_said_since_is_found_by_the_past_that_both_share():
    trunk = history_of(*PAST, result("1", A), answered("1"))
    branch = trunk.fork()
    sequel = [said("2", "same words"), answered("2")]
    for entry in sequel:
        branch.append(entry)
    trunk.append(said("3", "same words"))
    assert said_since(branch, trunk) == sequel
    assert said_since(trunk, trunk) == []
    assert [entry.turn for entry in said_since(trunk, branch)] == ["3"]


def test_withdrawn_turns_and_compactions_are_no_part_of_what_was_said():
    trunk = history_of(*PAST)
    branch = trunk.fork()
    for entry in (
        said("2"),
        Withdrawn("2"),
        result("3", A),
        Replaced("3", (user("short"),), compacted=True),
        answered("3"),
    ):
        branch.append(entry)
    assert said_since(branch, trunk) == [result("3", A), answered("3")]


def test_a_branch_that_began_anew_has_no_sequel():
    trunk = history_of(*PAST)
    branch = trunk.fork()
    branch.append(Replaced("2", (user("x"),)))
    with pytest.raises(ValueError, match="began anew"):
        said_since(branch, trunk)
    branch.append(Withdrawn("2"))  # it did not, in the end
    assert said_since(branch, trunk) == []


def test_what_the_trunk_holds_already_is_not_heard_again():
    trunk = history_of(*PAST)
    branch = trunk.fork()
    branch.append(said("2"))
    since = said_since(branch, trunk)
    assert unheard(since, trunk) == since
    trunk.append(since[0])
    assert unheard(since, trunk) == []
    assert said_since(branch, trunk) == since


entries = st.lists(
    st.sampled_from(
        [
            said("x"),
            answered("x"),
            answered("x", A),
            answered("x", A, B),
            result("x", A),
            given_up("x", B),
            Replaced("x", (user("new"),)),
            Replaced("x", (user("short"),), compacted=True),
            Withdrawn("x"),
        ]
    ),
    max_size=8,
)


@settings(max_examples=300)
@given(entries, entries)
def test_whatever_was_said_a_fork_is_valid_and_its_place_is_in_the_past(before, running):
    retold = [type(entry)("y", *[getattr(entry, name) for name in entry.__struct_fields__[1:]]) for entry in before]
    history = history_of(*retold, *running)
    place = settled(history)
    check_valid(place.messages())
    links = []
    link = history.head
    while link is not None:
        links.append(link)
        link = link.before
    assert place.head is None or any(place.head is one for one in links)


# ---- merging


def told(turn, *texts):
    """Entries of a conversation that asks and is answered, with a tool call and its result where a text says so."""
    found = []
    for text in texts:
        found.append(said(turn, text))
        if text == "tool":
            call = ToolCall("tool", {}, f"{turn}-call")
            found += [answered(turn, call), result(turn, call)]
        if text == "open":
            found.append(answered(turn, ToolCall("tool", {}, f"{turn}-open")))
        else:
            found.append(answered(turn, text=f"re {text}"))
    return found


words = st.lists(st.sampled_from(["a", "b", "tool"]), max_size=3)


@settings(max_examples=200)
@given(words, words, words, words, st.booleans())
def test_whatever_was_said_merging_keeps_all_of_it_in_order_valid_and_once(past, here, there, elsewhere, is_open):
    trunk = history_of(*told("0", *past, *(["open"] if is_open else [])))
    one, two = trunk.fork(), trunk.fork()
    for history, turn, texts in ((trunk, "1", here), (one, "2", there), (two, "3", elsewhere)):
        for entry in told(turn, *texts):
            history.append(entry)
    for fork in (one, two, one):
        errand = Merging(said_since(fork, trunk))
        for entry in errand.entries(trunk, "merge"):
            trunk.append(entry)
        check_valid(repair(errand.messages))
    check_valid(trunk.messages())
    asked = [message.text for message in trunk.messages() if message.role == "user"]
    assert asked == [*past, *(["open"] if is_open else []), *here, *there, *elsewhere]
    results = [part.output for message in trunk.messages() for part in message.parts if type(part) is ToolResultPart]
    assert results.count("ok") == [*past, *here, *there, *elsewhere].count("tool")
