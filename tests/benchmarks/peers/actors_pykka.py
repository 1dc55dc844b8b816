"""Pykka's ThreadingActor. It is asked from a thread, as its own users do: its futures block."""

import pykka


class Echo(pykka.ThreadingActor):
    use_daemon_thread = True

    def on_receive(self, message):
        return message


async def start(count):
    return [Echo.start() for _ in range(count)]


async def ask(actor, message):
    return actor.ask(message)


async def ask_all(actors, message):
    return [future.get() for future in [actor.ask(message, block=False) for actor in actors]]


def tell(actor, message):
    actor.tell(message)


async def stop(actors):
    for actor in reversed(actors):
        actor.stop()
