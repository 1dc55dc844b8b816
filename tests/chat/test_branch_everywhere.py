"""A turn with two parallel tools, forked at every place of its mail; and one that compacts before each call, ended at every place."""

from collections.abc import Iterator

import pytest

import llm_actors as llm
from llm_actors.chat import turn_mail as m
from llm_actors.chat.compaction import Compacts
from llm_actors.chat.history import History, open_calls
from llm_actors.chat.history_branch import said_since, settled
from llm_actors.messages import Prompt
from llm_actors.messages.parts import assistant, user
from tests.chat.test_end_everywhere import ENDS, check_next_prompt, settle, steps
from tests.chat.test_turn import check_valid
from tests.chat.turn_driver import Driver
from tests.strict import check_all as check_accepted


def past() -> History:
    driver = Driver(Prompt("before"), id="turn-0").begin().answered("so it was")
    return driver.history


def turn(history: History, *, instant: bool = True, compacts: Compacts | None = None) -> Driver:
    plan = {"before_call": True, "after_call": True, "toolboxes": True, "deadline": 1e8, "compacts": compacts}
    driver = Driver(history=history, instant=instant, **plan)
    found = driver.history.found_by(driver.turn.plan.prompt)
    return driver.mail(m.Begin(driver.now, *found, tokens=1000))


def on(history: History) -> Driver:
    """A driver on this history, to see what comes next there."""
    return Driver(Prompt("x"), history=history.fork(), id="turn-9")


@pytest.mark.parametrize("end", [None, *sorted(ENDS)], ids=str)
@pytest.mark.parametrize("last", [False, True], ids=["oldest", "newest"])
@pytest.mark.parametrize("instant", [True, False], ids=["memory", "journal"])
def test_a_fork_at_every_place_is_valid_whatever_becomes_of_the_turn(
    end: str | None, last: bool, instant: bool
) -> None:
    """nothing of the running turn that may be withdrawn later must appear in the fork in an invalid way"""
    length = len(list(steps(turn(past(), instant=instant), last)))
    shapes = set()
    for place in range(length + 1):
        driver = turn(past(), instant=instant)
        path = steps(driver, last)
        for _ in range(place):
            next(path, None)
        fork = settled(driver.history)
        seen = fork.messages()
        shapes.add(len(seen))
        if end is not None:
            ENDS[end](driver)
            settle(driver, late=False)
        for _ in path:
            pass
        assert fork.messages() == seen  # what goes on there is not seen here
        check_valid(fork)
        check_accepted([*seen, user("next")])
        check_next_prompt(on(fork))
        assert [message.text for message in seen[:2]] == ["before", "so it was"]
        begun = said_since(fork, past_of(fork))
        assert not begun or len(seen) > 2
        still_open = [call.tool_call_id for call in open_calls(seen)]
        assert set(still_open) <= {"call-1", "call-2"}
        assert said_since(fork, driver.history) == []  # it is a place in that past
    assert shapes == {2, 5, 6}


def past_of(fork: History) -> History:
    """Its first two entries."""
    links = []
    link = fork.head
    while link is not None:
        links.append(link)
        link = link.before
    return History(links[-2])


def compacting(driver: Driver, last: bool) -> Iterator[str]:
    """As `steps()`, with a policy that keeps the last exchange."""
    while driver.open:
        command = driver.open[-1 if last else 0]
        if isinstance(command, m.CompactHistory):
            driver.open.remove(command)
            said = driver.history.messages()
            begin = max(place for place, message in enumerate(said) if message.role == "user")
            driver.mail(m.Compacted(1.0, said[begin:]))
            yield "CompactHistory"
        else:
            yield next(steps(driver, last))


@pytest.mark.parametrize("end", sorted(ENDS))
@pytest.mark.parametrize("instant", [True, False], ids=["memory", "journal"])
def test_a_turn_that_compacts_before_each_call_ended_at_every_place(end: str, instant: bool) -> None:
    plan = Compacts(print, 1)
    whole = turn(past(), instant=instant, compacts=plan)
    names = list(compacting(whole, last=False))
    assert names.count("CompactHistory") == 2
    assert whole.finished == [None]
    assert whole.said()[0] == ("user", "hi")
    for place in range(len(names) + 1):
        driver = turn(past(), instant=instant, compacts=plan)
        path = compacting(driver, last=False)
        for _ in range(place):
            next(path, None)
        check_valid(settled(driver.history))
        ENDS[end](driver)
        settle(driver, late=False)
        assert driver.turn.state == "over"
        check_valid(driver.history)
        check_accepted([*driver.history.messages(), assistant("x"), user("y")])
        check_next_prompt(driver)
        if driver.finished == [None]:
            continue
        produced = any(role == "assistant" and text == "let me see" for role, text in driver.said())
        assert driver.said()[0] == (
            ("user", "hi") if produced else ("user", "before")
        )  # a withdrawn turn takes it back
        assert isinstance(driver.finished[0], llm.LLMError)
