"""Which system code uses: that of its context, else the loop's default one, which the layer above makes."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loop import Loop

system_context: ContextVar[Any] = ContextVar("llm_actors_system")
"""The system that code in this context uses; unset, it is the loop's default one."""

_factory: list[Callable[[], Any]] = []
DEFAULT = object()
"""Under this, a loop's services hold its default system."""


def install_system_factory(factory: Callable[[], Any]) -> None:
    """Says what makes a loop's default system; the layer above does it at import."""
    _factory[:] = [factory]


def system_in_use() -> Any | None:
    """The system of this context, else the default one; None where no factory is installed. Any thread, also without a loop."""
    system = system_context.get(None)
    return _factory[0]() if system is None and _factory else system


def system_of(loop: Loop) -> Any:
    """The system of this context, else the loop's default one, made at first use. RuntimeError where no factory is installed."""
    system = system_context.get(None)
    if system is None:
        system = loop.services.get(DEFAULT)
    if system is None:
        if not _factory:
            msg = "no system: import llm_actors, which installs the default one"
            raise RuntimeError(msg)
        system = loop.services.setdefault(DEFAULT, _factory[0]())
    return system
