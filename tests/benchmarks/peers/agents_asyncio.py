"""The agents of B11 without a library: a task and a list each, of the same messages as the conversations have."""

import asyncio

from agent_measures import ASKED

import llm_actors as llm


class World:
    def __init__(self, calls, draw):
        self.draw = draw
        self.asked = ASKED[:calls]
        self.agents = []

    def start(self, number):
        history = []
        self.agents.append(history)
        return asyncio.create_task(self.run(history, 1.0))

    async def run(self, history, seconds):
        for text in self.asked:
            history.append(llm.user(text))
            await asyncio.sleep(seconds)
            history.append(llm.assistant(str(self.draw())))

    async def finish(self, started):
        await started

    def history(self, number):
        return self.agents[number]

    def in_flight(self, number):
        history = []
        return history, asyncio.create_task(self.run(history, 3600.0))

    async def drop(self, held):
        for _, task in held:
            task.cancel()
