"""Writes the body of a request to OpenAI's Responses.

    above it   openai_responses.py
    below it   openai_responses_input.py (messages -> items), messages

Plain values in, plain values out; the order of the fields is fixed, so that equal requests are equal bytes.
"""

import re
from typing import Any

from llm_actors.errors import ModelError
from llm_actors.messages import ModelRequest, ToolSpec

from .openai_responses_input import InputItems

# OpenAI's models that think: o1, o3-mini, gpt-5 and later, also behind a gateway's prefix. Others may refuse to be asked for what only
# these have ("Encrypted content is not supported with this model").
_THINKS = re.compile(r"(?:^|/)(?:o[1-9]\d*|gpt-(?:[5-9]|[1-9]\d))(?:[-.]|$)")
_RENAMED = {"max_tokens": "max_output_tokens"}
_INSIDE = {  # options that are a field of an object of the body
    "reasoning_effort": ("reasoning", "effort"),
    "reasoning_summary": ("reasoning", "summary"),
    "verbosity": ("text", "verbosity"),
}


def body_of(request: ModelRequest, provider: str) -> dict[str, Any]:
    """The body's fields. Raises `ModelError` for an attachment that this wire can't carry."""
    options = {name: value for name, value in request.options.items() if value is not None}
    items = InputItems(provider, options.pop("image_detail", "auto"))
    for message in request.messages:
        items.add(message)
    body: dict[str, Any] = {
        "model": request.model,
        "input": items.items,
        "stream": request.stream,
        # Kept at the provider otherwise, for 30 days at least; and history is ours: it forks, and it may go on elsewhere.
        "store": False,
    }
    if _THINKS.search(request.model):
        body["include"] = ["reasoning.encrypted_content"]
    tools = [*map(_tool, request.tools), *map(_server_tool, request.server_tools)]
    if tools:
        body["tools"] = tools
    if request.hide_reasoning:
        options.pop("reasoning_summary", None)
    json_object = options.pop("json_object", None)
    if request.schema is not None:
        body["text"] = {"format": {"type": "json_schema", "name": "output", "schema": request.schema}}
    elif json_object:
        body["text"] = {"format": {"type": "json_object"}}
    for name, value in sorted(options.items()):
        outer, inner = _INSIDE.get(name, (None, ""))
        if outer is not None:
            body.setdefault(outer, {})[inner] = value
        else:
            body[_RENAMED.get(name, name)] = value
    return body


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function: dict[str, Any] = {"type": "function", "name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.input_schema or {"type": "object", "properties": {}}
    function["strict"] = False  # left out, it would be true, unlike in chat completions (langchain-ai/langchain#39309)
    return function


def _server_tool(spec: Any) -> dict[str, Any]:
    """A tool that the provider runs itself, as its own raw spec."""
    if not isinstance(spec, dict):
        msg = f"Responses take a provider's own tool as a dict, not as {type(spec).__name__}"
        raise ModelError(msg)
    return spec
