"""The agents of B11 as conversations of this library, on a scripted model of its public `testing`."""

from collections import deque

from agent_measures import ASKED

import llm_actors as llm
from llm_actors.testing import ScriptedModel, says


class World:
    def __init__(self, calls, draw):
        answers = [says(1.0, str(number)) for number in range(101)]
        self.dummy = ScriptedModel(rest=lambda request: answers[draw()])
        self.dummy.requests = deque(maxlen=0)  # nobody looks at them
        self.late = ScriptedModel(rest=says(3600.0, "never"))
        self.late.requests = deque(maxlen=0)
        self.asked = ASKED[:calls]
        self.agents = []

    def start(self, number):
        agent = self.dummy.async_model.conversation()
        self.agents.append(agent)
        return [agent.prompt(text) for text in self.asked]

    async def finish(self, started):
        for response in started:
            await response.text()

    def history(self, number):
        return self.agents[number].messages()

    def in_flight(self, number):
        agent = self.late.async_model.conversation()
        return agent, agent.prompt(ASKED[0])

    async def drop(self, held):
        await llm.default_system.shutdown()
