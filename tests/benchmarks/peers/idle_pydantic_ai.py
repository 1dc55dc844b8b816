"""Message histories of pydantic-ai, made by its own TestModel; the agent is shared."""

from idle_measures import ANSWER, PROMPT, own
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel


async def talks(count, system):
    held = []
    agent = Agent(TestModel(custom_output_text=ANSWER))
    for number in range(count):
        result = await agent.run(own(PROMPT), instructions=system(number))
        held.append(result.all_messages())
    return held
