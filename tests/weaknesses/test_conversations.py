"""Weaknesses W2, W10, W12, W15 and W27 of the peer: the history of a conversation, and its chains."""

import asyncio
import gc
import itertools
import threading
import tracemalloc

import pytest

import llm_actors as llm
from llm_actors.testing import Answer, Speak, reply

from .played import AsyncPlayed, Played, call, outputs, played, run, said, wired

IN_ORDER = [["a"], ["a", "echo: a", "b"], ["a", "echo: a", "b", "echo: b", "c"]]


@pytest.mark.parametrize("verb", ["prompt", "chain"])
def test_w02_prompts_sent_at_once_are_answered_in_order_and_none_is_lost(server, verb):
    conversation = wired(server, True).conversation()
    send = getattr(conversation, verb)

    async def main():
        await asyncio.gather(send("a").text(), send("b").text())
        return await send("c").text()

    assert run(main) == "echo: c"
    assert _contents(server) == IN_ORDER
    assert [response.prompt.prompt for response in conversation.responses] == ["a", "b", "c"]


def test_w02_prompts_that_are_built_before_any_is_awaited_see_those_before_them(server):
    conversation = wired(server, True).conversation()

    async def main():
        first, second, third = [conversation.prompt(text) for text in "abc"]
        await third
        await second
        return await first.text()

    assert run(main) == "echo: a"
    assert _contents(server) == IN_ORDER


def test_w02_prompts_from_threads_each_see_all_before_them(server):
    conversation = wired(server, False).conversation()
    begin = threading.Barrier(5, timeout=30)
    answers = {}

    def ask(text):
        begin.wait()
        answers[text] = conversation.prompt(text).text()

    threads = [threading.Thread(target=ask, args=(text,)) for text in "abcde"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == {text: f"echo: {text}" for text in "abcde"}
    sent = _contents(server)
    assert [len(contents) for contents in sent] == [1, 3, 5, 7, 9]
    assert all(after[: len(before)] == before for before, after in itertools.pairwise(sent))
    order = [contents[-1] for contents in sent]
    assert [response.prompt.prompt for response in conversation.responses] == order


def _calls_for_ever(model):
    model.rounds = [[call("again", f"c{n}", number=n)] for n in range(1000)]
    return model


def again(number: int = 0) -> str:
    """Asks to be called again."""
    return "again"


def test_w10_a_chain_has_a_limit_without_being_given_one():
    model = _calls_for_ever(AsyncPlayed())
    sync_model = _calls_for_ever(Played())

    async def main():
        with pytest.raises(llm.ChainLimitError) as raised:
            await model.chain("go", tools=[again]).text()
        return str(raised.value)

    limit = llm.ActorSystem().chain_limit
    assert 10 <= limit <= 1000
    assert run(main, 30) == f"Chain limit of {limit} exceeded."
    with pytest.raises(ValueError, match=rf"^Chain limit of {limit} exceeded\.$"):
        sync_model.chain("go", tools=[again]).text()
    assert len(model.asked) == len(sync_model.asked) == limit


def test_w10_a_limit_of_one_allows_one_answer():
    async def main():
        return await AsyncPlayed(["plain"]).conversation(chain_limit=1).chain("go", tools=[again]).text()

    assert run(main) == "plain"
    assert Played(["plain"]).conversation(chain_limit=1).chain("go", tools=[again]).text() == "plain"


@pytest.mark.parametrize("is_async", [False, True])
def test_w10_past_the_limit_what_was_done_stays_and_no_call_is_left_without_its_result(server, is_async):
    conversation = wired(server, is_async).conversation(tools=[again])

    async def main():
        with pytest.raises(llm.ChainLimitError, match=r"^Chain limit of 1 exceeded\.$"):
            await conversation.chain("call again {}", chain_limit=1).text()
        return await conversation.chain().text()

    if is_async:
        text = run(main)
    else:
        with pytest.raises(llm.ChainLimitError, match=r"^Chain limit of 1 exceeded\.$"):
            conversation.chain("call again {}", chain_limit=1).text()
        text = conversation.chain().text()
    assert text == "results: again=again"


@pytest.mark.parametrize("is_async", [False, True])
def test_w12_the_text_of_a_chain_read_twice_runs_nothing_twice(is_async):
    ran = []

    def tool() -> str:
        ran.append("tool")
        return "ran"

    model = played(is_async, [call("tool")], ["done"])
    conversation = model.conversation(tools=[tool])

    async def main():
        chain = conversation.chain("go")
        texts = [await chain.text(), await chain.text(), "".join([chunk async for chunk in chain])]
        return [*texts, await conversation.prompt("next").text()]  # behind whatever reading would have sent

    if is_async:
        texts = run(main)
    else:
        chain = conversation.chain("go")
        texts = [chain.text(), chain.text(), "".join(chain), conversation.prompt("next").text()]
    assert texts == ["done"] * 3 + ["re: next"]
    assert ran == ["tool"]
    assert [len(asked) for asked in model.asked] == [1, 3, 5]
    assert [response.prompt.prompt for response in conversation.responses] == ["go", "", "next"]


@pytest.mark.parametrize("is_async", [False, True])
def test_w15_a_provider_error_in_round_2_keeps_the_result_of_the_tool_and_a_retry_does_not_run_it_again(
    server, is_async
):
    ran = []

    def pay() -> str:
        """Costs money."""
        ran.append("paid")
        return "paid"

    server.play(Answer([Speak()]), reply(400, {"error": {"message": "no more of this"}}))
    conversation = wired(server, is_async).conversation(tools=[pay])

    async def main():
        with pytest.raises(llm.InvalidRequestError, match="no more of this"):
            await conversation.chain("call pay {}").text()
        return [await conversation.chain().text(), await conversation.chain("thanks").text()]

    if is_async:
        texts = run(main)
    else:
        with pytest.raises(llm.InvalidRequestError, match="no more of this"):
            conversation.chain("call pay {}").text()
        texts = [conversation.chain().text(), conversation.chain("thanks").text()]
    assert texts == ["results: pay=paid", "echo: thanks"]
    assert ran == ["paid"]
    roles = [message["role"] for message in server.requests[2].json()["messages"]]
    assert roles == ["user", "assistant", "tool"]


def test_w15_the_history_after_the_error_has_the_call_and_its_result():
    def pay() -> str:
        return "paid"

    model = Played([call("pay")], [RuntimeError("the provider broke")])
    conversation = model.conversation(tools=[pay])
    with pytest.raises(RuntimeError, match="the provider broke"):
        conversation.chain("pay").text()
    assert said(conversation.messages()) == [("user", "pay"), ("assistant", "-> pay"), ("tool", "paid")]


class _Quiet(llm.AsyncModel):
    """Keeps nothing of what it was asked."""

    model_id = "quiet"
    supports_tools = True
    rounds = 0

    async def execute(self, prompt, stream, response, conversation):
        self.rounds -= 1
        if self.rounds > 0:
            response.add_tool_call(llm.ToolCall("again", {"number": self.rounds}))
        yield "okay"


def test_w27_a_finished_response_holds_about_as_much_as_its_text():
    class Long(llm.AsyncModel):
        model_id = "long"

        async def execute(self, prompt, stream, response, conversation):
            for number in range(20_000):
                yield f"{number:4}"[:4]

    async def main():
        await Long().prompt("warm up").text()
        before = _held()
        response = Long().prompt("go")
        await response.text()
        return _held() - before, response

    held, _response = run(main, 30)
    assert held < 400_000, f"20,000 chunks (80 kB of text) hold {held} bytes; the peer's hold 3.2 MB"


@pytest.mark.parametrize("kind", ["turns", "rounds"])
def test_w27_memory_is_linear_in_what_was_said(kind):
    async def hold(count):
        model = _Quiet()
        conversation = model.conversation(tools=[again], chain_limit=0)
        before = _held()
        if kind == "turns":
            for _ in range(count):
                await conversation.prompt("go")
        else:
            model.rounds = count
            await conversation.chain("go")
        past = conversation.responses  # the views on it as well
        held = _held() - before
        assert len(past) == count
        return held

    async def main():
        await hold(20)  # what is made once
        return await hold(100) / 100, await hold(400) / 400

    few, many = run(main, 50)
    # Lists of all messages for each turn (the peer's) would add 8 bytes for each turn before it, and the messages in them.
    assert many < 1.2 * few, f"bytes for one of 100 and of 400 {kind}: {few:.0f}, {many:.0f}"
    assert many < 4_000


def _held():
    gc.collect()
    if not tracemalloc.is_tracing():
        tracemalloc.start()
    return tracemalloc.get_traced_memory()[0]


@pytest.fixture(autouse=True)
def _no_tracing_left():
    yield
    tracemalloc.stop()


def _contents(server):
    return [[message["content"] for message in request.json()["messages"]] for request in server.requests]


def test_w12_the_outputs_of_tools_are_sent_once():
    model = Played([call("again")], ["done"])
    chain = model.chain("go", tools=[again])
    assert [chain.text(), chain.text()] == ["done", "done"]
    assert outputs(model.asked[-1]) == ["again"]
