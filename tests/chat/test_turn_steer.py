"""A user message put into a running turn: where it lands, what it costs, and what is left when the turn ends."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_actors.chat import turn_mail as m
from llm_actors.chat.history import open_calls
from llm_actors.errors import ChainLimitError, DeadlineExceededError, ResponseCancelledError
from llm_actors.messages import Prompt, user
from tests.chat.test_turn import check_valid
from tests.chat.turn_driver import Driver, call


def steer(driver: Driver, text: str = "wait") -> Driver:
    return driver.mail(m.Steer(text, user(text)))


def taken(driver: Driver) -> list[str]:
    return [steer for command in driver.done if isinstance(command, m.Steered) for steer in command.ids]


def test_it_stands_behind_all_tool_results_of_the_round_and_before_the_next_call() -> None:
    driver = Driver().begin().answered("", call(1), call(2))
    steer(driver.tool_returned(2, "b"))
    assert taken(driver) == []
    driver.tool_returned(1, "a")
    assert driver.kinds() == ["Send"]
    assert driver.said()[-2:] == [("tool", "a|b"), ("user", "wait")]
    assert taken(driver) == ["wait"]
    assert [result.output for result in driver.open[0].results] == ["a", "b"]


def test_a_turn_that_would_have_ended_gets_one_more_round() -> None:
    driver = steer(Driver().begin()).answered("first")
    assert driver.kinds() == ["Send"]
    driver.answered("second")
    assert driver.finished == [None]
    assert driver.said() == [("user", "hi"), ("assistant", "first"), ("user", "wait"), ("assistant", "second")]


def test_a_prompt_that_is_no_chain_gets_one_more_round_and_its_open_calls_a_result() -> None:
    driver = steer(Driver(Prompt("hi")).begin()).answered("", call(1))
    assert driver.kinds() == ["Send"]
    driver.answered("second")
    assert driver.finished == [None]
    assert [role for role, _ in driver.said()] == ["user", "assistant", "tool", "user", "assistant"]
    assert open_calls(driver.history.messages()) == []


def test_an_answer_that_was_cut_short_is_gone_on_with_and_every_call_has_its_result() -> None:
    driver = steer(Driver().begin()).answered("", call(1), cut=(call(2),))
    assert driver.kinds() == ["Send"]
    assert driver.said()[-2][1].count("No result") == 2
    check_valid(driver.history)


def test_several_stand_in_order_and_one_that_comes_while_they_are_kept_goes_into_the_same_call() -> None:
    driver = Driver(instant=False).begin()
    driver.mail(m.Appended(1.0)).pop(m.Append)
    steer(steer(driver, "one"), "two").answered("first")
    driver.pop(m.Append)
    driver.mail(m.Appended(1.0))
    assert driver.kinds() == ["Append"]
    steer(driver, "three")
    for _ in range(2):
        driver.pop(m.Append)
        driver.mail(m.Appended(1.0))
    assert driver.kinds() == ["Send"]
    assert driver.said()[-3:] == [("user", "one"), ("user", "two"), ("user", "three")]


def test_before_the_first_call_it_goes_into_the_first_call() -> None:
    driver = steer(Driver(toolboxes=True).begin())
    driver.pop(m.Prepare)
    driver.mail(m.Prepared(1.0))
    assert driver.said() == [("user", "hi"), ("user", "wait")]
    assert driver.kinds() == ["Send"]
    assert driver.turn.round == 1


def test_the_chain_limit_counts_an_answer_that_is_there_is_not_lost_to_it() -> None:
    """The steer was not taken: the conversation makes it a prompt."""
    driver = steer(Driver(chain_limit=1).begin()).answered("first")
    assert driver.finished == [None]
    assert taken(driver) == []
    driver = steer(Driver(chain_limit=1).begin()).answered("", call(1)).tool_returned(1)
    assert isinstance(driver.finished[0], ChainLimitError)
    assert taken(driver) == []


def test_one_that_was_withdrawn_is_not_taken() -> None:
    driver = steer(Driver().begin()).mail(m.Unsteer("wait")).answered("first")
    assert driver.finished == [None]


@pytest.mark.parametrize("error", [ResponseCancelledError("stop"), DeadlineExceededError("late")])
def test_a_turn_that_is_stopping_takes_none(error: BaseException) -> None:
    driver = Driver().begin().answered("", call(1))
    driver.mail(m.Cancel(1.0, error))
    steer(driver).settle()
    assert driver.finished == [error]
    assert taken(driver) == []


@settings(max_examples=300, deadline=None)
@given(data=st.data(), instant=st.booleans(), chain=st.booleans(), limit=st.sampled_from([0, 1, 2, 5]))
def test_under_every_interleaving_each_is_taken_once_in_order_or_left_and_the_history_stays_valid(
    data: st.DataObject, instant: bool, chain: bool, limit: int
) -> None:
    driver = Driver(Prompt("hi", chain=chain), instant=instant, chain_limit=limit).begin()
    sent: list[str] = []
    for number in range(60):
        check_valid(driver.history)
        if not driver.open:
            break
        kind = data.draw(st.sampled_from(["go", "go", "go", "steer", "withdraw", "cancel"]))
        if kind == "steer" and len(sent) < 6:
            sent.append(f"s{number}")
            steer(driver, sent[-1])
        elif kind == "withdraw" and sent:
            driver.mail(m.Unsteer(data.draw(st.sampled_from(sent))))
        elif kind == "cancel" and data.draw(st.integers(0, 9)) == 0:
            driver.mail(m.Cancel(1.0, ResponseCancelledError("stop")))
        else:
            _answer(driver, data, number)
    else:
        driver.mail(m.Cancel(1.0, ResponseCancelledError("long"))).settle()
    check_valid(driver.history)
    assert len(driver.finished) == 1
    assert taken(driver) == [text for text in sent if text in taken(driver)]
    if driver.finished == [None]:
        assert [text for role, text in driver.said() if role == "user"] == ["hi", *taken(driver)]
    if limit:
        assert driver.turn.round <= limit


def _answer(driver: Driver, data: st.DataObject, number: int) -> None:
    place = data.draw(st.integers(0, len(driver.open) - 1))
    command: Any = driver.open[place]
    if isinstance(command, m.Send):
        wanted = data.draw(st.integers(0, 2))
        driver.answered("t", *[call(number * 3 + i) for i in range(wanted)])
    elif isinstance(command, m.RunTool):
        driver.tool_returned(int(command.tool_call.tool_call_id.removeprefix("call-")))
    else:
        driver.open.pop(place)
        mails: dict[type, Any] = {
            m.Append: m.Appended(1.0),
            m.StopSend: m.RoundStopped(1.0, driver.turn.round),
            m.StopJob: m.JobStopped(1.0, getattr(command, "call", 0)),
        }
        driver.mail(mails[type(command)])
