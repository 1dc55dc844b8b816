"""What an actor is at: the coroutine that runs, and the handler, in words."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from pykka.messages import ProxyCall, ProxyGetAttr, ProxySetAttr

from .mailbox import Envelope, Kill, Stop


class Work(NamedTuple):
    """A coroutine of the actor's that runs: its mail waits for it, and `waiting` for what it comes to. `what` it is, and `since` when."""

    task: asyncio.Task[Any]
    waiting: list[Envelope[Any]]
    what: str
    since: float


def work_of(actor: object, envelope: Envelope[Any] | None) -> str:
    """What it does with this mail, or without one at its start, for people."""
    message = envelope.message if envelope is not None else None
    if isinstance(message, ProxyCall | ProxyGetAttr | ProxySetAttr):
        what = ".".join(message.attr_path)
    elif isinstance(message, Stop | Kill):
        what = "on_stop()"
    else:
        what = "on_start()" if envelope is None else f"on_receive({type(message).__name__})"
    return f"{type(actor).__qualname__}.{what}"
