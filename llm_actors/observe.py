"""Records of what happened, and the Observer that gets them.

Records are frozen values in the past tense; the code that makes them does not know who listens. `now` is the monotonic clock of the
loop, in seconds. An observer is any callable; it is called on the loop, so it returns at once; what it raises is logged, never passed on.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag=True):
    """Something that happened."""

    now: float


class TurnRecord(Record, frozen=True, kw_only=True):
    """Something that happened in a turn: `conversation` and `response` are their ids."""

    conversation: str
    response: str


class PromptQueued(TurnRecord, frozen=True, kw_only=True):
    """A prompt was taken in; `waiting` are ahead of it."""

    waiting: int


class TurnStarted(TurnRecord, frozen=True, kw_only=True):
    """A turn's prompt reached the head of its conversation."""


class PromptsJoined(TurnRecord, frozen=True, kw_only=True):
    """Prompts that waited are answered together, by the turn `response`; `joined` are their ids, in order."""

    joined: list[str]


class TurnSteered(TurnRecord, frozen=True, kw_only=True):
    """A turn took in what was steered into it; `steers` are the ids of the responses that were promised for it."""

    steers: list[str]


class RoundStarted(TurnRecord, frozen=True, kw_only=True):
    """A model call was sent."""

    round: int
    model: str


class RoundEnded(TurnRecord, frozen=True, kw_only=True):
    """A model call ended complete."""

    round: int
    input_tokens: int | None = None
    output_tokens: int | None = None
    stop_reason: str | None = None


class RoundFailed(TurnRecord, frozen=True, kw_only=True):
    """A model call failed."""

    round: int
    error: str


class ModelReplaced(TurnRecord, frozen=True, kw_only=True):
    """The turn went on with another model, because of `error`."""

    model: str
    error: str


class HistoryCompacted(TurnRecord, frozen=True, kw_only=True):
    """The history was made shorter, because of `error`: from `before` messages to `after`."""

    error: str
    before: int
    after: int


class ToolStarted(TurnRecord, frozen=True, kw_only=True):
    """A tool call began to run, or to wait for a worker."""

    tool: str
    tool_call_id: str | None


class ToolEnded(TurnRecord, frozen=True, kw_only=True):
    """A tool call was answered; `error` is the exception's text if it failed."""

    tool: str
    tool_call_id: str | None
    error: str | None = None


class TurnFinished(TurnRecord, frozen=True, kw_only=True):
    """A turn ended; `error` is None for an answer."""

    rounds: int
    error: str | None = None


class ConversationCrashed(Record, frozen=True, kw_only=True):
    """A conversation's actor failed by a defect. `waiting` prompts go on; or, where `restarted` is false, are answered with the error."""

    conversation: str
    error: str
    waiting: int
    restarted: bool


class CallbackFailed(TurnRecord, frozen=True, kw_only=True):
    """An `on_done` callback raised."""

    error: str


class ToolAbandoned(Record, frozen=True, kw_only=True):
    """A sync tool ran past its timeout or its turn was cancelled: its thread was set aside. `abandoned` are out there now."""

    tool: str
    thread: str
    abandoned: int


class ToolReturned(Record, frozen=True, kw_only=True):
    """An abandoned tool came back after all; its outcome went nowhere."""

    tool: str
    thread: str
    abandoned: int


class LoopStalled(Record, frozen=True, kw_only=True):
    """A step of users' code, `what`, held the event loop for `seconds`: the longest of `times` since it was last told of."""

    what: str
    seconds: float
    times: int = 1


class DeadLetter(Record, frozen=True, kw_only=True):
    """Mail that nobody could take."""

    actor: str
    message: str
    reason: str


Observer: TypeAlias = Callable[[Record], None]
"""Gets each record, on the loop."""


class Observed(Protocol):
    """What the layers below know of observers: a place to hand a record to."""

    def observe(self, record: Record) -> None:
        """Hands the record to all observers."""
