"""Writes the body, and the headers of their own, of a request for Anthropic's messages.

    above it   anthropic.py, anthropic_answer.py
    below it   anthropic_messages.py, anthropic_cache.py, anthropic_schema.py, anthropic_options.py, messages

Plain values in, plain values out; the order of the fields is fixed, so that equal requests are equal bytes.
"""

from typing import Any

import msgspec

from llm_actors.errors import ModelError
from llm_actors.messages import Message, ModelRequest, ToolCallPart, ToolSpec

from .anthropic_cache import mark_stable_prefix
from .anthropic_messages import conversation_of
from .anthropic_schema import supported

_ENCODER = msgspec.json.Encoder()
VERSION = "2026-10-21"
BEFORE_VERSION = "2023-06-01"
"""The last version that takes `temperature`, `top_p` and `top_k`: https://platform.claude.com/docs/en/api/versioning"""

_SAMPLING = ("temperature", "top_p", "top_k")
_AS_THEY_ARE = (*_SAMPLING, "service_tier", "speed", "container")
_CHOICES = {"auto": "auto", "any": "any", "required": "any", "none": "none"}
_OLDER = (("claude-3-5-", 8_192), ("claude-3-7-", 64_000), ("claude-3-", 4_096))
_OTHERS = 4_096


def encode_body(body: dict[str, Any]) -> bytes:
    """The body as JSON."""
    return _ENCODER.encode(body)


def headers_of(request: ModelRequest) -> dict[str, str]:
    """The API's version, and the betas that are asked for."""
    sampling = any(request.options.get(name) is not None for name in _SAMPLING)
    headers = {"anthropic-version": BEFORE_VERSION if sampling else VERSION}
    betas = request.options.get("betas")
    if betas:
        headers["anthropic-beta"] = ",".join(betas)
    return headers


def body_of(request: ModelRequest, provider: str) -> dict[str, Any]:
    """The body's fields. Raises `ModelError` for an attachment that this wire can't carry."""
    options = {name: value for name, value in request.options.items() if value is not None}
    tools = tools_of(request)
    conversation = conversation_of(request.messages, provider, request.model, tools)
    body: dict[str, Any] = {"model": request.model, "max_tokens": _max_tokens(request.model, options)}
    if conversation.system:
        block = conversation.system[0]
        plain = len(conversation.system) == 1 and "cache_control" not in block
        body["system"] = block["text"] if plain else conversation.system
    body["messages"] = conversation.messages()
    body["stream"] = request.stream
    if tools:
        body["tools"] = tools
        choice = _tool_choice(options)
        if choice is not None:
            body["tool_choice"] = choice
    body.update(_settings(request, options))
    container = _container(request.messages, provider)
    if container is not None:
        body.setdefault("container", container)
    if options.get("cache"):
        mark_stable_prefix(body, None if options["cache"] is True else options["cache"])
    return body


def _settings(request: ModelRequest, options: dict[str, Any]) -> dict[str, Any]:
    """The fields that say how to answer."""
    fields: dict[str, Any] = {}
    output: dict[str, Any] = {"effort": options["effort"]} if "effort" in options else {}
    if request.schema is not None:
        output["format"] = {"type": "json_schema", "schema": supported(request.schema)}
    if output:
        fields["output_config"] = output
    thinking = _thinking(options.get("thinking"), hide=request.hide_reasoning)
    if thinking is not None:
        fields["thinking"] = thinking
    if "stop" in options:
        stop = options["stop"]
        fields["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if "user_id" in options:
        fields["metadata"] = {"user_id": options["user_id"]}
    fields.update((name, options[name]) for name in _AS_THEY_ARE if name in options)
    return fields


def prefix_of(request: ModelRequest, provider: str) -> str:
    """The mark of what the thinking of the answer to this request is made from."""
    tools = tools_of(request)
    return conversation_of(request.messages, provider, request.model, tools).prefix(tools)


def tools_of(request: ModelRequest) -> list[dict[str, Any]]:
    """The tools: those that run here, then those that the provider runs itself, as their raw specs. Raises `ModelError`."""
    for spec in request.server_tools:
        if not isinstance(spec, dict):
            msg = f"Anthropic's messages take a provider's own tool as a dict, not as {type(spec).__name__}"
            raise ModelError(msg)
    return [*map(_tool, request.tools), *request.server_tools]


def default_max_tokens(model: str) -> int:
    """For a request that says nothing: the wire wants a number. What the model can write, up to 32,000; 4,096 for models of others.

    Models since Claude 4 write at least 32,000: https://platform.claude.com/docs/en/models/overview. One that is too high is a 400.
    """
    name = model.rpartition("/")[2]
    for prefix, most in _OLDER:
        if name.startswith(prefix):
            return min(most, 32_000)
    return 32_000 if name.startswith("claude-") else _OTHERS


def _max_tokens(model: str, options: dict[str, Any]) -> int:
    if "max_tokens" in options:
        return int(options["max_tokens"])
    budget = options.get("thinking")
    room = budget + _OTHERS if type(budget) is int else 0  # the budget has to be less than all of it
    return max(default_max_tokens(model), room)


def _container(messages: list[Message], provider: str) -> str | None:
    """Where a code of the provider's waits for the results that this request brings; it is lost without.

    See https://platform.claude.com/docs/en/agents-and-tools/tool-use/programmatic-tool-calling
    """
    answer = next((message for message in reversed(messages) if message.role == "assistant"), None)
    if answer is None or messages[-1].role != "tool":
        return None
    for part in answer.parts:
        block = ((part.provider_metadata or {}).get(provider) or {}).get("block")
        caller = block.get("caller") if isinstance(block, dict) and isinstance(part, ToolCallPart) else None
        if isinstance(caller, dict) and str(caller.get("type")).startswith("code_execution"):
            container = ((answer.provider_metadata or {}).get(provider) or {}).get("container")
            return container if isinstance(container, str) else None
    return None


def _tool(tool: ToolSpec) -> dict[str, Any]:
    described = {"description": tool.description} if tool.description else {}
    schema = tool.input_schema or {"type": "object", "properties": {}}
    return {"name": tool.name, **described, "input_schema": schema}


def _tool_choice(options: dict[str, Any]) -> dict[str, Any] | None:
    choice = options.get("tool_choice")
    if isinstance(choice, str):
        kind = _CHOICES.get(choice)
        choice = {"type": kind} if kind else {"type": "tool", "name": choice}
    if options.get("parallel_tool_calls") is False:
        choice = {"type": "auto"} if choice is None else choice
        if choice.get("type") != "none":
            choice = {**choice, "disable_parallel_tool_use": True}
    return choice


def _thinking(asked: Any, *, hide: bool) -> dict[str, Any] | None:
    """With `hide_reasoning` the model thinks as asked, and sends only the signature.

    Newer models show nothing unless asked to: https://platform.claude.com/docs/en/build-with-claude/thinking#controlling-thinking-display
    """
    if asked is None:
        return None
    if asked is False:
        return {"type": "disabled"}
    if asked is True:
        return {"type": "adaptive", "display": "omitted" if hide else "summarized"}
    thinking = dict(asked) if isinstance(asked, dict) else {"type": "enabled", "budget_tokens": asked}
    if hide and thinking.get("type") in ("adaptive", "enabled"):
        thinking["display"] = "omitted"
    return thinking
