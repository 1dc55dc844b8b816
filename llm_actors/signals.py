"""Signals that shut a system down: the first drains, the second cancels at once, and after that they do again what they did before.

An asyncio program takes them on its loop where the loop can (`add_signal_handler`), so that one wakes it; elsewhere (Windows) and in a
program without a loop by Python's own handler, which runs between two instructions of the main thread: what it does takes no lock that
thread could be holding, and waits for nothing.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from functools import partial
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from llm_actors.errors import LoopClosedError
from llm_actors.runtime import Future, Loop, running

if TYPE_CHECKING:
    from .actor_system import ActorSystem
    from .shutdown import ShutdownReport


class ShutdownSignals:
    """Signals that a system listens to, from its making until `restore()`, the end of its `with` block, or the system's end.

    `received`: the names of those that came. `report`: a future, there when the shutdown that a signal began has ended: `await` it, or
    block with `.get()`, in a program that is to run until it is told to stop.
    """

    def __init__(self, system: ActorSystem, signals: tuple[int, ...], drain: float) -> None:
        self.received: list[str] = []
        self.report: Future[ShutdownReport] = Future()
        self._system = system
        self._drain = drain
        self._loop = running()
        self._undo: list[Callable[[], object]] = []
        for number in signals:
            try:
                self._undo.append(_taken(self._loop, number, self._came))
            except (
                ValueError,
                OSError,
                RuntimeError,
            ) as error:  # three words for one thing: another thread, or no such signal
                self.restore()
                msg = f"signal {number} can't be taken here: {error}. Call shutdown_on_signal() in the main thread"
                raise ValueError(msg) from None

    def _came(self, number: int, _frame: FrameType | None = None) -> None:
        """A signal. In the main thread, on its loop where it has one."""
        self.received.append(signal.Signals(number).name)
        if len(self.received) == 1:
            self._system.shutdown(self._drain).add_done_callback(self._ended)
            return
        over = self.report.done()
        self._system.shutdown(0.0)
        self.restore()
        if over:  # it is no more for the system
            signal.raise_signal(number)

    def _ended(self, report: Future[ShutdownReport]) -> None:
        if self._loop is not None:
            with contextlib.suppress(LoopClosedError):
                self._loop.post(self._tell, report)
                return
        self.report.set(report.get(timeout=0))

    def _tell(self, report: Future[ShutdownReport]) -> None:
        self.restore()
        self.report.set(report.get(timeout=0))

    def restore(self) -> None:
        """The signals do again what they did before. Idempotent. Not in any thread: in the main one only, as Python has it."""
        while self._undo:
            self._undo.pop()()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()


def _taken(loop: Loop | None, number: int, came: Callable[..., object]) -> Callable[[], object]:
    """Has `came(number)` called; gives what undoes it. Raises ValueError, OSError, RuntimeError."""
    before = signal.getsignal(number)
    back = partial(signal.signal, number, signal.SIG_DFL if before is None else before)
    if loop is None:
        signal.signal(number, came)
        return back
    asyncio_loop = loop.asyncio_loop
    own: Any = getattr(asyncio_loop, "_signal_handlers", {}).get(
        number
    )  # the program's own, there: asyncio has no other name for it
    try:
        asyncio_loop.add_signal_handler(number, came, number)
    except NotImplementedError:  # as on Windows: by Python's own, which has to wake the loop
        signal.signal(number, lambda *_: loop.call_from_signal(came, number))
        return back

    def undo() -> None:
        if asyncio_loop.is_closed():  # which has taken back all of its own
            back()
            return
        asyncio_loop.remove_signal_handler(number)
        if own is not None:
            asyncio_loop.add_signal_handler(number, own._callback, *own._args)  # noqa: SLF001 - as above
        else:
            back()

    return undo
