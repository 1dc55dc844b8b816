"""What a failure leads to: one table from error class to action. It decides, nothing more.

    Fail        the turn ends with the error                          Fallback   the next model call of the turn goes to another model
    GiveUp      the same, and its prompt becomes a dead letter        Compact    the history is compacted, and the call made again
    Tell        the model is told, and the turn goes on               After      so many times `Tell`, then another action

`ROWS` is the table that holds where nobody says otherwise. A user replaces rows by `failures={llm.RateLimitError: llm.Fallback("other")}`
on a conversation, a model (attribute `failures`) or an ActorSystem. The nearest table that has a row for the error counts; in a table the
row of the closest class in the error's MRO. Requests that are worth sending again are sent again below this table, on the wire: what gets
here is what that did not help against. The end of a turn by cancel, deadline or the end of its loop is not asked about.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias

import msgspec

from llm_actors.errors import (
    AuthenticationError,
    BudgetExceeded,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    NoPriceError,
    OverloadedError,
    QuotaExhaustedError,
    RateLimitError,
    RepeatedToolCallsError,
    StreamTruncatedError,
    ToolCrashedError,
    TurnError,
)

from .compaction import Compacts


class Fail(msgspec.Struct, frozen=True):
    """The turn ends with the error."""


class GiveUp(msgspec.Struct, frozen=True):
    """The turn ends with the error, and its prompt becomes a dead letter: hooks in `runtime.dead_letters` and observers hear of it."""


class Tell(msgspec.Struct, frozen=True):
    """For failures of tools: the model is told, and the turn goes on. A tool's exception is its result, a repetition is a user message."""


class Fallback:
    """The next model call of this turn, and those after it, go to another model: an id, an alias or a model; several are tried in order.

    The turn fails when all have been tried. Once something of the failed call has reached readers it fails too, unless `restart`: then an
    event `restart` tells them to drop it, and the other model begins again. Options that the other model does not have are left out, an
    explicit `key=` goes to it only if it takes keys of the same name. Raises TypeError for what is neither an id nor a model.
    """

    __slots__ = ("models", "restart")

    def __init__(self, *models: Any, restart: bool = False) -> None:
        if not models or not all(isinstance(model, str) or hasattr(model, "open_round") for model in models):
            msg = f"Fallback() takes ids of models, or models, not {models!r}"
            raise TypeError(msg)
        self.models = models
        self.restart = restart

    def __repr__(self) -> str:
        return f"Fallback({', '.join(repr(model) for model in self.models)}, restart={self.restart})"


class Compact:
    """The history is made shorter by `policy` (see compaction.py), and the model called again; the turn fails if that did not help.

    With `restart` also when something of the failed call has reached readers, as in `Fallback`.
    """

    __slots__ = ("policy", "restart")

    def __init__(self, policy: Any, *, restart: bool = False) -> None:
        if not callable(policy):
            msg = f"Compact() takes a compaction policy, a function, not {policy!r}"
            raise TypeError(msg)
        self.policy = policy
        self.restart = restart

    def __repr__(self) -> str:
        return f"Compact({self.policy!r}, restart={self.restart})"


class After(msgspec.Struct, frozen=True):
    """For failures of tools: `action` from the so many-th on in one turn (for repetitions: in a row); before, the turn goes on."""

    times: int
    action: Fail | GiveUp | Tell | Fallback | Compact

    def __post_init__(self) -> None:
        if self.times < 1:
            msg = f"After() takes a number of at least 1, not {self.times!r}"
            raise ValueError(msg)


Action: TypeAlias = Fail | GiveUp | Tell | Fallback | Compact | After
"""What a row says. Another kind of row is one more class here and one more case in turn_failing.py."""

Failures: TypeAlias = Mapping[type[BaseException], Action]
"""Rows: error class -> action."""

ROWS: Failures = {
    RateLimitError: Fail(),
    QuotaExhaustedError: Fail(),
    OverloadedError: Fail(),
    ContextLengthError: Fail(),
    AuthenticationError: Fail(),
    InvalidRequestError: Fail(),
    ContentFilterError: Fail(),
    StreamTruncatedError: Fail(),
    BudgetExceeded: Fail(),
    NoPriceError: Fail(),
    ToolCrashedError: Tell(),
    # Generous: a tool that is polled gives equal results for a while, a model that is stuck does so for ever.
    RepeatedToolCallsError: After(10, Fail()),
    BaseException: Fail(),
}
"""The default: what a model call fails with ends the turn, what a tool raises is told to the model."""

_OF_TOOLS = (ToolCrashedError, RepeatedToolCallsError)
_OF_TURNS = (*_OF_TOOLS, BudgetExceeded, NoPriceError)
"""The ends of a turn that the table is asked about."""


class FailureTable:
    """The tables that hold for one turn, the nearest first."""

    __slots__ = ("_tables",)

    DEFAULT: ClassVar[FailureTable]

    def __init__(self, *tables: Failures) -> None:
        self._tables = (*[table for table in tables if table], ROWS)

    def action_for(self, error: BaseException) -> Action:
        """The row for this error."""
        if isinstance(error, TurnError) and not isinstance(error, _OF_TURNS):
            return Fail()
        for table in self._tables:
            for kind in type(error).__mro__:
                if kind in table:
                    return table[kind]
        return Fail()


FailureTable.DEFAULT = FailureTable()


def table_of(*tables: Failures) -> FailureTable:
    """The same, the default one where none of them has a row."""
    return FailureTable(*tables) if any(tables) else FailureTable.DEFAULT


_NONE: Failures = MappingProxyType({})
"""No rows: one for all, where each conversation would have an empty dict."""


def compacting_rows(compacts: Compacts | None) -> Failures:
    """The row that a conversation has which compacts its history, where no table says otherwise."""
    return _NONE if compacts is None else {ContextLengthError: Compact(compacts.policy)}


def checked(failures: Failures | None) -> Failures:
    """The rows, copied. Raises TypeError for a key that is no exception class, a value that is no action, or one that can't be there."""
    if not failures:
        return _NONE
    rows: dict[Any, Any] = dict(failures)
    for kind, action in rows.items():
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            msg = f"the keys of failures= are exception classes, not {kind!r}"
            raise TypeError(msg)
        if not isinstance(action, Action):
            msg = f"what failures= says for {kind.__name__} is an action (Fail(), GiveUp(), Fallback(...) ...), not {action!r}"
            raise TypeError(msg)
        if isinstance(action, Tell | After) and not issubclass(kind, _OF_TOOLS):
            names = " and ".join(each.__name__ for each in _OF_TOOLS)
            msg = f"{type(action).__name__} is for {names}: a model call that failed with {kind.__name__} has nobody to tell"
            raise TypeError(msg)
    return rows
