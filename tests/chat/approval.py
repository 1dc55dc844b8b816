"""A program for test_restart.py: an agent whose payment a human has to approve, in two processes with a file between them.

    python approval.py pause FILE COUNTS DRESS WHAT     asks, pauses, writes the conversation (or the response) into FILE
    python approval.py resume FILE COUNTS DRESS WHAT    loads it, approves, goes on, prints the answer

Each tool adds a line to COUNTS when it runs.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import llm_actors as llm

step, file, counts, dress, what = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], sys.argv[5]
approved = step == "resume"


def count(tool: str) -> None:
    with counts.open("a") as lines:
        lines.write(f"{step} {tool}\n")


def look_up(item: str) -> str:
    """A sibling that is finished when the human is asked."""
    count(f"look_up {item}")
    return f"{item}: 3 pounds"


async def reserve(item: str) -> str:
    """Another one, async."""
    count(f"reserve {item}")
    return "reserved"


def pay(pounds: int) -> str:
    """Pauses until a human has said yes."""
    if not approved:
        raise llm.PauseChain("shall I pay?")
    count(f"pay {pounds}")
    return "paid"


TOOLS = [look_up, reserve, pay]
ASK = 'call look_up(item="fish") and pay(pounds=3) and reserve(item="fish")'


async def ended(response: Any) -> str:
    return await response.text() if dress == "async" else await asyncio.to_thread(response.text)


async def main(plain: Any = None) -> Any:
    model: Any = llm.get_async_model("demo") if dress == "async" else llm.get_model("demo")
    if step == "pause":
        conversation = model.conversation(tools=TOOLS)
        response = conversation.chain(ASK)
        try:
            await ended(response)
        except llm.PauseChain as pause:
            print(pause, pause.tool_call.arguments, sorted(result.name for result in pause.tool_results))
        return (conversation if what == "conversation" else response).to_dict()
    kind: Any = llm.AsyncConversation if dress == "async" else llm.Conversation
    conversation = kind.from_dict(plain, model=model, tools=TOOLS)
    await ended(conversation.chain())
    results = [part for message in conversation.messages() if message.role == "tool" for part in message.parts]
    print([(part.name, part.output) for part in results])
    return None


if step == "pause":
    file.write_text(json.dumps(asyncio.run(main())))
else:
    asyncio.run(main(json.loads(file.read_text())))
