"""Random programs of waits: units of four kinds that ask one another, in all the ways there are to wait for an answer and not to.

Units have numbers. A step that is waited for goes to a unit with a higher number, so that no program has a circle; one that nobody waits
for may go to any. A plant is a step back to a unit that waits, at the end of steps that are all waited for: there is a circle then, always.
"""

import asyncio
import itertools
import random
from typing import Any, NamedTuple

import llm_actors as llm
from llm_actors.runtime import Actor, Future, ThreadingActor, ask

from .circles import ASYNC, SYNC

WAIT = 20
WAYS = ("ask", "gather", "group", "later", "much later", "wait for", "shield", "all")


class Step(NamedTuple):
    """`target` gets `program`. `way`: one of WAYS; or "forget"."""

    way: str
    target: int
    program: "list[Step]"


def program(chance: random.Random, level: int, count: int, *, depth: int = 4) -> list[Step]:
    """What unit `level` does for one message."""
    steps: list[Step] = []
    for _ in range(chance.choice([0, 1, 1, 2]) if depth else 0):
        forgets = chance.random() < 0.25
        target = (
            chance.randrange(count) if forgets else chance.randrange(level + 1, count) if level + 1 < count else None
        )
        if target is not None:
            way = "forget" if forgets else chance.choice(WAYS)
            steps.append(Step(way, target, program(chance, target, count, depth=depth - 1)))
    return steps


def wild(chance: random.Random, count: int, *, depth: int = 3) -> list[Step]:
    """A program that may have any number of circles."""
    steps: list[Step] = []
    for _ in range(chance.choice([0, 1, 1, 2]) if depth else 0):
        steps.append(
            Step(chance.choice([*WAYS, "forget"]), chance.randrange(count), wild(chance, count, depth=depth - 1))
        )
    return steps


def planted(chance: random.Random, count: int) -> tuple[int, list[Step]]:
    """A unit, and a program for it that leads back to one of those that wait."""
    path = sorted(chance.sample(range(count), chance.randint(1, count)))
    steps = [Step(chance.choice(WAYS), chance.choice(path), [])]
    for level, target in reversed(list(itertools.pairwise(path))):
        # Nothing behind it: who is told and then asks the others again, who still wait for it, closes the next circle.
        steps = [*program(chance, level, count, depth=1), Step(chance.choice(WAYS), target, steps)]
    return path[0], steps


class Scene:
    """Units and what becomes of their programs. `told`: the deadlocks."""

    def __init__(self, kinds: list[str]) -> None:
        self.told: list[llm.DeadlockError] = []
        self.left: list[Any] = []
        self.programs: list[list[Step]] = []
        self.units = [KINDS[kind](self) for kind in kinds]

    def sent(self, steps: list[Step]) -> int:
        self.programs.append(steps)
        return len(self.programs) - 1

    async def run(self, steps: list[Step]) -> str:
        """Does the steps in a task."""
        for step in steps:
            if step.way == "forget":
                ended: Future[None] = Future()
                self.left.append(ended)
                task = asyncio.create_task(self.asked(step))
                task.add_done_callback(lambda _, ended=ended: ended.set(None))  # type: ignore[misc]
                await asyncio.sleep(0)
            else:
                await self.wait(step)
        return "done"

    def run_blocking(self, steps: list[Step]) -> str:
        """Does them in a thread."""
        for step in steps:
            answer = self.units[step.target].begin(self.sent(step.program))
            if step.way == "forget":
                self.left.append(answer.awaited())
            else:
                try:
                    answer.blocking()
                except llm.DeadlockError as error:
                    self.told.append(error)
        return "done"

    async def wait(self, step: Step) -> None:
        asked = self.asked(step)
        if step.way == "ask":
            await asked
        elif step.way == "gather":
            await asyncio.gather(asyncio.sleep(0), asked)
        elif step.way == "group":
            async with asyncio.TaskGroup() as group:
                group.create_task(asked)
        elif step.way in ("later", "much later"):
            task = asyncio.create_task(asked)
            await asyncio.sleep(0.001 if step.way == "much later" else 0)
            await task
        elif step.way == "wait for":
            await asyncio.wait_for(asked, WAIT)
        elif step.way == "shield":
            await asyncio.shield(asyncio.create_task(asked))
        else:
            await asyncio.wait([asyncio.create_task(asked)])

    async def asked(self, step: Step) -> None:
        try:
            await self.units[step.target].begin(self.sent(step.program)).awaited()
        except llm.DeadlockError as error:
            self.told.append(error)

    async def all_ended(self) -> None:
        """Waits for what nobody waited for, and for what was asked by those who were then told not to wait."""
        known = -1
        while known != len(self.programs):
            known = len(self.programs) + len(self.units)
            while self.left:
                await self.left.pop()
            for unit in self.units:
                await unit.begin(self.sent([])).awaited()

    async def play(self, target: int, steps: list[Step]) -> list[llm.DeadlockError]:
        """Sends one program from outside, and waits until all has ended; gives who was told."""
        async with asyncio.timeout(WAIT):
            await self.asked(Step("ask", target, steps))
            await self.all_ended()
        return self.told

    async def play_all(self, roots: list[tuple[int, list[Step]]]) -> list[llm.DeadlockError]:
        """The same for several programs that are sent at once."""
        async with asyncio.timeout(WAIT):
            await asyncio.gather(*[self.asked(Step("ask", target, steps)) for target, steps in roots])
        return await self.play(0, [])

    def close(self) -> None:
        for unit in self.units:
            unit.close()


class Answer:
    """A future or a response, to be waited for in both ways."""

    def __init__(self, awaited: Any, blocking: Any) -> None:
        self.awaited, self.blocking = awaited, blocking


class OnLoop:
    """An actor on the loop."""

    def __init__(self, scene: Scene) -> None:
        class Unit(Actor):
            async def on_receive(self, number: int) -> str:
                return await scene.run(scene.programs[number])

        self.ref: Any = Unit.start()

    def begin(self, number: int) -> Answer:
        future = ask(self.ref, number)

        async def awaited():
            return await future

        return Answer(awaited, lambda: future.get(timeout=WAIT))

    def close(self) -> None:
        self.ref.stop(block=False)


class InThread(OnLoop):
    """A ThreadingActor."""

    def __init__(self, scene: Scene) -> None:
        class Unit(ThreadingActor):
            use_daemon_thread = True

            def on_receive(self, number: int) -> str:
                return scene.run_blocking(scene.programs[number])

        self.ref = Unit.start()


class AsyncChat:
    """A conversation whose tool runs on the loop."""

    def __init__(self, scene: Scene) -> None:
        async def work(number: int) -> str:
            return await scene.run(scene.programs[number])

        self.conversation: Any = ASYNC.conversation(tools=[work])

    def begin(self, number: int) -> Answer:
        response = self.conversation.chain(f"call work:{number}")
        blocking = llm.Response(response._log)
        awaited = llm.AsyncResponse(response._log)
        return Answer(awaited.text, blocking.text)

    def close(self) -> None:
        pass


class SyncChat(AsyncChat):
    """One whose tool runs in a thread; the conversation is on the background loop."""

    def __init__(self, scene: Scene) -> None:
        def work(number: int) -> str:
            return scene.run_blocking(scene.programs[number])

        self.conversation = SYNC.conversation(tools=[work])


KINDS: dict[str, Any] = {"loop": OnLoop, "thread": InThread, "async": AsyncChat, "sync": SyncChat}
