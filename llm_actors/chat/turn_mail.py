"""What goes into a turn and what comes out of it: the mail that `Turn.handle` takes, and the commands it gives back.

Mail carries what the turn can't know by itself: `now` (monotonic seconds), what a model call or a tool came to. Commands are carried out
by the conversation actor, each of which answers by one of the mails in brackets. Nothing here does anything.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from llm_actors.messages import Item, Message, RoundResult, ToolCall, ToolResult
from llm_actors.observe import Record

from .history import Entry

PREPARE = -1
"""The job number of the toolboxes' prepare()."""
COMPACT = -2
"""The job number of a compaction."""

# ---- mail ------------------------------------------------------------------------------------------------------------------


class Begin(msgspec.Struct, frozen=True):
    """The turn is at the head of its conversation. `open_calls`: calls that nobody has answered; `system`: the one in force.

    `errand`: no model is called; these entries are kept, `open_calls` run, and that is all. `tokens`: the size of the history.
    """

    now: float
    open_calls: list[ToolCall] = []
    system: str = ""
    errand: list[Entry] | None = None
    tokens: int = 0


class Appended(msgspec.Struct, frozen=True):
    """The entries of the last Append are kept (on disk, where there is a journal)."""

    now: float


class AppendFailed(msgspec.Struct, frozen=True):
    """They could not be kept: the turn can't go on."""

    now: float
    error: BaseException


class Prepared(msgspec.Struct, frozen=True):
    """The toolboxes are ready: all tools by name. `error`: what a `prepare()` raised."""

    now: float
    tools: dict[str, Any] = {}
    error: BaseException | None = None


class RoundEnded(msgspec.Struct, frozen=True):
    """A model call is complete. `messages` is its output, `started` its beginning (UTC), `seconds` how long it took."""

    now: float
    round: int
    result: RoundResult
    messages: list[Message]
    started: datetime | None = None
    seconds: float = 0.0


class RoundFailed(msgspec.Struct, frozen=True):
    """A model call failed, and is closed. `messages`: what had arrived; `items`: how much of it readers may have seen."""

    now: float
    round: int
    error: BaseException
    messages: list[Message] = []
    items: int = 0


class RoundRepeated(msgspec.Struct, frozen=True):
    """The request of a model call was sent once more, over another connection."""

    now: float
    round: int


class RoundStopped(msgspec.Struct, frozen=True):
    """A stopped model call is closed: no request is open. `messages`: what had arrived."""

    now: float
    round: int
    messages: list[Message] = []


class HookDone(msgspec.Struct, frozen=True):
    """A before_call or after_call hook returned, or raised `error`."""

    now: float
    call: int
    stage: Literal["before", "after"]
    error: BaseException | None = None


class ToolDone(msgspec.Struct, frozen=True):
    """A tool returned: `result` is ready for the model, also when it failed. `pause`: it raised PauseChain instead."""

    now: float
    call: int
    result: ToolResult | None = None
    pause: BaseException | None = None


class ToolProgress(msgspec.Struct, frozen=True):
    """A running generator tool has yielded this, as text. Answered by Emit while the call runs, by nothing when it does not."""

    now: float
    call: int
    item: str


class JobStopped(msgspec.Struct, frozen=True):
    """A stopped tool or hook has ended (or its thread is set aside). `call` may be PREPARE or COMPACT."""

    now: float
    call: int


class Compacted(msgspec.Struct, frozen=True):
    """The policy has given a shorter history, or raised `error`."""

    now: float
    messages: list[Message] = []
    error: BaseException | None = None


class Woken(msgspec.Struct, frozen=True):
    """The time of a WakeAt has come."""

    now: float


class Steer(msgspec.Struct, frozen=True):
    """Put this user message before the next model call. `id`: of the response that was promised for it."""

    id: str
    message: Message


class Unsteer(msgspec.Struct, frozen=True):
    """Not any more: it was cancelled before it was taken."""

    id: str


class Cancel(msgspec.Struct, frozen=True):
    """End the turn with this error: a ResponseCancelledError, DeadlineExceededError or LoopClosedError."""

    now: float
    error: BaseException


Mail: TypeAlias = (
    Begin
    | Appended
    | AppendFailed
    | Prepared
    | RoundEnded
    | RoundFailed
    | RoundRepeated
    | RoundStopped
    | HookDone
    | ToolDone
    | ToolProgress
    | JobStopped
    | Compacted
    | Woken
    | Steer
    | Unsteer
    | Cancel
)

# ---- commands --------------------------------------------------------------------------------------------------------------


class Append(msgspec.Struct, frozen=True):
    """Keep these entries, in order. Answer: Appended | AppendFailed."""

    entries: list[Entry]


class Prepare(msgspec.Struct, frozen=True):
    """Call prepare() of the toolboxes that have not been prepared. Answer: Prepared."""


class Send(msgspec.Struct, frozen=True):
    """Call the model with the history as it is. `results`: of the tool round before it. Answer: RoundEnded | RoundFailed.

    `model`: another one than the conversation's, or its id.
    """

    round: int
    results: list[ToolResult] = []
    model: Any = None


class StopSend(msgspec.Struct, frozen=True):
    """Revoke the writer of this round at once and close its request. Answer: RoundStopped."""

    round: int


class CallHook(msgspec.Struct, frozen=True):
    """Run before_call or after_call for this call. Answer: HookDone."""

    call: int
    stage: Literal["before", "after"]
    tool: Any
    tool_call: ToolCall
    result: ToolResult | None = None


class RunTool(msgspec.Struct, frozen=True):
    """Run this tool. Answer: ToolDone."""

    call: int
    tool: Any
    tool_call: ToolCall


class StopJob(msgspec.Struct, frozen=True):
    """Stop this call's tool or hook; PREPARE and COMPACT: what their numbers say. Answer: JobStopped."""

    call: int


class CompactHistory(msgspec.Struct, frozen=True):
    """Have this policy make the history of so many tokens shorter, because of this error if there is one. Answer: Compacted."""

    policy: Any
    error: BaseException | None = None
    tokens: int = 0
    bound: int | None = None


class Bury(msgspec.Struct, frozen=True):
    """The prompt becomes a dead letter, for this reason."""

    reason: str


class WakeAt(msgspec.Struct, frozen=True):
    """Send Woken at this time, in monotonic seconds. Answer: Woken."""

    when: float


class Steered(msgspec.Struct, frozen=True):
    """These steers have been taken: what the turn does from here on is for their responses too."""

    ids: list[str]


class Emit(msgspec.Struct, frozen=True):
    """Write these items into the log."""

    items: list[Item]


class Observe(msgspec.Struct, frozen=True):
    """Hand this record to the observers."""

    record: Record


class Finish(msgspec.Struct, frozen=True):
    """The turn is over: seal the log, with the error if there is one. The last command of every turn."""

    error: BaseException | None = None


Command: TypeAlias = (
    Append
    | Prepare
    | Send
    | StopSend
    | CallHook
    | RunTool
    | StopJob
    | CompactHistory
    | Bury
    | WakeAt
    | Steered
    | Emit
    | Observe
    | Finish
)
