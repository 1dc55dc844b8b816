"""`response.partials()`: a structured answer as it grows, in both dresses."""

import asyncio
import dataclasses
import threading
from itertools import pairwise
from typing import Any, TypedDict

import msgspec
import pytest

import llm_actors as llm
from llm_actors.messages import StreamEvent

from .speakers import Says, SyncSays, run

BOTH = pytest.mark.parametrize("dress", ["async", "sync"])


class Dog(msgspec.Struct):
    name: str
    age: int
    tags: list[str] = []


@dataclasses.dataclass
class Cat:
    name: str


class Bird(TypedDict):
    name: str


def speaker(dress, *items) -> Any:
    return (Says if dress == "async" else SyncSays)(*items)


async def values(dress, response):
    """All that `partials()` gives, then the error if there is one."""

    def blocking():
        seen = []
        try:
            seen.extend(response.partials())
        except Exception as error:
            return [*seen, error]
        return seen

    if dress == "sync":
        return await asyncio.to_thread(blocking)
    seen: list[Any] = []
    try:
        async for value in response.partials():
            seen.append(value)
    except Exception as error:
        seen.append(error)
    return seen


class Steps:
    """Lets a model say one piece after the other, each when the one before has been read."""

    def __init__(self, dress, *pieces, schema=None, **more):
        kind = asyncio.Event if dress == "async" else threading.Event
        self.events = [kind() for _ in pieces]
        items = [each for pair in zip(self.events, pieces, strict=True) for each in pair]
        self.response = speaker(dress, *items).prompt("hi", schema=schema, **more)
        self.dress = dress

    async def read(self):
        seen = []
        if self.dress == "async":
            self.events[0].set()
            left = iter(self.events[1:])
            async for value in self.response.partials():
                seen.append(value)
                event = next(left, None)
                if event:
                    event.set()
            return seen

        def blocking():
            self.events[0].set()
            left = iter(self.events[1:])
            for value in self.response.partials():
                seen.append(value)
                event = next(left, None)
                if event:
                    event.set()
            return seen

        return await asyncio.to_thread(blocking)


@BOTH
def test_the_value_grows_and_the_last_one_is_of_the_type_that_was_asked_for(dress):
    """a growing, validated value"""

    async def main():
        steps = Steps(dress, '{"na', 'me": "Bo', 'b", "age"', ": 3, ", '"tags": ["a', '", "b"]}', schema=Dog)
        seen = await steps.read()
        assert seen[0] == {}
        assert {"name": "Bo"} in seen
        assert {"name": "Bob", "age": 3} in seen
        assert seen[-2:] == [{"name": "Bob", "age": 3, "tags": ["a", "b"]}, Dog("Bob", 3, ["a", "b"])]
        assert seen[-1] == (await steps.response.value() if dress == "async" else steps.response.value())
        assert all(left != right for left, right in pairwise(seen))

    run(main())


@BOTH
@pytest.mark.parametrize(
    ("schema", "last"),
    [
        (Cat, Cat("Bob")),
        (Bird, {"name": "Bob"}),
        ({"type": "object", "properties": {"name": {"type": "string"}}}, {"name": "Bob"}),
        (None, {"name": "Bob"}),
    ],
    ids=["dataclass", "TypedDict", "dict", "none"],
)
def test_the_last_one_is_the_value_and_is_not_given_twice(dress, schema, last):
    async def main():
        response = speaker(dress, '{"name": "B', 'ob"}').prompt("hi", schema=schema)
        seen = await values(dress, response)
        assert seen[-1] == last
        assert type(seen[-1]) is type(last)
        assert seen.count(last) == 1
        assert (await values(dress, response))[-1] == last  # a late reader

    run(main())


@BOTH
def test_what_does_not_fit_is_said_at_once_and_where(dress):
    async def main():
        never = asyncio.Event() if dress == "async" else threading.Event()
        response = speaker(dress, '{"name": "Bob", "age": "thr', never, 'ee"}').prompt("hi", schema=Dog)
        error = (await values(dress, response))[-1]
        assert isinstance(error, llm.IncompleteAnswerError)
        assert "the answer does not fit the schema: $.age: expected integer, got a string" in str(error)
        assert not response.done
        never.set()
        with pytest.raises(llm.IncompleteAnswerError):
            await response.value() if dress == "async" else await asyncio.to_thread(response.value)

    run(main())


@BOTH
def test_prose_is_no_value(dress):
    async def main():
        error = (await values(dress, speaker(dress, "Sure! Here").prompt("hi", schema=Dog)))[-1]
        assert "'S' can't begin a value (at character 0)" in str(error)

    run(main())


@BOTH
def test_a_cut_answer_and_a_failed_one_raise_as_value_does(dress):
    async def main():
        def cut(response):
            response.stop_reason = "length"

        seen = await values(dress, speaker(dress, '{"name": "Bo', cut).prompt("hi", schema=Dog))
        assert seen[0] == {"name": "Bo"}
        assert isinstance(seen[1], llm.IncompleteAnswerError)
        assert "ended this answer early" in str(seen[1])
        seen = await values(dress, speaker(dress, '{"name": "Bo').prompt("hi", schema=Dog))
        assert isinstance(seen[-1], llm.IncompleteAnswerError)
        seen = await values(dress, speaker(dress, '{"name": "Bo', KeyError("mine")).prompt("hi", schema=Dog))
        assert isinstance(seen[-1], KeyError)
        seen = await values(dress, speaker(dress).prompt("hi", schema=Dog))
        assert isinstance(seen[0], llm.IncompleteAnswerError)

    run(main())


def lookup() -> str:
    return "Bob"


@BOTH
def test_of_a_chain_it_is_the_last_round_that_counts(dress):
    async def main():
        def ask(response):
            if not response.prompt.tool_results:
                response.add_tool_call(llm.ToolCall("lookup", {}, "c1"))

        class Speaks(llm.AsyncModel if dress == "async" else llm.Model):  # type: ignore[misc]
            model_id = "speaks"
            supports_tools = supports_schema = True

            def said(self, prompt, response):
                if prompt.tool_results:
                    return ['{"name": "Bo', 'b", "age": 1}']
                ask(response)
                return ["Let me look that up."]

        class Async(Speaks):
            async def execute(self, prompt, stream, response, conversation):
                for piece in self.said(prompt, response):
                    yield piece

        class Sync(Speaks):
            def execute(self, prompt, stream, response, conversation):
                yield from self.said(prompt, response)

        model: Any = Async() if dress == "async" else Sync()
        seen = await values(dress, model.chain("hi", tools=[lookup], schema=Dog))
        assert seen[-1] == Dog("Bob", 1)
        assert all(isinstance(value, dict | Dog) for value in seen)

    run(main())


@BOTH
def test_prose_in_the_last_round_of_a_chain_is_an_error_at_its_end(dress):
    async def main():
        response = speaker(dress, "Sure!").chain("hi", tools=[lookup], schema=Dog)
        (error,) = await values(dress, response)
        assert isinstance(error, llm.IncompleteAnswerError)

    run(main())


def test_reasoning_is_no_part_of_it_and_only_the_last_message_counts():
    async def main():
        response = Says(
            StreamEvent("reasoning", "hm {"),
            StreamEvent("text", "first"),
            StreamEvent("text", "second", message_index=0),
        ).prompt("hi")
        assert isinstance((await values("async", response))[-1], llm.IncompleteAnswerError)
        response = Says(
            StreamEvent("text", "[1]"),
            StreamEvent("text", "[2, ", message_index=1),
            StreamEvent("text", "3]", message_index=1),
        ).prompt("hi")
        assert (await values("async", response))[-1] == [2, 3]

    run(main())


def test_a_call_that_begins_again_begins_the_value_anew():
    async def main():
        broken = Says('{"name": "Wro', llm.RateLimitError("slow"))
        response = broken.conversation(
            failures={llm.RateLimitError: llm.Fallback(Says('{"name": "Bob", "age": 1}'), restart=True)}
        ).prompt("hi", schema=Dog)
        seen = await values("async", response)
        assert seen[-1] == Dog("Bob", 1)
        assert (await values("async", response))[-1] == Dog("Bob", 1)

    run(main())


def test_several_readers_each_see_it_grow():
    async def main():
        response = Says('{"name": "B', 'ob", ', '"age": 1}').prompt("hi", schema=Dog)
        all_of_them = await asyncio.gather(*[values("async", response) for _ in range(5)])
        assert all(seen[-1] == Dog("Bob", 1) for seen in all_of_them)
        kept = [dict(value) for value in all_of_them[0][:-1]]
        assert kept == all_of_them[0][:-1]  # what was given is not changed afterwards

    run(main())
