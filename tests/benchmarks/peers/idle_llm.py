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
