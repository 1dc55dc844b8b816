import asyncio

import llm_actors as llm


def upper(string: str) -> str:
    "Converts string to uppercase"
    return string.upper()


async def run():
    model = llm.get_async_model("gpt-4.1")
    chain = model.chain(
        "Convert panda to uppercase then pelican to uppercase",
        tools=[upper],
        after_call=print,
    )
    print(await chain.text())


asyncio.run(run())
