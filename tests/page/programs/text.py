import asyncio

import llm_actors as llm


async def run():
    model = llm.get_async_model("gpt-4o-mini")
    text = await model.prompt("Five surprising names for a pet pelican").text()
    print(text)


asyncio.run(run())
