"""A thousand conversations at once, each an actor with its own history; one of them is cancelled, none of the others notices.

`python examples/many_conversations.py [MODEL] [HOW MANY]`. The default, the scripted model `demo`, prints (and to stderr how long it took):

    1000 conversations, 2000 answers, one cancelled
"""

import asyncio
import sys
import time

import llm_actors as llm


async def agent(model: llm.AsyncModel, number: int) -> int:
    conversation = model.conversation()
    await conversation.prompt(f"You are agent {number}. Say your number.").text()
    await conversation.prompt("Say it again.").text()
    return len(conversation.responses)


async def main(model_id: str, count: int) -> None:
    model = llm.get_async_model(model_id)
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        agents = [group.create_task(agent(model, number)) for number in range(count)]
        stopped = model.prompt("A prompt that nobody needs any more")
        await stopped.cancel()
    answers = sum(task.result() for task in agents)
    print(f"{count} conversations, {answers} answers, one cancelled")
    print(f"{time.perf_counter() - began:.2f} s", file=sys.stderr)


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv))
    asyncio.run(main(arguments.get(1, "demo"), int(arguments.get(2, "1000"))))
