"""A conversation as exchanges, and where it may be cut."""

from hypothesis import given, settings
from hypothesis import strategies as st

import llm_actors as llm
from llm_actors.chat.exchanges import exchanges, split
from llm_actors.chat.history import repair
from llm_actors.chat.history_size import estimate
from llm_actors.messages import Message, ToolCallPart, ToolResultPart
from llm_actors.messages.parts import AttachmentPart, assistant, system, user
from tests.promises.worlds import check_valid
from tests.strict import check_next as check_accepted

PICTURE = AttachmentPart(llm.Attachment(content=b"\x89PNG\r\n\x1a\n", type="image/png"))


def calls(*ids):
    return Message("assistant", [ToolCallPart("tool", {}, one) for one in ids])


def results(*ids):
    return Message("tool", [ToolResultPart("tool", "x" * 20, one) for one in ids])


def shape(messages):
    return [[message.role[0] for message in exchange] for exchange in exchanges(messages)]


def test_an_exchange_is_what_a_user_said_and_all_that_followed():
    said = [user("a"), calls("1"), results("1"), Message("user", [PICTURE]), assistant("b"), user("c"), user("d")]
    assert shape(said) == [["u", "a", "t", "u", "a"], ["u", "u"]]
    assert shape([assistant("hello"), user("a"), assistant("b")]) == [["a"], ["u", "a"]]
    assert shape([user("a"), assistant("b"), system("new"), user("c"), system("x"), system("y"), user("d")]) == [
        ["u", "a"],
        ["s", "u", "s", "s", "u"],
    ]
    assert shape([user("a"), system("x"), assistant("b"), system("y")]) == [["u", "s", "a", "s"]]
    assert shape([]) == []


def parted(messages, room):
    return [[message.text for message in part] for part in split(messages, room, estimate)]


def test_the_last_exchanges_are_kept_as_many_as_fit_and_one_at_least():
    said = [system("s"), user("a"), assistant("b"), user("c"), assistant("d"), user("e")]
    assert parted(said, 1000) == [["s"], [], ["a", "b", "c", "d", "e"]]
    assert parted(said, 20) == [["s"], ["a", "b"], ["c", "d", "e"]]
    assert parted(said, 10) == [["s"], ["a", "b", "c", "d"], ["e"]]
    assert parted(said, 0) == [["s"], ["a", "b", "c", "d"], ["e"]]
    assert parted([system("s")], 0) == [["s"], [], []]
    assert parted([], 0) == [[], [], []]


def test_the_system_prompt_that_holds_where_it_is_cut_is_kept_too():
    said = [system("s"), user("a"), system("new"), user("b"), assistant("c"), user("d"), assistant("e")]
    assert parted(said, 20) == [["s", "new"], ["a", "b", "c"], ["d", "e"]]
    said[5:5] = [system("newer")]
    assert parted(said, 20) == [["s"], ["a", "b", "c"], ["newer", "d", "e"]]


def test_of_an_exchange_that_is_too_long_alone_the_oldest_rounds_can_go():
    said = [system("s"), user("old"), assistant("x"), user("go")]
    for number in range(4):
        said += [calls(str(number)), results(str(number))]
    one = estimate([calls("0"), results("0")])

    def kept(room, messages=said):
        _, older, rest = split(messages, room, estimate, rounds=True)
        assert len(older) + len(rest) == len(messages) - 1
        return [part.tool_call_id for message in rest for part in message.parts if type(part) is ToolResultPart], rest

    assert kept(1000)[0] == ["0", "1", "2", "3"]
    ids, rest = kept(estimate([system("s"), user("go")]) + 2 * one)
    assert (ids, rest[0].text) == (["2", "3"], "go")
    assert kept(0)[0] == ["3"]
    assert kept(0, [*said, Message("user", [PICTURE]), assistant("done")])[1][1:] == [assistant("done")]
    assert kept(0, [system("s"), assistant("hello"), calls("1"), results("1")])[0] == ["1"]
    assert kept(0, [system("s"), user("only")])[1] == [user("only")]
    between = [*said[:6], system("new"), *said[6:]]
    assert kept(0, between)[1][:2] == [user("go"), system("new")]


turns = st.lists(
    st.one_of(
        st.builds(lambda text: [user(text)], st.text("ab", min_size=1, max_size=60)),
        st.builds(lambda text: [system(text)], st.text("s", min_size=1, max_size=9)),
        st.builds(lambda text: [assistant(text)], st.text("cd", min_size=1, max_size=60)),
        st.builds(
            lambda ids, files: [calls(*ids), results(*ids), *([Message("user", [PICTURE])] if files else [])],
            st.lists(st.sampled_from("123"), min_size=1, max_size=3, unique=True),
            st.booleans(),
        ),
    ),
    max_size=14,
)
histories = turns.map(lambda found: repair([message for turn in found for message in turn]))


@settings(max_examples=300)
@given(histories, st.integers(0, 200), st.booleans())
def test_wherever_it_is_cut_nothing_is_lost_and_both_sides_are_valid(messages, room, rounds):
    system_prompt, older, kept = split(messages, room, estimate, rounds=rounds)
    told = [message for message in [*older, *kept] if message.role != "system"]
    everything = [message for message in messages if message.role != "system"]
    assert told == everything or (rounds and sorted(map(repr, told)) == sorted(map(repr, everything)))
    for part in (kept, [*system_prompt, *kept], *([] if rounds else [older])):
        check_valid(part)
        assert not part or check_accepted(part) is None
    assert not kept or kept[-1] == messages[-1]
    if older:
        assert kept[0].role != "assistant"
        assert estimate([*system_prompt, *kept]) <= max(room, estimate([*system_prompt, *exchanges(messages)[-1]]))
