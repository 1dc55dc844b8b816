"""How long a file and a function may be, and that the two views of a response stay views."""

import ast
from collections.abc import Mapping

from tests.house.source import Module, Modules, functions

FILE = 400
FUNCTION = 40
VIEWS = 150

# Path, or path:qualified_name -> why it's longer. A hot loop may ask for an exception; one that isn't needed any more is named too.
EXCEPTIONS: Mapping[str, str] = {}


def oversized(modules: Modules, exceptions: Mapping[str, str] = EXCEPTIONS) -> list[str]:
    """Files and functions that are too long, a function's docstring left out; and exceptions that nothing needs."""
    found: dict[str, str] = {}
    for module in modules.values():
        lines = len(module.text.splitlines())
        if lines > FILE:
            found[module.path] = f"{module.path}: {lines} lines, more than {FILE}"
        for name, function in functions(module.tree):
            length = lines_of(function)
            if length > FUNCTION:
                place = f"{module.path}:{name}"
                found[place] = f"{place} (line {function.lineno}): {length} lines, more than {FUNCTION}"
    unneeded = [f"{place}: an exception that is not needed" for place in exceptions if place not in found]
    return [text for place, text in found.items() if place not in exceptions] + unneeded


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From `def` to its last line, without the docstring."""
    first = function.body[0]
    documented = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    docstring = _height(first) if documented else 0
    return _height(function) - docstring


def faults_of_views(module: Module, names: tuple[str, ...] = ("Response", "AsyncResponse")) -> list[str]:
    """What keeps the two views from being thin: classes that aren't there, together too long, or with state beside the log."""
    views = [node for node in module.tree.body if isinstance(node, ast.ClassDef) and node.name in names]
    found = [f"{module.path}: no class {name}" for name in names if name not in {view.name for view in views}]
    lines = sum(_height(view) for view in views)
    if lines >= VIEWS:
        found.append(f"{module.path}: {' and '.join(names)} have {lines} lines, not under {VIEWS}")
    state = {
        node.attr
        for view in views
        for node in ast.walk(view)
        if isinstance(node, ast.Attribute) and _is_set_on_self(node)
    }
    if len(state) > 1:
        found.append(f"{module.path}: the views set {', '.join(sorted(state))}: their state is the log alone")
    return found


def awaits(module: Module) -> list[str]:
    """Every `async` and `await` in a module."""
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    found = [node for node in ast.walk(module.tree) if isinstance(node, kinds)]
    loops = [node for node in ast.walk(module.tree) if isinstance(node, ast.comprehension) and node.is_async]
    places = [f"{module.path}:{node.lineno}: {type(node).__name__}" for node in found]
    return places + [f"{module.path}:{node.iter.lineno}: async comprehension" for node in loops]


def _height(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _is_set_on_self(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name) and node.value.id == "self"
