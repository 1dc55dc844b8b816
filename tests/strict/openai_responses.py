"""OpenAI's Responses, with `store: false`. The codec exists, so its own output is checked; `check_body` takes any body.

The rules are those of the reference (https://developers.openai.com/api/reference/responses/create), in the form of the types of the openai
package 3.57.0 (types/responses/response_input_item_param.py and its neighbours), and what others were refused for.
"""

import json
import re
from typing import Any

from llm_actors.messages import Message, ModelRequest
from llm_actors.providers.openai_responses import OpenAIResponses

from .refused import demand

Item = dict[str, Any]
_LONGEST = 64
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
# The content parts of a message, by its role (response_input_message_content_list_param.py, response_output_message_param.py), and those
# of an output of a tool (response_function_call_output_item_list_param.py).
_INPUT = ("input_text", "input_image", "input_file")
_OUTPUT = ("output_text", "refusal")
_CALLS = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "shell_call": "shell_call_output",
}
_OUTPUTS = {output: call for call, output in _CALLS.items()}


def body_of(messages: list[Message]) -> dict[str, Any]:
    """The body of a request with these messages."""
    body = OpenAIResponses().encode(ModelRequest(model="gpt-5.4", messages=messages, request_id="r"), {}).body
    plain = json.loads(body)
    assert isinstance(plain, dict)
    return plain


def check_body(body: dict[str, Any]) -> None:
    """Raises `Refused` with the rule that this body breaks."""
    items = body["input"]
    demand(items, "Missing required parameter: 'input'")
    waiting: dict[str, str] = {}
    used: set[str] = set()
    for place, item in enumerate(items):
        kind, name = item["type"], f"input[{place}]"
        if kind in _CALLS:
            _check_call(item, used, name)
            waiting[item["call_id"]] = kind
        elif kind in _OUTPUTS:
            # continuedev/continue#10092, #11785; and a second one: NousResearch/hermes-agent#111443
            known = waiting.pop(item["call_id"], None) == _OUTPUTS[kind]
            demand(known, f"{name}: No tool call found for function call output {item['call_id']}")
            _check_output(item, name)
        elif kind == "message" and item["role"] != "assistant":
            # leookun/cursor-byok#307; wire notes 7.5: the results come before anything new is said
            demand(not waiting, f"{name}: No tool output found for function call {[*waiting]}")
        if kind == "message":
            _check_message(item, name)
        elif kind == "reasoning":
            _check_reasoning(item, items[place + 1 : place + 2], used, name)
        elif kind == "mcp_approval_request":
            demand(False, f"{name}: an approval that nobody gave")
    demand(not waiting, f"No tool output found for function call {[*waiting]}")
    _check_settings(body)


def _check_call(item: Item, used: set[str], name: str) -> None:
    call_id = item["call_id"]
    # experientiallabs/experiential#801, earendil-works/pi#9057
    demand(0 < len(call_id) <= _LONGEST, f"{name}.call_id: expected a string of 1 to 64 characters: {call_id!r}")
    demand(call_id not in used, f"{name}: Duplicate 'call_id': {call_id}")
    used.add(call_id)
    if item["type"] == "function_call":
        # nodetool-ai/nodetool#4252: call_id is not the item's id
        demand(item.get("id", "fc_").startswith("fc_"), f"{name}.id: Expected an ID that begins with 'fc'")
        demand(isinstance(json.loads(item["arguments"]), dict), f"{name}.arguments: expected an object as JSON")
    if item["type"] != "shell_call":
        demand(item.get("name"), f"{name}.name: missing required parameter")


def _check_output(item: Item, name: str) -> None:
    output = item["output"]
    if isinstance(output, list) and item["type"] != "shell_call_output":
        demand(output, f"{name}.output: empty array")
        for part in output:
            _check_part(part, _INPUT, f"{name}.output")
    elif item["type"] != "shell_call_output":
        demand(isinstance(output, str), f"{name}: output must be a string")


def _check_message(item: Item, name: str) -> None:
    role = item["role"]
    demand(role in ("system", "developer", "user", "assistant"), f"{name}.role: {role!r}")
    demand(item["content"], f"{name}.content: empty array")
    # "Not used for user messages": easy_input_message_param.py
    demand(role == "assistant" or "phase" not in item, f"{name}.phase: of an assistant only")
    for part in item["content"]:
        _check_part(part, _OUTPUT if role == "assistant" else _INPUT, f"{name}.content")


def _check_part(part: Item, allowed: tuple[str, ...], name: str) -> None:
    # "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.": jeremychone/rust-genai#119
    demand(part["type"] in allowed, f"{name}: Invalid value: {part['type']!r}. Supported values are: {allowed}")
    demand(part.get("text", "-") and part.get("refusal", "-"), f"{name}: empty text")
    if part["type"] == "input_image":
        url = part.get("image_url") or ""
        demand(url.startswith(("https://", "http://", "data:image/")), f"{name}.image_url: Expected a valid URL")
        demand(part.get("detail") in ("low", "high", "auto", "original"), f"{name}.detail: {part.get('detail')!r}")
    elif part["type"] == "input_file":
        # without a name: 400, "Missing required parameter", laravel/ai#324
        whole = part.get("file_url") or (part.get("filename") and part.get("file_data", "").startswith("data:"))
        demand(whole, f"{name}: a file needs its data with a name, or a URL")


def _check_reasoning(item: Item, behind: list[Item], used: set[str], name: str) -> None:
    # wire notes section 3: with store:false nobody but us has it. Open models keep their thinking as plain text.
    whole = item.get("encrypted_content") or item.get("content")
    demand(whole, f"{name}: Item {item.get('id')!r} not found: it was not persisted")
    demand(isinstance(item.get("summary"), list), f"{name}.summary: missing required parameter")
    demand(item.get("id") not in used, f"{name}: Duplicate item found with id {item.get('id')}")  # vercel/ai#7883
    if item.get("id"):
        used.add(item["id"])
    # vercel/ai#7099, openai/openai-agents-python#1660
    follows = bool(behind) and (behind[0]["type"] not in ("message", *_OUTPUTS) or behind[0].get("role") == "assistant")
    demand(follows, f"{name}: 'reasoning' was provided without its required following item")


def _check_settings(body: dict[str, Any]) -> None:
    """The rest of a body that has one; the histories beside this file are input alone."""
    demand(body.get("store", False) is False, "store: what is kept there is not ours")
    for place, tool in enumerate(body.get("tools") or []):
        if tool["type"] == "function":  # function_tool_param.py
            demand(
                _NAME.fullmatch(tool["name"]), f"tools[{place}].name: expected a string that matches ^[a-zA-Z0-9_-]+$"
            )
            demand(
                tool["parameters"].get("type") == "object",
                f"tools[{place}].parameters: schema must be of type 'object'",
            )
            demand("strict" in tool, f"tools[{place}].strict: left out, it is true")
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":  # response_format_text_json_schema_config_param.py
        demand(_NAME.fullmatch(form.get("name") or ""), "text.format.name: missing, or not of a-z, A-Z, 0-9, _ and -")
        demand(form.get("schema"), "text.format.schema: missing required parameter")


def check(messages: list[Message]) -> None:
    """Raises `Refused` with the rule that these messages break."""
    check_body(body_of(messages))
