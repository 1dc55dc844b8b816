"""What mail carries along from the context it is sent in to the handler that takes it: one value, which this layer never looks at.

The layer above puts it into `carried`; mail sent while it is there brings it, and the handler runs with it in place, whatever was there
when its actor was started. Mail sent without it is a plain envelope, and its handler runs without it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

from .mailbox import Envelope

carried: ContextVar[Any] = ContextVar("llm_actors_carried", default=None)
"""None: nothing is carried."""

Floor: TypeAlias = Callable[[Any], Any]
"""What an actor has its handlers run with: gets what the mail carries, or None."""


@contextmanager
def carrying(value: Any) -> Generator[None, None, None]:
    """Has mail sent in the `with` block carry this: what another context sent, and this one hands on."""
    token = carried.set(value)
    try:
        yield
    finally:
        carried.reset(token)


class CarryingEnvelope(Envelope[Any]):
    """Mail that brings something along."""

    __slots__ = ("carried",)

    def __init__(self, plain: Envelope[Any], carried: Any) -> None:
        super().__init__(plain.message, plain.reply_to)
        self.carried = carried


def packed(envelope: Envelope[Any]) -> Envelope[Any]:
    """The envelope with what this context carries, itself where that is nothing. In the sender's context."""
    value = carried.get()
    return envelope if value is None or type(envelope) is CarryingEnvelope else CarryingEnvelope(envelope, value)


def brought_by(envelope: Envelope[Any], floor: Floor | None) -> Any:
    """What the handler of this mail runs with."""
    value = envelope.carried if type(envelope) is CarryingEnvelope else None
    return value if floor is None else floor(value)
