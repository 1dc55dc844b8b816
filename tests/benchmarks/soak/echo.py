"""What a prompt asks the server for, and what the right answer to it is.

    t17.0-4 slow 12          the prompt: its name, what the server is to do, how many words it is to say
    t17.0-4:0 t17.0-4:1 ...  the answer: the prompt's name in each word, so that a word in the wrong place is seen

A name is ROOT.TALK-NUMBER: all of one conversation and of its forks have one root, and no request may hold two.
"""

import re
from typing import NamedTuple

NAME = re.compile(r"\b(t\d+)\.\d+-\d+")

GOOD = ("ok", "slow", "torn")
"""What ends with the whole answer."""
FAULTS = ("cut", "reset", "gone", "stall", "silent", "429", "500", "garbage", "unended", "error")
"""What ends with an error: a connection that is closed or reset in mid-answer, or before it; silence in mid-answer, or before it; two
refusals; bytes that are no JSON; a stream that ends without its end; an error in the stream."""


class Asked(NamedTuple):
    """A prompt, taken apart. `tools`: what the server is to call before it answers."""

    name: str
    how: str
    words: int
    tools: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The prompt."""
        return " ".join([self.name, self.how, str(self.words), *self.tools])

    @property
    def answer(self) -> str:
        """What is said to it, when all goes well."""
        return "".join(self.pieces())

    def pieces(self) -> list[str]:
        """The answer as it comes."""
        return [f"{self.name}:{number} " for number in range(self.words)]


def asked(text: str) -> Asked:
    """A prompt's text, taken apart."""
    name, how, words, *tools = text.split()
    return Asked(name, how, int(words), tuple(tools))


def root(name: str) -> str:
    """What all of one family have in common."""
    return name.partition(".")[0]
