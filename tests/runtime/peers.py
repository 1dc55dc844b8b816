"""Actors that know each other and do what a message tells them: for tests of who waits for whom."""

import asyncio
import contextlib

from llm_actors.runtime import (
    Actor,
    ThreadingActor,
    ask,
)

WAIT = 20


def run(main):
    async def bounded():
        async with asyncio.timeout(WAIT):
            return await main

    return asyncio.run(bounded())


class Peer(Actor):
    """Does what it is told: calls `message(self)`. Its friends are other actors' references."""

    def __init__(self, **friends):
        super().__init__()
        self.friends = friends

    async def on_receive(self, message):
        return await message(self) if callable(message) else message


class Blunt(ThreadingActor):
    """The same in a thread, blocking."""

    use_daemon_thread = True

    def __init__(self, **friends):
        super().__init__()
        self.friends = friends

    def on_receive(self, message):
        return message(self) if callable(message) else message


def passes_on(*names, then="end"):
    """A message that is passed on along these friends of each: `await ref.ask(passes_on("b", "a"))`."""
    name, *rest = names

    async def message(actor):
        return await ask(actor.friends[name], passes_on(*rest, then=then) if rest else then)

    return message


def blocks_on(*names, then="end"):
    name, *rest = names
    return lambda actor: ask(actor.friends[name], blocks_on(*rest, then=then) if rest else then).get(timeout=WAIT)


def acquainted(**kinds):
    """Actors of these kinds that all know each other, by name."""
    refs = {name: kind.start() for name, kind in kinds.items()}
    for ref in refs.values():
        actor = ref._actor_weakref()
        actor.friends.update(refs)
    return refs


@contextlib.contextmanager
def blunt(**kinds):
    refs = acquainted(**kinds)
    yield refs
    for ref in refs.values():
        ref.stop(block=False)
