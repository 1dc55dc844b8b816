"""Budgets: how many model calls, tokens and money may be spent. Pure arithmetic; spending.py calls it under one lock for all threads.

    reserve   before a model call, in every budget that holds for it: all of them or none
    settle    after it, once: what was reserved is given back, what was used is spent

Money is counted in whole trillionths of the price's currency, so that sums are exact. A call that no budget has room for raises
BudgetExceeded, and nothing is sent. What a call uses beyond its estimate is spent all the same: the next one is refused then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from llm_actors.errors import BudgetExceeded, NoPriceError
from llm_actors.messages import Usage

Kind: TypeAlias = Literal["requests", "tokens", "input_tokens", "output_tokens", "cost"]

UNITS = 10**12
"""Units of money in one of the currency."""
PER_TOKEN = 10**6
"""Units of money for each token, at a price of 1 per million tokens."""


class Price(msgspec.Struct, frozen=True):
    """What a model costs, in a currency of yours for a million tokens. Any thread.

    `cached_input`: None is the price of all input. Exact to a millionth of the currency per million tokens.
    Raises ValueError for a negative price.
    """

    input: float
    output: float
    cached_input: float | None = None

    def __post_init__(self) -> None:
        if not all(price >= 0 for price in (self.input, self.output, self.cached_input or 0)):
            msg = f"a price is at least 0, not {self!r}"
            raise ValueError(msg)

    def units(self, input: int, output: int, cached: int = 0) -> int:
        """What these tokens cost, in units of money; `cached` are among the input."""
        cheap = self.input if self.cached_input is None else self.cached_input
        return (
            (input - cached) * round(self.input * PER_TOKEN)
            + cached * round(cheap * PER_TOKEN)
            + output * round(self.output * PER_TOKEN)
        )


class Spent(msgspec.Struct, frozen=True):
    """Model calls, tokens and money. A model without a price adds nothing to `cost`. Any thread."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    units: int = 0

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    @property
    def cost(self) -> float:
        """Money, in the currency of the prices."""
        return self.units / UNITS

    def plus(self, other: Spent, times: int = 1) -> Spent:
        """Both together; `times=-1`: the difference."""
        return Spent(
            self.requests + times * other.requests,
            self.input_tokens + times * other.input_tokens,
            self.output_tokens + times * other.output_tokens,
            self.units + times * other.units,
        )

    def of(self, kind: Kind) -> int:
        """One figure of it; money in units."""
        return int(getattr(self, "units" if kind == "cost" else kind))


NONE = Spent()


class Asked(msgspec.Struct, frozen=True):
    """What a model call asks for. `exact`: its output can't become more; else it takes what room there is, up to `output_tokens`."""

    model: str
    input_tokens: int
    output_tokens: int
    exact: bool = False
    price: Price | None = None

    def amount(self, output: int) -> Spent:
        """With so much output."""
        return self.used(self.input_tokens, output)

    def used(self, input: int, output: int, cached: int = 0) -> Spent:
        """One call with these tokens, and what they cost."""
        return Spent(1, input, output, self.price.units(input, output, cached) if self.price is not None else 0)


class Budget:
    """Limits on what model calls may spend, all together: `Budget(requests=100, tokens=200_000, cost=1.50)`.

    Give it to a prompt, a conversation, a group or an ActorSystem: it holds for all that is sent there, and for what tools send from there;
    of several each holds. One budget may be given to many. `cost` is in the currency of `model.price`; a model without a price is refused
    under it. `spent`, `reserved` and `left` may be read from any thread. Raises ValueError, TypeError for what is no limit.
    """

    __slots__ = ("limits", "name", "reserved", "spent")

    def __init__(
        self,
        *,
        requests: int | None = None,
        tokens: int | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cost: float | None = None,
        name: str = "",
    ) -> None:
        given: dict[Kind, Any] = {
            "requests": requests,
            "tokens": tokens,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cost": cost,
        }
        self.limits: dict[Kind, int] = {kind: _limit(kind, value) for kind, value in given.items() if value is not None}
        """By kind; `cost` in trillionths."""
        self.name = name
        self.spent = NONE
        """What calls that have ended came to."""
        self.reserved = NONE
        """What is set aside for calls under way."""

    @property
    def left(self) -> dict[Kind, float]:
        """What neither is spent nor reserved, of each kind that is limited. Any thread."""
        return {kind: self.room(kind) / UNITS if kind == "cost" else self.room(kind) for kind in self.limits}

    def room(self, kind: Kind) -> int:
        """The same of one kind that is limited, money in units; below 0 where a call used more than its estimate."""
        return self.limits[kind] - self.spent.of(kind) - self.reserved.of(kind)

    def named(self, name: str) -> Budget:
        """Itself, called after the first that it was given to, unless it has a name."""
        self.name = self.name or name
        return self

    def check(self, amount: Spent, asked: Asked) -> None:
        """Raises BudgetExceeded, NoPriceError."""
        if "cost" in self.limits and asked.price is None:
            text = f"the budget of {self.name} is in money, and model {asked.model!r} has no price"
            msg = f"{text}: set model.price = llm.Price(input=..., output=...); nothing was sent"
            raise NoPriceError(msg)
        for kind in self.limits:
            if amount.of(kind) > self.room(kind):
                raise self._exceeded(kind, amount.of(kind))

    def _exceeded(self, kind: Kind, asked: int) -> BudgetExceeded:
        by = UNITS if kind == "cost" else 1
        counts = (self.limits[kind], self.spent.of(kind), self.reserved.of(kind), asked)
        limit, spent, reserved, more = [count / by if by > 1 else count for count in counts]
        what = kind.replace("_", " ")
        figures = f"limit {limit:,}, spent {spent:,}, reserved {reserved:,}, asked {more:,}"
        text = f"the budget of {self.name} has no room for another model call: {what}: {figures}; nothing was sent"
        return BudgetExceeded(
            text, budget=self.name, kind=kind, limit=limit, spent=spent, reserved=reserved, asked=more
        )

    def __repr__(self) -> str:
        limits = ", ".join(f"{kind}={value}" for kind, value in self.limits.items())
        return f"<Budget {self.name or 'unnamed'}: {limits or 'no limits'}>"


def reserve(budgets: Sequence[Budget], asked: Asked) -> Spent:
    """Sets aside in each budget what the call may use; gives that. Raises BudgetExceeded, NoPriceError: then nothing is set aside."""
    output = asked.output_tokens if asked.exact else max(1, min(asked.output_tokens, _output_room(budgets, asked)))
    amount = asked.amount(output)
    for budget in budgets:
        budget.check(amount, asked)
    for budget in budgets:
        budget.reserved = budget.reserved.plus(amount)
    return amount


def settle(budgets: Iterable[Budget], reserved: Spent, used: Spent) -> None:
    """Gives back what was set aside, and books what was used."""
    for budget in budgets:
        budget.reserved = budget.reserved.plus(reserved, -1)
        budget.spent = budget.spent.plus(used)


def _output_room(budgets: Iterable[Budget], asked: Asked) -> int:
    """The output that all budgets have room for, beside the input."""
    rooms = [asked.output_tokens]
    price = asked.price.units(0, 1) if asked.price is not None else 0
    for budget in budgets:
        for kind in budget.limits:
            room = budget.room(kind)
            if kind == "output_tokens":
                rooms.append(room)
            elif kind == "tokens":
                rooms.append(room - asked.input_tokens)
            elif kind == "cost" and price:
                rooms.append((room - asked.amount(0).units) // price)
    return min(rooms)


def used_by(asked: Asked, usage: Usage | None, *, arrived: int, answered: bool) -> Spent:
    """What a call that ended came to: by its usage, else as far as it is known.

    `arrived`: tokens of output that came, as estimated. `answered`: false for one that the other side refused, or did not get, before
    anything came: a request, and no tokens.
    """
    if usage is None and not answered and not arrived:
        return Spent(requests=1)
    told = usage or Usage()
    read = asked.input_tokens if told.input is None else told.input
    written = arrived if told.output is None else told.output
    return asked.used(read, written, min(_cached(told.details), read))


def _cached(details: Any) -> int:
    """How much of the input came from a cache, in the words of the providers."""
    if not isinstance(details, dict):
        return 0
    for name in ("cached_tokens", "cache_read_input_tokens"):
        if isinstance(details.get(name), int):
            return int(details[name])
    return max((_cached(details.get(name)) for name in ("prompt_tokens_details", "input_tokens_details")), default=0)


def _limit(kind: Kind, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float if kind == "cost" else int):
        msg = f"Budget({kind}=) is {'a number' if kind == 'cost' else 'a whole number'}, not {value!r}"
        raise TypeError(msg)
    if not value >= 0:
        msg = f"Budget({kind}=) is at least 0, not {value!r}"
        raise ValueError(msg)
    return round(value * UNITS) if kind == "cost" else int(value)
