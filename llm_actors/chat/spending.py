"""What one model call has set aside in the budgets that hold for it, from before it is sent until it has ended. Any thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from llm_actors.runtime import guard

from .budget import NONE, Asked, Budget, Spent, reserve, settle, used_by
from .estimate import asked_by, tokens_in

if TYPE_CHECKING:
    from llm_actors.messages import Item, Usage

    from .model import AnyModel
    from .sent_prompt import SentPrompt


class Spending:
    """Settled once, by the first that knows what the call came to; what is told later changes nothing."""

    __slots__ = ("_asked", "_budgets", "_open", "_reserved")

    def __init__(self, budgets: tuple[Budget, ...], asked: Asked) -> None:
        self._budgets = budgets
        self._asked = asked
        with guard:
            self._reserved = reserve(budgets, asked)
        self._open = True

    def ended(self, usage: Usage | None, arrived: Callable[[], Iterable[Item]], *, answered: bool = True) -> None:
        """The call is over. `arrived` is looked at where the usage does not say what came. See `budget.used_by`."""
        if self._open:
            known = usage is not None and usage.output is not None
            came = 0 if known else tokens_in(arrived())
            self._settle(used_by(self._asked, usage, arrived=came, answered=answered))

    def unused(self) -> None:
        """The call was not made."""
        self._settle(NONE)

    def _settle(self, used: Spent) -> None:
        with guard:
            if self._open:
                self._open = False
                settle(self._budgets, self._reserved, used)


def spending_for(budgets: tuple[Budget, ...], sent: SentPrompt, model: AnyModel) -> Spending | None:
    """What this call sets aside; None where no budget holds. Raises BudgetExceeded, NoPriceError."""
    return Spending(budgets, asked_by(sent, model.model_id, model.price)) if budgets else None
