"""Runs what a turn asks for in its tool rounds: tools, hooks, toolboxes' prepare(); each answer goes back as mail.

The pool decides where a function runs (a worker thread, or the loop for `async def`); this file turns arguments into what the function
takes and what it came to into what the model reads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from llm_actors.errors import LoopClosedError, PauseChain
from llm_actors.messages import Message, ToolCall, ToolResult
from llm_actors.observe import HistoryCompacted

from .preparation import Preparation
from .tool_pool import Outcome
from .tools import output_text
from .turn_mail import (
    COMPACT,
    PREPARE,
    CallHook,
    Cancel,
    Compacted,
    HookDone,
    JobStopped,
    Mail,
    Prepared,
    RunTool,
    ToolDone,
    ToolProgress,
)

if TYPE_CHECKING:
    from .compaction import Compacting
    from .live_turn import LiveTurn
    from .seams import Engine


class ToolRun:
    """The jobs of one turn. Its loop only."""

    __slots__ = ("_engine", "_live", "_tell")

    def __init__(self, live: LiveTurn, engine: Engine, tell: Callable[[Mail], None]) -> None:
        self._live = live
        self._engine = engine
        self._tell = tell

    def prepare(self, toolboxes: list[Any]) -> None:
        """Gets the toolboxes ready, each once in its life. Tells Prepared."""
        self._live.jobs[PREPARE] = Preparation(toolboxes, self._live.mail.context, self._engine, self._prepared)

    def _prepared(self, outcome: Outcome) -> None:
        if outcome.kind == "stopped":
            self._tell(JobStopped(self._now(), PREPARE))
            return
        tools = self._live.log.prompt.tools
        known = {tool.name: tool for tool in tools}
        for toolbox in self._live.mail.toolboxes:
            known.update({tool.name: tool for tool in toolbox.tools()})
        tools[:] = known.values()
        self._tell(Prepared(self._now(), known, outcome.error))

    def compact(self, policy: Any, compacting: Compacting) -> None:
        """Calls a compaction policy. Tells Compacted."""
        self._live.jobs[COMPACT] = self._engine.tools.run(
            policy,
            (compacting,),
            {},
            name=f"compaction by {getattr(policy, '__name__', type(policy).__name__)}",
            context=self._live.mail.context.copy(),
            done=partial(self._compacted, compacting),
        )

    def _compacted(self, compacting: Compacting, outcome: Outcome) -> None:
        now = self._now()
        if outcome.kind == "stopped":
            self._stopped(COMPACT)
            return
        messages, error = outcome.value, outcome.error
        if error is None and not (isinstance(messages, list) and all(isinstance(each, Message) for each in messages)):
            error = TypeError(f"a compaction policy gives a list of messages, not {type(messages).__name__}")
        if error is not None:
            if compacting.error is not None and error.__cause__ is None and error is not compacting.error:
                error.__cause__ = compacting.error
            self._tell(Compacted(now, error=error))
            return
        record = HistoryCompacted(
            now=now,
            conversation=compacting.conversation,
            response=self._live.log.id,
            error=repr(compacting.error) if compacting.error is not None else None,
            before=len(compacting.messages),
            after=len(messages),
        )
        self._engine.observe(record)
        self._tell(Compacted(now, messages))

    def hook(self, command: CallHook, hook: Any) -> None:
        """Calls before_call(tool, call) or after_call(tool, call, result). Tells HookDone."""
        args = (command.tool, command.tool_call, *((command.result,) if command.stage == "after" else ()))
        self._live.jobs[command.call] = self._engine.tools.run(
            hook,
            args,
            {},
            name=f"{command.stage}_call of {command.tool_call.name}",
            context=self._live.mail.call_context(command.tool_call.tool_call_id),
            done=partial(self._hook_done, command),
            serial=self._live,  # one hook of a turn at a time: `after_call=print` writes whole lines
        )

    def _hook_done(self, command: CallHook, outcome: Outcome) -> None:
        now = self._now()
        if outcome.kind == "stopped":
            self._stopped(command.call)
        else:
            self._tell(HookDone(now, command.call, command.stage, outcome.error))

    def tool(self, command: RunTool) -> None:
        """Runs a tool. Tells ToolDone: arguments that do not fit are a result as well, and the tool is not called."""
        tool, call = command.tool, command.tool_call
        try:
            arguments = tool.convert(call.arguments)
        except ValueError as error:
            self._tell(ToolDone(self._now(), command.call, error_result(call, error, tool.instance)))
            return
        if tool.accepts_tool_call:
            arguments["llm_tool_call"] = call
        limit: dict[str, Any] = {} if tool.timeout is None else {"timeout": tool.timeout}
        self._live.jobs[command.call] = self._engine.tools.run(
            tool.implementation,
            (),
            arguments,
            name=tool.name,
            context=self._live.mail.call_context(call.tool_call_id),
            done=partial(self._tool_done, command),
            serial=tool.instance,
            progress=partial(self._progress, command.call),
            **limit,
        )

    def _progress(self, call: int, text: str) -> None:
        self._tell(ToolProgress(self._now(), call, text))

    def _tool_done(self, command: RunTool, outcome: Outcome) -> None:
        now = self._now()
        call, instance = command.tool_call, command.tool.instance
        if outcome.kind == "stopped":
            self._stopped(command.call)
        elif isinstance(outcome.error, PauseChain):
            self._tell(ToolDone(now, command.call, pause=outcome.error))
        elif outcome.error is not None:
            self._tell(ToolDone(now, command.call, error_result(call, outcome.error, instance)))
        else:
            self._tell(ToolDone(now, command.call, self._result(call, outcome.value, instance)))

    def _stopped(self, call: int) -> None:
        """A job was stopped: by the turn, or, when it did not ask for that, by the end of the loop, which then ends the turn."""
        now = self._now()
        if self._live.turn.state != "stopping":
            self._tell(Cancel(now, LoopClosedError("the event loop ended while a tool was running")))
        self._tell(JobStopped(now, call))

    def _result(self, call: ToolCall, value: Any, instance: Any) -> ToolResult:
        limits = self._live.model.limits_in(self._engine)
        try:
            text, attachments = output_text(value, limits.tool_result)
        except Exception as error:  # noqa: BLE001 - a value whose own repr raises is the tool's failure (T4)
            return error_result(call, error, instance)
        return ToolResult(call.name, text, attachments=attachments, tool_call_id=call.tool_call_id, instance=instance)

    def _now(self) -> float:
        return self._engine.loop.clock.monotonic()


def error_result(call: ToolCall, error: BaseException, instance: Any = None) -> ToolResult:
    """A tool's exception as the model reads it: `Error: text` (T4)."""
    text = str(error) or type(error).__name__
    return ToolResult(call.name, f"Error: {text}", tool_call_id=call.tool_call_id, instance=instance, exception=error)
