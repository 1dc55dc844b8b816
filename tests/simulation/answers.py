"""What models are to say in a program: plain values, drawn from a seed. Every text names its prompt, so that nothing can be mixed up."""

from __future__ import annotations

import re
from random import Random
from typing import TypeAlias

import msgspec

SECONDS = (0.0, 0.0, 0.001, 0.01, 0.1, 0.5, 1.0, 2.0)
"""Few and round, so that many things fall on one moment."""
END = re.compile(r"<([\w-]*)\.(\d+)>")
"""What only a complete answer holds, as its last words: `<prompt.round>`."""
WORD = re.compile(r"[\w-]*\.\d+w\d+ |<[\w-]*\.\d+>")
"""All that a model says: its words, and the end of an answer."""
FAULTS = ("cut", "closed", "reset", "stall", "429", "529", "503", "garbage", "raises")
"""How a model call may break: after what was said, or in place of an answer."""


class Call(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """A tool call. `seconds`: how long the tool takes."""

    tool: str
    seconds: float = 0.0


Piece: TypeAlias = int | float | Call
"""An int: a word is said (its number means nothing). A float: a pause of so many seconds."""


class Round(msgspec.Struct, frozen=True, omit_defaults=True):
    """One model call. `end`: `stop`, `length`, or one of FAULTS."""

    pieces: tuple[Piece, ...] = ()
    end: str = "stop"

    @property
    def calls(self) -> list[Call]:
        """Its tool calls."""
        return [piece for piece in self.pieces if isinstance(piece, Call)]


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is said to one prompt, call after call; what comes after the last one is a bare end."""

    rounds: tuple[Round, ...] = ()

    def round(self, number: int) -> Round:
        """The round of this number, from 0 on."""
        return self.rounds[number] if number < len(self.rounds) else Round()

    def calls(self) -> list[Call]:
        """All tool calls."""
        return [call for one in self.rounds for call in one.calls]

    def faults(self) -> set[str]:
        """How its calls may break."""
        return {one.end for one in self.rounds}


def draw_answer(random: Random, tools: list[str]) -> Answer:
    """An answer; with tools mostly one that calls some."""
    rounds = [_draw_round(random, tools) for _ in range(random.choice((0, 0, 1, 1, 2, 5))) if tools]
    return Answer((*rounds, _draw_round(random, [])))


def _draw_round(random: Random, tools: list[str]) -> Round:
    pieces: list[Piece] = []
    for _ in range(random.randrange(4)):
        pieces.append(1 if random.random() < 0.6 else random.choice(SECONDS))
    if tools:
        pieces += [Call(random.choice(tools), random.choice(SECONDS)) for _ in range(random.choice((1, 1, 2, 3)))]
    end = "stop"
    if random.random() < 0.12:
        end = random.choice((*FAULTS, "length"))
    return Round(tuple(pieces), end)
