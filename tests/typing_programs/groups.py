"""What a user's type checker sees of groups, budgets, deadlines and scopes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

import llm_actors as llm
from llm_actors.runtime import ActorRef, Future, ThreadingActor


class Agent(llm.Actor):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class Worker(ThreadingActor):
    pass


async def count(words: str) -> int:
    return len(words)


async def team(system: llm.ActorSystem, model: llm.AsyncModel) -> llm.Spent:
    budget = llm.Budget(requests=10, tokens=50_000, cost=0.25)
    async with system.group("research", timeout=60, budget=budget, tenant="acme") as group:
        assert_type(group, llm.Group)
        conversation = group.conversation(model, tools=[len])
        assert_type(conversation, llm.AsyncConversation)
        assert_type(conversation.prompt("hi", deadline=datetime.now(UTC) + timedelta(seconds=5)), llm.AsyncResponse)
        assert_type(group.start(Agent, "a"), ActorRef[Agent])
        group.start(Worker).tell("go")
        task = group.create_task(count("a b"))
        assert_type(task, asyncio.Task[int])
        assert_type(await group.spawn(count, "a b"), int)
        assert_type(group.spawn(len, "a b"), Future[int])
        assert_type(group.spent.cost, float)
    return group.spent


def found(model: llm.Model) -> str:
    """A block of a group always goes on behind it: no `return` is missing here."""
    with llm.Group(deadline=5.0) as group:
        assert_type(group.conversation(model), llm.Conversation)
        return group.conversation(model, timeout=3).prompt("hi", budget=llm.Budget(requests=1)).text()


def price(model: llm.Model) -> None:
    model.price = llm.Price(input=2.5, output=10.0, cached_input=1.25)
    assert_type(llm.Budget(tokens=5).spent, llm.Spent)
    assert_type(llm.current_scope(), llm.Scope)
    with llm.enter_scope(llm.Scope(tenant="acme", trace={"traceparent": "00-1-2-01"})) as scope:
        assert_type(scope, llm.Scope)


def why(error: llm.BudgetExceeded, late: llm.DeadlineExceededError) -> Any:
    assert_type((error.budget, error.kind, error.limit, error.spent), tuple[str, str, float, float])
    return late.deadline
