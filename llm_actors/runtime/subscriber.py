"""A subscriber of a topic: how a message reaches it, and what becomes of one that it can't take."""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, Self

import pykka
from pykka import ActorDeadError

from llm_actors.errors import LoopClosedError, MailboxFullError

from .carried import carried, carrying
from .dead_letters import dead_letter
from .ending import mortal
from .future import Future
from .loop import background, here, running

if TYPE_CHECKING:
    from .ending import Ending
    from .loop import Loop

logger = logging.getLogger("llm_actors.runtime")

BOUND = 1000
"""Messages that wait for a reader or a function."""
PAUSE = 0.05
"""Seconds until one whose mailbox was full is tried again."""


class Hearer(Protocol):
    """What a message is handed to. Any thread."""

    def hear(self, message: Any) -> Exception | None:
        """Takes it, or gives why not: MailboxFullError for now, ActorDeadError for good."""
        ...

    def watch(self, gone: Callable[[Any], object]) -> Callable[[], object] | None:
        """Has `gone()` called when it ends, where that can be noticed; gives what takes this back."""
        ...

    @property
    def loop(self) -> Loop:
        """Where another try is made."""
        ...


class Subscriber:
    """One subscription. Messages are handed to it one at a time; it tries again on its hearer's loop."""

    __slots__ = ("_backlog", "_bound", "_hearer", "_left", "_lock", "_observed", "_topic", "_unwatch", "_waits", "key")

    def __init__(self, topic: str, observed: Any, key: Any, hearer: Hearer, *, waits: bool, bound: int) -> None:
        self.key = key
        self._topic = topic
        self._observed = observed
        self._hearer = hearer
        self._waits = waits
        self._bound = bound
        self._backlog: deque[tuple[Any, Any]] = deque()  # with what their publishers' contexts carry
        self._lock = threading.RLock()
        self._left = False
        self._unwatch: Callable[[], object] | None = None

    def __str__(self) -> str:
        return f"a subscriber of topic {self._topic!r}: {self.key!r}"

    def _actor_observed(self) -> Any:
        """Whose observers hear of its dead letters."""
        return self._observed

    def begin(self, gone: Callable[[Ending], object]) -> None:
        """From now on: `gone()` is called when the hearer ends."""
        self._unwatch = self._hearer.watch(gone)

    def leave(self) -> None:
        """It is no subscriber any more: what it could not take is no longer tried."""
        with self._lock:
            if self._left:
                return
            self._left = True
            backlog = list(self._backlog)
            self._backlog.clear()
        if self._unwatch is not None:
            self._unwatch()
        for message, _ in backlog:
            dead_letter(self, message, "no longer subscribed")

    def take(self, message: Any) -> bool:
        """Hands a message on; False when it has ended."""
        with self._lock:
            if self._left:
                return True
            if self._backlog:
                return self._put_off(message)
        refused = self._offer(message)
        if refused is None:
            return True
        if isinstance(refused, MailboxFullError) and self._waits:
            with self._lock:
                first = not self._backlog
                self._put_off(message)
            return not first or self._try_later()
        dead_letter(self, message, str(refused))
        return not isinstance(refused, ActorDeadError)

    def _offer(self, message: Any) -> Exception | None:
        try:
            return self._hearer.hear(message)
        except Exception as error:  # a user's `hear`: the others have nothing to do with it
            logger.exception("%s raised", self)
            return error

    def _put_off(self, message: Any) -> bool:
        if len(self._backlog) < self._bound:
            self._backlog.append((message, carried.get()))
        else:
            dead_letter(self, message, f"{self._bound} messages wait for it")
        return True

    def _try_later(self) -> bool:
        try:
            loop = self._hearer.loop
            loop.post(loop.call_later, PAUSE, self._try_again)
        except LoopClosedError:
            return False
        return True

    def _try_again(self) -> None:
        while True:
            with self._lock:
                if not self._backlog:
                    return
                message, brought = self._backlog[0]
            with carrying(brought):
                refused = self._offer(message)
            if isinstance(refused, MailboxFullError):
                self._try_later()
                return
            with self._lock:
                if self._backlog:
                    self._backlog.popleft()
            if refused is not None:
                dead_letter(self, message, str(refused))


class RefHearer:
    """An actor of any kind."""

    def __init__(self, ref: Any) -> None:
        self._ref = ref

    def hear(self, message: Any) -> Exception | None:
        """See Hearer."""
        offer = getattr(self._ref, "offer", None)
        if offer is not None:
            refused: Exception | None = offer(message)
            return refused
        try:
            self._ref.tell(message)
        except ActorDeadError as error:
            return error
        return None

    def watch(self, gone: Callable[[Any], object]) -> Callable[[], object] | None:
        """See Hearer."""
        watched = mortal(self._ref)
        watched._actor_watch(gone)
        return lambda: watched._actor_unwatch(gone)

    @property
    def loop(self) -> Loop:
        """See Hearer."""
        loop: Loop | None = getattr(mortal(self._ref), "_actor_lives_on", None)
        return loop or here()


class ObjectHearer:
    """What has a `hear(message, answers)` and a `loop`: a conversation."""

    def __init__(self, target: Any, answers: Any) -> None:
        self._target = target
        self._answers = answers

    def hear(self, message: Any) -> Exception | None:
        """See Hearer."""
        refused: Exception | None = self._target.hear(message, self._answers)
        return refused

    def watch(self, gone: Callable[[Any], object]) -> Callable[[], object] | None:  # noqa: ARG002 - it says so when asked next
        """See Hearer."""
        return None

    @property
    def loop(self) -> Loop:
        """See Hearer."""
        loop: Loop = self._target.loop
        return loop


class Reader:
    """Reads a topic: `async for message in reader` on any loop, `for message in reader` in a thread; one at a time. Any thread.

    It subscribes until it is closed (`with topic.subscribe() as reader`), or dropped; then it ends.
    """

    def __init__(self, bound: int) -> None:
        self._loop = running()
        self._bound = bound
        self._messages: deque[Any] = deque()
        self._lock = threading.RLock()
        self._closed = False
        self._came: Future[None] | None = None
        self._leave: Callable[[], object] | None = None

    @property
    def loop(self) -> Loop:
        """See Hearer: where it was made, else the background loop."""
        return self._loop or background()

    def leaves(self, leave: Callable[[], object]) -> None:
        """What to call when it is closed."""
        self._leave = leave

    def take(self, message: Any) -> Exception | None:
        """As Hearer.hear."""
        with self._lock:
            if self._closed:
                return ActorDeadError("the reader is closed")
            if len(self._messages) >= self._bound:
                return MailboxFullError(f"{self._bound} messages wait for the reader")
            self._messages.append(message)
            came, self._came = self._came, None
        if came is not None:
            came.set(None)
        return None

    def close(self) -> None:
        """Reads what is there and no more."""
        with self._lock:
            self._closed = True
            came, self._came = self._came, None
        if came is not None:
            came.set(None)
        if self._leave is not None:
            self._leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    def __iter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while (came := self._next()) is not None:
            await came
        return self._pop(StopAsyncIteration)

    def __next__(self) -> Any:
        while (came := self._next()) is not None:
            came.get()
        return self._pop(StopIteration)

    def _next(self) -> Future[None] | None:
        """What to wait for; None when there is a message, or will be none."""
        with self._lock:
            if self._messages or self._closed:
                return None
            if self._came is None:
                self._came = Future()
            return self._came

    def _pop(self, end: type[Exception]) -> Any:
        with self._lock:
            if self._messages:
                return self._messages.popleft()
        raise end


class ReaderHearer:
    """A reader, for as long as somebody holds it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = weakref.ref(reader)

    @property
    def loop(self) -> Loop:
        """See Hearer."""
        reader = self._reader()
        return reader.loop if reader is not None else background()

    def hear(self, message: Any) -> Exception | None:
        """See Hearer."""
        reader = self._reader()
        return reader.take(message) if reader is not None else ActorDeadError("nobody reads any more")

    def watch(self, gone: Callable[[Any], object]) -> Callable[[], object] | None:
        """See Hearer."""
        reader = self._reader()
        if reader is None:
            return None
        last = weakref.finalize(reader, gone, None)
        last.atexit = False
        return last.detach


def hearer_of(topic: str, target: Any, answers: Any) -> Hearer:
    """How this target is reached. Raises TypeError for what can't be."""
    if isinstance(target, Reader):
        return ReaderHearer(target)
    if isinstance(target, pykka.ActorRef):
        return RefHearer(target)
    if hasattr(target, "hear"):
        return ObjectHearer(target, answers)
    msg = f"topic {topic!r} can't reach {target!r}: subscribe an actor's reference, a function or a conversation"
    raise TypeError(msg)
