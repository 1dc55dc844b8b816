"""Ctrl-C, kept away from the few steps that must not be cut in two."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Generator


@contextlib.contextmanager
def held() -> Generator[None]:
    """A Ctrl-C inside the block is raised at its end: a prompt is sent whole or not at all. Main thread."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # ignored (`nohup`, `&`), or somebody else's
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if came:
            raise KeyboardInterrupt


def last() -> None:
    """We are leaving: one more Ctrl-C ends the process at once, without a word from the interpreter's own clearing up. Main thread."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
