import asyncio

import llm_actors as llm


async def search_web(query: str) -> str:
    "Search the web for information"
    # Replace with a real async HTTP call in production
    await asyncio.sleep(0.01)
    return f"Results for: {query}"


async def run():
    model = llm.get_async_model("gpt-4.1-mini")
    conversation = model.conversation(tools=[search_web])
    result1 = await conversation.chain("Find recent news about pelicans").text()
    print(result1)
    result2 = await conversation.chain("What about flamingos?").text()
    print(result2)


asyncio.run(run())
