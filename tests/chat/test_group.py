"""Groups: what is started in a block ends with it, whatever leaves the block."""

import asyncio
import gc

import pytest

import llm_actors as llm
from llm_actors.chat.budget import NONE, Spent
from llm_actors.observe import GroupEnded, GroupStarted, TurnStarted
from llm_actors.runtime import carried
from tests.strict import check_next as check_accepted

from .speakers import Says, run
from .test_inheritance import Asks, Never


class Waits(llm.AsyncModel):
    """Answers when told to."""

    model_id = "waits"

    def __init__(self):
        self.running = 0
        self.entered = asyncio.Event()
        self.go = asyncio.Event()

    async def execute(self, prompt, stream, response, conversation):
        self.running += 1
        self.entered.set()
        try:
            yield "half "
            await self.go.wait()
            yield "whole"
        finally:
            self.running -= 1


async def forever():
    await asyncio.get_running_loop().create_future()


# ---- a clean end


def test_a_clean_end_waits_for_turns_and_tasks_and_closes_what_was_the_groups():
    async def main():
        model, told = Waits(), []

        async def later():
            await model.entered.wait()
            model.go.set()
            await asyncio.sleep(0)
            told.append("task")
            return 7

        async with llm.Group() as group:
            conversation = group.conversation(model)
            response = conversation.prompt("hi")
            task = group.create_task(later())
            seen = [group.ended]
        seen.append(group.ended)
        assert seen == [False, True]
        assert response.done
        assert response.text_or_raise() == "half whole"
        assert task.result() == 7
        assert told == ["task"]
        assert model.running == 0
        with pytest.raises(llm.ActorError, match="is closed"):
            conversation.prompt("more")
        assert carried.get() is None

    run(main())


def test_a_prompt_on_a_model_or_on_a_conversation_of_others_is_a_turn_of_the_group_too():
    async def main():
        model = Waits()
        other = model.conversation()
        async with llm.Group() as group:
            responses = [model.prompt("hi"), other.prompt("hi")]
            group.create_task(release(model))
        assert all(response.done for response in responses)
        model.go.set()
        assert await other.prompt("after").text() == "half whole"  # the conversation is not the group's

    run(main())


async def release(model):
    await model.entered.wait()
    model.go.set()


def test_what_comes_while_a_group_is_closing_is_waited_for_as_well():
    async def main():
        said = []

        async def second():
            said.append(await Says("b").prompt("second").text())

        async def first():
            await asyncio.sleep(0.01)
            said.append(await Says("a").prompt("first").text())
            group.create_task(second())

        async with llm.Group() as group:
            group.create_task(first())
        assert said == ["a", "b"]

    run(main())


def test_nothing_is_started_in_a_group_that_has_not_begun_or_has_ended():
    async def main():
        group = llm.Group("g")
        for start in (lambda: group.conversation(Says("a")), lambda: group.create_task(forever())):
            with pytest.raises(RuntimeError, match="has not begun"):
                start()
        async with group:
            context = carried.get()
            outsider = Says("a").conversation()
        assert repr(group) == "<Group 'g' ended>"
        for again in (
            lambda: group.conversation(Says("a")),
            lambda: group.create_task(forever()),
            lambda: group.spawn(forever),
            lambda: group.start(llm.Actor),
        ):
            with pytest.raises(llm.GroupEndedError, match="group 'g' has ended"):
                again()
        with llm.enter_scope(context), pytest.raises(llm.GroupEndedError):
            outsider.prompt("from a task that nobody waited for")
        assert await outsider.prompt("hi").text() == "a"
        with pytest.raises(RuntimeError, match="used once"):
            async with group:
                pass

    run(main())


def test_a_prompt_that_could_not_be_sent_is_not_waited_for():
    async def main():
        model = Waits()
        async with llm.Group() as group:
            conversation = group.conversation(model, when_busy="reject")
            conversation.prompt("one")
            with pytest.raises(llm.ConversationBusyError):
                conversation.prompt("two")
            await model.entered.wait()
            model.go.set()
        assert group.ended

    run(main())


def test_a_long_lived_group_keeps_no_turns_that_have_ended():
    async def main():
        async with llm.Group() as group:
            for _ in range(300):
                await Says("a").prompt("hi")
            assert len(group._turns) < 80
            for _ in range(50):
                await group.create_task(asyncio.sleep(0))
            await asyncio.sleep(0)
            assert not group._members
            conversation = group.conversation(Says("a"))
            assert len(group._conversations) == 1
            del conversation
            gc.collect()
            assert not group._conversations

    run(main())


# ---- cancelled


def test_an_exception_out_of_the_block_cancels_all_and_comes_out_in_a_group():
    async def main():
        model, ended = Waits(), []

        async def task():
            try:
                await forever()
            finally:
                ended.append("task")

        with pytest.raises(BaseExceptionGroup, match="unhandled errors in group 'g'") as caught:
            async with llm.Group("g") as group:
                conversation = group.conversation(model)
                response, queued = conversation.prompt("hi"), conversation.prompt("queued")
                group.create_task(task())
                await model.entered.wait()
                raise ValueError("broken")
        assert [repr(error) for error in caught.value.exceptions] == ["ValueError('broken')"]
        assert model.running == 0
        assert ended == ["task"]
        for each in (response, queued):
            assert isinstance(each.error, llm.ResponseCancelledError)
            assert "its block raised ValueError('broken')" in str(each.error)
        check_accepted(conversation.messages())
        assert carried.get() is None

    run(main())


def test_a_task_that_fails_cancels_the_block_and_all_the_others():
    async def main():
        model, reached = Waits(), []

        async def fails():
            await model.entered.wait()
            raise ValueError("broken")

        with pytest.raises(BaseExceptionGroup) as caught:
            async with llm.Group() as group:
                response = model.prompt("hi")
                group.create_task(forever())
                group.create_task(fails())
                try:
                    await forever()
                finally:
                    reached.append("block")
        assert [type(error) for error in caught.value.exceptions] == [ValueError]
        assert reached == ["block"]
        assert isinstance(response.error.__cause__, ValueError)
        assert asyncio.current_task().cancelling() == 0
        await asyncio.sleep(0)  # and nothing of it comes later

    run(main())


def test_a_turn_that_fails_does_not_fail_the_group():
    async def main():
        async with llm.Group() as group:
            response = group.conversation(Says(ValueError("broken"))).prompt("hi")
        with pytest.raises(ValueError, match="broken"):
            await response

    run(main())


def test_a_cancel_from_outside_cancels_all_waits_and_goes_on():
    async def main():
        model, inside = Waits(), []

        async def user():
            async with llm.Group() as group:
                inside.append(group.conversation(model).prompt("hi"))
                await forever()

        task = asyncio.create_task(user())
        await model.entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert inside[0].done
        assert model.running == 0

    run(main())


def test_a_cancel_while_it_closes_does_the_same():
    async def main():
        model = Waits()

        async def user():
            async with llm.Group() as group:
                group.conversation(model).prompt("hi")

        task = asyncio.create_task(user())
        await model.entered.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert model.running == 0

    run(main())


def test_asyncio_timeout_around_a_group_works():
    async def main():
        model = Waits()
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.1), llm.Group() as group:
                group.conversation(model).prompt("hi")
        assert not isinstance(caught.value, llm.DeadlineExceededError)
        assert model.running == 0

    run(main())


def test_a_group_that_the_end_of_the_loop_finds_open_ends_with_it():
    ended = []

    async def user():
        try:
            async with llm.Group() as group:
                group.create_task(forever())
                group.conversation(Waits()).prompt("hi")
                await forever()
        finally:
            ended.append(group.ended)

    async def main():
        task = asyncio.create_task(user())
        await asyncio.sleep(0.01)
        return task

    task = run(main())
    assert task.cancelled()
    assert ended == [True]


def test_cancel_leaves_the_block_without_an_error():
    async def main():
        model = Waits()
        async with llm.Group() as group:
            response = group.conversation(model).prompt("hi")
            await model.entered.wait()
            group.cancel()
            group.cancel()
            with pytest.raises(llm.GroupEndedError, match="is being cancelled"):
                group.conversation(model)
            await forever()
        assert isinstance(response.error, llm.ResponseCancelledError)
        assert asyncio.current_task().cancelling() == 0

    run(main())


def test_a_block_that_ends_as_it_is_cancelled_is_left_in_peace_afterwards():
    async def main():
        async with llm.Group() as group:
            group.cancel()  # its interrupt is on the way when the block ends
        await asyncio.sleep(0)
        assert asyncio.current_task().cancelling() == 0

    run(main())


def test_keyboard_interrupt_and_the_like_come_out_as_they_are():
    class Quit(BaseException):
        pass

    async def main():
        model = Waits()
        with pytest.raises(Quit):
            async with llm.Group() as group:
                group.conversation(model).prompt("hi")
                await model.entered.wait()
                raise Quit
        assert model.running == 0

    run(main())


def test_a_hundred_conversations_with_tools_are_cancelled_and_nothing_runs_when_the_block_has_been_left():
    async def main():
        running, full = set(), asyncio.Event()

        async def hang(number: int) -> None:
            running.add(number)
            if len(running) == 64:  # the bound of the tool pool
                full.set()
            try:
                await forever()
            finally:
                running.discard(number)

        class AsksWith(llm.AsyncModel):
            model_id = "asks-with"
            supports_tools = True

            async def execute(self, prompt, stream, response, conversation):
                yield "let me see"
                response.add_tool_call(llm.ToolCall("hang", {"number": int(prompt.prompt)}))

        conversations, responses = [], []
        with pytest.raises(BaseExceptionGroup):
            async with llm.Group(budget=llm.Budget(requests=1_000)) as group:
                for number in range(100):
                    conversation = group.conversation(AsksWith(), tools=[hang])
                    conversations.append(conversation)
                    responses += [conversation.chain(str(number)), conversation.chain(str(number + 1_000))]
                await full.wait()
                raise ValueError("enough")
        assert running == set()
        assert all(response.done for response in responses)
        assert {type(response.error) for response in responses} == {llm.ResponseCancelledError}
        assert group.reserved == NONE
        assert group.spent.requests == 100
        for conversation in conversations:
            check_accepted(conversation.messages())
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []

    run(main())


# ---- deadlines


def test_a_deadline_cancels_all_and_comes_out_as_one_error_that_says_whose_it_was():
    async def main():
        with pytest.raises(
            llm.DeadlineExceededError, match=r"^group 'g' did not end within its timeout of 0.2 seconds$"
        ):
            async with llm.Group("g", timeout=0.2) as group:
                response = group.conversation(Never()).prompt("hi")
                await forever()
        assert "within the timeout of 0.2 seconds of group 'g'" in str(response.error)
        assert isinstance(response.error, llm.DeadlineExceededError)
        assert asyncio.current_task().cancelling() == 0

    run(main())


@pytest.mark.parametrize("where", ["block", "closing", "task", "read"])
def test_a_deadline_is_the_same_error_wherever_it_finds_the_group(where):
    async def read():
        await Never().prompt("hi").text()

    async def main():
        with pytest.raises(TimeoutError) as caught:
            async with llm.Group("g", timeout=0.2) as group:
                if where == "block":
                    await forever()
                elif where == "closing":
                    Never().prompt("hi")
                elif where == "task":
                    group.create_task(read())
                else:
                    await read()
        assert str(caught.value) == "group 'g' did not end within its timeout of 0.2 seconds"

    run(main())


def test_a_deadline_beside_another_error_is_one_of_both():
    async def main():
        async def cleans_up_badly():
            try:
                await forever()
            finally:
                raise ValueError("broken")

        with pytest.raises(BaseExceptionGroup) as caught:
            async with llm.Group(timeout=0.2):
                await cleans_up_badly()
        assert [type(error) for error in caught.value.exceptions] == [ValueError, llm.DeadlineExceededError]

    run(main())


def test_the_deadline_of_the_outer_group_holds_for_the_inner_and_comes_out_as_the_outers():
    async def main():
        with pytest.raises(
            llm.DeadlineExceededError,
            match=r"^group 'outer' did not end within its timeout of 0.2 seconds",
        ):
            async with llm.Group("outer", timeout=0.2), llm.Group("inner", timeout=60) as inner:
                assert inner.scope.deadline.owner == "group 'outer'"
                await inner.conversation(Never()).prompt("hi").text()
        assert asyncio.current_task().cancelling() == 0

    run(main())


def test_an_inner_group_may_end_earlier_and_the_outer_goes_on():
    async def main():
        async with llm.Group("outer", timeout=60):
            with pytest.raises(llm.DeadlineExceededError, match="group 'inner'"):
                async with llm.Group("inner", timeout=0.1):
                    await forever()
            assert await Says("a").prompt("hi").text() == "a"

    run(main())


def test_a_group_in_a_tool_is_under_the_deadline_of_its_turn():
    async def main():
        seen = []

        async def team() -> str:
            async with llm.Group() as group:
                seen.append(group.scope.deadline)
                await group.conversation(Never()).prompt("hi").text()
            return "never"

        response = Asks("team").chain("hi", tools=[team], timeout=0.3)
        with pytest.raises(llm.DeadlineExceededError):
            await response
        assert response.id in seen[0].owner

    run(main())


def test_a_group_that_ends_in_time_is_not_touched_by_its_deadline():
    async def main():
        async with llm.Group(timeout=0.1) as group:
            assert await Says("a").prompt("hi").text() == "a"
        await asyncio.sleep(0.15)
        assert group.ended

    run(main())


# ---- what is inherited


def test_the_budget_of_a_group_is_for_all_that_is_sent_in_it_and_the_outers_holds_too():
    async def main():
        def usage(response):
            response.set_usage(input=10, output=5)

        async def asks() -> str:
            return await Says("a", usage).prompt("inner").text()

        outer_budget = llm.Budget(requests=4)
        async with (
            llm.Group("outer", budget=outer_budget) as outer,
            llm.Group("inner", budget=llm.Budget(tokens=100_000)) as inner,
        ):
            await inner.conversation(Says("a", usage)).prompt("hi")
            await Asks("asks").chain("hi", tools=[asks])
            assert inner.spent.requests == outer.spent.requests == 4
            with pytest.raises(llm.BudgetExceeded, match="the budget of group 'outer' has no room") as caught:
                await Says("a").prompt("hi")
            assert (caught.value.limit, caught.value.spent) == (4, 4)
        assert outer_budget.spent.requests == 4
        async with llm.Group() as free:  # no limits: it counts all the same
            await Says("a", usage).prompt("hi")
        assert free.spent == Spent(1, 10, 5)

    run(main())


def test_turns_tools_and_actors_of_a_group_inherit_tenant_priority_and_trace():
    seen = []
    system = llm.ActorSystem(observers=[seen.append])

    class Agent(llm.Actor):
        async def on_receive(self, message):
            return await Says("a").prompt(message).text()

    async def main():
        trace = {"traceparent": "00-1-2-01"}
        async with system.group("g", tenant="acme", priority=5, trace=trace) as group:
            ref = group.start(Agent)
            conversation = group.conversation(Says("a"))
            await conversation.prompt("one")
        with system:
            async with system.group("h") as group:
                ref = group.start(Agent)
                with llm.enter_scope(llm.Scope()):
                    await ref.ask("two", block=False)  # sent from outside of the group
        return ref

    ref = run(main())
    assert not ref.is_alive()
    one, two = [record for record in seen if isinstance(record, TurnStarted)]
    assert (one.group, one.tenant, one.priority, one.trace) == ("g", "acme", 5, {"traceparent": "00-1-2-01"})
    assert (two.group, two.tenant) == ("h", None)
    started = [(record.group, record.outer) for record in seen if isinstance(record, GroupStarted)]
    assert started == [("g", None), ("h", None)]
    ended = [(record.group, record.requests, record.error) for record in seen if isinstance(record, GroupEnded)]
    assert ended == [("g", 1, None), ("h", 1, None)]


def test_a_fork_is_under_what_the_conversation_is_under():
    async def main():
        model = Says("a")
        async with llm.Group() as group:
            conversation = group.conversation(model, budget=llm.Budget(requests=2), timeout=30)
            fork = conversation.fork()
            await conversation.prompt("one")
            with llm.enter_scope(llm.Scope()):
                await fork.prompt("two")
                with pytest.raises(llm.BudgetExceeded):
                    await fork.prompt("three")
        assert fork.timeout == 30
        assert group.spent.requests == 2
        with pytest.raises(llm.GroupEndedError):
            fork.prompt("four")

    run(main())


def test_a_conversation_of_a_group_is_under_it_also_when_somebody_else_prompts():
    async def main():
        async with llm.Group(budget=llm.Budget(requests=1)) as group:
            conversation = group.conversation(Says("a"))
            with llm.enter_scope(llm.Scope()):
                await conversation.prompt("hi")
                with pytest.raises(llm.BudgetExceeded):
                    await conversation.prompt("hi")

    run(main())
