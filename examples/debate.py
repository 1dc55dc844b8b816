"""A debate: agents that hear each other over a topic, and a moderator who ends it. Nobody calls anybody.

`python examples/debate.py [MODEL]`. With the scripted model `demo` it prints:

    ada: [scripted] 1. A pelican's pouch holds about three times as m
    ben: [scripted] You said: [scripted] 1. A pelican's pouch holds a
    ada: [scripted] You said: [scripted] You said: [scripted] 1. A pe
    ben: [scripted] You said: [scripted] You said: [scripted] You sai
"""

import asyncio
import sys

import llm_actors as llm

TURNS = 4


async def main(model_id: str) -> None:
    model = llm.get_async_model(model_id)
    system = llm.ActorSystem()
    floor = system.topic("floor")
    ended = asyncio.Event()
    said = 0

    def moderate(answer: llm.Answer) -> None:
        nonlocal said
        said += 1
        if said > TURNS:
            return
        print(f"{answer.name}: {answer.text[:60]}")
        if said == TURNS:
            for agent in agents:
                floor.unsubscribe(agent)
            ended.set()

    agents = [model.conversation() for _ in range(2)]
    for agent, name in zip(agents, ("ada", "ben"), strict=True):
        agent.name = name
        floor.subscribe(
            agent, answers=floor
        )  # what is published there is a prompt to it; its answers are published there
    floor.subscribe(moderate)

    agents[0].prompt("Open the debate: two fun facts about pelicans").publish(floor)
    await ended.wait()
    await asyncio.gather(*[agent.close() for agent in agents])


if __name__ == "__main__":
    asyncio.run(main(dict(enumerate(sys.argv)).get(1, "demo")))
