"""S2 of DESIGN section 1: what an idle conversation takes, and that it is linear in what was said."""

import asyncio
import gc
import tracemalloc

from llm_actors.chat.script_model import script_pair
from tests.benchmarks.idle_conversations import measured, play

FITS = 2 * 2**30 / 1_000_000  # bytes for each of a million conversations in 2 GiB
# The rest is for the interpreter, the libraries, and what the allocator can't use.
BOUND = 0.85 * FITS


def test_an_idle_conversation_with_its_history_takes_a_millionth_of_two_gib_and_it_is_linear():
    """S2: Memory is linear in what was said. 1,000,000 idle conversations with their history fit in one process of 2 GiB."""
    counts = (200, 500, 1300)
    few, some, many = [asyncio.run(measured(count, distinct=True, traced=True, at_once=20)).traced for count in counts]
    first = (some * 500 - few * 200) / 300
    later = (many * 1300 - some * 500) / 800
    text = "`python -m tests.benchmarks.idle_conversations --traced` shows more"
    assert later < BOUND, f"{later:.0f} bytes for one more: {text}"
    assert abs(later - first) < first / 20, (first, later)


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
