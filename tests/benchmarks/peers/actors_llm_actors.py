"""This library's actors."""

import llm_actors as llm


class Echo(llm.Actor):
    def on_receive(self, message):
        return message


async def start(count):
    return [Echo.start() for _ in range(count)]


async def ask(actor, message):
    return await actor.ask(message, block=False)


def tell(actor, message):
    actor.tell(message)


async def stop(actors):
    for future in [actor.stop(block=False) for actor in reversed(actors)]:
        await future
