"""`prompt()` and `chain()`: the same words on models and conversations, async and sync."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from llm_actors.messages import Attachment, Message, Options, ToolResult

from . import arguments
from .asking import ask
from .budget import Budget
from .response import AsyncResponse, Response
from .scope import Moment
from .tools import toolboxes_in

if TYPE_CHECKING:
    from .conversation import AnyConversation

R = TypeVar("R", AsyncResponse, Response)


class Prompting(Generic[R]):
    """What can be asked. Any thread. On a model each call is a conversation of its own."""

    __slots__ = ()

    def _target(self) -> AnyConversation[R]:
        """The conversation that takes the prompt."""
        raise NotImplementedError

    def prompt(
        self,
        prompt: str | None = None,
        *,
        fragments: Sequence[str] | None = None,
        attachments: Sequence[Attachment] | None = None,
        system: str | None = None,
        system_fragments: Sequence[str] | None = None,
        messages: Sequence[Message] | None = None,
        stream: bool = True,
        schema: Any = None,
        tools: Sequence[Any] | None = None,
        tool_results: Sequence[ToolResult] | None = None,
        options: Mapping[str, Any] | Options | None = None,
        hide_reasoning: bool = False,
        key: str | None = None,
        timeout: float | None = None,
        deadline: Moment | None = None,
        budget: Budget | None = None,
        detached: bool = False,
        **keywords: Any,
    ) -> R:
        """Sends a prompt and returns at once; prompts of one conversation run in the order they are sent, each seeing all before it.

        Keywords beyond the named ones are options of the model. `tools` are offered, not run (`chain()` runs them). `timeout`: seconds
        for the whole turn, waiting included, in place of the conversation's or the system's; `math.inf`: none. `deadline`: the moment at
        which it ends, an aware datetime or seconds on the monotonic clock; of all deadlines that hold the earliest counts. `budget`: what
        it may spend. What the turn's tools prompt is under both too. `detached`: goes on when the task that waits is cancelled. Raises
        at the call what is wrong with it: OptionsError, AttachmentError, ValueError, TypeError, and MailboxFullError.
        """
        return self._send(**_arguments(locals()))

    def chain(
        self,
        prompt: str | None = None,
        *,
        fragments: Sequence[str] | None = None,
        attachments: Sequence[Attachment] | None = None,
        system: str | None = None,
        system_fragments: Sequence[str] | None = None,
        messages: Sequence[Message] | None = None,
        stream: bool = True,
        schema: Any = None,
        tools: Sequence[Any] | None = None,
        tool_results: Sequence[ToolResult] | None = None,
        chain_limit: int | None = None,
        before_call: Any = None,
        after_call: Any = None,
        key: str | None = None,
        options: Mapping[str, Any] | Options | None = None,
        hide_reasoning: bool = False,
        timeout: float | None = None,
        deadline: Moment | None = None,
        budget: Budget | None = None,
        detached: bool = False,
    ) -> R:
        """Sends a prompt, runs the tools that the model asks for, sends their results, and so on: one response for all rounds.

        `before_call(tool, call)` and `after_call(tool, call, result)`, plain or async: see CancelToolCall and PauseChain. `chain_limit`:
        most model calls; 0 for no limit. Without a prompt it runs the calls left open at the end of the history. Raises as `prompt()`
        does.
        """
        return self._send(chain=True, **_arguments(locals()))

    def _send(
        self,
        prompt: str | None,
        *,
        tools: Sequence[Any] | None,
        key: str | None,
        detached: bool,
        chain_limit: int | None = None,
        before_call: Any = None,
        after_call: Any = None,
        budget: Budget | None = None,
        **asked: Any,
    ) -> R:
        conversation = self._target()
        offered: list[Any] = conversation.tools
        if tools is not None:
            offered = arguments.listed("tools", tools, object, "a_function") or offered
        sent = ask(conversation.model, prompt, tools=offered, **asked)
        return conversation.post(
            sent,
            toolboxes_in(offered) if offered else [],
            key=arguments.key(key),
            detached=detached,
            limit=arguments.limit("chain_limit", chain_limit),
            hooks=(arguments.hook("before_call", before_call), arguments.hook("after_call", after_call)),
            budget=budget,
        )


def _arguments(found: dict[str, Any]) -> dict[str, Any]:
    """A method's arguments, from its `locals()` at its first line: twenty keywords need not be written out again to be passed on."""
    del found["self"]
    return found
