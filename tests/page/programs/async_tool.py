import asyncio

import llm_actors as llm


async def hello(name: str) -> str:
    "Say hello to name"
    return "Hello there " + name


async def run():
    model = llm.get_async_model("gpt-4.1-mini")
    chain_response = model.chain("Say hello to Percival", tools=[hello])
    print(await chain_response.text())


asyncio.run(run())
