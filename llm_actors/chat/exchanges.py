"""A conversation as exchanges: what a user said, and all that followed until the next time. The unit that compaction keeps or drops.

A cut between two exchanges never parts a call from its result, and what is left begins with a user message, as some providers want it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from llm_actors.messages import Message
from llm_actors.messages.parts import AttachmentPart


class Split(NamedTuple):
    """A conversation in three: its system prompt, the older exchanges, and those that are kept; each in order."""

    system: list[Message]
    older: list[Message]
    kept: list[Message]


def exchanges(messages: Sequence[Message]) -> list[list[Message]]:
    """The exchanges; the first may have no user message. System messages right before a user message go with it.

    What a user said right behind what a user had said (prompts that are answered together) is of the same exchange: nobody has answered
    the first one yet, and a cut between them would take it away unanswered.
    """
    starts = [0]
    for place in range(len(messages)):
        if _is_said(messages, place):
            start = place
            while start and messages[start - 1].role == "system":
                start -= 1
            if not _is_said(messages, start - 1):
                starts.append(start)
    return [list(messages[start:end]) for start, end in pairwise([*starts, len(messages)]) if start < end]


def _is_said(messages: Sequence[Message], place: int) -> bool:
    return place >= 0 and messages[place].role == "user" and not _are_files_of_results(messages, place)


def _are_files_of_results(messages: Sequence[Message], place: int) -> bool:
    message = messages[place]
    behind = place > 0 and messages[place - 1].role == "tool"
    return behind and message.role == "user" and all(isinstance(part, AttachmentPart) for part in message.parts)


def split(
    messages: Sequence[Message], room: float, measure: Callable[[Sequence[Message]], float], *, rounds: bool = False
) -> Split:
    """Keeps the last exchanges, as many as fit into `room` beside the system prompt, and one at least.

    The system prompt is what the conversation begins with, and the one that was in force where it is cut, if that is another. `rounds`: of
    a last exchange that does not fit alone only what the user said is kept, and its last rounds, one at least.
    """
    count = next((place for place, message in enumerate(messages) if message.role != "system"), len(messages))
    first, rest = list(messages[:count]), exchanges(messages[count:])
    in_force = _in_force(rest)
    cut, total = len(rest), measure(first)
    while cut:
        total += measure(rest[cut - 1])
        if cut < len(rest) and total + measure(in_force[cut - 1]) > room:
            break
        cut -= 1
    older = [message for exchange in rest[:cut] for message in exchange]
    kept = [message for exchange in rest[cut:] for message in exchange]
    if rounds and cut == len(rest) - 1:
        gone, kept = _last_rounds(kept, room - measure([*first, *in_force[cut]]), measure)
        older += gone
    return Split([*first, *in_force[cut]], [message for message in older if message.role != "system"], kept)


def _last_rounds(
    exchange: list[Message], room: float, measure: Callable[[Sequence[Message]], float]
) -> tuple[list[Message], list[Message]]:
    """An exchange without its oldest rounds: those that go, and the rest. A round: what a model said, and the results that it asked for."""
    starts = [
        place
        for place, message in enumerate(exchange)
        if message.role == "assistant" and place and exchange[place - 1].role != "assistant"
    ]
    opening = next((message.role for message in exchange if message.role != "system"), "")
    if not starts or opening != "user" or exchange[starts[0] - 1].role != "user":
        return [], exchange
    said, total = exchange[: starts[0]], measure(exchange)
    keep = starts[0]
    for start, end in pairwise(starts):
        if total <= room:
            break
        total -= measure(exchange[start:end])
        keep = end
    gone = exchange[starts[0] : keep]
    system = [message for message in gone if message.role == "system"]  # said in between: it holds on
    return [message for message in gone if message.role != "system"], [*said, *system, *exchange[keep:]]


def _in_force(rest: list[list[Message]]) -> list[list[Message]]:
    """For each place to cut at, the system message that holds there, unless what is kept begins with another one."""
    found: list[list[Message]] = [[]]
    for exchange in rest:
        last = [message for message in exchange if message.role == "system"][-1:]
        found.append(last or found[-1])
    for cut, exchange in enumerate(rest):
        if exchange[0].role == "system":
            found[cut] = []
    return found
