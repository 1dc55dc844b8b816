"""Compaction before the window is full: when it happens, what the built-in policies make of a history, what is left of the rest."""

import asyncio
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llm_actors as llm
from llm_actors.chat import turn_mail as m
from llm_actors.chat.compaction import Compacts, compacts
from llm_actors.chat.exchanges import exchanges
from llm_actors.chat.history import Replaced
from llm_actors.chat.history_size import estimate
from llm_actors.messages import Message, Prompt, Usage
from llm_actors.messages.parts import assistant, system, user
from llm_actors.observe import HistoryCompacted
from tests.promises.worlds import World, check_valid
from tests.strict import check_next as check_accepted

from .speakers import Says, SyncSays, run
from .test_exchanges import calls, histories, results
from .turn_driver import Driver, answer, call

BOTH = pytest.mark.parametrize("dress", ["async", "sync"])
LONG = llm.ContextLengthError("too long")


def speaker(dress, *items) -> Any:
    return (Says if dress == "async" else SyncSays)(*items)


def told(messages):
    return [message.text for message in messages]


# ---- in the turn


def driver(compact_at, tokens, **plan):
    made = Driver(compacts=Compacts("policy", compact_at), **plan)
    return made.mail(m.Begin(made.now, tokens=tokens))


def compacted(driver, *messages):
    driver.pop(m.CompactHistory)
    return driver.mail(m.Compacted(driver.now, list(messages)))


def test_a_call_within_the_bound_is_made_and_one_above_it_compacts_first():
    assert driver(105, 100).kinds() == ["Send"]
    full = driver(104, 100)
    assert full.open == [m.CompactHistory("policy", None, 105, 104)]
    assert full.turn.state == "compacting"
    compacted(full, user("short"))
    assert full.kinds() == ["Send"]
    assert full.said() == [("user", "short")]
    assert isinstance(full.done[-3].entries[0], Replaced)
    assert full.done[-3].entries[0].compacted


def test_without_a_bound_nothing_is_counted():
    assert driver(None, 10**9).kinds() == ["Send"]


def test_what_did_not_become_short_enough_is_sent_and_the_provider_decides():
    turn = driver(10, 100)
    compacted(turn, user("x" * 400))
    assert turn.kinds() == ["Send"]
    turn.answered("done")
    assert turn.finished == [None]


def test_each_call_of_a_chain_is_looked_at_by_what_the_provider_counted():
    turn = driver(100, 0, prompt=Prompt("hi", chain=True))
    for tokens, expected in ((90, "Send"), (120, "CompactHistory")):
        send = turn.pop(m.Send)
        result, messages = answer("", call(send.round))
        counted = type(result)(tool_calls=result.tool_calls, usage=Usage(tokens - 10, 2), stop_reason="tool_calls")
        turn.mail(m.RoundEnded(turn.now, send.round, counted, messages))
        turn.tool_returned(send.round)
        assert turn.kinds() == [expected]
    assert turn.open[0].tokens > 100
    compacted(turn, user("short"))
    assert turn.pop(m.Send).results[0].output == "ok"


def test_what_is_steered_in_counts():
    turn = driver(100, 0, prompt=Prompt("hi", chain=True))
    turn.mail(m.Steer("s", user("x" * 500)))
    turn.answered("", call(1)).tool_returned(1)
    assert turn.kinds() == ["CompactHistory"]


def test_a_policy_that_fails_ends_the_turn_and_a_cancel_stops_it():
    failed = driver(10, 100)
    failed.pop(m.CompactHistory)
    failed.mail(m.Compacted(failed.now, error=ValueError("no")))
    assert isinstance(failed.finished[0], ValueError)
    assert failed.said() == []
    stopped = driver(10, 100)
    stopped.mail(m.Cancel(stopped.now, llm.ResponseCancelledError("x")))
    assert stopped.kinds() == ["CompactHistory", "StopJob"]
    stopped.mail(m.JobStopped(stopped.now, m.COMPACT))
    assert isinstance(stopped.finished[0], llm.ResponseCancelledError)


def test_a_provider_that_finds_it_too_long_all_the_same_gets_one_compaction_more():
    from llm_actors.chat.failures import FailureTable, compacting_rows

    plan = Compacts(print, 10)
    made = Driver(compacts=plan, failures=FailureTable(compacting_rows(plan)))
    made.mail(m.Begin(made.now, tokens=100))
    compacted(made, user("shorter"))
    made.failed(LONG)
    assert made.open == [m.CompactHistory(print, LONG, estimate([user("shorter")]), 10)]
    compacted(made, user("short"))
    made.failed(LONG)
    assert made.finished == [LONG]


# ---- the settings


def test_the_bound_is_three_quarters_of_the_window_unless_it_is_given():
    assert compacts(print, None, 1000) == Compacts(print, 750)
    assert compacts(print, 400, 1000) == Compacts(print, 400)
    assert compacts(print, None, None) == Compacts(print, None)
    assert compacts(None, None, 1000) is None


def test_what_is_no_policy_or_no_bound_is_said_at_once():
    model = Says("a")
    nothing: Any = "short"
    with pytest.raises(TypeError, match=r"compaction= takes a policy"):
        model.conversation(compaction=nothing)
    for keywords in ({"compact_at": 10}, {"compaction": llm.DropOldest(), "compact_at": 0}):
        with pytest.raises(ValueError, match="compact_at= is a number of tokens"):
            model.conversation(**keywords)
    with pytest.raises(ValueError, match="at least 1"):
        llm.DropOldest(0)
    with pytest.raises(ValueError, match="at least 1"):
        llm.Summarise("m", words=0)
    with pytest.raises(TypeError, match="the id of a model, or a model"):
        llm.Summarise(3)
    assert repr(llm.DropOldest(5)) == "DropOldest(5)"
    assert repr(llm.DropOldest()) == "DropOldest()"
    assert repr(llm.Summarise("m")) == "Summarise('m')"


# ---- DropOldest


def compacting(messages, **more):
    return llm.Compacting(messages, "c", None, **more)


SAID = [system("be brief"), user("a" * 40), assistant("b" * 40), user("c" * 40), assistant("d" * 40), user("e")]


def test_it_drops_the_oldest_exchanges_whole():
    assert told(llm.DropOldest(45)(compacting(SAID))) == ["be brief", "c" * 40, "d" * 40, "e"]
    assert told(llm.DropOldest(1)(compacting(SAID))) == ["be brief", "e"]
    assert llm.DropOldest(1000)(compacting(SAID)) == SAID
    assert llm.DropOldest(1)(compacting([])) == []


def test_left_to_itself_it_aims_at_half_of_the_bound_else_at_half_of_what_there_is():
    assert len(llm.DropOldest()(compacting(SAID, bound=90))) == 4
    assert len(llm.DropOldest()(compacting(SAID, tokens=90))) == 2  # counted as more than guessed: all is more
    assert len(llm.DropOldest()(compacting(SAID))) == 2


@settings(max_examples=300)
@given(histories, st.integers(1, 150), st.integers(0, 300))
def test_whatever_was_said_the_rest_is_valid_short_enough_where_it_can_be_and_ends_as_it_did(messages, tokens, counted):
    rest = llm.DropOldest(tokens)(compacting(messages, tokens=counted))
    whole = exchanges(messages)
    if not whole:
        assert rest == []
        return
    check_valid(rest)
    check_accepted(rest)
    assert rest[-len(whole[-1]) :] == whole[-1] or rest == messages
    if len(rest) < len(messages):
        talk = [message for message in rest if message.role != "system"]
        assert talk[0].role == "user" or len(whole) == 1
    last = [message for message in rest if message.role == "system"] + whole[-1]
    assert estimate(rest) <= max(tokens, estimate(last))
    assert {message.text for message in messages[:1] if message.role == "system"} <= {each.text for each in rest}


# ---- Summarise


class Summary(llm.AsyncModel):
    """Says what it was asked last, in short."""

    model_id = "summary"

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def execute(self, prompt, stream, response, conversation):
        self.asked.append(prompt.prompt)
        yield self.answers.pop(0) if self.answers else "in short"


class SyncSummary(llm.Model):
    model_id = "summary"

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.threads = []

    def execute(self, prompt, stream, response, conversation):
        self.asked.append(prompt.prompt)
        self.threads.append(threading.current_thread())
        yield self.answers.pop(0) if self.answers else "in short"


def summarised(policy, messages, **more):
    made = policy(compacting(messages, **more))
    if isinstance(made, list):
        return made

    async def main():
        return await made

    return run(main())


@pytest.mark.parametrize("kind", [Summary, SyncSummary])
def test_older_exchanges_are_replaced_by_what_a_model_says_of_them(kind):
    model = kind("  They said a and b.  ")
    rest = summarised(llm.Summarise(model, tokens=440), SAID + SAID[1:], tokens=1000)
    assert told(rest)[:2] == ["be brief", "Summary of the conversation so far:\n\nThey said a and b."]
    assert rest[1].role == "user"
    assert rest[2:] == (SAID + SAID[1:])[-len(rest) + 2 :]
    (asked,) = model.asked
    assert f"user: {'a' * 40}\nassistant: {'b' * 40}" in asked
    assert "at most 200 words" in asked
    assert "be brief" not in asked
    check_accepted(rest)


def test_tool_calls_results_and_files_are_told_too_and_what_fits_is_not_summarised():
    model = Summary()
    picture = llm.Attachment(url="https://example.com/a.png", type="image/png")
    said = [user("a", picture), calls("1"), results("1"), assistant("b"), user("c")]
    rest = summarised(llm.Summarise(model, tokens=1, words=1), said)
    assert told(rest)[1:] == ["c"]
    assert "user: a\nuser shows a file\nassistant calls tool: {}\nresult of tool: xxxx" in model.asked[0]
    assert summarised(llm.Summarise(model, tokens=10_000), said) == said
    assert len(model.asked) == 1


def test_much_is_read_in_pieces_each_with_what_was_to_be_remembered_of_the_one_before():
    model = Summary("first", "second", "third", "third")
    said = [user("a" * 100), assistant("b" * 30), user("c" * 30), assistant("d" * 60), user("e")]
    rest = summarised(llm.Summarise(model, tokens=1, words=1, piece=25, prompt="Shorten to {words}."), said)
    assert [asked.split("\n\n")[0] for asked in model.asked] == ["Shorten to 1."] * len(model.asked)
    assert len(model.asked) >= 3
    assert "first" in model.asked[1]
    assert "second" in model.asked[2]
    assert "".join(model.asked).count("a" * 90) == 1
    assert told(rest) == ["Summary of the conversation so far:\n\nthird", "e"]


def test_a_piece_is_half_of_the_window_of_the_model_that_reads_it():
    model = Summary()
    model.context_size = 100
    summarised(llm.Summarise(model, tokens=1), [user("a" * 500), assistant("x"), user("b")])
    assert len(model.asked) == 3


def test_a_summary_is_cut_where_it_is_longer_than_it_may_be_and_an_empty_one_is_an_error():
    rest = summarised(llm.Summarise(Summary("x" * 9999), tokens=1, words=10), [user("a"), assistant("x"), user("b")])
    assert len(rest[0].text) < 150
    with pytest.raises(llm.IncompleteAnswerError, match="said nothing"):
        summarised(llm.Summarise(Summary(" "), tokens=1), [user("a"), assistant("x"), user("b")])


def test_a_model_is_found_by_its_name_in_the_dress_that_there_is():
    llm.register_model(SyncSummary("of the sync one"))
    try:
        rest = summarised(llm.Summarise("summary", tokens=1), [user("a"), assistant("x"), user("b")])
    finally:
        llm.unregister_model("summary")
    assert rest[0].text.endswith("of the sync one")
    with pytest.raises(llm.UnknownModelError):
        summarised(llm.Summarise("nobody/knows", tokens=1), [user("a"), assistant("x"), user("b")])


# ---- in a conversation


def add(a: int) -> int:
    return a + 1


@BOTH
def test_a_conversation_stays_below_its_bound_and_its_responses_stay(dress):
    async def main():
        world, records = World(dress), []
        with llm.ActorSystem(observers=[records.append]):
            conversation = speaker(dress, "b" * 40).conversation(compaction=llm.DropOldest(), compact_at=100)
            responses = []
            for number in range(12):
                responses.append(conversation.prompt(f"{number}".rjust(40, "a"), system="be brief"))
                await world.text(responses[-1])
                assert estimate(conversation.messages()) <= 120
                assert conversation.messages()[0].text == "be brief"
                check_accepted(conversation.messages())
            happened = [record for record in records if isinstance(record, HistoryCompacted)]
            assert len(happened) >= 2
            assert all(record.error is None and record.after < record.before for record in happened)
            asked = [response.prompt.prompt for response in conversation.responses]
            assert asked == [response.prompt.prompt for response in responses]
            assert conversation.responses == responses
            assert [len(response.prompt.messages) for response in conversation.responses] == [
                len(response.prompt.messages) for response in responses
            ]
            assert max(len(response.prompt.messages) for response in responses) < 12

    run(main())


@BOTH
def test_a_chain_compacts_between_its_rounds_and_its_rounds_stay(dress):
    async def main():
        world = World(dress)
        rounds = 3

        def ask(response):
            done = sum(message.role == "tool" for message in response.prompt.messages)
            response.set_usage(input=1000 if done == 1 else 10, output=1)
            if done < rounds:
                response.add_tool_call(llm.ToolCall("add", {"a": done}, f"c{done}"))

        seen: list[Any] = []

        def policy(compacting):
            seen.append(compacting)
            return llm.DropOldest(1)(compacting)

        conversation = speaker(dress, "x", ask).conversation(tools=[add], compaction=policy, compact_at=500)
        conversation.replace([user("old"), assistant("a")])
        chain = conversation.chain("new")
        assert await world.text(chain) == " ".join(["x"] * 4)
        assert [each.tokens > 1000 for each in seen] == [True]
        assert (seen[0].bound, seen[0].error, seen[0].model) == (500, None, conversation.model)
        assert told(conversation.messages())[0] == "new"
        check_valid(conversation.messages())
        assert [response.prompt.prompt for response in conversation.responses] == ["new", "", "", ""]
        parts = [response async for response in chain.responses()] if dress == "async" else list(chain.responses())
        assert len(parts) == 4
        assert [len(part.prompt.tool_results) for part in parts] == [0, 1, 1, 1]

    run(main())


@BOTH
def test_an_agent_that_works_long_on_one_prompt_can_drop_its_oldest_rounds(dress):
    async def main():
        world, asked = World(dress), []

        def ask(response):
            asked.append(response.prompt.messages)
            if len(asked) < 10:
                response.add_tool_call(llm.ToolCall("add", {"a": len(asked)}, f"c{len(asked)}"))

        policy = llm.DropOldest(1, rounds=True)
        conversation = speaker(dress, ask, "x").conversation(tools=[add], compaction=policy, compact_at=60)
        chain = conversation.chain("go")
        await world.text(chain)
        assert len(asked) == 10
        for messages in asked:
            check_accepted(messages)
            assert messages[0].text == "go"
            assert estimate(messages) <= 80
        assert asked[-1][-1].parts[0].output == "10"
        assert len(conversation.responses) == 10

    run(main())


@BOTH
def test_a_provider_that_says_too_long_is_asked_again_with_less(dress):
    async def main():
        world = World(dress)

        def refuse(response):
            if len(response.prompt.messages) > 3:
                raise LONG

        conversation = speaker(dress, refuse, "a").conversation(compaction=llm.DropOldest(1))
        for number in range(4):
            assert await world.text(conversation.prompt(str(number))) == "a"
        assert told(conversation.messages()) == ["2", "a", "3", "a"] or told(conversation.messages()) == ["3", "a"]
        assert len(conversation.responses) == 4
        strict = speaker(dress, refuse, "a").conversation(
            compaction=llm.DropOldest(1), failures={llm.ContextLengthError: llm.Fail()}
        )
        await world.text(strict.prompt("1"))
        await world.text(strict.prompt("2"))
        assert await world.error(strict.prompt("3")) is LONG

    run(main())


def test_the_window_of_the_model_is_the_bound_and_a_fork_compacts_as_its_conversation_does():
    async def main():
        model = Says("b" * 40)
        model.context_size = 80
        conversation = model.conversation(compaction=llm.DropOldest())
        for _ in range(6):
            await conversation.prompt("a" * 40)
        assert len(conversation.messages()) <= 4
        fork = conversation.fork()
        assert (fork.compaction, fork.compact_at) == (conversation.compaction, None)
        await fork.prompt("a" * 40)
        assert len(fork.messages()) <= 4
        await conversation.merge(fork)
        check_valid(conversation.messages())

    run(main())


def test_a_summary_is_made_in_the_turn_that_waits_for_it_and_ends_with_it():
    async def main():
        class Hangs(Summary):
            async def execute(self, prompt, stream, response, conversation):
                begun.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.set()
                yield ""

        begun, ended = asyncio.Event(), asyncio.Event()
        conversation = Says("b" * 40).conversation(compaction=llm.Summarise(Hangs(), tokens=1), compact_at=30)
        await conversation.prompt("a" * 40)
        response = conversation.prompt("c" * 40)
        await begun.wait()
        await response.cancel()
        await asyncio.wait_for(ended.wait(), 5)
        assert told(conversation.messages()) == ["a" * 40, "b" * 40]

    run(main())


def test_what_a_policy_gives_that_is_no_list_of_messages_ends_the_turn():
    async def main():
        conversation = Says("a").conversation(compaction=lambda compacting: "short", compact_at=1)  # type: ignore[return-value]
        with pytest.raises(TypeError, match="a compaction policy gives a list of messages, not str"):
            await conversation.prompt("hi")

    run(main())


def test_messages_that_a_policy_makes_up_are_made_valid():
    async def main():
        def parts_a_call_from_its_result(compacting):
            return [Message("assistant", calls("1").parts), user("and now?")]

        model = Says("a")
        conversation = model.conversation(compaction=parts_a_call_from_its_result, compact_at=1)
        await conversation.prompt("hi")
        check_valid(model.prompts[0].messages)
        check_accepted(model.prompts[0].messages)

    run(main())
