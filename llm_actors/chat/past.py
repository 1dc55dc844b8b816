"""Responses of model calls that are over, built from the history when somebody asks: an idle conversation keeps none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llm_actors.messages import Attachment, Item, Message, Prompt, StreamEvent, ToolResult
from llm_actors.messages.parts import AttachmentPart, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

from .event_log import EventLog
from .history import History, Recorded
from .sent_prompt import SentPrompt

if TYPE_CHECKING:
    from .model import AnyModel


def past_log(recorded: Recorded, model: AnyModel, conversation: Any = None) -> EventLog:
    """The sealed log of one model call: its text in whole parts, under the id and stamps it had."""
    answered, before, after = recorded
    record = answered.record
    said, results = before.asked(answered.turn)
    asked = Prompt(
        record.prompt or None,
        system_text=record.system or None,
        attachments=[file for message in said for file in _files(message)],
        tool_results=[_result(part) for part in results],
    )
    sent = SentPrompt(asked, options=model.Options(), tools=[], conversation=conversation, history=before)
    log = EventLog(record.id, sent, model, None)
    log.started, log.seconds = record.started or "", record.seconds
    log.history = after
    log.write(items_of(answered.messages))
    log.seal(None, list(answered.messages), [record])
    log.release()
    return log


def past_logs(history: History, model: AnyModel, conversation: Any) -> list[EventLog]:
    """One log for each complete model call of a conversation, in the order of the turns."""
    return [past_log(recorded, model, conversation) for recorded in history.records()]


def rounds(log: EventLog) -> list[EventLog]:
    """One log for each model call of a finished turn; the log itself where it was no chain."""
    if not log.chain or log.history is None:
        return [log]
    mine = {record.id for record in log.records}  # not by the turn's id: several responses may share a turn
    return [
        past_log(recorded, log.model, log.prompt.conversation)
        for recorded in log.history.records()
        if recorded.answered.record.id in mine
    ]


def _files(message: Message) -> list[Attachment]:
    parts = [part for part in message.parts if isinstance(part, AttachmentPart)]
    return [part.attachment for part in parts if part.attachment is not None]


def _result(part: ToolResultPart) -> ToolResult:
    return ToolResult(part.name, part.output, attachments=list(part.attachments), tool_call_id=part.tool_call_id)


def items_of(messages: Sequence[Message]) -> list[Item]:
    """A stream that these messages could have come from, in whole parts."""
    items: list[Item] = []
    for place, message in enumerate(messages):
        for part in message.parts:
            if isinstance(part, TextPart):
                items.append(part.text)
            elif isinstance(part, ReasoningPart):
                items.append(StreamEvent("reasoning", part.text, redacted=part.redacted, message_index=place))
            elif isinstance(part, ToolCallPart):
                items.append(
                    StreamEvent(
                        "tool_call_name",
                        part.name,
                        tool_call_id=part.tool_call_id,
                        tool_name=part.name,
                        message_index=place,
                    )
                )
    return items
