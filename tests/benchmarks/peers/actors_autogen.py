"""autogen-core's SingleThreadedAgentRuntime."""

import asyncio
from dataclasses import dataclass

from autogen_core import AgentId, MessageContext, RoutedAgent, SingleThreadedAgentRuntime, message_handler

shared = {}


@dataclass
class Note:
    text: str


class Echo(RoutedAgent):
    def __init__(self):
        super().__init__("echo")

    @message_handler
    async def on_note(self, message: Note, ctx: MessageContext) -> Note:
        return message


async def start(count):
    if not shared:
        shared["runtime"] = SingleThreadedAgentRuntime()
        await Echo.register(shared["runtime"], "echo", Echo)
        shared["runtime"].start()
        shared["number"] = 0
    first = shared["number"]
    shared["number"] += count
    actors = [AgentId("echo", str(number)) for number in range(first, first + count)]
    for actor in actors:  # an agent is made at its first message
        await shared["runtime"].send_message(Note("hi"), actor)
    return actors


async def ask(actor, message):
    return (await shared["runtime"].send_message(Note(message), actor)).text


def tell(actor, message):
    shared.setdefault("told", []).append(asyncio.ensure_future(shared["runtime"].send_message(Note(message), actor)))


async def stop(actors):
    if not shared:
        return  # all of them ended with the runtime
    await asyncio.gather(*shared.pop("told", []))
    await shared["runtime"].stop_when_idle()
    await shared["runtime"].close()
    shared.clear()
