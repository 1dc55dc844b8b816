"""Makes a failing program shorter while it still breaks the same promise: drops steps, users, pieces, and values that are not needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from .play import Outcome, play
from .program import Program

_WORD = re.compile(r"\b[a-z]{2,}\b")
SEEDS = ("", "1", "2")
"""Seeds of the scheduler that a shorter program is tried with, beside its own: dropping a step shifts all that is drawn after it."""


def shrink(outcome: Outcome, *, plays: int = 2000, run: Callable[[Program], Outcome] = play) -> Outcome:
    """The shortest program found that breaks the same promise; after that many plays at most."""
    best = outcome
    while True:
        smaller = None
        for program in _smaller(best.program):
            for seed in dict.fromkeys((program.seed, *SEEDS)):
                plays -= 1
                if plays < 0:
                    return best
                tried = run(msgspec.structs.replace(program, seed=seed))
                if kind_of(tried) == kind_of(outcome):
                    smaller = tried
                    break
            if smaller is not None:
                break
        if smaller is None:
            return best
        best = smaller


def kind_of(outcome: Outcome) -> str | None:
    """What a failure is about, whatever the names and numbers in its text."""
    if outcome.promise is None:
        return None
    return f"{outcome.promise} {' '.join(_WORD.findall(outcome.what)[:8])}"


def _smaller(program: Program) -> Iterator[Program]:
    """Programs that are this one without something, the largest pieces first."""
    plain = msgspec.to_builtins(program)
    size = program.size()
    found = []
    for changed in _without(plain):
        try:
            candidate = msgspec.convert(changed, Program)
        except msgspec.ValidationError:
            continue
        if candidate.size() < size:
            found.append(candidate)
    yield from sorted(found, key=Program.size)


def _without(value: Any) -> Iterator[Any]:
    """Copies of a plain value with one thing less."""
    if isinstance(value, list | tuple):
        items = list(value)
        length = len(items)
        while length:
            for start in range(0, len(items), length):
                yield items[:start] + items[start + length :]
            length //= 2
        for place, item in enumerate(items):
            for changed in _without(item):
                yield [*items[:place], changed, *items[place + 1 :]]
    elif isinstance(value, dict):
        for name, item in value.items():
            yield {other: kept for other, kept in value.items() if other != name}
            for changed in _without(item):
                yield {**value, name: changed}
    elif isinstance(value, float) and value:
        yield 0.0
    elif value is True:
        yield False
    elif isinstance(value, str) and value:
        yield ""


def shown(outcome: Outcome) -> str:
    """A failing program for people: what it breaks, what it does, what happened."""
    again = play(outcome.program, keep_trace=True)
    lines = [f"{outcome.promise}: {outcome.what}", f"the program, {outcome.program.size()} bytes:"]
    lines += [f"    {talk}" for talk in outcome.program.talks]
    for user in outcome.program.users:
        lines.append(f"    {'thread' if user.thread else 'task'}")
        lines += [f"        +{step.wait:g} s  {step.action}" for step in user.steps]
    program = outcome.program
    lines.append(
        f"    workers {program.workers}, tool timeout {program.tool_timeout:g}, chain limit {program.chain_limit}, "
    )
    lines[-1] += f"mailbox {program.mailbox}, ends {program.ends}, scheduler's seed {program.seed!r}"
    lines += ["again: python -m tests.simulation --program", f"    '{program.encode().decode()}'", "what happened:"]
    return "\n".join([*lines, *(f"    {line}" for line in again.trace.decode().splitlines())])
