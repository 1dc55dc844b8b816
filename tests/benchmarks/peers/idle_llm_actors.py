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
