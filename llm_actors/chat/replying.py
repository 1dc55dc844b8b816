"""How one goes on from a response, in both dresses: `reply()`, the tool calls that it left open, `to_dict()` and back.

Neither a reply nor the calls that are run for it are recorded in the conversation. The calls are run as a chain would run them: the
response's hooks (those of its chain, else of its conversation) see them unless others are given, toolboxes are prepared, timeouts hold,
siblings run together. The peer runs them without hooks, so that a reply runs a tool which the conversation would have refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from llm_actors.messages import Attachment, Message, ToolCall, ToolResult

from . import reply as replies
from .loaded import loaded_log, made_up_log
from .response_facts import ResponseFacts
from .seams import find_model

if TYPE_CHECKING:
    from .model import AsyncModel, Model
    from .response import AsyncResponse, Response


class AsyncReplying(ResponseFacts):
    """For AsyncResponse. Any thread."""

    __slots__ = ()

    async def reply(
        self,
        prompt: str | None = None,
        *,
        messages: Sequence[Message] | None = None,
        tool_results: Sequence[ToolResult] | None = None,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> AsyncResponse:
        """Goes on from this response, for whose end it waits: runs its open tool calls, unless `tool_results` are given, then prompts.

        `messages` come behind the prompt. `tools` are those of this response unless others are given; options, key and schema are not
        carried over. Takes all keywords of `prompt()`. Raises what that raises, the response's own error, what a hook or a tool's
        PauseChain raises.
        """
        log = await self._log.ended()
        tools = replies.offered(log, kwargs.pop("tools", None))
        if tool_results is None and (calls := replies.left_open(log)):
            tool_results = await self.execute_tool_calls(tool_calls_list=calls, tools=tools)
        said = replies.going_on(log, tool_results or (), prompt, messages or ())
        model: AsyncModel = log.model  # type: ignore[assignment]  # the dress of its response
        return model.prompt(messages=said, tools=tools, options=options, **kwargs)

    async def execute_tool_calls(
        self,
        *,
        before_call: Any = None,
        after_call: Any = None,
        tool_calls_list: Sequence[ToolCall] | None = None,
        tools: Sequence[Any] | None = None,
    ) -> list[ToolResult]:
        """Runs the open tool calls of this response, or these, each time it is called; gives their results in call order.

        With this response's tools and hooks, unless others are given. A tool's exception is its result; what a hook raises is raised, and
        so is a PauseChain, with the results of its siblings.
        """
        log = await self._log.ended()
        calls = replies.left_open(log) if tool_calls_list is None else tool_calls_list
        return await replies.run_calls(log, calls, tools, (before_call, after_call)).awaited()

    async def execute_tool_call(self, tool_call: ToolCall) -> ToolResult:
        """Runs one call, with this response's tools and hooks."""
        return (await self.execute_tool_calls(tool_calls_list=[tool_call]))[0]

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], *, model: AsyncModel | None = None) -> Self:
        """The finished response that `to_dict()` wrote, here or in the peer; `model` in place of the one that is named there.

        Raises UnknownModelError, and ValueError for what is no such dict.
        """
        return cls(loaded_log(plain, model or find_model(plain["model"], is_async=True)))

    @classmethod
    def fake(cls, model: AsyncModel, prompt: str, *attachments: Attachment, system: str, response: str) -> Self:
        """A finished response that no model gave, for tests."""
        return cls(made_up_log(model, prompt, attachments, system, response))


class Replying(ResponseFacts):
    """For Response. Any thread."""

    __slots__ = ()

    def reply(
        self,
        prompt: str | None = None,
        *,
        messages: Sequence[Message] | None = None,
        tool_results: Sequence[ToolResult] | None = None,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Response:
        """Goes on from this response, for whose end it waits: runs its open tool calls, unless `tool_results` are given, then prompts.

        As `AsyncReplying.reply()`.
        """
        log = self._log.ended_blocking()
        tools = replies.offered(log, kwargs.pop("tools", None))
        if tool_results is None and (calls := replies.left_open(log)):
            tool_results = self.execute_tool_calls(tool_calls_list=calls, tools=tools)
        said = replies.going_on(log, tool_results or (), prompt, messages or ())
        model: Model = log.model  # type: ignore[assignment]  # as above
        return model.prompt(messages=said, tools=tools, options=options, **kwargs)

    def execute_tool_calls(
        self,
        *,
        before_call: Any = None,
        after_call: Any = None,
        tool_calls_list: Sequence[ToolCall] | None = None,
        tools: Sequence[Any] | None = None,
    ) -> list[ToolResult]:
        """Runs the open tool calls of this response, or these, each time it is called; gives their results in call order.

        As `AsyncReplying.execute_tool_calls()`.
        """
        log = self._log.ended_blocking()
        calls = replies.left_open(log) if tool_calls_list is None else tool_calls_list
        return replies.run_calls(log, calls, tools, (before_call, after_call)).blocking()

    def execute_tool_call(self, tool_call: ToolCall) -> ToolResult:
        """Runs one call, with this response's tools and hooks."""
        return self.execute_tool_calls(tool_calls_list=[tool_call])[0]

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], *, model: Model | None = None) -> Self:
        """The finished response that `to_dict()` wrote, here or in the peer; as `AsyncReplying.from_dict()`."""
        return cls(loaded_log(plain, model or find_model(plain["model"], is_async=False)))

    @classmethod
    def fake(cls, model: Model, prompt: str, *attachments: Attachment, system: str, response: str) -> Self:
        """A finished response that no model gave, for tests."""
        return cls(made_up_log(model, prompt, attachments, system, response))

    def _see_end(self) -> None:
        self._log.ended_blocking()
