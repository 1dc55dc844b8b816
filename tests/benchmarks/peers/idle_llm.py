"""Idle conversations of llm, on the same model of three lines."""

import llm
from idle_measures import ANSWER, PROMPT, own


class Said(llm.AsyncModel):
    model_id = "said"

    async def execute(self, prompt, stream, response, conversation):
        yield own(ANSWER)


async def talks(count, system):
    model = Said()
    held = []
    for number in range(count):
        conversation = model.conversation()
        held.append(conversation)
        await conversation.prompt(own(PROMPT), system=system(number)).text()
    return held


async def turn(conversation):
    await conversation.prompt(PROMPT).text()


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
            call = llm.ToolCall("step", {"number": self.asked}, tool_call_id=f"call_{self.asked}")
            response.add_tool_call(call)


async def chain(rounds, called):
    async def step(number: int) -> str:
        called()
        return f"step {number} is done"

    assert await Calls(rounds).conversation().chain(PROMPT, tools=[step], chain_limit=0).text() == ANSWER
