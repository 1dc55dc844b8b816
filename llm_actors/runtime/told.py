"""Mail whose sender wants to hear only of its failure: no future, no reference and no lock for it. 2 us less than an ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .dead_letters import dead_letter
from .mailbox import Envelope

if TYPE_CHECKING:
    from .actor import Actor


class _Told:
    """Stands in the place of the future that an ask is answered by."""

    __slots__ = ("_failed",)

    def __init__(self, failed: Callable[[BaseException], object]) -> None:
        self._failed = failed

    def set(self, value: Any = None) -> None:
        """It was handled."""

    def set_exception(self, exc_info: Any) -> None:
        """Its handler raised, or it will never be handled."""
        self._failed(exc_info[1])


def tell(actor: Actor, message: Any, failed: Callable[[BaseException], object]) -> None:
    """Sends a message; `failed` is called once, with what an ask would be answered with, if that is an exception. Any thread."""
    told: Any = _Told(failed)
    refused = actor._actor_take(Envelope(message, told), "mail")
    if refused is not None:
        dead_letter(actor.actor_ref, message, str(refused))
        failed(refused)
