"""What a reply to a response says, and the tool calls that are run before it.

open calls   the calls at the end that nobody has answered: of a `prompt()` all that the model asked for, of a chain those of its last
             round, if it was paused there
reply        input, output, the results of the open calls, then what is said now
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from llm_actors.errors import PauseChain
from llm_actors.messages import Message, ToolCall, ToolResult
from llm_actors.messages.parts import user
from llm_actors.runtime import current

from .errand import Running
from .history import Returned, open_calls, raw_messages, repair, result_part
from .tools import resolve_tools

if TYPE_CHECKING:
    from .event_log import EventLog


def check_settled(log: EventLog) -> None:
    """Raises the turn's error, but for a PauseChain: what came before it stands, and can be gone on from."""
    with contextlib.suppress(PauseChain):
        log.check()


def said_by(log: EventLog) -> list[Message]:
    """Input and output of a response that has ended. Raises the turn's error."""
    check_settled(log)
    assert log.history is not None
    return log.history.messages()


def left_open(log: EventLog) -> list[ToolCall]:
    """The calls of a response that nobody has answered. Raises the turn's error."""
    return open_calls(said_by(log))


def going_on(
    log: EventLog, results: Sequence[ToolResult], prompt: str | None, messages: Sequence[Message]
) -> list[Message]:
    """All that a reply says: what this response was asked and said, the results with their files, the prompt, the messages."""
    given = raw_messages([Returned("", result_part(result)) for result in results])
    return repair([*said_by(log), *given, *([user(prompt)] if prompt else []), *messages])


def offered(log: EventLog, tools: Sequence[Any] | None) -> list[Any]:
    """The tools that a reply offers: these, else those of the response, else those of its conversation."""
    if tools is not None:
        return list(tools)
    conversation = log.prompt.conversation
    return list(log.prompt.tools) or (list(conversation.offered) if conversation is not None else [])


def hooks_of(log: EventLog) -> tuple[Any, Any]:
    """The before_call and after_call that hold for a response: those it was sent with, else those of its conversation."""
    conversation = log.prompt.conversation
    of_conversation = (None, None) if conversation is None else (conversation.before_call, conversation.after_call)
    given = log.prompt.hooks
    return (given[0] or of_conversation[0], given[1] or of_conversation[1])


class CallRun:
    """Tool calls that run as a turn of their own: `log` tells when they have ended."""

    __slots__ = ("_errand", "log")

    def __init__(self, model: Any, calls: Sequence[ToolCall], tools: Sequence[Any], hooks: tuple[Any, Any]) -> None:
        """Begins them. `model` says on which loop; any thread. Raises TypeError and ValueError for what is no tool."""
        self._errand = Running([_with_id(call) for call in calls])
        self.log: EventLog = model._target().errand(self._errand, tools=resolve_tools(tools), hooks=hooks)  # noqa: SLF001

    async def awaited(self) -> list[ToolResult]:
        """Waits for them; see `results()`."""
        await self.log.ended()
        return self.results()

    def blocking(self) -> list[ToolResult]:
        """The same in a thread."""
        self.log.ended_blocking()
        return self.results()

    def results(self) -> list[ToolResult]:
        """What they came to, in call order. Raises what a hook raised, a PauseChain, or what else ended them."""
        self.log.check()
        return list(self._errand.results)


def run_calls(log: EventLog, calls: Sequence[ToolCall], tools: Sequence[Any] | None, hooks: tuple[Any, Any]) -> CallRun:
    """Begins these calls for a response, with its tools and hooks where none are given."""
    own = hooks_of(log)
    return CallRun(log.model, calls, offered(log, tools), (hooks[0] or own[0], hooks[1] or own[1]))


def _with_id(call: ToolCall) -> ToolCall:
    return call if call.tool_call_id else msgspec.structs.replace(call, tool_call_id=f"tc_{current().new_id()}")
