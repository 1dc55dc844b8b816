"""The `response` that a Python model's `execute()` gets: where it puts tool calls, usage and what else there is beside the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_actors.messages import Item, RoundResult, StreamEvent, ToolCall, ToolResult, Usage
from llm_actors.messages.assembly import assemble
from llm_actors.runtime import current, running

from .reply import CallRun

if TYPE_CHECKING:
    from .live_turn import LiveTurn
    from .sent_prompt import SentPrompt


class ModelResponse:
    """Write only, by the model, in whatever thread it runs; read when `execute()` has returned."""

    def __init__(self, live: LiveTurn) -> None:
        self.prompt: SentPrompt = live.sent
        self.model = live.model
        self.conversation = live.sent.conversation
        self.stream = live.sent.stream
        self.attachments = live.sent.attachments
        self.id = live.log.id
        self.response_json: dict[str, Any] | None = None
        self.stop_reason: Any = None
        self._prompt_json: Any = None
        self._live = live
        self._calls: list[ToolCall] = []
        self._usage: Usage | None = None
        self._resolved: str | None = None

    def add_tool_call(self, tool_call: ToolCall) -> None:
        """Asks for a call; an id is made where there is none.

        Any of the caller's attributes `name`, `arguments`, `tool_call_id` will do.
        """
        call_id = tool_call.tool_call_id or f"tc_{current().new_id()}"
        self._calls.append(ToolCall(tool_call.name, dict(tool_call.arguments or {}), call_id))

    def execute_tool_call(self, tool_call: ToolCall) -> Any:
        """Runs one call now, with the prompt's tools and hooks, for models that loop by themselves: gives the ToolResult.

        Blocks in a thread; on the loop (in an async `execute`) it is awaited. Raises what a hook raises, and PauseChain.
        """
        mail = self._live.mail
        run = CallRun(self.model, [tool_call], self.prompt.tools, (mail.before_call, mail.after_call))
        return run.blocking()[0] if running() is None else _first(run)

    def set_usage(
        self, *, input: int | None = None, output: int | None = None, details: dict[str, Any] | None = None
    ) -> None:
        """The tokens of this call."""
        self._usage = Usage(input, output, details)

    def set_resolved_model(self, model_id: str) -> None:
        """The model that really answers."""
        self._resolved = model_id

    def result(self, items: list[Item]) -> RoundResult:
        """How the call ended, once `execute()` has yielded everything."""
        return RoundResult(
            tool_calls=list(self._calls),
            messages=assemble(items, self._calls),
            usage=self._usage,
            stop_reason=self.stop_reason or ("tool_calls" if self._calls else "stop"),
            resolved_model=self._resolved,
            raw=self.response_json,
        )


async def _first(run: CallRun) -> ToolResult:
    return (await run.awaited())[0]


def checked(item: Any) -> Item:
    """What `execute()` yielded, as an item. Any object with a StreamEvent's fields will do; anything else is a TypeError."""
    if isinstance(item, str | StreamEvent):
        return item
    kind = getattr(item, "type", None)
    if isinstance(kind, str) and isinstance(getattr(item, "chunk", None), str):
        fields = {name: getattr(item, name) for name in StreamEvent.__struct_fields__ if hasattr(item, name)}
        return StreamEvent(**fields)
    msg = f"execute() yields str or StreamEvent, not {type(item).__name__}: {item!r}"
    raise TypeError(msg)
