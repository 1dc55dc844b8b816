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


class Sender(msgspec.Struct, frozen=True):
    """The turn that a prompt was sent from: ids of its conversation, response and, if it was a tool, tool call."""

    conversation: str
    response: str
    tool_call_id: str | None = None


class PromptQueued(TurnRecord, frozen=True, kw_only=True):
    """A prompt was taken in; `waiting` are ahead of it."""

    waiting: int


class PromptRefused(TurnRecord, frozen=True, kw_only=True):
    """A prompt was not taken: mailbox full, conversation busy or closed, system shut down. `error` is what `prompt()` raised."""

    error: str


class TurnStarted(TurnRecord, frozen=True, kw_only=True):
    """A turn's prompt reached the head of its conversation.

    What it inherited: `parent` is the turn that sent it, `group` the innermost group, `trace` such as W3C `traceparent` and `baggage`.
    """

    parent: Sender | None = None
    group: str | None = None
    tenant: str | None = None
    priority: int = 0
    trace: dict[str, str] = {}


class PromptsJoined(TurnRecord, frozen=True, kw_only=True):
    """Prompts that waited are answered together, by the turn `response`; `joined` are their ids, in order."""

    joined: list[str]


class TurnSteered(TurnRecord, frozen=True, kw_only=True):
    """A turn took in what was steered into it; `steers` are the ids of the responses that were promised for it."""

    steers: list[str]


class TurnCancelled(TurnRecord, frozen=True, kw_only=True):
    """A turn, queued or running, was told to end: `error` says by whom or what, `state` what it was at. TurnFinished says when it had."""

    state: str
    error: str


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


class RequestRepeated(TurnRecord, frozen=True, kw_only=True):
    """A model call's request was sent once more, over a new connection: the one that was kept had been closed by the server."""

    round: int


class ModelReplaced(TurnRecord, frozen=True, kw_only=True):
    """The turn went on with another model, because of `error`."""

    model: str
    error: str


class HistoryCompacted(TurnRecord, frozen=True, kw_only=True):
    """The history was made shorter, because of `error`, or (None) ahead of a call: from `before` messages to `after`."""

    error: str | None
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


class ToolRefused(Record, frozen=True, kw_only=True):
    """A tool was not called: `error` is the result that the model reads (calls of it hang, no thread, the end of the loop)."""

    tool: str
    error: str


class GroupStarted(Record, frozen=True, kw_only=True):
    """A group was entered; `outer` is the one around it."""

    group: str
    outer: str | None = None


class GroupEnded(Record, frozen=True, kw_only=True):
    """A group was left, and nothing of it runs. What its model calls spent; `error` is what left it, if it was not its end."""

    group: str
    requests: int
    input_tokens: int
    output_tokens: int
    cost: float
    error: str | None = None


class TurnFinished(TurnRecord, frozen=True, kw_only=True):
    """A turn ended; `error` is None for an answer."""

    rounds: int
    error: str | None = None


class ConversationBound(Record, frozen=True, kw_only=True):
    """A conversation is at work on this loop from now on: at its first prompt, or when the loop it was on has ended."""

    conversation: str
    loop: str


class ConversationClosed(Record, frozen=True, kw_only=True):
    """A conversation takes no more prompts: `close()` was called."""

    conversation: str


class ConversationCrashed(Record, frozen=True, kw_only=True):
    """A conversation's actor failed by a defect. `waiting` prompts go on; or, where `restarted` is false, are answered with the error."""

    conversation: str
    error: str
    waiting: int
    restarted: bool


class CallbackFailed(TurnRecord, frozen=True, kw_only=True):
    """An `on_done` callback raised."""

    error: str


class CallbacksAwaited(Record, frozen=True, kw_only=True):
    """At an end, `callbacks` of `on_done` that had suspended were waited for; `cut` of them were cancelled, as their time was up."""

    callbacks: int
    cut: int


class SubscriberDropped(TurnRecord, frozen=True, kw_only=True):
    """An actor that had subscribed to a response's events gets no more of them: it is dead."""

    actor: str
    reason: str


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


class ClientOpened(Record, frozen=True, kw_only=True):
    """An HTTP client was made, for this base URL."""

    url: str


class ClientClosed(Record, frozen=True, kw_only=True):
    """It was closed, with its connections."""

    url: str


class EngineStarted(Record, frozen=True, kw_only=True):
    """A system is at work on this loop from now on."""

    loop: str


class EngineDraining(Record, frozen=True, kw_only=True):
    """It is to end there: turns have `seconds` to finish, then they end with `error`."""

    loop: str
    seconds: float
    error: str


class EngineEnded(Record, frozen=True, kw_only=True):
    """It has: `finished` turns ended by themselves meanwhile, `cancelled` did not; `abandoned` calls of users' code have not come back."""

    loop: str
    finished: int
    cancelled: int
    abandoned: int


class ChildEnded(Record, frozen=True, kw_only=True):
    """A child of a supervisor ended by itself. `restart_in`: seconds until it is started again; None where it is not."""

    child: str
    reason: str
    error: str | None = None
    restart_in: float | None = None


class ChildRestarted(Record, frozen=True, kw_only=True):
    """A supervisor started a child again, for the `restarts`-th time."""

    child: str
    restarts: int


class SupervisorGaveUp(Record, frozen=True, kw_only=True):
    """`child` failed more often than is allowed: the supervisor stopped all its children, and failed."""

    supervisor: str
    child: str
    error: str


class DeadLetter(Record, frozen=True, kw_only=True):
    """Mail that nobody could take. Told in the thread that found out."""

    actor: str
    message: str
    reason: str


Observer: TypeAlias = Callable[[Record], None]
"""Gets each record, on the loop."""


class Observed(Protocol):
    """What the layers below know of observers: a place to hand a record to."""

    def observe(self, record: Record) -> None:
        """Hands the record to all observers."""
