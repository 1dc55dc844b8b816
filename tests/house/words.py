"""Names that say nothing, and calls that belong elsewhere."""

import ast
import re
from collections.abc import Iterable

from tests.house.layers import within
from tests.house.source import Modules

EMPTY_WORDS = frozenset(["manager", "handler", "util", "utils", "helper", "helpers", "base", "core", "impl"])

PRINTING_IN = ("llm_actors.command", "llm_actors.__main__")
# All waiting, clock reading, randomness and spawning go through runtime/clock.py and runtime/loop.py, so that virtual time and a seeded
# scheduler can stand in for them. The command line is a program of its own; what tests start has real time.
SPAWNING_IN = ("llm_actors.runtime", "llm_actors.command", "llm_actors.testing")
CLOCK_CALLS = frozenset({"datetime.now", "datetime.utcnow", "datetime.today", "date.today"})
LOOP_CALLS = frozenset(
    [
        "create_task",
        "ensure_future",
        "run_in_executor",
        "to_thread",
        "run_coroutine_threadsafe",
        "call_later",
        "call_soon_threadsafe",
    ]
)


def empty_names(modules: Modules) -> list[str]:
    """Files, folders and classes whose name holds a word that says nothing of what they are."""
    found: list[str] = []
    for module in modules.values():
        if words := _empty_words(re.split(r"[/.]", module.path)):
            found.append(f"{module.path}: {', '.join(words)} says nothing")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and (words := _empty_words([node.name])):
                found.append(f"{module.path}:{node.lineno}: class {node.name}: {', '.join(words)} says nothing")
    return found


def prints(modules: Modules) -> list[str]:
    """Uses of `print` outside of the command line."""
    return [
        f"{module.path}:{node.lineno}: print: use the logger of the module"
        for module in modules.values()
        if not within(module.name, PRINTING_IN)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Name) and node.id == "print"
    ]


def calls_past_the_seams(modules: Modules) -> list[str]:
    """Calls that read a clock, wait or spawn without the runtime's clock and loop; our `Loop.call_later` is not asyncio's."""
    found: list[str] = []
    for module in modules.values():
        if within(module.name, SPAWNING_IN):
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and _goes_past(ast.unparse(node.func)):
                found.append(
                    f"{module.path}:{node.lineno}: {ast.unparse(node.func)}: goes through runtime/clock.py or runtime/loop.py"
                )
    return found


def _goes_past(called: str) -> bool:
    owner, _, name = called.rpartition(".")
    if ".".join(called.split(".")[-2:]) in CLOCK_CALLS:
        return True
    if name == "sleep":
        return owner in {"asyncio", "time", ""}
    on_asyncio = owner.split(".")[-1] in {"asyncio", "asyncio_loop", "get_running_loop()", "tg", "group"}
    return name in LOOP_CALLS and (on_asyncio or not owner)


def _empty_words(names: Iterable[str]) -> list[str]:
    words = {word.lower() for name in names for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}
    return sorted(words & EMPTY_WORDS)
