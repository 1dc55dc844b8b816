"""Writes the body of a generateContent request.

    above it   gemini.py
    below it   gemini_contents.py (the history), messages

Plain values in, plain values out; the order of the fields is fixed, so that equal requests are equal bytes.
"""

import json
import re
from typing import Any

from llm_actors.errors import ModelError
from llm_actors.messages import ModelRequest, ToolSpec

from .gemini_contents import contents_of, system_of

# Models before Gemini 3, by their ids; what is said here of later ones holds for ids that are not known at all, too.
_OLD = re.compile(r"(?:^|/)(?:gemini-(?:[12][.-]|pro-vision)|gemma-)")
# Those that think, and can show it: https://ai.google.dev/gemini-api/docs/thinking. Others refuse to be asked.
_THINKS = re.compile(r"(?:^|/)gemini-(?:2\.5|[3-9]|[1-9]\d|pro-latest|flash-latest|flash-lite-latest)")
_THINKS_NOT = re.compile(r"-(?:image|tts|live|embedding|native-audio|computer-use|robotics)")
_RENAMED = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "seed": "seed",
}
_SERVER_TOOLS = {"google_search": "googleSearch", "code_execution": "codeExecution", "url_context": "urlContext"}
_BY_SCHEMA = "Answer with nothing but JSON that this JSON schema allows:\n"


def body_of(request: ModelRequest, provider: str) -> dict[str, Any]:
    """The body's fields. Raises `ModelError` for an attachment that this wire can't carry."""
    options = {name: value for name, value in request.options.items() if value is not None}
    old = _OLD.search(request.model) is not None
    tools = [_declaration(tool) for tool in request.tools]
    server_tools = [_server_tool(spec) for spec in request.server_tools]
    server_tools += [{field: {}} for name, field in _SERVER_TOOLS.items() if options.get(name)]
    # Models before Gemini 3 take a schema or tools, not both ("Function calling with a response mime type: 'application/json' is
    # unsupported", googleapis/python-genai#867): with tools they are told of the schema in words.
    told = request.schema is not None and old and bool(tools or server_tools)
    body: dict[str, Any] = {"contents": contents_of(request.messages, provider, sign=not old)}
    said = [text for text in (system_of(request.messages), _in_words(request.schema) if told else "") if text]
    if said:
        body["systemInstruction"] = {"parts": [{"text": "\n\n".join(said)}]}
    if tools or server_tools:
        body["tools"] = [*([{"functionDeclarations": tools}] if tools else []), *server_tools]
    if tools and server_tools and not old:
        # https://ai.google.dev/gemini-api/docs/tool-combination: refused without it.
        body["toolConfig"] = {"includeServerSideToolInvocations": True}
    config = _config(request, options, with_schema=request.schema is not None and not told)
    if config:
        body["generationConfig"] = config
    for option, field in (("safety_settings", "safetySettings"), ("cached_content", "cachedContent")):
        if option in options:
            body[field] = options[option]
    if "service_tier" in options:
        body["serviceTier"] = options["service_tier"]
    return body


def _config(request: ModelRequest, options: dict[str, Any], *, with_schema: bool) -> dict[str, Any]:
    config = {field: options[name] for name, field in _RENAMED.items() if name in options}
    limit = options.get("max_output_tokens", options.get("max_tokens"))
    if limit is not None:
        config["maxOutputTokens"] = limit
    if "stop" in options:
        config["stopSequences"] = [options["stop"]] if isinstance(options["stop"], str) else options["stop"]
    if "media_resolution" in options:
        config["mediaResolution"] = f"MEDIA_RESOLUTION_{options['media_resolution'].upper()}"
    if with_schema:
        config["responseMimeType"] = "application/json"
        config["responseJsonSchema"] = request.schema
    elif options.get("json_object"):
        config["responseMimeType"] = "application/json"
    thinking = _thinking(request, options)
    if thinking:
        config["thinkingConfig"] = thinking
    return config


def _thinking(request: ModelRequest, options: dict[str, Any]) -> dict[str, Any]:
    thinking: dict[str, Any] = {}
    if "thinking_budget" in options:
        thinking["thinkingBudget"] = options["thinking_budget"]
    if "thinking_level" in options:
        thinking["thinkingLevel"] = options["thinking_level"].upper()
    shows = _THINKS.search(request.model) is not None and _THINKS_NOT.search(request.model) is None
    if (shows or thinking) and not request.hide_reasoning and thinking.get("thinkingBudget") != 0:
        thinking["includeThoughts"] = True
    return thinking


def _in_words(schema: dict[str, Any] | None) -> str:
    return _BY_SCHEMA + json.dumps(schema, ensure_ascii=False)


def _declaration(tool: ToolSpec) -> dict[str, Any]:
    declaration: dict[str, Any] = {"name": tool.name}
    if tool.description:
        declaration["description"] = tool.description
    # In full JSON Schema; `parameters` takes a part of OpenAPI's only.
    declaration["parametersJsonSchema"] = tool.input_schema or {"type": "object", "properties": {}}
    return declaration


def _server_tool(spec: Any) -> dict[str, Any]:
    """A tool that the provider runs itself, as its own raw spec."""
    if not isinstance(spec, dict):
        msg = (
            f"Gemini takes a provider's own tool as a dict, like {{'googleSearch': {{}}}}, not as {type(spec).__name__}"
        )
        raise ModelError(msg)
    return spec
