"""Tools: a plain function runs in a worker thread, an async one on the loop; both at once, and the results go back in call order.

`python examples/tools.py [MODEL]`. The default, the scripted model `demo`, prints:

    > Convert panda to uppercase and search the web for pelicans
      upper({"string":"panda"})
      search_web({"query":"pelicans"})
      search_web -> Results for: pelicans
      upper -> PANDA
    [scripted] upper(string="panda") gave PANDA; search_web(query="pelicans") gave Results for: pelicans.
    > Remember the note "feed the panda"
      Memory_remember({"note":"feed the panda"})
      Memory_remember -> 1 noted
    [scripted] Memory_remember(note="feed the panda") gave 1 noted.
    > Convert skunk to uppercase
      upper -> Cancelled: no skunks today
    [scripted] upper(string="skunk") failed: Cancelled: no skunks today.
"""

import asyncio
import sys
import time

import llm_actors as llm


def upper(string: str) -> str:
    "Converts string to uppercase"
    time.sleep(0.2)  # slow on purpose: nothing else waits for it
    return string.upper()


async def search_web(query: str) -> str:
    "Search the web for information"
    await asyncio.sleep(0.01)  # an HTTP call, in earnest
    return f"Results for: {query}"


class Memory(llm.Toolbox):
    "A toolbox keeps state between calls; its plain methods never run at the same time as one another."

    def __init__(self) -> None:
        self.notes: list[str] = []

    def remember(self, note: str) -> str:
        "Remembers a note"
        self.notes.append(note)
        return f"{len(self.notes)} noted"


def ask_first(tool: llm.Tool | None, call: llm.ToolCall) -> None:
    "Runs before each call, with tool None for one that isn't there: raise CancelToolCall to refuse it; the model is told why."
    if tool is None or "skunk" in str(call.arguments):
        raise llm.CancelToolCall("no skunks today")


async def main(model_id: str) -> None:
    model = llm.get_async_model(model_id)
    conversation = model.conversation(tools=[upper, search_web, Memory()], before_call=ask_first)
    for prompt in (
        "Convert panda to uppercase and search the web for pelicans",
        'Remember the note "feed the panda"',
        "Convert skunk to uppercase",
    ):
        print(">", prompt)
        response = conversation.chain(prompt)
        async for event in response.events():
            if event.type == "tool_started":
                print(f"  {event.tool_name}({event.chunk})")
            elif event.type == "tool_ended":
                print(f"  {event.tool_name} -> {event.chunk}")
        print(await response.text())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "demo"))
