"""Topics: what is published under a name goes to all who subscribed, in one order.

    subscribers   actors of any kind by their references; functions, `def` or `async def`, called one message at a time on the loop they
                  subscribed on; readers (`async for message in topic.subscribe()`, `for` in threads); what has a `hear`: a conversation
    order         the same for all subscribers, and each publisher's own
    full          "drop": the message is a dead letter with the reason; "wait": it is tried again, with those behind it, up to `bound`
    dead          forgotten

A topic lives on no thread and no loop: a message is handed on in the publisher's thread, by whoever publishes at that moment. One that
nobody holds and nobody subscribed to is gone.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeAlias, get_args, overload

import pykka

from .actor import Actor
from .carried import carried, carrying
from .loop import here
from .subscriber import BOUND, Reader, Subscriber, hearer_of

logger = logging.getLogger("llm_actors.runtime")

WhenFull: TypeAlias = Literal["drop", "wait"]
Held: TypeAlias = Callable[["Topic", bool], object]


class Topic:
    """See the head of this file. Any thread. Two of one name in one system are the same; made by `system.topic(name)`."""

    __slots__ = ("__weakref__", "_held", "_lock", "_observed", "_queue", "_sending", "_subscribers", "name")

    def __init__(self, name: str, held: Held | None = None, observed: Any = None) -> None:
        self.name = name
        self._observed = observed
        self._held = held  # told when the first subscriber comes and when the last has gone
        self._lock = threading.RLock()  # held for a few instructions, never while a message is handed on
        self._queue: deque[tuple[Any, Any, Any]] = deque()  # message, sender, and what its publisher's context carries
        self._sending = False
        self._subscribers: dict[Any, Subscriber] = {}

    def __repr__(self) -> str:
        return f"<Topic {self.name!r} {len(self._subscribers)} subscribers>"

    # ---- publishing -------------------------------------------------------------------------------------------------

    def publish(self, message: Any, *, sender: Any = None) -> None:
        """Sends a message to all subscribers but the `sender`, if that is one. Returns when it is handed on, or is in line to be."""
        with self._lock:
            self._queue.append((message, sender, carried.get()))
            if self._sending:  # by another thread, or further up in this one: it is next
                return
            self._sending = True
        try:
            while self._hand_on():
                pass
        except BaseException:  # Ctrl-C: the next to publish goes on
            self._sending = False
            raise

    def _hand_on(self) -> bool:
        """Hands on the first in line; False when there is none."""
        with self._lock:
            if not self._queue:
                self._sending = False
                return False
            message, sender, brought = self._queue.popleft()
            subscribers = [one for target, one in self._subscribers.items() if sender is None or target != sender]
        with carrying(brought):
            for subscriber in subscribers:
                if not subscriber.take(message):
                    self._drop(subscriber)
        return True

    def tell(self, message: Any) -> None:
        """As `publish()`: so that `response.subscribe(topic)` publishes its events."""
        self.publish(message)

    # ---- subscribing ------------------------------------------------------------------------------------------------

    @overload
    def subscribe(self, *, when_full: WhenFull = "drop", bound: int = BOUND) -> Reader: ...

    @overload
    def subscribe(
        self, target: Any, *, when_full: WhenFull = "drop", bound: int = BOUND, answers: Topic | None = None
    ) -> None: ...

    def subscribe(
        self, target: Any = None, *, when_full: WhenFull = "drop", bound: int = BOUND, answers: Topic | None = None
    ) -> Reader | None:
        """Has `target` get what is published from now on; without one gives a Reader of it. Again changes how it is done.

        `bound`: messages that wait for a reader or a function, or to be tried again. `answers`: where the answers of a conversation are
        published. Raises TypeError for what can't subscribe, ValueError.
        """
        if when_full not in get_args(WhenFull) or bound < 1:
            msg = f"when_full is one of {', '.join(get_args(WhenFull))} and bound at least 1, not {when_full!r} and {bound!r}"
            raise ValueError(msg)
        reader = Reader(bound) if target is None else None
        key = target if reader is None else weakref.ref(reader)
        hearer = hearer_of(self.name, reader if reader is not None else self._listener(target, bound), answers)
        subscriber = Subscriber(self.name, self._observed, key, hearer, waits=when_full == "wait", bound=bound)
        with self._lock:
            replaced, self._subscribers[key] = self._subscribers.get(key), subscriber
            if self._held is not None and replaced is None and len(self._subscribers) == 1:
                self._held(self, True)
        if replaced is not None:
            replaced.leave()
        subscriber.begin(partial(_forget, weakref.ref(self), subscriber))
        if reader is not None:
            reader.leaves(partial(_forget, weakref.ref(self), subscriber))
        return reader

    @staticmethod
    def _listener(target: Any, bound: int) -> Any:
        if isinstance(target, pykka.ActorRef) or hasattr(target, "hear") or not callable(target):
            return target
        return Listener.start_on(here(), target, bound).actor_ref

    def unsubscribe(self, target: Any) -> bool:
        """Nothing published from now on goes there; False when it was no subscriber."""
        with self._lock:
            subscriber = self._subscribers.get(weakref.ref(target) if isinstance(target, Reader) else target)
        return subscriber is not None and self._drop(subscriber)

    def _drop(self, subscriber: Subscriber) -> bool:
        with self._lock:
            if self._subscribers.get(subscriber.key) is not subscriber:
                return False
            del self._subscribers[subscriber.key]
            if self._held is not None and not self._subscribers:
                self._held(self, False)
        subscriber.leave()
        return True

    @property
    def subscribers(self) -> int:
        """How many there are."""
        return len(self._subscribers)


def _forget(topic: weakref.ref[Topic], subscriber: Subscriber, *_: Any) -> None:
    there = topic()
    if there is not None:
        there._drop(subscriber)


class Listener(Actor):
    """Calls a function for each message, one at a time. What it raises is logged."""

    registered = False

    def __init__(self, function: Callable[[Any], Any], bound: int) -> None:
        super().__init__()
        self._function = function
        self.mailbox_bound = bound

    def on_receive(self, message: Any) -> Any:
        """Calls it."""
        try:
            value = self._function(message)
        except Exception:
            logger.exception("a subscriber of a topic raised: %r", self._function)
            return None
        return self._await(value) if hasattr(value, "__await__") else None

    async def _await(self, value: Any) -> None:
        try:
            await value
        except Exception:
            logger.exception("a subscriber of a topic raised: %r", self._function)


class Topics:
    """The topics of a system, by name: held while they have subscribers, or by whoever uses them. Any thread.

    `observed`: the system, whose observers hear of dead letters.
    """

    def __init__(self, observed: Any = None) -> None:
        self._observed = observed
        self._lock = threading.RLock()
        self._known: weakref.WeakValueDictionary[str, Topic] = weakref.WeakValueDictionary()
        self._subscribed: dict[str, Topic] = {}

    def topic(self, name: str) -> Topic:
        """The topic of this name."""
        with self._lock:
            topic = self._known.get(name)
            if topic is None:
                topic = self._known[name] = Topic(name, self._hold, self._observed)
            return topic

    def _hold(self, topic: Topic, subscribed: bool) -> None:
        if subscribed:
            self._subscribed[topic.name] = topic
        else:
            self._subscribed.pop(topic.name, None)
