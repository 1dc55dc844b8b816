"""The source as the house's rules see it: modules by name, parsed and not imported. Tests of the rules make up modules of their own."""

import ast
import gc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent.parent


class Module(NamedTuple):
    """One file: `name` is dotted, a package's is that of its folder."""

    name: str
    path: str
    text: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        return self.path.endswith("/__init__.py")

    @property
    def package(self) -> str:
        """What its relative imports start from."""
        return self.name if self.is_package else self.name.rpartition(".")[0]


Modules = Mapping[str, Module]


def package() -> Modules:
    """All modules of the library, from the files."""
    files = sorted((REPOSITORY / "llm_actors").rglob("*.py"))
    return made_up({file.relative_to(REPOSITORY).as_posix(): file.read_text(encoding="utf-8") for file in files})


def made_up(files: Mapping[str, str]) -> Modules:
    """Modules from texts, by path: `{"llm_actors/runtime/clock.py": "import time"}`."""
    modules = [Module(_name(path), path, text, parsed(text, path)) for path, text in files.items()]
    return {module.name: module for module in modules}


def parsed(text: str, path: str = "<text>") -> ast.Module:
    """`ast.parse()` without a collection in its midst: what a finalizer logs there with its traceback is parsed too, and CPython
    3.11 takes the nested parse for a fault of its own (SystemError, https://github.com/python/cpython/issues/106905)."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text, path)
    finally:
        if collecting:
            gc.enable()


def functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """All functions with their qualified names, methods and inner functions too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield within + node.name, node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from functions(node, f"{within}{node.name}.")
        else:
            yield from functions(node, within)


def _name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
