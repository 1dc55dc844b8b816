"""S2 of DESIGN section 1: what an idle conversation takes, and that it is linear in what was said."""

import asyncio
import gc
import tracemalloc
import types
from typing import Any

import pytest

import llm_actors as llm
from llm_actors.chat.rests import LATEST
from llm_actors.chat.script_model import script_pair
from llm_actors.testing import Answer, Send, Stall, chunk, head
from tests.benchmarks.idle_conversations import measured, play

DELTA = b'data: {"choices": [{"index": 0, "delta": {"content": "half"}}]}\n\n'
TEXT = len("Number 1300?" + "It is a skunk." + "You are agent 1300 of many. Be brief.")
BOUND = 1024 + TEXT
"""Bytes. A million of them fit in half of 2 GiB: the rest is for the interpreter, the libraries, and what the allocator can't use."""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("distinct", [True, False], ids=["own", "shared"])
def test_an_idle_conversation_with_its_history_takes_less_than_a_kib_beyond_its_text_and_it_is_linear(distinct):
    """S2: Memory is linear in what was said. 1,000,000 idle conversations with their history fit in one process of 2 GiB."""
    counts = (200, 500, 1300)
    few, some, many = [
        asyncio.run(measured(count, distinct=distinct, traced=True, at_once=20)).traced for count in counts
    ]
    first = (some * 500 - few * 200) / 300
    later = (many * 1300 - some * 500) / 800
    text = "`python -m tests.benchmarks.idle_conversations --traced` shows more"
    assert later < BOUND, f"{later:.0f} bytes for one more: {text}"
    assert abs(later - first) < first / 20, (first, later)


def test_an_idle_conversation_is_a_handful_of_objects():
    """S2, by what it is made of: itself, seat, history, one link, two stamps, two ids, two texts. No actor, list or dict."""
    model = script_pair("script", play)[1]

    async def exchange(number):
        conversation = model.conversation()
        await conversation.prompt(f"Number {number}?", system="You are an agent of many.").text()
        return conversation

    async def main():
        first, second, *_ = [await exchange(1001 + number) for number in range(2 + LATEST)]
        await asyncio.sleep(0)
        gc.collect()
        return _reached(first), _reached(second)

    mine, others = asyncio.run(main())
    kinds = sorted(type(each).__name__ for number, each in mine.items() if number not in others)
    assert kinds == sorted(
        ["AsyncConversation", "Seat", "History", "_Opening", "datetime", "float", "str", "str", "str", "str"]
    )


def _reached(root):
    """All that can be reached from an object, by id."""
    found: dict[int, Any] = {}
    todo = [root]
    while todo:
        each = todo.pop()
        if id(each) in found or isinstance(each, type | types.ModuleType | types.FunctionType):
            continue
        found[id(each)] = each
        fields = getattr(type(each), "__struct_fields__", ())  # of a struct that the collector does not look into
        todo += [*gc.get_referents(each), *[getattr(each, name) for name in fields]]
    return found


def test_memory_is_linear_in_what_was_said():
    """S2: Memory is linear in what was said."""
    model = script_pair("script", play)[1]

    async def taken(conversation, turns):
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for number in range(turns):
            await conversation.prompt(f"{number:04} {'x' * 1000}").text()
        gc.collect()
        return (tracemalloc.get_traced_memory()[0] - before) / turns

    async def main():
        conversation = model.conversation()
        await conversation.prompt("first").text()
        tracemalloc.start()
        try:
            return [await taken(conversation, turns) for turns in (20, 20, 60)]
        finally:
            tracemalloc.stop()

    first, second, later = asyncio.run(main())
    assert 1000 < first < 2000  # a thousand characters were said, once: not once more for each turn that follows
    assert abs(second - first) < first / 10
    assert abs(later - first) < first / 10


async def quick() -> str:
    """An async tool."""
    return "quick"


def slow() -> str:
    """A sync tool."""
    return "slow"


class Python(llm.Model):
    """A model in Python code, in a thread."""

    model_id = "python"

    def execute(self, prompt, stream, response, conversation):
        yield "answer"


@pytest.mark.parametrize("kind", ["script", "wire", "tools", "python", "cancelled", "steered", "joined"])
def test_a_turn_that_is_over_is_freed_at_once_not_by_the_garbage_collector(server, pair, kind, run):
    """S2: Memory is linear in what was said ... also where a collection is long in coming: no turn is a circle of references."""
    script = script_pair("script", play)[1]
    if kind == "cancelled":
        server.play(Answer([Send(head()), Send(chunk(DELTA)), Stall()], times=0))

    async def exchange():
        if kind == "python":
            conversation = Python().conversation()
            await asyncio.to_thread(conversation.prompt("hi").text)
            return conversation
        model: Any = script if kind in ("script", "joined") else pair.async_model
        conversation = model.conversation(tools=[quick, slow], when_busy="coalesce" if kind == "joined" else "queue")
        response = conversation.chain("call quick {} and call slow {}" if kind in ("tools", "steered") else "hi")
        if kind == "cancelled":
            await anext(response.events())
            await response.cancel()
        elif kind in ("steered", "joined"):
            second = conversation.steer("more") if kind == "steered" else conversation.prompt("more")
            await second.text()
        else:
            await response.text()
        return conversation

    async def main():
        held = [await exchange() for _ in range(5)]
        gc.collect()
        gc.disable()
        held += [await exchange() for _ in range(20)]
        return gc.collect()

    try:
        assert run(main()) < 200  # circular objects of 20 turns; one turn was 50 to 190
    finally:
        gc.enable()
