"""What other packages register: the entry points of the group `llm_actors`.

above it   registry.py, which loads them when it needs them
below it   shelf.py

    [project.entry-points.llm_actors]
    mine = "my_package:register"

    def register(register_model, register_prefix): ...       # both parameters by name, or one of them
"""

import inspect
import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

from .shelf import Shelf

_LOG = logging.getLogger(__name__)

GROUP = "llm_actors"

loading: ContextVar[bool] = ContextVar("llm_actors_plugins_loading", default=False)
"""True while entry points run: one of them that looks a model up sees those without entry points, in place of loading again."""


class Plugins(NamedTuple):
    """What they registered, and which failed: a line each."""

    shelf: Shelf
    failures: tuple[str, ...] = ()


def load() -> Plugins:
    """Runs the entry points of the installed packages. One that fails registers nothing, is logged, and hinders no other. Any thread."""
    # Imported here: it takes 20 ms and more, and most programs name a model that is known without it.
    from importlib.metadata import entry_points  # noqa: PLC0415

    shelf = Shelf()
    failures: list[str] = []
    token = loading.set(True)
    try:
        for entry in entry_points(group=GROUP):
            own = Shelf()
            try:
                _call(entry.load(), own)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - another package's code, at its import too
                failures.append(f"entry point {entry.name!r} ({entry.value}) failed: {type(error).__name__}: {error}")
                _LOG.warning("%s", failures[-1], exc_info=error)
            else:
                shelf.take(own)
    finally:
        loading.reset(token)
    return Plugins(shelf, tuple(failures))


def _call(register: Callable[..., Any], shelf: Shelf) -> None:
    given: dict[str, Any] = {"register_model": shelf.register_model, "register_prefix": shelf.register_prefix}
    parameters = inspect.signature(register).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        given = {name: value for name, value in given.items() if name in parameters}
    register(**given)
