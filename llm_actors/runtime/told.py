"""Mail whose sender wants to hear only of its failure: no future, no reference and no lock for it. 2 us less than an ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from .dead_letters import dead_letter
from .mailbox import Envelope

if TYPE_CHECKING:
    from .actor import Actor


class Sender(Protocol):
    """Who sends it."""

    def not_taken(self, error: BaseException) -> None:
        """Its handler raised, or it will never be handled. Any thread."""


class _Told:
    """Stands in the place of the future that an ask is answered by."""

    __slots__ = ("_sender",)

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def set(self, value: Any = None) -> None:
        """It was handled."""

    def set_exception(self, exc_info: Any) -> None:
        """Its handler raised, or it will never be handled."""
        self._sender.not_taken(exc_info[1])


def tell(actor: Actor, message: Any, sender: Sender) -> None:
    """Sends a message; the sender hears once of what an ask would be answered with, if that is an exception. Any thread."""
    told: Any = _Told(sender)
    refused = actor._actor_take(Envelope(message, told), "mail")
    if refused is not None:
        dead_letter(actor.actor_ref, message, str(refused))
        sender.not_taken(refused)
