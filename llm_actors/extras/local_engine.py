"""The embedded engine as a server that is started for us: when to start it, who may use it, when to end it.

    above it   local.py hands it to an Endpoint; the pump calls acquire() and release() around each model call
    below it   local_process.py (one child process), local_slots.py (the line in front of it)

There is one engine for each GGUF file in the process, shared by all loops and conversations. After a fork the copy starts its own.

threading: one lock for the state, and for each child a thread that waits for its idle time; the work of starting a process must not
be done on a loop.
"""

import atexit
import os
import threading
import weakref
from collections import deque
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from llm_actors.errors import EngineError, ModelError
from llm_actors.messages import Secret
from llm_actors.runtime import Timeout
from llm_actors.runtime.clock import Clock, SystemClock

from .local_process import EngineProcess, Settings
from .local_slots import Slots

INTENSITY = 3
"""How many restarts are allowed within `PERIOD` seconds."""

PERIOD = 60.0

_lease: ContextVar["tuple[Engine, EngineProcess] | None"] = ContextVar("llm_actors local lease", default=None)
"""The child that this task's call goes to: a later one may run by the time the call fails."""


_all: "weakref.WeakSet[Engine]" = weakref.WeakSet()


class Engine:
    """A local model behind an OpenAI wire on loopback; a `providers.protocol.Server`. Any thread, any loop.

    `idle`: seconds without a call after which the child is ended (None: never); `load_timeout`: seconds until it must have loaded.
    """

    def __init__(
        self, settings: Settings, *, idle: float | None = 300.0, load_timeout: float = 120.0, clock: Clock | None = None
    ) -> None:
        self.settings = settings
        self.idle = idle
        self.load_timeout = load_timeout
        self._clock: Clock = (
            clock or SystemClock()
        )  # a child process lives in real time, whatever time its callers live in
        self._clear()
        _all.add(self)

    def _clear(self) -> None:
        self._changed = threading.Condition()
        self.slots = Slots(self.settings.slots)
        self._users = 0
        self._idle_since = 0.0
        self._process: EngineProcess | None = None
        self._last: EngineProcess | None = None
        self._crashes: deque[float] = deque()

    @property
    def pid(self) -> int | None:
        """The number of the child process, if one runs."""
        process = self._process
        return None if process is None else process.pid

    async def acquire(self) -> tuple[str, Secret | None]:
        """The base URL and key of the running engine, started if need be, once a slot is free. Raises `EngineError`.

        Any loop. Each `acquire()` that returned needs its `release()`; one that raised or was cancelled needs none.
        """
        self._enter()
        try:
            await self.slots.acquire()
        except BaseException:
            self._leave()
            raise
        try:
            process = self._running()
            await process.answered
            process.check()
        except BaseException:
            self.release()
            raise
        _lease.set((self, process))
        return f"{process.address}/v1", process.key

    def release(self) -> None:
        """The call is over: its slot goes to the next in line."""
        _lease.set(None)
        self.slots.release()
        self._leave()

    def died(self) -> ModelError | None:
        """Why the child that this task's call went to is gone; None if it is not.

        A killed child's sockets close a moment before its end is seen: ask again after a few milliseconds.
        """
        lease = _lease.get()
        process = lease[1] if lease is not None and lease[0] is self else self._process or self._last
        if process is None or not process.gone.is_set():
            return None
        return EngineError(process.error or "the local engine is gone")

    def stop(self) -> None:
        """Ends the child, if one runs, and waits until it is gone; calls in flight fail. The next `acquire()` starts a new one."""
        with self._changed:
            process, self._process = self._process, None
            self._last = process or self._last
            self._changed.notify_all()
        if process is not None:
            process.stop()

    def forget(self) -> None:
        """In a forked copy of the process: the child is the parent's, the locks may be held by threads that are not here."""
        for process in {self._process, self._last} - {None}:
            if process is not None:
                process.forget()
        self._clear()

    def __repr__(self) -> str:
        return f"Engine({self.settings.alias!r}, slots={self.settings.slots}, pid={self.pid})"

    def _enter(self) -> None:
        with self._changed:
            self._users += 1

    def _leave(self) -> None:
        with self._changed:
            self._users -= 1
            if self._users == 0:
                self._idle_since = self._clock.monotonic()
                self._changed.notify_all()

    def _running(self) -> EngineProcess:
        """The child, started if there is none. Raises `EngineError` when it has crashed too often."""
        with self._changed:
            if self._process is not None and self._process.error is None:
                return self._process
            if not self.settings.model.is_file():
                msg = f"the local engine of {self.settings.alias} has no model: there is no file {self.settings.model}"
                raise EngineError(msg)
            self._check_intensity()
            process = EngineProcess(self.settings, self._gone)
            try:
                process.start()
                threading.Thread(target=self._watch, args=(process,), name=f"{self!r} idle", daemon=True).start()
            except RuntimeError as error:
                msg = f"the local engine can't be started any more: {error}"
                raise EngineError(msg) from error
            self._process = process
            return process

    def _check_intensity(self) -> None:
        now = self._clock.monotonic()
        while self._crashes and self._crashes[0] <= now - PERIOD:
            self._crashes.popleft()
        if len(self._crashes) > INTENSITY:
            left = self._crashes[0] + PERIOD - now
            reason = "" if self._last is None else f" The last time: {self._last.error}"
            msg = (
                f"the local engine of {self.settings.alias} failed {len(self._crashes)} times within {PERIOD:.0f} s"
                f" and is not started again for another {left:.0f} s.{reason}"
            )
            raise EngineError(msg)

    def _gone(self, process: EngineProcess) -> None:
        with self._changed:
            self._last = process
            if self._process is process:
                self._process = None
            if not process.stopping:
                self._crashes.append(self._clock.monotonic())
            self._changed.notify_all()

    def _watch(self, process: EngineProcess) -> None:
        """The thread beside a child: ends it when it does not load, and when nobody has used it for a while."""
        try:
            process.answered.get(timeout=self.load_timeout)
        except Timeout:
            process.stop(f"it did not load within {self.load_timeout:g} s")
            return
        with self._changed:
            while self._process is process:
                left = self._idle_left()
                if left is not None and left <= 0:
                    self._process = None
                    break
                self._changed.wait(left)
            else:
                return
        process.stop("it was idle")

    def _idle_left(self) -> float | None:
        if self._users or self.idle is None:
            return None
        return self._idle_since + self.idle - self._clock.monotonic()


_engines: dict[Settings, Engine] = {}
_engines_lock = threading.Lock()


def engine_of(model: Path, alias: str, **settings: Any) -> Engine:
    """The engine of this GGUF file; one in the process, whoever asks. `settings`: more fields of `Settings`. Any thread."""
    wanted = Settings(model.expanduser().resolve(), alias, **settings)
    with _engines_lock:
        engine = _engines.get(wanted)
        if engine is None:
            engine = _engines[wanted] = Engine(wanted)
        return engine


def stop_all() -> None:
    """Ends the children of all engines; runs by itself at exit. Any thread."""
    for engine in list(_all):
        engine.stop()


def _forked() -> None:
    global _engines_lock  # noqa: PLW0603 - the old one may be held by a thread that is not here
    _engines_lock = threading.Lock()
    for engine in list(_all):
        engine.forget()


atexit.register(stop_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
