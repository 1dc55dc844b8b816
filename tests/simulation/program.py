"""A program: who exists and who does what, as plain values. Drawn from a seed, written as JSON, made shorter by shrink.py."""

from __future__ import annotations

from random import Random

import msgspec

from .actions import Action, draw_action
from .answers import SECONDS
from .tools import TOOLS

MODELS = ("script", "script", "async", "sync", "wire")
POLICIES = ("queue", "queue", "queue", "reject", "replace", "coalesce")
HOOKS = ("", "", "", "plain", "async", "refuses", "raises", "pauses")


class Talk(msgspec.Struct, frozen=True, omit_defaults=True):
    """A conversation. `dress`: whether its handle is that of an async or a sync model."""

    model: str = "script"
    dress: str = "async"
    when_busy: str = "queue"
    tools: tuple[str, ...] = ()
    before_call: str = ""
    after_call: str = ""
    compacts: bool = False


class Step(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a user does next, so many seconds after the step before."""

    wait: float = 0.0
    action: Action


class User(msgspec.Struct, frozen=True, omit_defaults=True):
    """A task of the loop, or a thread, that takes its steps one after the other."""

    thread: bool = False
    steps: tuple[Step, ...] = ()


class Program(msgspec.Struct, frozen=True, omit_defaults=True):
    """`seed` is the scheduler's. `ends`: the loop ends after so many seconds, whatever is under way; None: when all is done."""

    seed: str = ""
    talks: tuple[Talk, ...] = ()
    users: tuple[User, ...] = ()
    workers: int = 4
    tool_timeout: float = 4.0
    chain_limit: int = 4
    mailbox: int = 8
    ends: float | None = None

    def encode(self) -> bytes:
        """As JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, data: bytes | str) -> Program:
        """From JSON."""
        return msgspec.json.decode(data, type=cls)

    def size(self) -> int:
        """How much there is to it: what shrinking makes less."""
        return len(self.encode())


def draw_program(seed: int) -> Program:
    """The program of this seed."""
    random = Random(f"program {seed}")
    talks = tuple(_draw_talk(random) for _ in range(random.choice((1, 1, 2, 3))))
    users = tuple(_draw_user(random, talks) for _ in range(random.choice((1, 2, 2, 3))))
    return Program(
        seed=str(seed),
        talks=talks,
        users=users,
        workers=random.choice((1, 2, 4)),
        tool_timeout=random.choice((0.5, 2.0, 4.0)),
        chain_limit=random.choice((2, 4, 10)),
        mailbox=random.choice((2, 8, 8)),
        ends=random.choice((0.0, 0.1, 1.0, 3.0)) if random.random() < 0.15 else None,
    )


def _draw_talk(random: Random) -> Talk:
    tools = tuple(random.sample(sorted(TOOLS), random.choice((0, 1, 3, 6))))
    return Talk(
        model=random.choice(MODELS),
        dress=random.choice(("async", "async", "sync")),
        when_busy=random.choice(POLICIES),
        tools=tools,
        before_call=random.choice(HOOKS) if tools else "",
        after_call=random.choice(HOOKS[:-1]) if tools else "",
        compacts=random.random() < 0.1,
    )


def _draw_user(random: Random, talks: tuple[Talk, ...]) -> User:
    steps = []
    for _ in range(random.choice((2, 3, 4, 6, 8))):
        talk = random.randrange(len(talks))
        steps.append(Step(wait=random.choice(SECONDS), action=draw_action(random, talk, list(talks[talk].tools))))
    return User(random.random() < 0.4, tuple(steps))
