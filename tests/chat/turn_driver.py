"""Drives a Turn as the conversation actor does, but by hand: every command that waits for an answer is kept until the test answers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llm_actors.chat import turn_mail as m
from llm_actors.chat.history import History, Returned
from llm_actors.chat.scope import Deadline, Scope
from llm_actors.chat.turn import Turn
from llm_actors.chat.turn_plan import TurnPlan
from llm_actors.messages import Message, Prompt, RoundResult, TextPart, ToolCall, ToolResult, Usage
from llm_actors.messages.parts import ToolCallPart


class FakeTool:
    """A tool that the driver answers for."""

    def __init__(self, name: str, implementation: Any = print) -> None:
        self.name = name
        self.implementation = implementation
        self.instance = None


def call(number: int, name: str = "tool") -> ToolCall:
    return ToolCall(name, {"n": number}, f"call-{number}")


def answer(text: str = "", *calls: ToolCall, cut: tuple[ToolCall, ...] = ()) -> tuple[RoundResult, list[Message]]:
    """What a model call came to: the result and its message."""
    parts: list[Any] = [TextPart(text)] if text else []
    parts += [ToolCallPart(c.name, c.arguments, c.tool_call_id) for c in (*calls, *cut)]
    reason: Any = "length" if cut else ("tool_calls" if calls else "stop")
    return RoundResult(tool_calls=list(calls), cut_calls=list(cut), usage=Usage(3, 2), stop_reason=reason), [
        Message("assistant", parts)
    ]


class Driver:
    """One turn on one history. `open` holds the commands that wait for an answer; `done` every command in order."""

    def __init__(
        self, prompt: Prompt | None = None, *, history: History | None = None, instant: bool = True, **plan: Any
    ) -> None:
        self.history = history if history is not None else History()
        self.instant = instant
        self.now = 100.0
        self.done: list[m.Command] = []
        self.open: list[m.Command] = []
        self.emitted: list[Any] = []
        self.finished: list[BaseException | None] = []
        named = {
            "id": "turn-1",
            "prompt": prompt or Prompt("hi", chain=True),
            "conversation": "c",
            "model": "fake",
            "chain_limit": 10,
            "tools": {"tool": FakeTool("tool")},
            **plan,
        }
        if "deadline" in named:
            named["scope"] = Scope(deadline=Deadline(named.pop("deadline"), "timeout of 5.0 seconds"))
        self.turn = Turn(TurnPlan(**named), lambda round_: f"call-record-{round_}")
        self.take(self.turn.waiting())

    def begin(self) -> Driver:
        return self.mail(m.Begin(self.now, *self.history.found_by(self.turn.plan.prompt)))

    def mail(self, mail: m.Mail) -> Driver:
        self.take(self.turn.handle(mail))
        return self

    def take(self, commands: list[m.Command]) -> None:
        todo = list(commands)
        while todo:
            command = todo.pop(0)
            assert not self.finished or isinstance(command, m.Observe), f"{command} after Finish"
            self.done.append(command)
            if isinstance(command, m.Append):
                for entry in command.entries:
                    self.history.append(entry)
                if self.instant:
                    todo += self.turn.handle(m.Appended(self.now))
                else:
                    self.open.append(command)
            elif isinstance(command, m.Emit):
                self.emitted += command.items
            elif isinstance(command, m.Finish):
                self.finished.append(command.error)
            elif not isinstance(command, m.Observe | m.WakeAt | m.Steered):
                self.open.append(command)

    def pop(self, kind: type) -> Any:
        """The oldest open command of a kind; it counts as answered."""
        found = next(command for command in self.open if isinstance(command, kind))
        self.open.remove(found)
        return found

    def kinds(self) -> list[str]:
        return [type(command).__name__ for command in self.open]

    # ---- answers ------------------------------------------------------------------------------------------------------------

    def answered(self, text: str = "", *calls: ToolCall, cut: tuple[ToolCall, ...] = ()) -> Driver:
        send = self.pop(m.Send)
        result, messages = answer(text, *calls, cut=cut)
        return self.mail(m.RoundEnded(self.now, send.round, result, messages))

    def failed(self, error: BaseException, partial: str = "") -> Driver:
        send = self.pop(m.Send)
        return self.mail(
            m.RoundFailed(self.now, send.round, error, [Message("assistant", [TextPart(partial)])] if partial else [])
        )

    def tool_returned(self, number: int, output: str = "ok", pause: BaseException | None = None) -> Driver:
        run = next(c for c in self.open if isinstance(c, m.RunTool) and c.tool_call.tool_call_id == f"call-{number}")
        self.open.remove(run)
        result = None if pause else ToolResult(run.tool_call.name, output, tool_call_id=run.tool_call.tool_call_id)
        return self.mail(m.ToolDone(self.now, run.call, result, pause))

    def hook_returned(self, error: BaseException | None = None) -> Driver:
        hook = self.pop(m.CallHook)
        return self.mail(m.HookDone(self.now, hook.call, hook.stage, error))

    def settle(self, choose: Callable[[int], int] = lambda _: 0) -> Driver:
        """Answers all stops, and what they stopped, until nothing is open."""
        while self.open:
            command = self.open.pop(choose(len(self.open)))
            if isinstance(command, m.StopSend):
                self.open = [c for c in self.open if not isinstance(c, m.Send)]
                self.mail(m.RoundStopped(self.now, command.round))
            elif isinstance(command, m.StopJob):
                self.open = [
                    c for c in self.open if not (isinstance(c, m.RunTool | m.CallHook) and c.call == command.call)
                ]
                self.mail(m.JobStopped(self.now, command.call))
            elif isinstance(command, m.Append):
                self.mail(m.Appended(self.now))
        return self

    # ---- what the history says ----------------------------------------------------------------------------------------------

    def said(self) -> list[tuple[str, str]]:
        """Role and text (or results) of each valid message."""
        lines = []
        for message in self.history.messages():
            outputs = [part.output for part in message.parts if type(part).__name__ == "ToolResultPart"]
            lines.append((message.role, "|".join(outputs) if outputs else message.text))
        return lines

    def results_kept(self) -> list[str]:
        return [entry.part.output for entry in self.history.entries() if isinstance(entry, Returned)]
