"""From the keyword arguments of `prompt()` and `chain()` to a checked copy: all that can be wrong is said at the call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from llm_actors.errors import OptionsError, options_error
from llm_actors.messages import Attachment, Message, Options, Prompt, ToolResult

from . import arguments
from . import attachments as attachments_
from .schema import decoder_for, schema_from
from .scope import Moment
from .sent_prompt import SentPrompt
from .tools import ServerSideTool, resolve_tools

if TYPE_CHECKING:
    from .model import AnyModel

_TEXT = '"a text"'
_NONE: list[Any] = []
"""What most prompts have of most things: one list for all of them, which nobody changes."""


def ask(
    model: AnyModel,
    text: str | Prompt | None,
    *,
    fragments: Sequence[str] | None = None,
    attachments: Sequence[Attachment] | None = None,
    system: str | None = None,
    system_fragments: Sequence[str] | None = None,
    messages: Sequence[Message] | None = None,
    stream: bool = True,
    schema: Any = None,
    tools: Sequence[Any] = (),
    tool_results: Sequence[ToolResult] | None = None,
    options: Mapping[str, Any] | Options | None = None,
    hide_reasoning: bool = False,
    timeout: float | None = None,
    deadline: Moment | None = None,
    chain: bool = False,
    keywords: Mapping[str, Any] | None = None,
) -> SentPrompt:
    """The prompt, checked against what the model can do.

    Raises OptionsError, AttachmentError, ValueError (schema, tools, server-side tools the model does not have), TypeError (`Invalid tool:
    X`, and whatever is of a wrong type).
    """
    if isinstance(text, Prompt):
        return from_prompt(model, text)
    found, files = _checked(model, tools, schema, attachments)
    said = Prompt(
        text=arguments.text("prompt", text),
        fragments=_texts("fragments", fragments),
        system_text=arguments.text("system", system),
        system_fragments=_texts("system_fragments", system_fragments),
        attachments=files,
        given_messages=None if messages is None else arguments.listed("messages", messages, Message, 'llm.user("Hi")'),
        schema=schema_from(schema) if schema is not None else None,
        tools=list(found) if found else _NONE,
        tool_results=_NONE if tool_results is None else _results(tool_results),
        stream=stream,
        hide_reasoning=hide_reasoning,
        chain=chain,
        timeout=arguments.seconds("timeout", timeout),
        deadline=arguments.moment("deadline", deadline),
    )
    return SentPrompt(said, options=_options(model, options, keywords or {}), tools=found, reader=_reader(schema))


def _texts(name: str, given: Any) -> tuple[str, ...]:
    return () if given is None else tuple(arguments.listed(name, given, str, _TEXT))


def _results(given: Any) -> list[ToolResult]:
    return arguments.listed("tool_results", given, ToolResult, 'llm.ToolResult(name="f", output="x")')


def _checked(
    model: AnyModel, tools: Sequence[Any], schema: Any, given: Sequence[Attachment] | None
) -> tuple[list[Any], list[Attachment]]:
    """The tools and the files, once it is sure that the model can do with them."""
    if not tools and given is None and schema is None:
        return [], _NONE
    found = resolve_tools(tools)
    files = arguments.listed("attachments", given, Attachment, 'llm.Attachment(path="photo.png")')
    _check(model, found, schema, files)
    return found, files


def _check(model: AnyModel, tools: list[Any], schema: Any, files: list[Attachment]) -> None:
    """Raises, in the peer's words, for what the model can't do."""
    if tools and not model.supports_tools:
        msg = f"{model} does not support tools"
        raise ValueError(msg)
    _check_server_tools(model, tools)
    if schema is not None and not model.supports_schema:
        msg = f"{model} does not support schemas"
        raise ValueError(msg)
    attachments_.check(files, model.attachment_types, str(model))


def from_prompt(model: AnyModel, prompt: Prompt) -> SentPrompt:
    """A Prompt that came as a message."""
    return ask(
        model,
        prompt.text,
        fragments=prompt.fragments,
        attachments=prompt.attachments,
        system=prompt.system_text,
        system_fragments=prompt.system_fragments,
        messages=prompt.given_messages,
        stream=prompt.stream,
        schema=prompt.schema,
        tools=prompt.tools,
        tool_results=prompt.tool_results,
        options=prompt.options,
        hide_reasoning=prompt.hide_reasoning,
        timeout=prompt.timeout,
        deadline=prompt.deadline,
        chain=prompt.chain,
    )


def asked_of(model: AnyModel, sent: SentPrompt) -> SentPrompt:
    """The same prompt for another model, without the options that it does not have. Raises as `ask()` does."""
    said = sent.said
    _check(model, sent.tools, said.schema, list(said.attachments))
    known = {name: value for name, value in sent.option_values.items() if name in model.Options.__struct_fields__}
    return sent.with_options(_options(model, known, {}))


def _options(model: AnyModel, options: Mapping[str, Any] | Options | None, keywords: Mapping[str, Any]) -> Options:
    if not options and not keywords and model.Options is Options:
        return Options()
    given: dict[str, Any] = (
        dict(msgspec.to_builtins(options)) if isinstance(options, msgspec.Struct) else dict(options or {})
    )
    twice = sorted(set(given) & set(keywords))
    if twice:
        msg = f"Got values for these options both in options= and as keyword arguments: {twice}"
        raise OptionsError(msg)
    try:
        return msgspec.convert({**given, **keywords}, model.Options)
    except msgspec.ValidationError as error:
        raise options_error(error, model.Options.__struct_fields__) from None


def _check_server_tools(model: AnyModel, tools: list[Any]) -> None:
    for tool in tools:
        if isinstance(tool, ServerSideTool) and not isinstance(tool, model.supported_server_side_tools):
            msg = f"Model {model.model_id!r} does not support server-side tool {tool.name!r}. Run: llm-actors models"
            raise ValueError(msg)  # noqa: TRY004 - the peer's error: the type is right, the model can't use it


def _reader(schema: Any) -> Callable[[str], Any] | None:
    return decoder_for(schema) if schema is not None else None
