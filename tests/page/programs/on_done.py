import asyncio

import llm_actors as llm


async def run():
    model = llm.get_async_model("gpt-4o-mini")
    response = model.prompt("a short poem about a brick")

    async def done(response):
        print("Usage:", await response.usage())

    await response.on_done(done)  # registers the callback
    print(await response.text())  # drives the stream; callback fires at end


asyncio.run(run())
