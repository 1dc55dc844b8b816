"""An actor that is slower than what it is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import llm_actors as llm

if TYPE_CHECKING:
    from .seen import Seen


class Subscriber(llm.Actor):
    """Keeps the events it gets."""

    registered = False

    def __init__(self, seen: Seen, mailbox: int) -> None:
        super().__init__()
        self.seen = seen
        self.mailbox_bound = mailbox
        self.events: list[Any] = []

    async def on_receive(self, message: Any) -> None:
        self.events += message if isinstance(message, list) else [message]
        await asyncio.sleep(0.01)
