"""Idle conversations of this library, each held by its public object, with one exchange in its history."""

from idle_measures import ANSWER, PROMPT, own

import llm_actors as llm


class Said(llm.AsyncModel):
    """Says the answer: what is measured is what stays of it."""

    model_id = "said"

    async def execute(self, prompt, stream, response, conversation):
        yield own(ANSWER)


async def talks(count, system):
    model = Said()
    held = []
    for number in range(count):
        conversation = model.conversation()
        held.append(conversation)
        await conversation.prompt(own(PROMPT), system=system(number))
    return held


async def turn(conversation):
    await conversation.prompt(PROMPT)


class Calls(llm.AsyncModel):
    """Calls the tool `step` in each of so many rounds, and then answers."""

    model_id = "calls"
    supports_tools = True

    def __init__(self, rounds):
        self.rounds = rounds
        self.asked = 0

    async def execute(self, prompt, stream, response, conversation):
        if self.asked == self.rounds:
            yield ANSWER
        else:
            self.asked += 1
            response.add_tool_call(llm.ToolCall("step", {"number": self.asked}, f"call_{self.asked}"))


async def chain(rounds, called):
    async def step(number: int) -> str:
        called()
        return f"step {number} is done"

    assert await Calls(rounds).conversation().chain(PROMPT, tools=[step], chain_limit=0).text() == ANSWER
