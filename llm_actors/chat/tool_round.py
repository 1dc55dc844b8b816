"""The tool calls of one round as a state machine: what runs, in which order hooks see it, when the round is over.

All calls start together; with a before_call hook each starts when its hook has let it through, hooks in call order. Results may come in
any order and go back in call order. A pause or a raising hook never cuts siblings short: they finish first, and the first by call order
decides (T2).
"""

from __future__ import annotations

from typing import Any, Literal

from llm_actors.errors import CancelToolCall, PauseChain, ToolArgumentsError
from llm_actors.messages import ToolCall, ToolResult

from .turn_mail import CallHook, HookDone, JobStopped, RunTool, StopJob, ToolDone

Stage = Literal["waiting", "before", "running", "after", "done"]


class _Call:
    __slots__ = ("error", "ran", "result", "stage", "tool", "tool_call")

    def __init__(self, tool_call: ToolCall, tool: Any) -> None:
        self.tool_call = tool_call
        self.tool = tool
        self.stage: Stage = "waiting"
        self.result: ToolResult | None = None
        self.error: BaseException | None = None
        self.ran = False

    @property
    def busy(self) -> bool:
        return self.stage in ("before", "running", "after")


class ToolRound:
    """The calls of one round. `step()` functions give the commands to carry out; `fresh` the results that became final."""

    def __init__(self, calls: list[ToolCall], tools: dict[str, Any], *, before: bool, after: bool) -> None:
        self._calls = [_Call(call, tools.get(call.name)) for call in calls]
        self._before = before
        self._after = after
        self._refusing = False
        self.fresh: list[ToolResult] = []

    def start(self) -> list[CallHook | RunTool]:
        """The first commands: the first hook, or all tools at once."""
        if self._before:
            return self._next_hook()
        return [command for place in range(len(self._calls)) for command in self._run(place)]

    def hook_done(self, mail: HookDone) -> list[CallHook | RunTool]:
        """A hook returned: before_call lets its call run and the next hook begin, after_call ends the call."""
        call = self._calls[mail.call]
        if not call.busy:
            return []
        if mail.stage == "after":
            call.error = mail.error
            self._settle(call)
            return []
        commands: list[CallHook | RunTool] = []
        if mail.error is None:
            commands += self._run(mail.call)
        elif isinstance(mail.error, CancelToolCall):
            call.result = _failure(call.tool_call, f"Cancelled: {mail.error}", mail.error)
            self._settle(call)
        else:
            call.error = mail.error
            call.stage = "done"
            self._refusing = not isinstance(mail.error, PauseChain)
        return commands + self._next_hook()

    def tool_done(self, mail: ToolDone) -> list[CallHook | RunTool]:
        """A tool returned; its after_call hook runs next, if there is one."""
        call = self._calls[mail.call]
        if call.stage != "running":
            return []
        call.result, call.error = mail.result, mail.pause
        if self._after and mail.pause is None:
            call.stage = "after"
            return [CallHook(mail.call, "after", call.tool, call.tool_call, call.result)]
        self._settle(call)
        return []

    def running(self, place: int) -> ToolCall | None:
        """The call whose tool runs there now, if it does: only then its progress counts."""
        call = self._calls[place]
        return call.tool_call if call.stage == "running" else None

    def stop(self) -> list[StopJob]:
        """Stops what runs; nothing new starts. Each answers by JobStopped."""
        self._refusing = True
        return [StopJob(place) for place, call in enumerate(self._calls) if call.busy]

    def job_stopped(self, mail: JobStopped) -> None:
        """A stopped call has ended. One that stood in its after_call hook had its result already: it keeps it."""
        if self._calls[mail.call].busy:
            self._settle(self._calls[mail.call])

    def over(self) -> bool:
        """Whether nothing runs and nothing is to be started."""
        return all(call.stage == "done" or (call.stage == "waiting" and self._refusing) for call in self._calls)

    def busy(self) -> list[int]:
        """The calls that run, or whose hooks do."""
        return [place for place, call in enumerate(self._calls) if call.busy]

    def idle(self) -> bool:
        """Whether nothing runs."""
        return not any(call.busy for call in self._calls)

    def verdict(self) -> BaseException | None:
        """What ends the chain, first by call order: a hook's exception, or the pause with its siblings' results."""
        raised = [call for call in self._calls if call.error is not None]
        failed = next((call for call in raised if not isinstance(call.error, PauseChain)), None)
        if failed is not None:
            return failed.error
        if not raised:
            return None
        pause = raised[0].error
        assert isinstance(pause, PauseChain)
        pause.tool_call = raised[0].tool_call
        pause.tool_results = self.results()
        return pause

    def results(self) -> list[ToolResult]:
        """The results so far, in call order."""
        return [call.result for call in self._calls if call.result is not None]

    def tool_calls(self) -> list[ToolCall]:
        """All calls, in order."""
        return [call.tool_call for call in self._calls]

    def crashes(self) -> list[tuple[ToolCall, BaseException]]:
        """The calls whose tool failed, with what it raised: not those that were refused, or whose arguments did not fit."""
        return [
            (call.tool_call, call.result.exception)
            for call in self._calls
            if call.ran
            and call.result is not None
            and call.result.exception is not None
            and not isinstance(call.result.exception, ToolArgumentsError)
        ]

    def unanswered(self) -> list[ToolCall]:
        """The calls without a result."""
        return [call.tool_call for call in self._calls if call.result is None]

    def _next_hook(self) -> list[CallHook | RunTool]:
        if self._refusing:
            return []
        for place, call in enumerate(self._calls):
            if call.stage == "before":
                return []
            if call.stage == "waiting":
                call.stage = "before"
                return [CallHook(place, "before", call.tool, call.tool_call)]
        return []

    def _run(self, place: int) -> list[CallHook | RunTool]:
        call = self._calls[place]
        refusal = _refusal(call)
        if refusal is not None:
            call.result = refusal
            self._settle(call)
            return []
        call.stage = "running"
        call.ran = True
        return [RunTool(place, call.tool, call.tool_call)]

    def _settle(self, call: _Call) -> None:
        call.stage = "done"
        if call.result is not None:
            self.fresh.append(call.result)


def _refusal(call: _Call) -> ToolResult | None:
    """The result of a call that can't be run at all."""
    name = call.tool_call.name
    if call.tool is None:
        text = f'tool "{name}" does not exist'
        return _failure(call.tool_call, f"Error: {text}", KeyError(text))
    if call.tool.implementation is None:
        text = f'tool "{name}" has no implementation'
        return _failure(call.tool_call, f"Error: {text}", ValueError(text))
    return None


def _failure(call: ToolCall, output: str, error: BaseException) -> ToolResult:
    return ToolResult(call.name, output, tool_call_id=call.tool_call_id, exception=error)
