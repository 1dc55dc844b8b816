"""The failure table: which row counts for an error, and what each row leads to in a turn."""

import asyncio

import pytest

import llm_actors as llm
from llm_actors.chat import turn_mail as m
from llm_actors.chat.failures import ROWS, FailureTable, checked
from llm_actors.messages import ToolResult, user
from llm_actors.messages.parts import assistant
from llm_actors.observe import DeadLetter, HistoryCompacted, ModelReplaced, RoundFailed, RoundStarted
from llm_actors.runtime import dead_letters
from tests.chat.test_turn import check_valid
from tests.chat.turn_driver import Driver, answer, call

from .speakers import Says, SyncSays, run

LIMITED = llm.RateLimitError("slow down")
LONG = llm.ContextLengthError("too long")


def driver(*rows, **plan):
    return Driver(failures=FailureTable(*rows), **plan)


def failed(driver, error, text="", items=None):
    send = driver.pop(m.Send)
    messages = [assistant(text)] if text else []
    return driver.mail(m.RoundFailed(1.0, send.round, error, messages, bool(text) if items is None else items))


def kinds(driver, kind):
    return [item for item in driver.emitted if not isinstance(item, str) and item.type == kind]


# ---- which row


def test_the_nearest_table_with_a_row_counts_and_in_a_table_the_closest_class():
    nearest = {llm.ProviderError: llm.Fallback("near")}
    farther = {llm.RateLimitError: llm.Fallback("far"), llm.ModelError: llm.GiveUp()}
    table = FailureTable(nearest, farther)
    assert table.action_for(LIMITED).models == ("near",)
    assert FailureTable({}, farther).action_for(LIMITED).models == ("far",)
    assert table.action_for(llm.StreamTruncatedError("cut")) == llm.GiveUp()
    both = FailureTable({llm.InvalidRequestError: llm.GiveUp(), llm.ContextLengthError: llm.Fallback("long")})
    assert both.action_for(LONG).models == ("long",)
    assert both.action_for(llm.InvalidRequestError("no")) == llm.GiveUp()
    assert table.action_for(KeyError("x")) == llm.Fail()


def test_the_default_rows_are_what_was_always_done():
    table = FailureTable()
    for kind, action in ROWS.items():
        assert action in (llm.Fail(), llm.Tell(), llm.After(10, llm.Fail())), kind
    assert table.action_for(LIMITED) == llm.Fail()


def test_the_end_of_a_turn_by_cancel_or_deadline_is_no_failure():
    table = FailureTable({BaseException: llm.Fallback("other")})
    for error in (llm.ResponseCancelledError("x"), llm.DeadlineExceededError("x"), llm.LoopClosedError("x")):
        assert table.action_for(error) == llm.Fail()


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ({"RateLimitError": llm.Fail()}, "exception classes"),
        ({llm.RateLimitError: "fail"}, "is an action"),
        ({llm.RateLimitError: llm.Tell()}, "nobody to tell"),
        ({llm.RateLimitError: llm.After(2, llm.Fail())}, "nobody to tell"),
    ],
    ids=["key", "value", "tell", "after"],
)
def test_a_row_that_can_not_be_is_named_at_once(rows, text):
    for make in (
        checked,
        lambda rows: llm.ActorSystem(failures=rows),
        lambda rows: Says("a").conversation(failures=rows),
    ):
        with pytest.raises(TypeError, match=text):
            make(rows)


def test_actions_say_what_is_wrong_with_them():
    with pytest.raises(TypeError, match="ids of models"):
        llm.Fallback()
    with pytest.raises(TypeError, match="ids of models"):
        llm.Fallback(3)
    with pytest.raises(TypeError, match="policy"):
        llm.Compact("shorter")
    with pytest.raises(ValueError, match="at least 1"):
        llm.After(0, llm.Fail())
    assert repr(llm.Fallback("a", "b", restart=True)) == "Fallback('a', 'b', restart=True)"


# ---- in the turn


def test_a_fallback_makes_the_same_call_to_each_other_model_once_and_then_the_turn_fails():
    turn = driver({llm.RateLimitError: llm.Fallback("b", "fake", "c")}).begin()
    failed(turn, LIMITED)
    assert turn.open[0] == m.Send(2, [], "b")
    failed(turn, LIMITED)
    assert turn.open[0] == m.Send(3, [], "c")
    failed(turn, LIMITED)
    assert turn.finished == [LIMITED]
    assert turn.said() == []  # nothing came of the prompt
    replaced = [c.record.model for c in turn.done if isinstance(c, m.Observe) and isinstance(c.record, ModelReplaced)]
    assert replaced == ["b", "c"]
    assert not kinds(turn, "restart")
    assert not kinds(turn, "round")


def test_the_turn_stays_with_the_other_model_and_its_records_say_so():
    turn = driver({llm.RateLimitError: llm.Fallback("b")}, chain_limit=2).begin()
    failed(turn, LIMITED).answered("", call(1)).tool_returned(1)
    assert turn.open[0].model == "b"
    assert [item.chunk for item in kinds(turn, "round")] == ["2"]
    turn.answered("done")
    assert turn.finished == [None]
    assert [record.model for record in turn.turn.records] == ["b", "b"]
    assert turn.turn.records[0].prompt == "hi"


def test_once_something_has_reached_readers_only_an_explicit_restart_tries_again():
    plain = driver({llm.StreamTruncatedError: llm.Fallback("b")}).begin()
    failed(plain, llm.StreamTruncatedError("cut"), "half")
    assert isinstance(plain.finished[0], llm.StreamTruncatedError)
    assert plain.said() == [("user", "hi"), ("assistant", "half")]
    again = driver({llm.StreamTruncatedError: llm.Fallback("b", restart=True)}).begin()
    failed(again, llm.StreamTruncatedError("cut"), "half").answered("whole")
    assert again.finished == [None]
    assert [item.chunk for item in kinds(again, "restart")] == ["StreamTruncatedError: cut"]
    assert again.said() == [("user", "hi"), ("assistant", "whole")]


def test_what_is_steered_in_goes_into_the_call_of_the_other_model():
    turn = driver({llm.RateLimitError: llm.Fallback("b")}).begin()
    turn.mail(m.Steer("s", user("wait")))
    failed(turn, LIMITED)
    assert turn.said() == [("user", "hi"), ("user", "wait")]
    assert turn.open[0].model == "b"


def test_compaction_replaces_the_history_and_the_call_is_made_again_once():
    policy = list
    turn = driver({llm.ContextLengthError: llm.Compact(policy)}).begin()
    failed(turn, LONG)
    assert turn.pop(m.CompactHistory) == m.CompactHistory(policy, LONG)
    turn.mail(m.Compacted(1.0, [user("short")]))
    assert turn.said() == [("user", "short")]
    assert turn.kinds() == ["Send"]
    failed(turn, LONG)
    assert turn.finished == [LONG]


def test_a_later_round_may_compact_again():
    turn = driver({llm.ContextLengthError: llm.Compact(list)}).begin()
    failed(turn, LONG).pop(m.CompactHistory)
    turn.mail(m.Compacted(1.0, [user("short")])).answered("", call(1)).tool_returned(1)
    failed(turn, LONG)
    assert turn.kinds() == ["CompactHistory"]


def test_a_compaction_that_fails_ends_the_turn():
    turn = driver({llm.ContextLengthError: llm.Compact(list)}).begin()
    failed(turn, LONG).pop(m.CompactHistory)
    error = ValueError("policy")
    turn.mail(m.Compacted(1.0, error=error))
    assert turn.finished == [error]
    assert turn.said() == []


def test_a_cancel_stops_a_compaction_and_waits_for_it():
    turn = driver({llm.ContextLengthError: llm.Compact(list)}).begin()
    failed(turn, LONG).pop(m.CompactHistory)
    error = llm.ResponseCancelledError("stop")
    turn.mail(m.Cancel(1.0, error))
    assert turn.open == [m.StopJob(m.COMPACT)]
    assert not turn.finished
    turn.mail(m.JobStopped(1.0, m.COMPACT))
    assert turn.finished == [error]
    late = driver({llm.ContextLengthError: llm.Compact(list)}).begin()
    failed(late, LONG).pop(m.CompactHistory)
    late.mail(m.Cancel(1.0, error)).mail(m.Compacted(1.0, [user("late")]))
    assert late.finished == [error]
    assert late.said() == []


def test_to_give_up_buries_the_prompt():
    turn = driver({llm.AuthenticationError: llm.GiveUp()}).begin()
    error = llm.AuthenticationError("no")
    failed(turn, error)
    assert turn.finished == [error]
    assert [c.reason for c in turn.done if isinstance(c, m.Bury)] == [repr(error)]


# ---- tools


def crashed(driver, number, error=None):
    run = next(c for c in driver.open if isinstance(c, m.RunTool) and c.tool_call.tool_call_id == f"call-{number}")
    driver.open.remove(run)
    error = error or ZeroDivisionError("0")
    result = ToolResult("tool", f"Error: {error}", tool_call_id=f"call-{number}", exception=error)
    return driver.mail(m.ToolDone(1.0, run.call, result))


def test_a_crashed_tool_is_told_to_the_model_or_ends_the_turn_by_its_row():
    told = driver().begin().answered("", call(1))
    crashed(told, 1)
    assert told.kinds() == ["Send"]
    ended = driver({llm.ToolCrashedError: llm.Fail()}).begin().answered("", call(1), call(2))
    crashed(ended, 1)
    assert not ended.finished  # its siblings finish first
    ended.tool_returned(2, "b")
    (error,) = ended.finished
    assert isinstance(error, llm.ToolCrashedError)
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert error.tool_call == call(1)
    assert ended.said()[-1] == ("tool", "Error: 0|b")
    check_valid(ended.history)


def test_arguments_that_do_not_fit_and_unknown_tools_are_no_crash():
    turn = driver({llm.ToolCrashedError: llm.Fail()}).begin().answered("", call(1, "nope"), call(2))
    crashed(turn, 2, llm.ToolArgumentsError("n: expected str"))
    assert turn.kinds() == ["Send"]


def test_so_many_crashes_are_let_through():
    turn = driver({llm.ToolCrashedError: llm.After(3, llm.GiveUp())}).begin()
    for number in (1, 2):
        crashed(turn.answered("", call(number)), number)
        assert turn.kinds() == ["Send"]
    crashed(turn.answered("", call(3)), 3)
    assert isinstance(turn.finished[0], llm.ToolCrashedError)
    assert [c for c in turn.done if isinstance(c, m.Bury)]


def rounds(turn, count, output="same", name="tool", arguments=None):
    """So many rounds with one call each."""
    for _ in range(count):
        if turn.finished:
            return turn
        number = turn.turn.round
        made = llm.ToolCall(name, arguments or {"q": 1}, f"call-{number}")
        send = turn.pop(m.Send)
        turn.mail(m.RoundEnded(1.0, send.round, *answer("", made)))
        turn.tool_returned(number, output if isinstance(output, str) else output(number))
    return turn


def test_ten_equal_rounds_in_a_row_end_the_turn():
    turn = rounds(driver(chain_limit=0).begin(), 9)
    assert not turn.finished
    (error,) = rounds(turn, 1).finished
    assert isinstance(error, llm.RepeatedToolCallsError)
    assert error.rounds == 10
    assert "(tool)" in str(error)
    check_valid(turn.history)


def test_other_arguments_other_results_or_a_word_in_between_are_no_repetition():
    turn = driver({llm.RepeatedToolCallsError: llm.After(3, llm.Fail())}, chain_limit=0).begin()
    rounds(turn, 6, output=str)
    rounds(turn, 2, arguments={"q": 2})
    rounds(turn, 1)
    turn.mail(m.Steer("s", user("look elsewhere")))
    rounds(turn, 1)  # made before it was read
    rounds(turn, 2)
    assert not turn.finished
    rounds(turn, 1)
    assert turn.finished


def test_a_repetition_may_be_told_to_the_model():
    turn = rounds(driver({llm.RepeatedToolCallsError: llm.After(3, llm.Tell())}).begin(), 3)
    assert turn.kinds() == ["Send"]
    role, text = turn.said()[-1]
    assert role == "user"
    assert "3 rounds in a row made the same calls" in text
    turn.answered("sorry")
    assert turn.finished == [None]


def test_a_repetition_may_change_the_model():
    turn = rounds(driver({llm.RepeatedToolCallsError: llm.After(2, llm.Fallback("b"))}).begin(), 2)
    assert turn.open[0].model == "b"
    assert [item.chunk for item in kinds(turn, "round")] == ["2", "3"]


# ---- through the public API


class Refuses(llm.AsyncModel):
    """Raises what it was made with, after saying what it was made with."""

    model_id = "refuses"
    can_stream = supports_tools = True

    class Options(llm.Options):
        temperature: float | None = None
        special: int | None = None

    def __init__(self, error=LIMITED, *said):
        self.error, self.said, self.asked = error, said, []

    async def execute(self, prompt, stream, response, conversation):
        self.asked.append(prompt.messages)
        for text in self.said:
            yield text
        raise self.error


class Takes(Says):
    """Another model, with options of its own."""

    model_id = "takes"

    class Options(llm.Options):
        temperature: float | None = None


def test_a_turn_goes_on_with_another_model_and_the_next_one_begins_with_the_first():
    seen = []

    async def main():
        with llm.ActorSystem(observers=[seen.append]):
            first, other = Refuses(), Takes("fine")
            conversation = first.conversation(failures={llm.RateLimitError: llm.Fallback(other)})
            response = conversation.prompt("hi", temperature=0.5, special=1)
            assert await response.text() == "fine"
            assert other.prompts[0].options == Takes.Options(temperature=0.5)
            assert other.prompts[0].messages[-1].text == "hi"
            assert await conversation.prompt("again").text() == "fine"
            assert len(first.asked) == 2

    run(main())
    assert [record.model for record in seen if isinstance(record, RoundStarted)] == ["refuses", "takes"] * 2
    assert len([record for record in seen if isinstance(record, RoundFailed)]) == 2


def test_rows_of_conversation_model_and_system_the_nearest_wins():
    async def main():
        with llm.ActorSystem(failures={llm.RateLimitError: llm.Fallback(Says("system"))}):
            model = Refuses()
            assert await model.prompt("hi").text() == "system"
            model.failures = {llm.RateLimitError: llm.Fallback(Says("model"))}
            assert await model.prompt("hi").text() == "model"
            nearest = model.conversation(failures={llm.RateLimitError: llm.Fallback(Says("conversation"))})
            assert await nearest.prompt("hi").text() == "conversation"
            with pytest.raises(llm.RateLimitError):
                await model.conversation(failures={llm.ProviderError: llm.Fail()}).prompt("hi").text()

    run(main())


def test_a_fallback_may_be_named_and_an_unknown_name_is_the_turns_error():
    async def main():
        known = Refuses().conversation(failures={llm.RateLimitError: llm.Fallback("demo")})
        assert "hi" in await known.prompt("hi").text()
        unknown = Refuses().conversation(failures={llm.RateLimitError: llm.Fallback("no-such-model")})
        with pytest.raises(llm.UnknownModelError):
            await unknown.prompt("hi").text()

    run(main())


def test_a_restart_takes_back_what_had_come():
    async def main():
        model = Refuses(llm.StreamTruncatedError("cut"), "ha", "lf")
        rows = {llm.StreamTruncatedError: llm.Fallback(Says("whole"), restart=True)}
        response = model.conversation(failures=rows).prompt("hi")
        assert await response.text() == "whole"
        events = [event async for event in response.events()]
        assert [event.type for event in events] == ["text", "text", "restart", "text", "end"]

    run(main())


def test_an_explicit_key_does_not_go_to_the_other_model():
    """S3: the key was given for the provider that was asked."""
    keys = []

    class Keyed(llm.AsyncKeyModel):
        model_id = "keyed"
        needs_key = "one"

        async def execute(self, prompt, stream, response, conversation, key):
            keys.append(key)
            if key:
                raise LIMITED
            yield

    class Other(llm.AsyncKeyModel):
        model_id = "other"

        async def execute(self, prompt, stream, response, conversation, key):
            keys.append(key)
            yield "ok"

    async def main():
        model = Keyed()
        model.failures = {llm.RateLimitError: llm.Fallback(Other())}
        assert await model.prompt("hi", key="secret").text() == "ok"

    run(main())
    assert keys == ["secret", None]


class LongOrShort(llm.AsyncModel):
    """Refuses a history of more than two messages."""

    model_id = "long"

    async def execute(self, prompt, stream, response, conversation):
        if len(prompt.messages) > 2:
            raise LONG
        yield f"{len(prompt.messages)}"


def _last(compacting):
    assert isinstance(compacting.error, llm.ContextLengthError)
    assert compacting.model.model_id == "long"
    return compacting.messages[-1:]


async def _last_async(compacting):
    await asyncio.sleep(0)
    return compacting.messages[-1:]


@pytest.mark.parametrize("policy", [_last, _last_async])
def test_a_history_that_is_too_long_is_compacted_and_the_turn_goes_on(policy):
    seen = []

    async def main():
        with llm.ActorSystem(observers=[seen.append]):
            conversation = LongOrShort().conversation(failures={llm.ContextLengthError: llm.Compact(policy)})
            assert await conversation.prompt("one").text() == "1"
            assert await conversation.prompt("two").text() == "1"
            assert [message.text for message in conversation.messages()] == ["two", "1"]

    run(main())
    (record,) = [record for record in seen if isinstance(record, HistoryCompacted)]
    assert (record.before, record.after) == (3, 1)


def test_a_policy_that_raises_or_gives_no_messages_ends_the_turn_and_the_history_stays():
    def no_messages(compacting):
        return "short"

    def raising(compacting):
        raise OSError("disk")

    async def main():
        for policy, kind in ((no_messages, TypeError), (raising, OSError)):
            conversation = LongOrShort().conversation(failures={llm.ContextLengthError: llm.Compact(policy)})
            await conversation.prompt("one")
            with pytest.raises(kind) as caught:
                await conversation.prompt("two").text()
            assert isinstance(caught.value.__cause__, llm.ContextLengthError)
            assert [message.text for message in conversation.messages()] == ["one", "1"]

    run(main())


def test_a_prompt_that_is_given_up_is_a_dead_letter():
    letters, seen = [], []
    hook = lambda *letter: letters.append(letter)  # noqa: E731
    dead_letters.append(hook)

    async def main():
        system = llm.ActorSystem(observers=[seen.append], failures={llm.RateLimitError: llm.GiveUp()})
        with system, pytest.raises(llm.RateLimitError):
            await Refuses().prompt("hi").text()

    try:
        run(main())
    finally:
        dead_letters.remove(hook)
    assert [(letter[1].prompt, letter[2]) for letter in letters] == [("hi", repr(LIMITED))]
    (record,) = [record for record in seen if isinstance(record, DeadLetter)]
    assert (record.actor.split()[0], record.message, record.reason) == ("conversation", "Prompt", repr(LIMITED))


def test_in_sync_code_too():
    model = SyncSays(LIMITED)
    model.failures = {llm.RateLimitError: llm.Fallback(SyncSays("fine"))}
    assert model.prompt("hi").text() == "fine"
