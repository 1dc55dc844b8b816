"""What a program knows of a response, a conversation, a reader: written down by the world and the taps, judged by the invariants."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import llm_actors as llm
from llm_actors.runtime import ActorDeadError

if TYPE_CHECKING:
    from .answers import Answer
    from .program import Talk
    from .world import World


CUT_OFF = (llm.ConversationCrashedError, llm.LoopClosedError, ActorDeadError)


class Broken(BaseException):
    """A promise is broken. A BaseException: nothing that the program bears or the library catches is to swallow it."""

    def __init__(self, promise: str, what: str) -> None:
        super().__init__(f"{promise}: {what}")
        self.promise = promise
        self.what = what


class Talking:
    """A conversation."""

    def __init__(self, number: int, talk: Talk, conversation: Any) -> None:
        self.number = number
        self.talk = talk
        self.conversation = conversation
        self.sent: list[Seen] = []
        self.refused: list[tuple[Seen, Exception]] = []
        self.cancels = self.crashes = False
        """Whether somebody has cancelled something of it, or made it fail."""
        self.head: Any = None
        self.due: list[float] = []
        """When deadlines of groups that its prompts were sent in had come."""
        self.past: set[str] = set()
        """Names of prompts whose answers it began with: it is a fork."""
        self.others: set[str] = set()
        """Names of prompts of other conversations that may be in its history."""
        self.forks: list[Talking] = []
        self.merged = False
        self.started: list[Seen] = []

    def unposted(self) -> list[Seen]:
        """What waits for a loop."""
        logs = [mail.log for mail in self.conversation._unposted]
        return [seen for seen in self.sent if seen.log in logs]

    def __repr__(self) -> str:
        return f"conversation {self.number} ({self.talk.model}, {self.talk.when_busy})"


class Count:
    """What was counted of a log: how often it was ended, when, and with what in it."""

    def __init__(self) -> None:
        self.seals = self.releases = 0
        self.queued_at: float | None = None
        self.sealed_at = self.released_at = 0.0
        self.items: list[Any] = []


class Seen:
    """A response: `kind` is prompt, chain, steer or resume."""

    def __init__(
        self, name: str, talking: Talking, answer: Answer, kind: str, sent_at: float, timeout: float | None
    ) -> None:
        self.name = name
        self.number = int(name[1:])
        self.talking = talking
        self.answer = answer
        self.kind = kind
        self.sent_at = sent_at
        self.timeout = timeout
        self.budget: int | None = None
        self.told = False
        """It was sent as a message to the actor."""
        self.log: Any = None
        self.count = Count()
        self.calls = self.answering = 0
        self.callbacks: list[list[float]] = []
        self.silent: tuple[int, int] | None = None
        """Events and history entries at the moment when its cancel had returned."""

    @property
    def sealed(self) -> bool:
        return self.count.seals > 0

    @property
    def released(self) -> bool:
        return self.count.releases > 0

    @property
    def error(self) -> BaseException | None:
        return self.log.error if self.log is not None else None

    def entries(self) -> int:
        """How many entries of its history are its own."""
        link, count = self.talking.conversation._history.head, 0
        while link is not None:
            count += link.entry.turn == self.log.id
            link = link.before
        return count

    def silence(self, world: World) -> None:
        """Its cancel has returned."""
        if self.sealed and (self.error is None or isinstance(self.error, CUT_OFF)):
            return  # it was complete before, or its actor failed: then nothing is waited for, and the cancel had nothing to do
        if not self.released:
            world.broken("C5", f"the cancel of {self.name} returned before it had ended")
        if self.answering:
            world.broken("C5", f"the cancel of {self.name} returned while its model is at work")
        running = [call for call in world.on_loop if call.startswith(f"{self.name}.")]
        if running:
            world.broken("C5", f"the cancel of {self.name} returned while its tools are at work: {running}")
        self.silent = (len(self.log), self.entries())

    def expect_callback(self, world: World) -> Callable[[], None]:
        """A callback is registered; gives what it calls."""
        calls: list[float] = []
        if self.log.error is None or not self.log.sealed:
            self.callbacks.append(calls)

        def called() -> None:
            calls.append(world.now)
            if self.log.error is not None:
                world.broken("C5", f"a callback of {self.name} was called, which ended with {self.log.error!r}")
            if not self.log.sealed:
                world.broken("C4", f"a callback of {self.name} was called before its end")

        return called

    def __repr__(self) -> str:
        return f"{self.name} of {self.talking}"


class Reader:
    """One reading of a response."""

    def __init__(self, seen: Seen, how: str) -> None:
        self.seen = seen
        self.how = how
        self.after = 0
        self.items: list[Any] = []
        self.text: str | None = None
        self.error: Exception | None = None
        self.done = self.gone = False
