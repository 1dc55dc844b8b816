"""Who imports what, read from the syntax tree.

An import counts wherever it stands: at the top, inside a function, under `if TYPE_CHECKING:`, as a literal `import_module("x")`. For the
layers and the standard library's modules all are alike: who names a type of another layer knows that layer. Only for cycles an import
under `TYPE_CHECKING` is left out, as it never runs; one inside a function is not left out, since it hides a cycle and doesn't end it.
"""

import ast
from collections.abc import Iterator
from typing import Literal, NamedTuple

from tests.house.source import Module, Modules

Place = Literal["top", "function", "typing"]


class Import(NamedTuple):
    """`target` is the module that is imported; `name` what is taken out of it, None for the module itself."""

    importer: Module
    line: int
    place: Place
    target: str
    name: str | None

    def __str__(self) -> str:
        what = f"{self.name} of {self.target}" if self.name else self.target
        return f"{self.importer.path}:{self.line}: imports {what}"


def imports(modules: Modules) -> Iterator[Import]:
    """All imports of all modules."""
    for module in modules.values():
        for node, place in _placed(module.tree, "top"):
            for target, name in _targets(node, module, modules):
                yield Import(module, getattr(node, "lineno", 0), place, target, name)


def _placed(node: ast.AST, place: Place) -> Iterator[tuple[ast.AST, Place]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and _is_type_checking(child.test):
            for line in child.body:
                yield line, "typing"
                yield from _placed(line, "typing")
            for line in child.orelse:
                yield line, place
                yield from _placed(line, place)
            continue
        yield child, place
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _placed(child, "function" if inside and place == "top" else place)


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def _targets(node: ast.AST, module: Module, modules: Modules) -> Iterator[tuple[str, str | None]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name, None
    elif isinstance(node, ast.ImportFrom):
        source = _absolute(node, module)
        for alias in node.names:
            submodule = f"{source}.{alias.name}"
            yield (submodule, None) if submodule in modules else (source, alias.name)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = ast.unparse(node.func)
        if called in {"__import__", "import_module", "importlib.import_module"}:
            yield str(node.args[0].value), None


def _absolute(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    parents = module.package.split(".")
    start = ".".join(parents[: len(parents) - node.level + 1])
    return f"{start}.{node.module}" if node.module else start
