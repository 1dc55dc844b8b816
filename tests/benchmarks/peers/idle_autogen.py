"""AssistantAgents of AutoGen, each with its own context, on its own ReplayChatCompletionClient's answer."""

from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.replay import ReplayChatCompletionClient
from idle_measures import ANSWER, PROMPT, own


async def talks(count, system):
    client = ReplayChatCompletionClient([own(ANSWER) for _ in range(count)])
    held = []
    for number in range(count):
        agent = AssistantAgent("agent", client, system_message=system(number))
        held.append(agent)
        await agent.run(task=own(PROMPT))
    return held
