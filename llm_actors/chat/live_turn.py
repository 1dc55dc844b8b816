"""A turn under way with all that does its work: the log it feeds, the model call, the tool jobs, the timer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .history import Answered, Entry, Returned, raw_messages

if TYPE_CHECKING:
    from contextvars import Context

    from llm_actors.messages import Message, Secret
    from llm_actors.providers.protocol import Flight

    from .event_log import EventLog
    from .model import AnyModel
    from .round_writer import RoundWriter
    from .sent_prompt import SentPrompt
    from .tool_run import ToolRun
    from .turn import Turn


class PromptMail:
    """The mail that brings a prompt to its conversation: the log to feed and all that was copied at the call."""

    __slots__ = ("after_call", "before_call", "chain_limit", "context", "deadline", "key", "log", "model", "toolboxes")

    def __init__(
        self,
        log: EventLog,
        *,
        model: AnyModel,
        key: Secret | None,
        toolboxes: list[Any],
        before_call: Any,
        after_call: Any,
        chain_limit: int | None,
        deadline: float | None,
        context: Context,
    ) -> None:
        self.log = log
        self.model = model
        self.key = key
        self.toolboxes = toolboxes
        self.before_call = before_call
        self.after_call = after_call
        self.chain_limit = chain_limit
        self.deadline = deadline
        self.context = context


class LiveTurn:
    """What the conversation actor holds of one turn. Its loop only."""

    __slots__ = ("flight", "jobs", "kept", "log", "mail", "run", "sent", "timer", "turn", "writer")

    def __init__(self, mail: PromptMail, turn: Turn) -> None:
        self.mail = mail
        self.log = mail.log
        self.turn = turn
        self.sent: SentPrompt = mail.log.prompt
        self.flight: Flight | None = None
        self.writer: RoundWriter | None = None
        self.jobs: dict[int, Any] = {}
        self.run: ToolRun
        self.timer: Any = None
        self.kept: list[Entry] = []

    def output(self) -> list[Message]:
        """What the turn added to the conversation, its own prompt left out."""
        return raw_messages([entry for entry in self.kept if isinstance(entry, Answered | Returned)])
