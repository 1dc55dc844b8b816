"""Ctrl-C: the first one cancels the answer, the second one leaves.

The first raises nothing where it strikes: an exception in the midst of a lock or a clean-up would leave that half done. It only asks
a thread of ours to cancel, and whoever waits for the answer sees it end. The second one is for an answer that does not end, as with a
tool that refuses to; a third ends the process on the spot.
"""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
from collections.abc import Callable, Generator

import llm_actors as llm


class Presses:
    """How often Ctrl-C was pressed in an `interrupt.caught()` block, and the answer that it cancels."""

    def __init__(self) -> None:
        self.came = 0
        self.leaving = False  # pressed again
        self._cancel: Callable[[], object] | None = None
        # SimpleQueue.put() may be called by a signal handler in the midst of another put(); no other means of the library is said to be so.
        self._asked: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()

    def cancel(self, response: llm.Response) -> llm.Response:
        """The answer that a press ends, also one that came before: a prompt is sent whole or not at all."""
        self._cancel = response.cancel
        if self.came:
            self._asked.put(self._cancel)
        return response

    def pressed(self, *_: object) -> None:
        """The signal handler. Raises `KeyboardInterrupt` from the second press on."""
        self.came += 1
        if self.came > 1:
            self.leaving = True
            last()
            raise KeyboardInterrupt
        if self._cancel is not None:
            self._asked.put(self._cancel)

    def work(self) -> None:
        """The thread's: carries out what was asked until `end()`."""
        while (cancel := self._asked.get()) is not None:
            cancel()

    def end(self) -> None:
        """The thread ends when it has done what was asked before."""
        self._asked.put(None)


@contextlib.contextmanager
def caught() -> Generator[Presses]:
    """One press in the block cancels its answer and is raised as `KeyboardInterrupt` at the block's end. Main thread."""
    presses = Presses()
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # ignored (`nohup`, `&`), or somebody else's
        yield presses
        return
    threading.Thread(target=presses.work, name="llm-actors-interrupt", daemon=True).start()
    signal.signal(signal.SIGINT, presses.pressed)
    try:
        yield presses
    finally:
        presses.end()
        if not presses.leaving:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if presses.came:
            raise KeyboardInterrupt


def last() -> None:
    """We are leaving: one more Ctrl-C ends the process at once, without a word from the interpreter's own clearing up. Main thread."""
    if signal.getsignal(signal.SIGINT) not in {signal.SIG_IGN, None}:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
