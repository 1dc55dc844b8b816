"""The event log behind every response: what has arrived, in order, for any number of readers.

One writer, the conversation's loop; readers on any loop and in any thread, early or late. A reader brings its own wake-up, a
`runtime.Future`: an append wakes those who wait and nobody else, one wake-up for all that one network read brought. No lock: the writer
appends items before it takes the list of waiters, a reader joins that list before it looks again, so one of the two always sees the
other.

    open      items arrive
    sealed    the turn is over: no more items, `on_done` callbacks run; they may read
    released  the callbacks have had their turn: readers waiting for the end go on

What has arrived and what of it is text: arrivals.py. After the seal the items are folded: fold.py.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any

from llm_actors.errors import (
    ConversationCrashedError,
    DeadlockError,
    IncompleteAnswerError,
    LoopClosedError,
    ResponseCancelledError,
    TurnError,
)
from llm_actors.messages import Item, Message, TextPart, Usage
from llm_actors.runtime import Future, Loop

from .arrivals import Arrivals
from .history import CallRecord, History
from .log_wait import LogWait

if TYPE_CHECKING:
    from .callbacks import Callback
    from .model import AnyModel
    from .origin import Origin
    from .sent_prompt import SentPrompt
    from .subscription import Subscription

logger = logging.getLogger("llm_actors.chat")

_sealing = threading.Lock()
"""One for all logs: taken for a few instructions at a seal, a registration and a wait, never while anything runs."""

in_callback: ContextVar[EventLog | None] = ContextVar("llm_actors_in_callback", default=None)
"""The log whose on_done callback we are in: it may read before the release."""

ENDED_EARLY = frozenset({"length", "content_filter", "refusal"})


class EventLog(Arrivals):
    """See the head of this file. `origin` is the conversation that feeds it: it delivers unposted prompts and takes cancels."""

    __slots__ = (
        "__weakref__",
        "_end_waiters",
        "_inside",
        "_traceback",
        "_waiters",
        "callbacks",
        "chain",
        "detached",
        "error",
        "history",
        "id",
        "loop",
        "messages",
        "model",
        "origin",
        "prompt",
        "read",
        "records",
        "released",
        "sealed",
        "seconds",
        "started",
        "steers",
        "subscribers",
        "takes_over",
        "told_to_end",
    )

    def __init__(
        self,
        id: str,
        prompt: SentPrompt,
        model: AnyModel,
        origin: Origin | None,
        *,
        chain: bool = False,
        detached: bool = False,
    ) -> None:
        super().__init__()
        self.id = id
        self.prompt = prompt
        self.model = model
        self.origin = origin
        self.chain = chain
        self.detached = detached
        self.loop: Loop | None = None
        self.error: BaseException | None = None
        self.sealed = self.released = self.read = False
        self.told_to_end = False
        """A cancel is on its way to it."""
        self.takes_over = False
        """Its prompt ends the turn that runs (`when_busy="replace"`)."""
        self.records: Sequence[CallRecord] = ()
        self.messages: Sequence[Message] = ()
        self.history: History | None = None
        self.started: datetime | str = ""
        self.steers = False
        self.seconds = 0.0
        self.callbacks: tuple[Callback, ...] = ()
        self.subscribers: list[Subscription] = []
        self._waiters: list[Future[None]] = []
        self._end_waiters: list[Future[None]] = []
        self._inside: dict[Future[None], None] = {}
        self._traceback: Any = None

    # ---- the writer's side: the conversation's loop only --------------------------------------------------------------------

    def write(self, items: Iterable[Item]) -> None:
        """Appends what one read brought, and wakes who waits."""
        first = len(self._items)
        self.take(items)
        if self._waiters:
            self._wake()
        if self.subscribers:
            fresh = self._items[first:]
            for subscriber in list(self.subscribers):
                subscriber.items(first, fresh)

    def seal(self, error: BaseException | None, messages: list[Message], records: list[CallRecord]) -> list[Callback]:
        """The turn is over. Folds the items; only callbacks may read the end before `release()`. Gives the callbacks to start."""
        self.error = error
        self._traceback = error.__traceback__ if error is not None else None
        self.messages = messages
        self.records = records
        texts = [part.text for part in messages[-1].parts if isinstance(part, TextPart)] if messages else []
        self.fold(texts[0] if len(texts) == 1 else None)
        with _sealing:
            self.sealed = True
            callbacks, self.callbacks = list(self.callbacks), ()
        self._wake()
        return callbacks

    def release(self) -> None:
        """Lets the readers that wait for the end go on."""
        self.released = True
        subscribers, self.subscribers = self.subscribers, []
        for subscriber in subscribers:
            subscriber.end()
        waiters, self._end_waiters = self._end_waiters, []
        for waiter in waiters:
            _wake(waiter)
        self._wake()

    def _wake(self) -> None:
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                _wake(waiter)

    # ---- the readers' side: any thread, any loop ----------------------------------------------------------------------------

    def more(self, number: int) -> Future[None] | None:
        """None when there is something past `number` or no more will come; else a future, after which it is to be asked again."""
        self.deliver()
        if len(self) > number or self.sealed or self.over():
            return None
        waiter = LogWait(self, more=True)
        self._waiters.append(waiter)
        if len(self) > number or self.sealed:
            _wake(waiter)
        return waiter

    def end(self) -> Future[None] | None:
        """None when the turn is over and its callbacks have had their turn; else a future to wait for."""
        self.deliver()
        if self.over():
            return None
        waiter = LogWait(self, more=False)
        self._end_waiters.append(waiter)
        if self.over():
            _wake(waiter)
        return waiter

    def not_taken(self, error: BaseException) -> None:
        """The conversation can't take the prompt in any more: that is the turn's end. Any thread."""
        cause = error.__cause__
        known = isinstance(cause, LoopClosedError | ConversationCrashedError)
        self.seal(cause if known and cause is not None else error, [], [])
        self.release()

    def over(self) -> bool:
        """Whether the reader that asks may see the end."""
        loop = self.loop
        if loop is not None and not self.released and loop.closed:
            self._lost()
        return self.released or (self.sealed and in_callback.get() is self)

    def _lost(self) -> None:
        """The loop was closed under the turn, without its shutdown: whoever touches the log first ends it."""
        if self.origin is not None:
            self.origin.lost()
        if not self.sealed:
            self.seal(LoopClosedError("the event loop that worked on this response was closed"), [], [])
        if not self.released:
            self.release()

    def deliver(self) -> None:
        """Posts the prompt if it was written down while no loop ran."""
        if self.loop is None and not self.sealed and self.origin is not None:
            self.origin.deliver()

    async def wait(self, waiter: Future[None] | None) -> None:
        """Waits on what `more()` or `end()` gave. Cancelled while waiting, it gives the turn up if nobody else wants it."""
        if waiter is None:
            return
        try:
            self._inside[waiter] = None
            await waiter
        except BaseException as error:
            self._give_up(waiter, error)
            if not (
                isinstance(error, LoopClosedError) and self.over()
            ):  # with its loop, it has ended: how, is there to be read
                raise
        finally:
            self._inside.pop(waiter, None)

    def block(self, waiter: Future[None] | None) -> None:
        """The same from a thread: Ctrl-C while it waits gives the turn up."""
        if waiter is None:
            return
        try:
            self._inside[waiter] = None  # in here: Ctrl-C may strike at any step
            waiter.get()
        except BaseException as error:
            self._give_up(waiter, error)
            if not (
                isinstance(error, LoopClosedError) and self.over()
            ):  # with its loop, it has ended: how, is there to be read
                raise
        finally:
            self._inside.pop(waiter, None)

    async def ended(self) -> EventLog:
        """Waits for the end of the turn; gives the log itself."""
        await self.wait(self.end())
        return self

    def ended_blocking(self) -> EventLog:
        """The same from a thread."""
        self.block(self.end())
        return self

    async def checked(self) -> None:
        """Waits for the end of the turn; raises its error."""
        (await self.ended()).check()

    async def after(self, number: int) -> list[Item]:
        """Waits for items from this number on and gives the first of them; none when no more will come."""
        while (waiter := self.more(number)) is not None:
            await self.wait(waiter)
        return self.batch(number)

    def after_blocking(self, number: int, *, check: bool = False) -> list[Item]:
        """The same from a thread. `check`: raises the turn's error when no more will come."""
        while (waiter := self.more(number)) is not None:
            self.block(waiter)
        items = self.batch(number)
        if check and not items:
            self.ended_blocking().check()
        return items

    def _give_up(self, waiter: Future[None], error: BaseException) -> None:
        for waiters in (self._waiters, self._end_waiters):
            with contextlib.suppress(ValueError):
                waiters.remove(waiter)
        # A prompt that its sender could never have waited for is not answered behind its back: two conversations would go on asking each
        # other for ever. One that has begun, or is steered, may be of the very turn that the sender works for.
        circle = isinstance(error, DeadlockError) and not (self.started or self.steers)
        if (
            isinstance(error, Exception | GeneratorExit) and not circle
        ):  # it can't wait here, or was dropped: it only stops reading
            return
        with _sealing:
            self._inside.pop(waiter, None)
            lonely = not self.wanted
        if lonely and not (self.detached or self.sealed or self.origin is None):
            why = "the only task or thread that waited for this response was cancelled"
            if circle:
                why = "the only task or thread that waited for this response could only have waited for itself"
            self.origin.cancel(self, ResponseCancelledError(why), given_up=True)

    @property
    def wanted(self) -> bool:
        """Whether somebody waits: counted, not looked up among the waiters: one that was just woken and has not run yet waits too."""
        return bool(self.callbacks or self._inside or self.subscribers)

    def cancel(self, error: BaseException | None = None) -> EventLog:
        """Asks the turn to end; gives the log itself, whose end tells when nothing of it is left."""
        if not self.sealed and self.origin is not None:
            self.origin.cancel(self, error or ResponseCancelledError("the response was cancelled"))
        return self

    def on_done(self, callback: Callback) -> bool:
        """Registers a callback; False when the turn is over already, so that the caller runs it."""
        with _sealing:
            if not self.sealed:
                self.callbacks = (*self.callbacks, callback)
                return True
        return False

    # ---- what it came to ----------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises the turn's error if it has one: a partial answer is never handed out as a complete one (C3)."""
        self.read = True
        if self.error is not None:
            # The traceback it came with: each raise would else add its own frames to it, for as long as somebody reads.
            raise self.error.with_traceback(self._traceback)

    def check_whole(self, what: str) -> None:
        """Raises IncompleteAnswerError where the provider itself ended the answer early: it is complete as sent, but not `what`."""
        self.check()
        record = self.records[-1] if self.records else None
        if record is not None and (record.stop_reason in ENDED_EARLY or record.cut_calls):
            why = f"stop_reason {record.stop_reason!r}"
            text = f"the provider ended this answer early ({why}), so it is no whole {what}; text() has what it sent"
            raise IncompleteAnswerError(text)

    def usage(self) -> Usage:
        """The tokens of all model calls together."""
        total = Usage()
        for record in self.records:
            if record.usage is not None:
                total += record.usage
        return total

    def __del__(self) -> None:
        """A failure that nobody looked at is logged once, when nobody can any more."""
        error = getattr(self, "error", None)
        if error is not None and not self.read and not isinstance(error, TurnError):
            logger.error("response %s failed and nobody read it", self.id, exc_info=error)

    @property
    def began(self) -> str:
        """When the turn began: ISO 8601, UTC; empty where nobody knows. Written when asked for: that takes 0.8 us."""
        return self.started if isinstance(self.started, str) else self.started.isoformat()

    @property
    def last(self) -> CallRecord | None:
        """The record of the latest model call, if one has ended."""
        return self.records[-1] if self.records else None


def _wake(waiter: Future[None]) -> None:
    try:  # `suppress` takes 0.5 us, and each read wakes who waits
        waiter.set(None)
    except queue.Full:  # woken already, by the other of writer and reader
        return
