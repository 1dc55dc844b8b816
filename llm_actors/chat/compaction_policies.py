"""The two policies that come with the library. Both keep the system prompt and the last exchanges, and never part a call from its result.

    DropOldest   the oldest exchanges go
    Summarise    a model says in short what was in them

What they aim at is `tokens`, else half of the bound, so that not every call compacts again, else half of what there is. Where the last
exchange alone is longer, it is kept all the same, unless `rounds` says otherwise.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from functools import partial
from typing import Any, TypeAlias

import msgspec

from llm_actors.errors import IncompleteAnswerError, UnknownModelError
from llm_actors.messages import Message
from llm_actors.messages.parts import AnyPart, AttachmentPart, ToolCallPart, ToolResultPart, user

from .compaction import Compacting
from .exchanges import Split, exchanges, split
from .history import OWN_METADATA
from .history_size import CHARACTERS, estimate
from .model import AsyncModel
from .seams import find_model

PIECE = 8000
"""Tokens that a model is given at once to summarise, where its window is not known."""

PROMPT = """Below is a part of a conversation between a user and an assistant. Write down in at most {words} words, for the assistant to \
go on with, what it has to remember: what the user wants, facts, decisions, results of tools, what is still open. Write nothing else."""
AGAIN = "The conversation began before that; what there was to remember of it, to be included:\n\n{summary}\n\n"
HEADING = "Summary of the conversation so far:\n\n"


class DropOldest:
    """A policy: drops the oldest exchanges, whole, until the rest takes at most `tokens`. Raises ValueError for less than 1.

    `rounds`: where the last exchange alone is longer, the oldest rounds of tool calls in it go too (for agents that work long on one
    prompt); what the user said and the last round are always kept.
    """

    __slots__ = ("rounds", "tokens")

    def __init__(self, tokens: int | None = None, *, rounds: bool = False) -> None:
        self.tokens = _checked(tokens)
        self.rounds = rounds

    def __call__(self, compacting: Compacting) -> list[Message]:
        """The system prompt and the last exchanges."""
        parts = _parted(compacting, _goal(self.tokens, compacting), rounds=self.rounds)
        return [*parts.system, *parts.kept]

    def __repr__(self) -> str:
        return f"DropOldest({self.tokens or ''})"


class Summarise:
    """A policy: puts a summary of the older exchanges, written by a model, in their place, as a user message.

    `model` is an id, an alias or a model. It is prompted like any other, with the deadline, the budget and the observers of the turn that
    waits for it, several times where there is much to read: at most `piece` tokens at once (left out: half of its window). `tokens`: what
    all together should take; `words`: what the summary may; `rounds`: as for DropOldest; `prompt`: what it is told, in place of our own
    (`{words}` is filled in). Raises ValueError for numbers below 1; when it is called what the model raises, and IncompleteAnswerError
    for an empty summary.
    """

    __slots__ = ("_model", "_piece", "_prompt", "rounds", "tokens", "words")

    def __init__(
        self,
        model: Any,
        *,
        tokens: int | None = None,
        words: int = 200,
        piece: int | None = None,
        rounds: bool = False,
        prompt: str = PROMPT,
    ) -> None:
        if not isinstance(model, str) and not hasattr(model, "open_round"):
            msg = f"Summarise() takes the id of a model, or a model, not {model!r}"
            raise TypeError(msg)
        self._model = model
        self.tokens = _checked(tokens)
        self.words = _checked(words) or 1
        self._piece = _checked(piece)
        self.rounds = rounds
        self._prompt = prompt

    def __call__(self, compacting: Compacting) -> list[Message] | Awaitable[list[Message]]:
        """The system prompt, the summary, and the last exchanges."""
        room = self.words * 2  # a word takes less than two tokens in most languages
        parts = _parted(compacting, max(_goal(self.tokens, compacting) - room, 1), rounds=self.rounds)
        if not parts.older:
            return [*parts.system, *parts.kept]
        model = _found(self._model) if isinstance(self._model, str) else self._model
        piece = self._piece or (model.context_size // 2 if model.context_size else PIECE)
        told = _told(self._prompt.replace("{words}", str(self.words)), _pieces(parts.older, piece * CHARACTERS))
        put = partial(_with_summary, parts, room * CHARACTERS)
        return _awaited(model, told, put) if isinstance(model, AsyncModel) else put(_blocking(model, told))

    def __repr__(self) -> str:
        return f"Summarise({self._model!r})"


Told: TypeAlias = Generator[str, str, str]
"""What the model is asked, piece by piece; it is sent the answers, and gives the summary."""


def _told(order: str, pieces: list[str]) -> Told:
    summary = ""
    for piece in pieces:
        before = AGAIN.replace("{summary}", summary) if summary else ""
        summary = (yield f"{order}\n\n{before}{piece}").strip()
        if not summary:
            msg = "the model that was to summarise the conversation said nothing"
            raise IncompleteAnswerError(msg)
    return summary


def _blocking(model: Any, told: Told) -> str:
    answer: str | None = None
    while True:
        try:
            asked = told.send(answer)  # type: ignore[arg-type]  # None is what a generator begins with
        except StopIteration as end:
            return str(end.value)
        answer = model.prompt(asked).text()


async def _awaited(model: AsyncModel, told: Told, put: Callable[[str], list[Message]]) -> list[Message]:
    answer: str | None = None
    while True:
        try:
            asked = told.send(answer)  # type: ignore[arg-type]  # as above
        except StopIteration as end:
            return put(str(end.value))
        answer = await model.prompt(asked).text()


def _with_summary(parts: Split, limit: int, summary: str) -> list[Message]:
    mark = {OWN_METADATA: {"summary": True}}
    return [*parts.system, user(f"{HEADING}{summary[:limit]}", provider_metadata=mark), *parts.kept]


def _found(name: str) -> Any:
    try:
        return find_model(name, is_async=True)
    except UnknownModelError:
        return find_model(name, is_async=False)


def _checked(number: int | None) -> int | None:
    if number is not None and number < 1:
        msg = f"a policy's tokens, words and piece are numbers of at least 1, not {number!r}"
        raise ValueError(msg)
    return number


def _goal(tokens: int | None, compacting: Compacting) -> int:
    whole = compacting.bound or compacting.tokens or estimate(compacting.messages)
    return tokens or max(whole // 2, 1)


def _parted(compacting: Compacting, goal: int, *, rounds: bool) -> Split:
    guess = estimate(compacting.messages)
    # Where the provider counts more than the guess (another language, tools), the guess is too small all over.
    weight = max(compacting.tokens / guess, 1.0) if guess else 1.0
    return split(compacting.messages, goal, lambda messages: estimate(messages) * weight, rounds=rounds)


def _pieces(messages: Sequence[Message], limit: int) -> list[str]:
    """The conversation as text, in pieces of at most so many characters, cut between exchanges where that can be."""
    pieces: list[str] = []
    for exchange in exchanges(messages):
        text = "\n".join([_line(message, part) for message in exchange for part in message.parts])
        if pieces and len(pieces[-1]) + len(text) < limit:
            pieces[-1] += f"\n{text}"
        else:
            pieces += [text[start : start + limit] for start in range(0, len(text), limit)]
    return pieces


def _line(message: Message, part: AnyPart) -> str:
    if isinstance(part, ToolCallPart):
        return f"{message.role} calls {part.name}: {msgspec.json.encode(part.arguments).decode()}"
    if isinstance(part, ToolResultPart):
        return f"result of {part.name}: {part.output}"
    if isinstance(part, AttachmentPart):
        return f"{message.role} shows a file"
    return f"{message.role}: {part.text}"
