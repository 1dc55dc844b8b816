"""Budgets on real turns: what is refused before it is sent, and that each way to end a model call settles it once."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import llm_actors as llm
from llm_actors.chat.budget import NONE, Spent
from llm_actors.chat.restart_mail import RestartMail
from llm_actors.observe import RoundFailed
from tests.strict import check_next as check_accepted

from .speakers import Says, SyncSays, run

HI = 1 + 4  # what "hi" is taken for as input: a token, and four around the message


def uses(read, written):
    return lambda response: response.set_usage(input=read, output=written)


class Talks(llm.AsyncModel):
    """Says what it was made with and counts its calls; `hold` keeps it from ending."""

    model_id = "talks"
    supports_tools = True

    class Options(llm.Options):
        max_tokens: int | None = None

    def __init__(self, *items, hold=False):
        self.items = items
        self.hold = hold
        self.calls = 0
        self.saying = asyncio.Event()

    async def execute(self, prompt, stream, response, conversation):
        self.calls += 1
        for item in self.items:
            if isinstance(item, BaseException):
                raise item
            if callable(item):
                item(response, prompt)
            else:
                yield item
        self.saying.set()
        if self.hold:
            await asyncio.get_running_loop().create_future()


async def refused(response):
    with pytest.raises(llm.BudgetExceeded) as caught:
        await response.text()
    return caught.value


# ---- refused


@pytest.mark.parametrize("where", ["prompt", "conversation", "system"])
def test_what_has_no_room_in_a_budget_is_not_sent_and_the_conversation_goes_on(where):
    async def main():
        model, budget = Talks("a"), llm.Budget(requests=1)
        given = {"budget": budget}
        with llm.ActorSystem(**(given if where == "system" else {})):
            conversation = model.conversation(**(given if where == "conversation" else {}))
            of_prompt = given if where == "prompt" else {}
            assert await conversation.prompt("hi", **of_prompt).text() == "a"
            before = conversation.messages()
            error = await refused(conversation.prompt("more", **of_prompt))
            name = {
                "prompt": f"a prompt to conversation {conversation.id}",
                "conversation": f"conversation {conversation.id}",
            }
            assert error.budget == name.get(where, "the system")
            assert (error.kind, error.limit, error.spent, error.reserved, error.asked) == ("requests", 1, 1, 0, 1)
            assert model.calls == 1
            assert conversation.messages() == before
        assert budget.reserved == NONE

    run(main())


def test_each_of_several_budgets_holds():
    async def main():
        model = Talks("a")
        conversation = model.conversation(budget=llm.Budget(requests=2))
        tight = llm.Budget(requests=1)
        assert await conversation.prompt("one", budget=tight).text() == "a"
        assert (await refused(conversation.prompt("two", budget=tight))).limit == 1
        assert await conversation.prompt("two", budget=llm.Budget(requests=9)).text() == "a"
        assert (await refused(conversation.prompt("three", budget=llm.Budget(requests=9)))).limit == 2
        assert model.calls == 2

    run(main())


def test_a_chain_that_runs_out_between_two_rounds_leaves_a_valid_history():
    async def main():
        async def look() -> str:
            return "seen"

        model = Talks(lambda response, _: response.add_tool_call(llm.ToolCall("look", {})))
        conversation = model.conversation(tools=[look])
        error = await refused(conversation.chain("hi", budget=llm.Budget(requests=2)))
        assert error.asked == 1
        assert model.calls == 2
        said = conversation.messages()
        assert [message.role for message in said] == ["user", "assistant", "tool", "assistant", "tool"]
        check_accepted(said)
        assert len(conversation.responses) == 2

    run(main())


def test_what_tools_prompt_is_paid_from_the_budget_of_the_turn():
    async def main():
        inner = Talks("a", lambda response, _: response.set_usage(input=2, output=3))

        async def ask() -> str:
            return await inner.prompt("hi").text()

        def script(response, prompt):
            if not prompt.tool_results:
                response.add_tool_call(llm.ToolCall("ask", {}))
            response.set_usage(input=10, output=20)

        budget = llm.Budget(tokens=10_000)
        await Talks("b", script).chain("hi", tools=[ask], budget=budget)
        assert budget.spent == Spent(3, 22, 43)
        assert budget.left == {"tokens": 10_000 - 65}

    run(main())


def test_the_failure_table_says_what_follows_a_refusal():
    async def main():
        dear, cheap = Talks("dear"), Talks("cheap")
        dear.price, cheap.price = llm.Price(1_000_000.0, 1.0), llm.Price(0.0, 0.0)
        seen = []
        with llm.ActorSystem(observers=[seen.append]):
            budget = llm.Budget(cost=1.0)
            conversation = dear.conversation(failures={llm.BudgetExceeded: llm.Fallback(cheap)})
            assert await conversation.prompt("hi", budget=budget).text() == "cheap"
        assert dear.calls == 0
        assert budget.spent.requests == 1
        assert next(record.error for record in seen if isinstance(record, RoundFailed)).startswith("BudgetExceeded(")
        unpriced = Talks("x")
        with pytest.raises(llm.NoPriceError, match=r"model 'talks' has no price: set model.price"):
            await unpriced.prompt("hi", budget=budget)
        conversation = unpriced.conversation(failures={llm.NoPriceError: llm.Fallback(cheap)})
        assert await conversation.prompt("hi", budget=budget).text() == "cheap"

    run(main())


def test_each_fallback_counts():
    async def main():
        first, second = Talks(llm.OverloadedError("busy")), Talks("b")
        budget = llm.Budget(requests=5)
        conversation = first.conversation(failures={llm.OverloadedError: llm.Fallback(second)}, budget=budget)
        await conversation.prompt("hi")
        assert budget.spent.requests == 2
        tight = llm.Budget(requests=1)
        conversation = first.conversation(failures={llm.OverloadedError: llm.Fallback(second)}, budget=tight)
        await refused(conversation.prompt("hi"))
        assert second.calls == 1

    run(main())


def test_max_tokens_is_what_is_set_aside_for_the_answer():
    async def main():
        model, budget = Talks("a", hold=True), llm.Budget(tokens=500)
        response = model.prompt("hi", max_tokens=400, budget=budget)
        await model.saying.wait()
        assert budget.reserved == Spent(1, HI, 400)
        error = await refused(model.prompt("hi", max_tokens=200, budget=budget))
        assert (error.reserved, error.asked) == (405, 205)
        await response.cancel()

    run(main())


# ---- settled, once


async def answered(model, conversation, budget):
    await conversation.prompt("hi", budget=budget)


async def cancelled(model, conversation, budget):
    response = conversation.prompt("hi", budget=budget)
    await model.saying.wait()
    await response.cancel()


async def deadline(model, conversation, budget):
    with pytest.raises(llm.DeadlineExceededError):
        await conversation.prompt("hi", budget=budget, timeout=0.2)


async def closed(model, conversation, budget):
    conversation.prompt("hi", budget=budget)
    await model.saying.wait()
    await conversation.close()


async def stopped(model, conversation, budget):
    response = conversation.prompt("hi", budget=budget)
    await model.saying.wait()
    conversation.ref.stop(block=False)
    with pytest.raises(llm.LoopClosedError):
        await response


async def killed(model, conversation, budget):
    response = conversation.prompt("hi", budget=budget)
    await model.saying.wait()
    conversation.ref.kill(block=False)
    with pytest.raises(llm.ConversationCrashedError):
        await response


async def restarted(model, conversation, budget):
    response = conversation.prompt("hi", budget=budget)
    await model.saying.wait()
    conversation.ref.tell(RestartMail(ValueError("defect")))
    with pytest.raises(llm.ConversationCrashedError):
        await response


async def left_at_the_end_of_the_loop(model, conversation, budget):
    response = conversation.prompt("hi", budget=budget)
    await model.saying.wait()
    return response


HELD_ENDS = [cancelled, deadline, closed, stopped, killed, restarted, left_at_the_end_of_the_loop]


@pytest.mark.parametrize("end", HELD_ENDS, ids=lambda end: end.__name__)
def test_a_call_that_is_cut_is_settled_once_by_what_came(end):
    budget = llm.Budget(tokens=10_000)

    async def main():
        model = Talks("half an ", "answer", hold=True)
        response = await end(model, model.conversation(), budget)
        assert end is left_at_the_end_of_the_loop or budget.reserved == NONE
        return response

    run(main())
    assert budget.reserved == NONE
    assert budget.spent == Spent(1, HI, 5)  # 14 bytes


def test_a_call_is_settled_by_its_usage():
    async def main():
        budget = llm.Budget(tokens=10_000)
        await answered(None, Says("a", uses(7, 9)).conversation(), budget)
        assert budget.spent == Spent(1, 7, 9)
        await answered(None, Says("abc").conversation(), budget)
        assert budget.spent == Spent(2, 7 + HI, 9 + 1)
        assert budget.reserved == NONE

    run(main())


@pytest.mark.parametrize(("items", "tokens"), [((), 0), (("abcdef",), HI + 2)])
def test_a_call_that_failed_is_a_request_and_the_tokens_that_came(items, tokens):
    async def main():
        budget = llm.Budget(tokens=10_000)
        with pytest.raises(ValueError, match="broken"):
            await Talks(*items, ValueError("broken")).prompt("hi", budget=budget)
        assert (budget.spent.requests, budget.spent.tokens) == (1, tokens)
        assert budget.reserved == NONE

    run(main())


def test_a_call_that_could_not_be_made_costs_nothing():
    class NeedsKey(llm.AsyncKeyModel):
        model_id = "needs-key"
        needs_key = "nobody"

        async def execute(self, prompt, stream, response, conversation, key):
            yield "a"

    async def main():
        budget = llm.Budget(requests=1)
        with pytest.raises(llm.NeedsKeyException):
            await NeedsKey().prompt("hi", budget=budget)
        assert budget.spent == budget.reserved == NONE

    run(main())


def test_a_prompt_that_never_begins_costs_nothing():
    async def main():
        budget, model = llm.Budget(requests=9), Talks("a", hold=True)
        conversation = model.conversation()
        first, second = conversation.prompt("one"), conversation.prompt("two", budget=budget)
        await model.saying.wait()
        await second.cancel()
        await first.cancel()
        assert budget.spent == budget.reserved == NONE

    run(main())


def test_a_sync_model_that_returns_after_its_cancel_is_settled_at_the_cancel():
    gate, entered = threading.Event(), threading.Event()
    returned = threading.Event()

    class Held(llm.Model):
        model_id = "held"

        def execute(self, prompt, stream, response, conversation):
            entered.set()
            assert gate.wait(10)
            response.set_usage(input=1_000, output=1_000)
            returned.set()
            yield "late"

    budget = llm.Budget(tokens=10_000)
    response = Held().prompt("hi", budget=budget)
    assert entered.wait(5)
    response.cancel()
    assert budget.spent == Spent(1, HI, 0)
    gate.set()
    assert returned.wait(5)
    assert SyncSays("a", uses(1, 1)).prompt("hi", budget=budget).text() == "a"
    assert budget.spent == Spent(2, HI + 1, 1)
    assert budget.reserved == NONE


# ---- many at once


def test_many_calls_at_once_do_not_overspend():
    async def main():
        model, budget = Talks("a", lambda response, _: response.set_usage(input=5, output=20)), llm.Budget(tokens=1_000)
        responses = [model.prompt("hi", budget=budget, max_tokens=95) for _ in range(100)]
        outcomes = await asyncio.gather(*[response.text() for response in responses], return_exceptions=True)
        assert outcomes.count("a") == model.calls == 10
        assert sum(isinstance(outcome, llm.BudgetExceeded) for outcome in outcomes) == 90
        assert budget.spent == Spent(10, 50, 200)
        assert budget.reserved == NONE

    run(main())


def test_many_threads_and_loops_at_once_do_not_overspend():
    budget = llm.Budget(requests=40)
    barrier = threading.Barrier(8)

    def in_thread(number):
        barrier.wait(10)
        outcomes = []
        if number % 2:

            async def main():
                responses = [Says("a", uses(1, 1)).prompt("hi", budget=budget) for _ in range(20)]
                return await asyncio.gather(*[response.text() for response in responses], return_exceptions=True)

            return run(main())
        for _ in range(20):
            try:
                outcomes.append(SyncSays("a", uses(1, 1)).prompt("hi", budget=budget).text())
            except llm.BudgetExceeded as error:
                outcomes.append(error)
        return outcomes

    with ThreadPoolExecutor(8) as pool:
        outcomes = [outcome for found in pool.map(in_thread, range(8)) for outcome in found]
    assert outcomes.count("a") == 40
    assert len(outcomes) == 160
    assert budget.spent == Spent(40, 40, 40)
    assert budget.reserved == NONE
