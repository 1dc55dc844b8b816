"""The turn as a table of mails and commands: the way to an answer, and every way to an error."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_actors.chat import turn_mail as m
from llm_actors.chat.history import History, Returned, open_calls, repair
from llm_actors.errors import (
    CancelToolCall,
    ChainLimitError,
    DeadlineExceededError,
    PauseChain,
    ProviderError,
    ResponseCancelledError,
)
from llm_actors.messages import Message, Prompt, TextPart, ToolResult, user
from llm_actors.messages.parts import ToolCallPart, ToolResultPart, assistant
from tests.chat.turn_driver import Driver, FakeTool, call


def test_a_prompt_is_kept_before_the_model_is_called_and_the_answer_before_the_turn_is_over() -> None:
    driver = Driver(instant=False).begin()
    assert driver.kinds() == ["Append"]
    assert driver.said() == [("user", "hi")]
    driver.pop(m.Append)
    driver.mail(m.Appended(1.0))
    assert driver.kinds() == ["Send"]
    driver.answered("hello")
    assert driver.kinds() == ["Append"]
    assert not driver.finished
    driver.pop(m.Append)
    driver.mail(m.Appended(1.0))
    assert driver.finished == [None]
    assert driver.said() == [("user", "hi"), ("assistant", "hello")]


def test_all_calls_of_a_round_start_together_and_results_go_back_in_call_order() -> None:
    driver = Driver().begin().answered("", call(1), call(2), call(3))
    assert driver.kinds() == ["RunTool"] * 3
    driver.tool_returned(3, "c").tool_returned(1, "a").tool_returned(2, "b")
    assert driver.kinds() == ["Send"]
    assert driver.said()[-1] == ("tool", "a|b|c")
    assert [result.output for result in driver.open[0].results] == ["a", "b", "c"]
    driver.answered("done")
    assert driver.finished == [None]


def test_a_tools_progress_is_written_while_it_runs_and_never_after() -> None:
    driver = Driver(before_call=True).begin().answered("", call(1), call(2))
    driver.mail(m.ToolProgress(1.0, 0, "too early"))  # its before_call hook has not let it through
    driver.hook_returned()
    driver.mail(m.ToolProgress(1.0, 0, "half"))
    driver.tool_returned(1, "whole")
    driver.mail(m.ToolProgress(1.0, 0, "too late"))
    driver.hook_returned()
    driver.mail(m.ToolProgress(1.0, 1, "more"))
    driver.mail(m.Cancel(1.0, ResponseCancelledError("stop")))
    driver.mail(m.ToolProgress(1.0, 1, "after the cancel"))
    driver.settle()
    driver.mail(m.ToolProgress(1.0, 1, "after the end"))
    told = [
        (event.chunk, event.tool_call_id, event.tool_name) for event in driver.emitted if event.type == "tool_progress"
    ]
    assert told == [("half", "call-1", "tool"), ("more", "call-2", "tool")]


def test_a_prompt_without_chain_leaves_its_calls_open() -> None:
    driver = Driver(Prompt("hi")).begin().answered("", call(1))
    assert driver.finished == [None]
    assert [c.tool_call_id for c in open_calls(driver.history.messages())] == ["call-1"]


def test_tool_results_of_the_next_prompt_answer_the_open_calls() -> None:
    first = Driver(Prompt("hi")).begin().answered("", call(1))
    prompt = Prompt(tool_results=[ToolResult("tool", "42", tool_call_id="call-1")])
    second = Driver(prompt, history=first.history, id="turn-2").begin()
    assert second.said()[-1] == ("tool", "42")
    assert second.kinds() == ["Send"]


def test_a_prompt_that_goes_on_without_an_open_call_gives_it_a_result() -> None:
    first = Driver(Prompt("hi")).begin().answered("", call(1))
    second = Driver(Prompt("never mind"), history=first.history, id="turn-2").begin().answered("fine")
    assert [role for role, _ in second.said()] == ["user", "assistant", "tool", "user", "assistant"]
    assert open_calls(second.history.messages()) == []


def test_hooks_run_in_call_order_and_each_call_starts_when_its_hook_let_it_through() -> None:
    driver = Driver(before_call=True).begin().answered("", call(1), call(2))
    assert driver.kinds() == ["CallHook"]
    driver.hook_returned()
    assert sorted(driver.kinds()) == ["CallHook", "RunTool"]
    driver.hook_returned()
    assert driver.kinds() == ["RunTool", "RunTool"]


def test_a_refused_call_is_told_to_the_model_and_the_chain_goes_on() -> None:
    driver = Driver(before_call=True, after_call=True).begin().answered("", call(1))
    driver.hook_returned(CancelToolCall("not today"))
    assert driver.said()[-1] == ("tool", "Cancelled: not today")
    assert driver.kinds() == ["Send"]


def test_a_raising_before_call_ends_the_chain_after_its_siblings_have_finished() -> None:
    driver = Driver(before_call=True).begin().answered("", call(1), call(2), call(3))
    driver.hook_returned().hook_returned(ValueError("hook"))
    assert driver.kinds() == ["RunTool"]
    assert not driver.finished
    driver.tool_returned(1, "a")
    assert [str(error) for error in driver.finished] == ["hook"]
    assert driver.said()[-1][1].startswith("a|No result")


def test_a_raising_after_call_ends_the_chain_and_the_result_stays() -> None:
    driver = Driver(after_call=True).begin().answered("", call(1))
    driver.tool_returned(1, "a").hook_returned(ValueError("after"))
    assert [str(error) for error in driver.finished] == ["after"]
    assert driver.said()[-1] == ("tool", "a")


def test_an_unknown_tool_and_one_without_implementation_are_results() -> None:
    tools = {"tool": FakeTool("tool", None)}
    driver = Driver(tools=tools).begin().answered("", call(1, "nope"), call(2))
    assert driver.said()[-1] == ("tool", 'Error: tool "nope" does not exist|Error: tool "tool" has no implementation')
    assert driver.kinds() == ["Send"]


def test_a_pause_lets_siblings_finish_and_carries_their_results() -> None:
    driver = Driver().begin().answered("", call(1), call(2))
    pause = PauseChain("approval")
    driver.tool_returned(1, pause=pause)
    assert not driver.finished
    driver.tool_returned(2, "b")
    assert driver.finished == [pause]
    assert pause.tool_call == call(1)
    assert [result.output for result in pause.tool_results] == ["b"]
    assert [c.tool_call_id for c in open_calls(driver.history.messages())] == ["call-1"]


def test_a_chain_without_a_prompt_runs_the_open_calls_first() -> None:
    first = Driver().begin().answered("", call(1), call(2))
    first.tool_returned(2, "b").tool_returned(1, pause=PauseChain())
    second = Driver(Prompt(chain=True), history=first.history, id="turn-2").begin()
    assert second.kinds() == ["RunTool"]
    second.tool_returned(1, "a")
    assert second.said()[-1] == ("tool", "a|b")
    assert second.kinds() == ["Send"]


def test_asking_for_one_round_more_than_the_limit_fails_and_what_was_done_stays() -> None:
    driver = Driver(chain_limit=1).begin().answered("", call(1)).tool_returned(1, "paid")
    (error,) = driver.finished
    assert isinstance(error, ChainLimitError)
    assert str(error) == "Chain limit of 1 exceeded."
    assert driver.said() == [("user", "hi"), ("assistant", ""), ("tool", "paid")]


def test_the_last_allowed_round_may_answer() -> None:
    driver = Driver(chain_limit=1).begin().answered("plain")
    assert driver.finished == [None]


def test_calls_cut_by_the_length_limit_are_never_run() -> None:
    driver = Driver().begin().answered("so", call(1), cut=(call(2),))
    assert driver.finished == [None]
    assert not [c for c in driver.done if isinstance(c, m.RunTool)]
    assert open_calls(driver.history.messages()) == [call(1)] or driver.results_kept()


@pytest.mark.parametrize("partial", ["", "Hello wor"])
def test_a_failed_call_leaves_what_arrived_marked_or_no_trace(partial: str) -> None:
    driver = Driver().begin().failed(ProviderError("overloaded"), partial)
    assert [str(error) for error in driver.finished] == ["overloaded"]
    if partial:
        assert driver.said() == [("user", "hi"), ("assistant", partial)]
        assert driver.history.messages()[-1].provider_metadata == {"llm_actors": {"interrupted": "failed"}}
    else:
        assert driver.said() == []


def test_a_failure_in_round_two_keeps_the_paid_tool_result() -> None:
    driver = Driver().begin().answered("", call(1)).tool_returned(1, "paid").failed(ProviderError("503"))
    assert driver.said() == [("user", "hi"), ("assistant", ""), ("tool", "paid")]


def test_a_queued_turn_that_is_cancelled_ends_at_once_without_a_trace() -> None:
    driver = Driver()
    error = ResponseCancelledError("no")
    driver.mail(m.Cancel(1.0, error))
    assert driver.finished == [error]
    assert driver.said() == []


def test_cancel_waits_until_the_request_is_closed() -> None:
    driver = Driver().begin().mail(m.Cancel(1.0, ResponseCancelledError("stop")))
    assert driver.kinds() == ["Send", "StopSend"]
    assert not driver.finished
    driver.mail(m.RoundStopped(2.0, 1, [Message("assistant", [TextPart("Hel")])]))
    assert isinstance(driver.finished[0], ResponseCancelledError)
    assert driver.said() == [("user", "hi"), ("assistant", "Hel")]


def test_the_first_of_cancel_and_the_end_of_the_round_wins() -> None:
    late = Driver().begin().answered("hello").mail(m.Cancel(1.0, ResponseCancelledError("too late")))
    assert late.finished == [None]
    early = Driver().begin().mail(m.Cancel(1.0, ResponseCancelledError("first"))).answered("hello")
    assert isinstance(early.finished[0], ResponseCancelledError)


def test_cancel_while_tools_run_gives_each_call_one_result() -> None:
    driver = Driver().begin().answered("", call(1), call(2)).tool_returned(1, "a")
    driver.mail(m.Cancel(1.0, ResponseCancelledError("stop")))
    assert "StopJob" in driver.kinds()
    driver.settle()
    assert driver.said()[-1] == ("tool", "a|No result: the turn was ended: cancelled.")


def test_a_cancel_before_the_calls_were_started_answers_them() -> None:
    driver = Driver(instant=False).begin()
    driver.pop(m.Append)
    driver.mail(m.Appended(1.0)).answered("", call(1)).mail(m.Cancel(1.0, ResponseCancelledError("stop"))).settle()
    assert isinstance(driver.finished[0], ResponseCancelledError)
    assert open_calls(driver.history.messages()) == []


def test_the_deadline_ends_the_turn_wherever_it_stands() -> None:
    driver = Driver(Prompt("hi", timeout=5.0), deadline=105.0)
    assert isinstance(driver.done[0], m.WakeAt)
    driver.begin().mail(m.Woken(106.0)).settle()
    assert isinstance(driver.finished[0], DeadlineExceededError)
    early = Driver(Prompt("hi", timeout=5.0), deadline=105.0).begin().mail(m.Woken(104.0))
    assert not early.finished


def test_entries_that_cannot_be_kept_end_the_turn() -> None:
    driver = Driver(instant=False).begin()
    driver.pop(m.Append)
    error = OSError("disk full")
    driver.mail(m.AppendFailed(1.0, error))
    assert driver.finished == [error]


def test_a_system_prompt_is_said_once_and_a_new_one_again() -> None:
    first = Driver(Prompt("a", system_text="be brief")).begin().answered("1")
    second = Driver(Prompt("b", system_text="be brief"), history=first.history, id="t2").begin().answered("2")
    third = Driver(Prompt("c", system_text="be long"), history=second.history, id="t3").begin().answered("3")
    assert [text for role, text in third.said() if role == "system"] == ["be brief", "be long"]


def test_messages_given_replace_the_history() -> None:
    first = Driver(Prompt("a")).begin().answered("1")
    second = Driver(Prompt("b", given_messages=[user("other")]), history=first.history, id="t2").begin().answered("2")
    assert second.said() == [("user", "other"), ("user", "b"), ("assistant", "2")]


def test_toolboxes_get_ready_before_the_first_call_and_their_failure_ends_the_turn() -> None:
    driver = Driver(toolboxes=True).begin()
    assert driver.kinds() == ["Prepare"]
    driver.mail(m.Prepared(1.0, {}, ValueError("no database")))
    assert [str(error) for error in driver.finished] == ["no database"]


calls_in_a_round = st.integers(0, 3)


@settings(max_examples=400, deadline=None)
@given(data=st.data(), instant=st.booleans(), before=st.booleans(), after=st.booleans())
def test_under_every_interleaving_a_turn_ends_once_and_the_history_stays_valid(
    data: st.DataObject, instant: bool, before: bool, after: bool
) -> None:
    driver = Driver(instant=instant, before_call=before, after_call=after, chain_limit=4).begin()
    number = 0
    for _ in range(40):
        check_valid(driver.history)
        if not driver.open:
            break
        if data.draw(st.integers(0, 12)) == 0:
            driver.mail(m.Cancel(1.0, ResponseCancelledError("stop")))
            continue
        command = driver.open.pop(data.draw(st.integers(0, len(driver.open) - 1)))
        error = data.draw(st.sampled_from([None, None, None, ValueError("x"), CancelToolCall("c"), PauseChain("p")]))
        if isinstance(command, m.Append):
            driver.mail(m.Appended(1.0))
        elif isinstance(command, m.Send):
            wanted = data.draw(calls_in_a_round)
            number += wanted
            driver.open.insert(0, command)
            if data.draw(st.integers(0, 5)) == 0:
                driver.failed(ProviderError("503"), data.draw(st.sampled_from(["", "par"])))
            else:
                driver.answered("t", *[call(number - i) for i in range(wanted)])
        elif isinstance(command, m.RunTool):
            pause = error if isinstance(error, PauseChain) else None
            result = None if pause else ToolResult("tool", "ok", tool_call_id=command.tool_call.tool_call_id)
            driver.mail(m.ToolDone(1.0, command.call, result, pause))
        elif isinstance(command, m.CallHook):
            driver.mail(m.HookDone(1.0, command.call, command.stage, error))
        elif isinstance(command, m.StopSend):
            driver.mail(m.RoundStopped(1.0, command.round))
        elif isinstance(command, m.StopJob):
            driver.mail(m.JobStopped(1.0, command.call))
    else:
        driver.mail(m.Cancel(1.0, ResponseCancelledError("long"))).settle()
    check_valid(driver.history)
    assert len(driver.finished) == 1
    assert driver.turn.handle(m.Cancel(9.0, ResponseCancelledError("again"))) == []
    if not isinstance(driver.finished[0], PauseChain):
        assert open_calls(driver.history.messages()) == []


def check_valid(history: History) -> None:
    """C2, strictly: each call has exactly one result, directly behind it; no result without a call."""
    messages = history.messages()
    for place, message in enumerate(messages):
        calls = [part.tool_call_id for part in message.parts if isinstance(part, ToolCallPart)]
        behind = messages[place + 1] if place + 1 < len(messages) else None
        results = (
            [part.tool_call_id for part in behind.parts if isinstance(part, ToolResultPart)]
            if behind and behind.role == "tool"
            else []
        )
        assert (calls == results) if message.role == "assistant" else not calls
        if message.role == "tool":
            assert messages[place - 1].role == "assistant"
    kept = [entry.part.tool_call_id for entry in history.entries() if isinstance(entry, Returned)]
    assert len(kept) == len(set(kept))
    assert repair(messages) == messages


def test_repair_drops_what_no_provider_takes() -> None:
    messy = [
        user(""),
        user("a"),
        Message("tool", [ToolResultPart("x", "orphan", "1")]),
        assistant(TextPart(""), ToolCallPart("t", {}, "2")),
        Message("tool", [ToolResultPart("t", "one", "2"), ToolResultPart("t", "two", "2")]),
        assistant(),
    ]
    clean = repair(messy)
    assert [message.role for message in clean] == ["user", "assistant", "tool"]
    assert [part.output for part in clean[-1].parts if isinstance(part, ToolResultPart)] == ["one"]


def test_calls_without_ids_are_matched_by_name_one_for_one() -> None:
    messages = [
        assistant(ToolCallPart("t", {"a": 1}), ToolCallPart("t", {"a": 2})),
        Message("tool", [ToolResultPart("t", "first")]),
    ]
    assert [c.arguments for c in open_calls(messages)] == [{"a": 2}]
