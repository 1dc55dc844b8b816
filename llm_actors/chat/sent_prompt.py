"""A prompt as it went to a model: what `response.prompt` shows and what a Python model's `execute(prompt, ...)` gets.

Of the messages it holds one pointer, to the history as it was. They are made when somebody looks, and kept while the turn runs: a response
that is held keeps none, so that n of them in one conversation don't hold n lists of up to n messages each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from llm_actors.messages import Attachment, Message, Options, Prompt, ToolResult

from .history import History


class Transcript(History):
    """The history as it was when a model call was sent. Its messages are made at the first look, and kept until `let_go()`. Any thread."""

    __slots__ = ("_keeps", "_messages")

    def __init__(self, history: History) -> None:
        self.head = history.head
        self._seen = None
        self._messages: list[Message] | None = None
        self._keeps = True

    def messages(self) -> list[Message]:
        """See History."""
        messages = self._messages
        if messages is None:
            messages = History.messages(self)
            if self._keeps:
                self._messages = messages
        return messages

    def let_go(self) -> None:
        """Keeps none from now on."""
        self._keeps = False
        self._messages = None


class SentPrompt:
    """A Prompt with what the call added: validated options, tools by name, the messages before it. Read only; any thread."""

    __slots__ = ("_history", "_messages", "_said", "conversation", "hooks", "options", "reader", "tools")

    def __init__(
        self,
        said: Prompt,
        *,
        options: Options,
        tools: list[Any],
        history: History | None = None,
        reader: Callable[[str], Any] | None = None,
        conversation: Any = None,
    ) -> None:
        self._said = said
        self._history = history
        self._messages: list[Message] | None = None
        self.options = options
        self.tools = tools
        self.reader = reader
        self.conversation = conversation
        self.hooks: tuple[Any, Any] = (None, None)
        """before_call and after_call that it was sent with."""

    @property
    def said(self) -> Prompt:
        """The prompt as a message."""
        return self._said

    @property
    def prompt(self) -> str:
        """Fragments and text, joined by newlines; empty for a tool round of a chain."""
        return self._said.prompt

    @property
    def system(self) -> str:
        """System fragments and system text."""
        return self._said.system

    @property
    def fragments(self) -> list[str]:
        """The fragments."""
        return list(self._said.fragments)

    @property
    def system_fragments(self) -> list[str]:
        """The system fragments."""
        return list(self._said.system_fragments)

    @property
    def attachments(self) -> list[Attachment]:
        """The attachments."""
        return list(self._said.attachments)

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema that the answer is to follow."""
        return self._said.schema

    @property
    def tool_results(self) -> list[ToolResult]:
        """The results that went with it."""
        return list(self._said.tool_results)

    @property
    def hide_reasoning(self) -> bool:
        """Whether the provider is asked not to show its reasoning."""
        return self._said.hide_reasoning

    @property
    def stream(self) -> bool:
        """Whether the provider is asked to stream."""
        return self._said.stream

    @property
    def option_values(self) -> dict[str, Any]:
        """The options that are set, by name."""
        if type(self.options) is Options:
            return {}  # it has none
        return {name: value for name, value in msgspec.to_builtins(self.options).items() if value is not None}

    @property
    def messages(self) -> list[Message]:
        """Exactly the messages of this turn's (first) call: everything before it, and the prompt."""
        if self._messages is not None:
            return self._messages
        return self._history.messages() if self._history is not None else []

    @property
    def transcript(self) -> Transcript:
        """The history that its messages are made of."""
        if type(self._history) is not Transcript:
            self._history = Transcript(self._history or History())
        return self._history

    def sent_with(self, history: History) -> None:
        """Remembers what the history was when the call was sent: one pointer."""
        self._history = Transcript(history)
        self._messages = None

    def let_go(self) -> None:
        """The turn is over: what was made of the history is made again for who still looks."""
        if type(self._history) is Transcript:
            self._history.let_go()

    def following(self, results: list[ToolResult], history: History) -> SentPrompt:
        """The prompt of a tool round: no text, the results, all else carried over."""
        said = msgspec.structs.replace(
            self._said, text=None, fragments=(), attachments=[], tool_results=results, given_messages=None
        )
        after = SentPrompt(
            said, options=self.options, tools=self.tools, reader=self.reader, conversation=self.conversation
        )
        after.sent_with(history)
        return after

    def with_options(self, options: Options) -> SentPrompt:
        """The same, with these options."""
        other = SentPrompt(
            self._said,
            options=options,
            tools=self.tools,
            history=self._history,
            reader=self.reader,
            conversation=self.conversation,
        )
        other._messages = self._messages
        return other

    def read_value(self, text: str) -> Any:
        """The answer as the type of the schema. Raises ValueError or msgspec's errors where it does not fit."""
        return self.reader(text) if self.reader is not None else msgspec.json.decode(text)

    def __repr__(self) -> str:
        return f"<SentPrompt {self.prompt[:60]!r}>"
