"""A conversation that remembers, streamed as it is answered.

`python examples/quickstart.py [MODEL]`, with `local/smollm2-135m` or `gpt-4o-mini`. The default, the scripted model `demo`, prints:

    [scripted] 1. A pelican's pouch holds about three times as much as its stomach. 2. There are eight living species of pelicans.

    [scripted] 1. A skunk can spray about three metres far. 2. Before it sprays, a skunk stamps its feet and raises its tail.

    [scripted] You said: How many animals was that? This is prompt 3 of this conversation. There is no language model behind this answer.

    prompt 1: 5 tokens in, 22 out
    prompt 2: 31 tokens in, 23 out
    prompt 3: 59 tokens in, 23 out
"""

import asyncio
import sys

import llm_actors as llm


async def main(model_id: str) -> None:
    model = llm.get_async_model(model_id)
    conversation = model.conversation()

    async for chunk in conversation.prompt("Two fun facts about pelicans"):
        print(chunk, end="", flush=True)
    print("\n")

    # Two prompts at once: they're answered in the order they were sent, each seeing everything before it.
    skunks = conversation.prompt("Now two about skunks")
    number = conversation.prompt("How many animals was that?")
    print(await skunks.text(), end="\n\n")
    print(await number.text(), end="\n\n")

    for place, response in enumerate(conversation.responses, 1):
        usage = await response.usage()
        print(f"prompt {place}: {usage.input} tokens in, {usage.output} out")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "demo"))
