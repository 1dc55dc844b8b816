"""A turn costs the same however long its conversation is, and a conversation that is held takes what was said, not its square.

Work is counted, not timed: lines of Python executed, bytes allocated.
"""

import asyncio
import gc
import sys
import tracemalloc

import pytest

import llm_actors as llm
from llm_actors.chat.script_model import script_pair
from llm_actors.messages import RoundResult, ToolCall
from llm_actors.providers.protocol import Script, ScriptStep


def script_that_never_looks(_request):
    return Script([ScriptStep(0, ["42"])], RoundResult(stop_reason="stop"))


class NeverLooks(llm.AsyncModel):
    model_id = "never-looks"

    async def execute(self, prompt, stream, response, conversation):
        yield "42"


class Looks(llm.AsyncModel):
    model_id = "looks"

    async def execute(self, prompt, stream, response, conversation):
        yield str(len(prompt.messages))


def scripted():
    return script_pair("never-looks", script_that_never_looks)[1]


class Lines:
    """Counts the lines of Python that are executed in the `with` block, in this thread."""

    def __enter__(self):
        self.count = 0
        self.before = sys.gettrace()  # coverage's, which is not to end here
        sys.settrace(self._called)
        return self

    def __exit__(self, *_):
        sys.settrace(self.before)

    def _called(self, _frame, _event, _what):
        return self._line

    def _line(self, _frame, event, _what):
        self.count += event == "line"
        return self._line


async def turns(conversation, count):
    for _ in range(count):
        await conversation.prompt("Number?").text()


@pytest.mark.parametrize("made", [scripted, NeverLooks])
def test_the_thousandth_turn_executes_as_many_lines_as_the_tenth(made):
    async def main():
        conversation = made().conversation()
        await conversation.prompt("Number?", system="Be brief.").text()
        found = []
        for count in (10, 1000):
            await turns(conversation, count)
            with Lines() as lines:
                await turns(conversation, 20)
            found.append(lines.count / 20)
        early, late = found
        # What is looked up in the past is noted every few turns; a turn that walked through it all would take 20,000 lines more.
        assert late < 1.5 * early, found

    asyncio.run(main())


def test_the_thousandth_turn_allocates_as_much_as_the_tenth():
    async def main():
        conversation = scripted().conversation()
        found = []
        for count in (10, 1000):
            await turns(conversation, count)
            gc.collect()
            tracemalloc.start()
            await turns(conversation, 20)
            found.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        early, late = found
        assert late < 1.5 * early, found

    asyncio.run(main())


def counting_down(rounds):
    left = iter(range(rounds - 1))

    def play(_request):
        number = next(left, None)
        if number is None:
            return Script([ScriptStep(0, ["done"])], RoundResult(stop_reason="stop"))
        call = ToolCall("count", {"number": number}, f"call{number}")
        return Script([], RoundResult(stop_reason="tool_calls", tool_calls=[call]))

    return script_pair("counts-down", play)[1]


async def count(number: int) -> int:
    return number


def test_the_rounds_of_a_long_chain_execute_as_many_lines_as_those_of_a_short_one():
    async def main():
        found = []
        for rounds in (20, 20, 400):
            conversation = counting_down(rounds).conversation(tools=[count], chain_limit=0)
            with Lines() as lines:
                await conversation.chain("Count.").text()
            found.append(lines.count / rounds)
        _, short, long = found
        assert long < 1.2 * short, found

    asyncio.run(main())


def kept_by(turns_):
    """Bytes that a conversation takes with all its responses held, each of which its model has looked at in full."""

    async def main():
        conversation = Looks().conversation()
        await turns(conversation, 5)
        held = []
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(turns_):
            response = conversation.prompt("Number?")
            held.append(response)
            await response.text()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    try:
        return asyncio.run(main())
    finally:
        tracemalloc.stop()


def test_a_conversation_whose_responses_are_held_takes_memory_in_line_with_what_was_said():
    kept_by(10)
    short, long = kept_by(50), kept_by(200)
    assert long < 4.6 * short, (short, long)


def test_what_a_response_was_asked_is_made_again_when_somebody_looks_after_its_end():
    async def main():
        conversation = Looks().conversation()
        first = conversation.prompt("one")
        assert await first.text() == "1"
        second = conversation.prompt("two")
        assert await second.text() == "3"
        assert [message.text for message in first.prompt.messages] == ["one"]
        assert [message.text for message in second.prompt.messages] == ["one", "1", "two"]

    asyncio.run(main())
