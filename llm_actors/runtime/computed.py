"""A value that is computed from futures, or by a user's hook, where it is first asked for, and once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any, TypeVar

import pykka
from pykka import Timeout

from .clock import lent, of_this_thread
from .loop import running
from .unit import waiting

T = TypeVar("T")

_UNSET: Any = object()


class Computed:
    """`compute` of the values of `sources`; without sources it is a get hook and is given a timeout. Any thread.

    The first value is kept. An exception is not, as in Pykka: who asks again, has it computed again.
    """

    __slots__ = ("_compute", "_lock", "_sources", "_value")

    def __init__(self, sources: Sequence[pykka.Future[Any]] | None, compute: Callable[..., Any]) -> None:
        self._sources = sources
        self._compute = compute
        self._lock = threading.RLock()
        self._value = _UNSET

    def done(self) -> bool:
        """Whether the value is here."""
        return self._value is not _UNSET

    def get(self, timeout: float | None) -> Any:
        """The value; blocks the thread, for up to `timeout` seconds and what the computing takes."""
        deadline = None if timeout is None else of_this_thread().monotonic() + timeout
        if self._value is _UNSET:
            values = (
                (timeout,) if self._sources is None else [one.get(timeout=_left(deadline)) for one in self._sources]
            )
            left = _left(deadline)
            if not self._lock.acquire(timeout=-1 if left is None else left):
                msg = f"{timeout} seconds"
                raise Timeout(msg)
            try:
                self._keep(values)
            finally:
                self._lock.release()
        return self._value

    async def wait(self, in_thread: Callable[[Callable[[], Any]], pykka.Future[Any]]) -> Any:
        """The value, without blocking the loop. `in_thread` runs a call elsewhere: a user's hook, and futures that can't be awaited."""
        if self._value is _UNSET and self._sources is None:
            return await in_thread(lambda: self.get(None))
        if self._value is _UNSET:
            assert self._sources is not None
            values = [await (one if _is_awaitable(one) else in_thread(one.get)) for one in self._sources]
            if not self._lock.acquire(blocking=False):  # a thread is computing it
                return await in_thread(lambda: self.get(None))
            try:
                self._keep(values)
            finally:
                self._lock.release()
        return self._value

    def _keep(self, values: Sequence[Any]) -> None:
        if self._value is _UNSET:
            self._value = self._compute(*values)


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - of_this_thread().monotonic())


def _is_awaitable(future: pykka.Future[Any]) -> bool:
    """Pykka's own can be awaited, but block the loop meanwhile."""
    return type(future).__await__ is not pykka.Future.__await__


def call_in_thread(call: Callable[[], Any], answer: pykka.Future[Any], name: str = "llm_actors get hook") -> None:
    """Makes the call in a daemon thread of its own, in a copy of this context, and sets what it gives or raises."""
    context = copy_context()
    context.run(waiting.set, None)  # the one who waits for the answer says so

    def run() -> None:
        try:
            value = context.run(call)
        except BaseException:  # noqa: BLE001 - the thread exists for this call: all it raises is for who asked
            answer.set_exception()
        else:
            answer.set(value)

    loop = running() or lent.loop
    if loop is not None and loop.steps is not None:
        loop.steps.start(run, name)
    else:
        threading.Thread(target=run, name=name, daemon=True).start()
