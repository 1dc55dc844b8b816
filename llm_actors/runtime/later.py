"""Names of a package that are imported when somebody first asks for them (PEP 562), so that who does without pays nothing for them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def later(package: str, **modules: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package: which name is in which of its modules. Type checkers are told by plain imports."""
    names = vars(sys.modules[package])

    def find(name: str) -> Any:
        module = modules.get(name)
        if module is None:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg, name=name, obj=sys.modules[package])
        found = names[name] = getattr(import_module(f"{package}.{module}"), name)
        return found

    return find, lambda: sorted({*names, *modules})
