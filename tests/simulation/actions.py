"""What a user of a program can do. A new action is one class: its values, how they are drawn, what is done; and a row of `ACTIONS`.

`perform` is written once for both worlds: `hands` has the async API or the sync one (hands.py), and a thread drives the coroutine, which
never suspends there. A response is named by its number among those that the world has seen, modulo how many there are.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import msgspec

from .answers import SECONDS, Answer, draw_answer

if TYPE_CHECKING:
    from .hands import Hands
    from .world import World


class Chosen(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """What all actions have: the conversation they are about."""

    talk: int = 0

    @classmethod
    def draw(cls, random: Random, talk: int, tools: list[str]) -> Self:
        """One of these."""
        return cls(talk=talk)

    async def perform(self, world: World, hands: Hands) -> None:
        """Does it."""
        raise NotImplementedError


class Prompt(Chosen, frozen=True, kw_only=True):
    """Sends a prompt, or with `chain` lets tools run; then does `then` with the response."""

    answer: Answer = Answer()
    chain: bool = False
    timeout: float | None = None
    detached: bool = False
    callback: str = ""
    then: str = ""
    budget: int | None = None

    @classmethod
    def draw(cls, random: Random, talk: int, tools: list[str]) -> Self:
        return cls(
            talk=talk,
            answer=draw_answer(random, tools),
            chain=bool(tools) and random.random() < 0.8,
            timeout=random.choice((None, None, None, None, 0.001, 0.5, 2.0, 10.0)),
            detached=random.random() < 0.1,
            callback=random.choice(("", "", "", "plain", "async", "raises", "reads")),
            then=random.choice(("", "", "text", "text", "iterate", "events", "leave", "impatient")),
            budget=random.choice((1, 2)) if random.random() < 0.08 else None,
        )

    async def perform(self, world: World, hands: Hands) -> None:
        more: Any = {"chain": self.chain, "timeout": self.timeout, "detached": self.detached, "budget": self.budget}
        seen = world.send(hands, self.talk, self.answer, **more)
        if seen is not None:
            if self.callback:
                await world.call_back(hands, seen, self.callback)
            await world.read(hands, seen, self.then)


class Ask(Chosen, frozen=True, kw_only=True):
    """Sends a prompt as a message to the conversation's actor."""

    answer: Answer = Answer()

    @classmethod
    def draw(cls, random: Random, talk: int, tools: list[str]) -> Self:
        return cls(talk=talk, answer=draw_answer(random, []))

    async def perform(self, world: World, hands: Hands) -> None:
        await world.ask(hands, self.talk, self.answer)


class Steer(Chosen, frozen=True, kw_only=True):
    """Steers a message into the turn that runs."""

    answer: Answer = Answer()
    then: str = ""

    @classmethod
    def draw(cls, random: Random, talk: int, tools: list[str]) -> Self:
        return cls(talk=talk, answer=draw_answer(random, tools), then=random.choice(("", "text", "events")))

    async def perform(self, world: World, hands: Hands) -> None:
        seen = world.steer(hands, self.talk, self.answer)
        if seen is not None:
            await world.read(hands, seen, self.then)


class Resume(Chosen, frozen=True, kw_only=True):
    """A chain without a prompt: runs the calls that were left open."""

    async def perform(self, world: World, hands: Hands) -> None:
        seen = world.send(hands, self.talk, None, chain=True)
        if seen is not None:
            await world.read(hands, seen, "text")


class Read(Chosen, frozen=True, kw_only=True):
    """Reads a response, whoever sent it: early, late, again."""

    response: int = 0
    how: str = "text"

    @classmethod
    def draw(cls, random: Random, talk: int, tools: list[str]) -> Self:
        return cls(
            talk=talk,
            response=random.randrange(6),
            how=random.choice(("text", "iterate", "events", "tail", "leave", "impatient", "facts")),
        )

    async def perform(self, world: World, hands: Hands) -> None:
        seen = world.response(self.response)
        if seen is not None:
            await world.read(hands, seen, self.how)


class Subscribe(Chosen, frozen=True, kw_only=True):
    """Has the events of a response sent to a slow actor with a small mailbox."""

    response: int = 0
    mailbox: int = 1
    batch: bool = False

    @classmethod
    def draw(cls, random: Random, talk: int, tools: list[str]) -> Self:
        return cls(
            talk=talk, response=random.randrange(6), mailbox=random.choice((1, 2, 50)), batch=random.random() < 0.3
        )

    async def perform(self, world: World, hands: Hands) -> None:
        seen = world.response(self.response)
        if seen is not None:
            world.subscribe(seen, self.mailbox, batch=self.batch)


class CallBack(Chosen, frozen=True, kw_only=True):
    """Registers an on_done callback."""

    response: int = 0
    kind: str = "plain"

    @classmethod
    def draw(cls, random: Random, talk: int, tools: list[str]) -> Self:
        return cls(talk=talk, response=random.randrange(6), kind=random.choice(("plain", "async", "raises", "reads")))

    async def perform(self, world: World, hands: Hands) -> None:
        seen = world.response(self.response)
        if seen is not None:
            await world.call_back(hands, seen, self.kind)


class Cancel(Chosen, frozen=True, kw_only=True):
    """Cancels a response."""

    response: int = 0

    @classmethod
    def draw(cls, random: Random, talk: int, tools: list[str]) -> Self:
        return cls(talk=talk, response=random.randrange(6))

    async def perform(self, world: World, hands: Hands) -> None:
        seen = world.response(self.response)
        if seen is not None:
            await world.cancel(hands, seen)


class CancelAll(Chosen, frozen=True, kw_only=True):
    """Cancels all turns of a conversation."""

    async def perform(self, world: World, hands: Hands) -> None:
        world.cancel_all(self.talk)


class Close(Chosen, frozen=True, kw_only=True):
    """Closes a conversation."""

    async def perform(self, world: World, hands: Hands) -> None:
        await world.close(hands, self.talk)


class Fail(Chosen, frozen=True, kw_only=True):
    """The conversation's actor fails: it is restarted, meets a defect, is stopped, or killed."""

    how: str = "restart"

    @classmethod
    def draw(cls, random: Random, talk: int, tools: list[str]) -> Self:
        return cls(talk=talk, how=random.choice(("restart", "defect", "stop", "kill")))

    async def perform(self, world: World, hands: Hands) -> None:
        world.fail(self.talk, self.how)


class Fork(Chosen, frozen=True, kw_only=True):
    """Makes a fork of a conversation and asks it something."""

    answer: Answer = Answer()
    chain: bool = False

    @classmethod
    def draw(cls, random: Random, talk: int, tools: list[str]) -> Self:
        return cls(talk=talk, answer=draw_answer(random, tools), chain=bool(tools))

    async def perform(self, world: World, hands: Hands) -> None:
        fork = world.fork(self.talk)
        seen = world.send(hands, fork.number, self.answer, chain=self.chain)
        if seen is not None:
            await world.read(hands, seen, "text")


class Merge(Chosen, frozen=True, kw_only=True):
    """Puts what the forks of a conversation have said behind what was said in it."""

    async def perform(self, world: World, hands: Hands) -> None:
        await world.merge(hands, self.talk)


class Grouped(Chosen, frozen=True, kw_only=True):
    """Sends prompts in a group, and leaves its block, by itself or by an exception: all of them have ended then."""

    prompts: tuple[Prompt, ...] = ()
    timeout: float | None = None
    budget: int | None = None
    raises: bool = False

    @classmethod
    def draw(cls, random: Random, talk: int, tools: list[str]) -> Self:
        prompts = tuple(Prompt.draw(random, talk, tools) for _ in range(random.choice((1, 2, 3))))
        return cls(
            talk=talk,
            prompts=prompts,
            timeout=random.choice((None, None, 0.5, 2.0)),
            budget=random.choice((None, None, 1, 3)),
            raises=random.random() < 0.25,
        )

    async def perform(self, world: World, hands: Hands) -> None:
        await world.group(hands, self)


class Shutdown(Chosen, frozen=True, kw_only=True):
    """Shuts the system down."""

    drain: float = 0.0

    @classmethod
    def draw(cls, random: Random, talk: int, tools: list[str]) -> Self:
        return cls(talk=talk, drain=random.choice((0.0, 0.1, 1.0, 5.0)))

    async def perform(self, world: World, hands: Hands) -> None:
        await world.shut_down(hands, self.drain)


class Rest(Chosen, frozen=True, kw_only=True):
    """Does nothing for a while."""

    seconds: float = 0.0

    @classmethod
    def draw(cls, random: Random, talk: int, tools: list[str]) -> Self:
        return cls(talk=talk, seconds=random.choice((*SECONDS, 5.0, 20.0)))

    async def perform(self, world: World, hands: Hands) -> None:
        await hands.sleep(self.seconds)


Action: TypeAlias = (
    Prompt
    | Ask
    | Steer
    | Resume
    | Read
    | Subscribe
    | CallBack
    | Cancel
    | CancelAll
    | Close
    | Fail
    | Fork
    | Merge
    | Grouped
    | Shutdown
    | Rest
)

ACTIONS: tuple[tuple[type[Any], int], ...] = (
    (Prompt, 40),
    (Steer, 8),
    (Read, 10),
    (Cancel, 10),
    (Subscribe, 4),
    (CallBack, 4),
    (Ask, 3),
    (Resume, 3),
    (CancelAll, 2),
    (Close, 1),
    (Fail, 4),
    (Fork, 3),
    (Merge, 2),
    (Grouped, 4),
    (Shutdown, 1),
    (Rest, 6),
)
"""How often each is drawn."""


def draw_action(random: Random, talk: int, tools: list[str]) -> Action:
    """What a user does next."""
    (kind,) = random.choices([kind for kind, _ in ACTIONS], [weight for _, weight in ACTIONS])
    action: Action = kind.draw(random, talk, tools)
    return action
