"""Who may import whom: the table of the design as data, and the rules that read it. Each rule gives what breaks it, one line an arrow."""

import ast
import sys
from collections.abc import Iterator
from typing import NamedTuple

from tests.house.imports import imports
from tests.house.source import Module, Modules

ROOT = "llm_actors"
PUBLIC = (ROOT, "llm_actors.runtime")
VOCABULARY = ("llm_actors.errors", "llm_actors.messages", "llm_actors.observe")
# The kinds of models that the catalogue makes: chat's model, in three files.
MODELS = ("llm_actors.chat.model", "llm_actors.chat.wire_model", "llm_actors.chat.script_model")
SEAMS = ("llm_actors.chat.seams", "llm_actors.providers.protocol", "llm_actors.runtime.clock")
# What a system is made of: configuration, engines, and what is done with all of them at once.
SYSTEM = (
    "llm_actors.actor_system",
    "llm_actors.loop_engine",
    "llm_actors.shutdown",
    "llm_actors.signals",
    "llm_actors.counters",
    "llm_actors.system_tree",
)
INSIDE = (
    *VOCABULARY,
    "llm_actors.providers",
    "llm_actors.runtime",
    "llm_actors.transport",
    "llm_actors.chat",
    "llm_actors.catalogue",
    *SYSTEM,
)


class Layer(NamedTuple):
    """`holds` and `may_import` are modules with all below them; the root stands for itself alone."""

    name: str
    holds: tuple[str, ...]
    may_import: tuple[str, ...]
    third_party: frozenset[str] = frozenset()
    public_of: tuple[str, ...] = ()
    """Packages (not what lies below them) whose public names it may import: those in `__all__`, or exported by `import X as X`."""


LAYERS = (
    Layer("errors, messages, observe", VOCABULARY, VOCABULARY, frozenset({"msgspec"})),
    Layer("providers", ("llm_actors.providers",), (*VOCABULARY, "llm_actors.providers"), frozenset({"msgspec"})),
    Layer(
        "runtime",
        ("llm_actors.runtime",),
        ("llm_actors.errors", "llm_actors.observe", "llm_actors.runtime"),
        frozenset({"pykka", "sniffio"}),  # sniffio: to tell trio, with its typed error, from asyncio
    ),
    Layer(
        "transport",
        ("llm_actors.transport",),
        (*VOCABULARY, "llm_actors.providers.protocol", "llm_actors.runtime", "llm_actors.transport"),
        frozenset({"httpx", "httpcore"}),  # httpx runs on httpcore
    ),
    Layer(
        "chat",
        ("llm_actors.chat",),
        (
            *VOCABULARY,
            "llm_actors.providers.protocol",
            "llm_actors.runtime",
            "llm_actors.transport.pump",
            "llm_actors.transport.governor",
            "llm_actors.chat",
        ),
        frozenset({"msgspec"}),
    ),
    Layer(
        "catalogue",
        ("llm_actors.catalogue",),
        (*VOCABULARY, "llm_actors.providers", *MODELS, "llm_actors.catalogue"),
    ),
    Layer("actor_system, loop_engine ..., __init__", (ROOT, *SYSTEM), INSIDE),
    Layer(
        "command",
        ("llm_actors.command", "llm_actors.__main__"),
        # The command line is one more user: it takes the public names, the vocabulary and the extras, which are public as they stand.
        (*VOCABULARY, "llm_actors.extras", "llm_actors.command"),
        public_of=PUBLIC,
    ),
    # Testing and extras make values of their own beside those of the vocabulary, so msgspec is theirs too.
    Layer("testing", ("llm_actors.testing",), (ROOT, *INSIDE, "llm_actors.testing"), frozenset({"msgspec"})),
    Layer(
        "extras",
        ("llm_actors.extras",),
        (*VOCABULARY, *SEAMS, "llm_actors.extras"),
        frozenset({"msgspec"}),
        public_of=PUBLIC,
    ),
)

# Third-party packages of single modules, beside those of their layer.
THIRD_PARTY = {
    "llm_actors.shutdown": frozenset({"msgspec"}),  # these for values: a report, a picture
    "llm_actors.counters": frozenset({"msgspec"}),
    "llm_actors.system_tree": frozenset({"msgspec"}),
    "llm_actors.testing.plugin": frozenset({"pytest"}),
    # An HTTP client's other end; h11 is the parser inside of httpx.
    "llm_actors.testing.memory": frozenset({"httpx", "h11"}),
    "llm_actors.testing.cassette": frozenset({"httpx"}),
    "llm_actors.extras.local": frozenset({"xllamacpp"}),
    "llm_actors.transport.fast": frozenset({"aiohttp", "yarl"}),
    "llm_actors.runtime.background_thread": frozenset({"uvloop"}),
}

ASYNCIO_IN = (
    "llm_actors.runtime",
    "llm_actors.transport",
    "llm_actors.chat.python_model",
    "llm_actors.chat.tool_pool",
    "llm_actors.actor_system",
    "llm_actors.loop_engine",
    "llm_actors.shutdown",
    "llm_actors.testing",
    "llm_actors.command",
)
# The event log is the part of the response that threads meet in. The local engine is a process with its watchers.
# Ctrl-C cancels from a thread of its own. A simulation's threads are real ones that take turns.
THREADING_IN = (
    "llm_actors.runtime",
    "llm_actors.chat.response",
    "llm_actors.chat.event_log",
    "llm_actors.extras.local",
    "llm_actors.command.interrupt",
    "llm_actors.testing.step_threads",
)
CLOCK_IN = ("llm_actors.runtime.clock", "llm_actors.runtime.loop", "llm_actors.testing", "llm_actors.extras.local")
STANDARD = (
    ("asyncio", frozenset({"asyncio", "selectors", "select"}), ASYNCIO_IN),
    ("threading", frozenset({"threading", "_thread", "concurrent", "multiprocessing"}), THREADING_IN),
    ("clock and randomness", frozenset({"time", "random", "uuid", "secrets", "sched"}), CLOCK_IN),
)

PURE = (
    "llm_actors.providers",
    "llm_actors.chat.turn",
    "llm_actors.chat.tool_round",
    "llm_actors.chat.failures",
    "llm_actors.chat.repetition",
    "llm_actors.chat.scope",
    "llm_actors.chat.budget",
    "llm_actors.chat.estimate",
    "llm_actors.chat.history",
    "llm_actors.transport.retry",
)
OUTSIDE_WORLD = frozenset().union(*(names for _, names, _ in STANDARD)) | {"socket", "ssl", "subprocess", "signal"}


def within(module: str, places: tuple[str, ...]) -> bool:
    """`chat.turn` holds itself, `chat.turn.x` and, as a noun that got several files, `chat.turn_mail`; the root only itself."""
    return any(module == place or (place != ROOT and module.startswith((f"{place}.", f"{place}_"))) for place in places)


def layer_of(module: str) -> Layer | None:
    """The row of the table that a module is in."""
    return next((layer for layer in LAYERS if within(module, layer.holds)), None)


def modules_without_layer(modules: Modules) -> list[str]:
    """Modules that the table has no row for."""
    return [
        f"{module.path}: no row of the layer table holds {module.name}"
        for module in modules.values()
        if not layer_of(module.name)
    ]


def wrong_arrows(modules: Modules) -> list[str]:
    """Imports of our own modules that the table doesn't allow."""
    return list(_wrong_arrows(modules))


def wrong_third_parties(modules: Modules) -> list[str]:
    """Imports of packages that are neither ours nor the standard library's, where the table doesn't allow them."""
    found: list[str] = []
    for arrow in imports(modules):
        package = arrow.target.partition(".")[0]
        if package == ROOT or package in sys.stdlib_module_names:
            continue
        layer = layer_of(arrow.importer.name)
        allowed = layer.third_party if layer else frozenset()
        own = [packages for module, packages in THIRD_PARTY.items() if within(arrow.importer.name, (module,))]
        allowed = allowed.union(*own)
        if package not in allowed:
            found.append(f"{arrow}: {_row(arrow.importer)} may import {', '.join(sorted(allowed)) or 'no third party'}")
    return found


def wrong_standard_modules(modules: Modules) -> list[str]:
    """Loops, threads, clocks and randomness outside of the modules that keep them."""
    found: list[str] = []
    for arrow in imports(modules):
        package = arrow.target.partition(".")[0]
        for what, names, places in STANDARD:
            if package in names and not within(arrow.importer.name, places):
                found.append(f"{arrow}: {what} only in {', '.join(places)}")
    return found


def impurities(modules: Modules) -> list[str]:
    """What makes a module that only decides do something: loops, threads, clocks, sockets, or our layers that have them."""
    found: list[str] = []
    for arrow in imports(modules):
        if not within(arrow.importer.name, PURE):
            continue
        acts = within(arrow.target, ("llm_actors.runtime", "llm_actors.transport")) and not within(arrow.target, PURE)
        if acts or arrow.target.partition(".")[0] in OUTSIDE_WORLD:
            found.append(f"{arrow}: {arrow.importer.name} decides, and leaves acting to others")
    return found


def cycles(modules: Modules) -> list[str]:
    """Import cycles, each once, as `a -> b -> a`. Package folders that a module lies in are no arrows; naming one is."""
    arrows: dict[str, set[str]] = {name: set() for name in modules}
    for arrow in imports(modules):
        if arrow.place != "typing" and arrow.target in modules:
            arrows[arrow.importer.name].add(arrow.target)
    found: dict[frozenset[str], str] = {}
    done: set[str] = set()
    for start in arrows:
        for path in _walk(start, arrows, done):
            found.setdefault(frozenset(path), " -> ".join(path))
    return sorted(found.values())


def _walk(start: str, arrows: dict[str, set[str]], done: set[str]) -> Iterator[list[str]]:
    """Depth first from `start`; gives each way back to a module that is still being walked."""
    path: list[str] = []

    def visit(name: str) -> Iterator[list[str]]:
        if name in path:
            yield [*path[path.index(name) :], name]
            return
        if name in done:
            return
        path.append(name)
        for target in sorted(arrows[name]):
            yield from visit(target)
        path.pop()
        done.add(name)

    return visit(start)


def _wrong_arrows(modules: Modules) -> Iterator[str]:
    for arrow in imports(modules):
        layer = layer_of(arrow.importer.name)
        if arrow.target.partition(".")[0] != ROOT or layer is None or within(arrow.target, layer.may_import):
            continue
        if arrow.target not in layer.public_of:
            target = layer_of(arrow.target)
            yield f"{arrow}: {layer.name} -> {target.name if target else arrow.target} is no arrow of the table"
        elif arrow.name is not None and arrow.name not in public_names(modules.get(arrow.target)):
            yield f"{arrow}: {layer.name} may import its public names only"


def public_names(package: Module | None) -> frozenset[str]:
    """What a package says is public: the names in its `__all__`, and those it imports as themselves."""
    names: set[str] = set()
    for node in package.tree.body if package else []:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names.update(ast.literal_eval(node.value))
        elif isinstance(node, ast.ImportFrom):
            names.update(alias.name for alias in node.names if alias.asname == alias.name)
    return frozenset(names)


def _row(module: Module) -> str:
    layer = layer_of(module.name)
    return layer.name if layer else module.name
