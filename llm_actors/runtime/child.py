"""A child of a supervisor, as data: what it is, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from .ending import Ending
from .settings import GRACE, Restart
from .supervision import State

Kind: TypeAlias = Literal["worker", "supervisor"]


@dataclass(frozen=True, slots=True)
class Child:
    """OTP's child specification. Any thread; raises TypeError and ValueError for what is none.

    `start`: the class of the actor, its arguments and keyword arguments; the last two may be left out. `restart`: `permanent` (always),
    `transient` (when it failed or was killed), `temporary` (never). `shutdown`: seconds to stop in, then it is killed; 0: killed at once,
    None: as long as it takes.
    """

    id: str
    start: tuple[Any, ...]
    restart: Restart = "permanent"
    shutdown: float | None = GRACE
    kind: Kind = "worker"

    def __post_init__(self) -> None:
        given: Any = self.start
        if not isinstance(given, tuple) or not 1 <= len(given) <= 3 or not callable(given[0]):  # noqa: PLR2004
            msg = f"start is a tuple of a class, its arguments and its keyword arguments, not {self.start!r}"
            raise TypeError(msg)
        if self.restart not in get_args(Restart) or self.kind not in get_args(Kind):
            words = f"restart is one of {', '.join(get_args(Restart))} and kind one of {', '.join(get_args(Kind))}"
            msg = f"{words}, not {self.restart!r} and {self.kind!r}"
            raise ValueError(msg)
        if self.shutdown is not None and self.shutdown < 0:
            msg = f"shutdown is in seconds and at least 0, or None, not {self.shutdown!r}"
            raise ValueError(msg)

    @property
    def called(self) -> tuple[Callable[..., Any], Sequence[Any], Mapping[str, Any]]:
        """What is called, with which arguments."""
        start: Any = self.start
        args = start[1] if len(start) > 1 else ()
        kwargs = start[2] if len(start) > 2 else {}  # noqa: PLR2004 - the third
        return start[0], args, kwargs


class ChildStatus(NamedTuple):
    """A child as it is now: `restarts` so far, and how it ended last, if it has."""

    id: str
    ref: Any
    kind: Kind
    state: State
    restarts: int
    last: Ending | None
