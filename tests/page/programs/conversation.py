import asyncio

import llm_actors as llm


async def run():
    model = llm.get_async_model("gpt-4o-mini")
    conversation = model.conversation()
    r1 = await conversation.prompt("Five fun facts about pelicans").text()
    print(r1)
    r2 = await conversation.prompt("Now do skunks").text()
    print(r2)


asyncio.run(run())
