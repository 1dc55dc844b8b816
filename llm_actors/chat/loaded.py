"""Responses that were written down: from plain values to a log that is over, and back to the same bytes.

The form is the peer's (llm 0.32 and later, `Response.to_dict()`), key by key and in its order, so that files written by one load in the
other:

    model, prompt {messages, options?, system?}, messages, id, usage? {input?, output?, details?}, datetime_utc?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from llm_actors.messages import Attachment, Message, Options, Prompt, ToolCall, Usage
from llm_actors.messages.parts import ToolCallPart, assistant, system, user
from llm_actors.runtime import current

from .event_log import EventLog
from .history import CallRecord, History, Replaced
from .past import items_of
from .sent_prompt import SentPrompt

if TYPE_CHECKING:
    from .model import AnyModel


class LoadedPrompt(SentPrompt):
    """The prompt of a response that was written down: its messages and options as they stand there."""

    __slots__ = ("_options",)

    def __init__(self, said: Prompt, messages: list[Message], options: Mapping[str, Any], known: Options) -> None:
        super().__init__(said, options=known, tools=[])
        self._messages = messages
        self._options = dict(options)

    @property
    def option_values(self) -> dict[str, Any]:
        """The options, by name, in the order they were written; also those that the model here does not have."""
        return dict(self._options)


def loaded_log(plain: Mapping[str, Any], model: AnyModel) -> EventLog:
    """The log of a response that was written down. Raises ValueError for what is not of the form."""
    try:
        asked = plain.get("prompt") or {}
        before = [Message.from_dict(message) for message in asked.get("messages") or ()]
        output = [Message.from_dict(message) for message in plain.get("messages") or ()]
        usage = msgspec.convert(plain["usage"], Usage) if plain.get("usage") else None
        options = dict(asked.get("options") or {})
        fields = {name: value for name, value in options.items() if name in model.Options.__struct_fields__}
        known = msgspec.convert(fields, model.Options)
    except (KeyError, TypeError, AttributeError, msgspec.ValidationError) as error:
        msg = f"this is no response as to_dict() writes it: {type(error).__name__}: {error}"
        raise ValueError(msg) from error
    said = Prompt(system_text=asked.get("system"), stream=False)
    sent = LoadedPrompt(said, before, options, known)
    record = CallRecord(
        plain.get("id") or current().new_id(),
        usage=usage,
        stop_reason="tool_calls" if _calls(output) else "stop",
        tool_calls=tuple(_calls(output)),
    )
    log = _over(EventLog(record.id, sent, model, None), before, output, record)
    log.started = plain.get("datetime_utc") or ""  # as it was written
    return log


def made_up_log(
    model: AnyModel, prompt: str, attachments: Sequence[Attachment], system_text: str, response: str
) -> EventLog:
    """The log of a response that no model gave."""
    asked = [*([system(system_text)] if system_text else []), user(prompt, list(attachments))]
    said = Prompt(prompt, system_text=system_text or None, attachments=list(attachments), stream=False)
    sent = LoadedPrompt(said, asked, {}, Options())
    record = CallRecord(current().new_id(), prompt, system_text, model.model_id, stop_reason="stop")
    return _over(EventLog(record.id, sent, model, None), asked, [assistant(response)], record)


def _over(log: EventLog, before: list[Message], output: list[Message], record: CallRecord) -> EventLog:
    log.history = History()
    log.history.append(Replaced("", (*before, *output)))
    log.write(items_of(output))
    log.seal(None, output, [record])
    log.release()
    return log


def _calls(messages: Sequence[Message]) -> list[ToolCall]:
    return [
        ToolCall(part.name, part.arguments, part.tool_call_id)
        for message in messages
        for part in message.parts
        if isinstance(part, ToolCallPart) and not part.server_executed
    ]


def written(log: EventLog) -> dict[str, Any]:
    """A log that is over as plain values: see the head of this file."""
    prompt = log.prompt
    asked: dict[str, Any] = {"messages": [message.to_dict() for message in prompt.messages]}
    options = prompt.option_values
    if options:
        asked["options"] = options
    if prompt.said.system_text:
        asked["system"] = prompt.said.system_text
    whole: dict[str, Any] = {
        "model": log.model.model_id,
        "prompt": asked,
        "messages": [message.to_dict() for message in log.messages],
        "id": log.id,
    }
    usage = log.usage()
    if usage.input is not None or usage.output is not None:
        whole["usage"] = msgspec.to_builtins(usage)
    if log.began:
        whole["datetime_utc"] = log.began
    return whole
