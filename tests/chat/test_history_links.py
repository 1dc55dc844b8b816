"""The links of a history: what they hold of a turn, and that everything comes out of them as it went in."""

import datetime as dt
import sys

import pytest

from llm_actors.chat.history import Answered, CallRecord, History, Said, Withdrawn
from llm_actors.chat.history_branch import said_since, settled
from llm_actors.chat.history_links import SHARED, shared
from llm_actors.messages import Message, ToolCall, Usage
from llm_actors.messages.parts import TextPart, assistant, system, user

STARTED = dt.datetime(2026, 1, 2, 3, 4, 5, 678, dt.UTC)
SYSTEM, ASKED, ANSWER = Said("1", system("Be brief.")), Said("1", user("Why?")), (assistant("So."),)


def record(turn="1", **other):
    facts = {
        "prompt": "Why?",
        "model": "m",
        "usage": Usage(3, 4, {"cached": 1}),
        "started": STARTED,
        "seconds": 0.25,
        "stop_reason": "stop",
        "request_id": "req",
        "resolved_model": "m-2026",
        "raw": {"created": 1},
    }
    return CallRecord(turn, **{**facts, **other})


def history_of(*entries):
    history = History()
    for entry in entries:
        history.append(entry)
    return history


def links(history):
    found, link = [], history.head
    while link is not None:
        found.append(link)
        link = link.before
    return found


TURNS = {
    "a prompt": ([ASKED], record()),
    "a prompt under a system prompt": ([SYSTEM, ASKED], record(system="Be brief.")),
    "a system prompt that was in force": ([ASKED], record(system="Be brief.")),
    "of a model whose JSON is none": ([ASKED], record(raw={"set": {1}, "one": (1,)})),
    "of a model that tells nothing": ([ASKED], CallRecord("1", "Why?")),
}
OTHERS = {
    "nothing was asked": ([], record()),
    "only a system prompt": ([SYSTEM], record(system="Be brief.")),
    "asked otherwise than the record says": ([ASKED], record(prompt="How?")),
    "two asked": ([ASKED, ASKED], record(prompt="Why?\n\nWhy?")),
    "another system prompt": ([SYSTEM, ASKED], record(system="Be long.")),
    "another turn": ([Said("0", user("Why?"))], record()),
    "a round of a chain": ([ASKED], record("round")),
    "asked with a tool call": ([ASKED], record(tool_calls=(ToolCall("f", {}, "c"),))),
    "cut": ([ASKED], record(cut_calls=(ToolCall("f", {}, "c"),))),
    "marked": ([Said("1", Message("user", [TextPart("Why?")], {"x": 1}))], record()),
}


@pytest.mark.parametrize(("said", "call"), TURNS.values(), ids=TURNS)
def test_a_turn_of_texts_is_one_link_and_comes_out_as_it_went_in(said, call):
    entries = [*said, Answered("1", ANSWER, call)]
    history = history_of(*entries)
    assert history.head.past is None
    assert history.entries() == entries
    assert [link.entry for link in reversed(links(history))] == entries
    assert history.head.entry.record.started == call.started


@pytest.mark.parametrize(("said", "call"), OTHERS.values(), ids=OTHERS)
def test_what_does_not_fit_into_one_link_comes_out_as_it_went_in_too(said, call):
    entries = [*said, Answered("1", ANSWER, call)]
    history = history_of(*entries)
    assert not hasattr(history.head, "past")
    assert history.entries() == entries


def test_what_was_asked_before_a_turn_in_one_link_is_found():
    first = [SYSTEM, ASKED, Answered("1", ANSWER, record(system="Be brief."))]
    second = [Said("2", user("How?")), Answered("2", ANSWER, record("2", prompt="How?"))]
    one, two = history_of(*first, *second).records()
    assert [call.answered.record.prompt for call in (one, two)] == ["Why?", "How?"]
    assert one.before.entries() == first[:2]
    assert two.before.entries() == [*first, second[0]]
    assert two.before.asked("2") == ([user("How?")], [])
    assert one.before.messages() == [system("Be brief."), user("Why?")]


def test_a_fork_in_mid_turn_and_one_behind_it_share_what_was_before():
    trunk = history_of(ASKED, Answered("1", ANSWER, record()))
    trunk.append(Said("2", user("How?")))
    early = settled(trunk)
    trunk.append(Answered("2", ANSWER, record("2", prompt="How?")))
    late = settled(trunk)
    assert early.head is trunk.head.past
    assert late.head is trunk.head
    sequel = [Said("3", user("When?")), Answered("3", ANSWER, record("3", prompt="When?"))]
    for fork in (early, late):
        for entry in sequel:
            fork.append(entry)
        assert said_since(fork, trunk) == sequel
    assert [entry.turn for entry in said_since(trunk, early)] == ["2", "2"]


def test_a_turn_that_is_withdrawn_behind_its_answer_takes_all_of_it():
    history = history_of(SYSTEM, ASKED, Answered("1", ANSWER, record(system="Be brief.")), Withdrawn("1"))
    assert history.entries() == []


def test_equal_system_prompts_are_held_once():
    def made():
        return "".join(list("You are an agent of many"))

    one, two = (history_of(Said("1", system(made()))).head for _ in range(2))
    assert one.text is two.text
    assert shared(made()) is one.text
    long = "x" * (SHARED + 1)
    assert shared(long) is long


def test_a_link_takes_what_the_head_of_its_module_says():
    history = history_of(ASKED)
    assert sys.getsizeof(history.head) <= 64
    history = history_of(SYSTEM, ASKED, Answered("1", ANSWER, record(system="Be brief.")))
    assert sys.getsizeof(history.head) <= 128
