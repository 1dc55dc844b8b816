"""OpenAI's Responses, with `store: false`. What the codec has to do with ours:

- system, user and assistant texts become `message` items, in place, without the empty ones;
- a call becomes a `function_call` item without an item id, a result a `function_call_output` of the same `call_id`; a `call_id` of more
  than 64 characters is shortened, in both alike;
- reasoning becomes a `reasoning` item where `provider_metadata["openai"]` has its `id` and `encrypted_content`; else it is left out, and so
  is one behind which the same message has no other item, and one whose id has been there before.
"""

import hashlib
import json
from typing import Any

from llm_actors.messages import Message
from llm_actors.messages.parts import AttachmentPart, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

from .refused import demand

Item = dict[str, Any]
_LONGEST = 64


def body_of(messages: list[Message]) -> dict[str, Any]:
    """The items of `input`."""
    items: list[Item] = []
    thoughts: set[str] = set()
    for message in messages:
        items += _items(message, thoughts)
    return {"input": items, "store": False}


def _items(message: Message, thoughts: set[str]) -> list[Item]:
    items: list[Item] = []
    side = "output_text" if message.role == "assistant" else "input_text"
    for part in message.parts:
        if isinstance(part, TextPart | AttachmentPart):
            content = (
                {"type": side, "text": part.text}
                if isinstance(part, TextPart)
                else {"type": "input_image", "image_url": "data:image/png;base64,eA=="}
            )
            if not content.get("text", "-"):
                continue
            if items and items[-1]["type"] == "message":
                items[-1]["content"].append(content)
            else:
                items.append({"type": "message", "role": message.role, "content": [content]})
        elif isinstance(part, ToolCallPart):
            arguments = json.dumps(part.arguments)
            items.append({"type": "function_call", "call_id": _id(part), "name": part.name, "arguments": arguments})
        elif isinstance(part, ToolResultPart):
            items.append({"type": "function_call_output", "call_id": _id(part), "output": part.output})
        else:
            items += [item for item in _reasoning(part) if item["id"] not in thoughts]
            thoughts.update([item["id"] for item in items if item["type"] == "reasoning"])
    while items and items[-1]["type"] == "reasoning":
        items.pop()
    return items


def _reasoning(part: ReasoningPart) -> list[Item]:
    own = (part.provider_metadata or {}).get("openai") or {}
    if not (own.get("id") and own.get("encrypted_content")):
        return []
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    return [{"type": "reasoning", "id": own["id"], "summary": summary, "encrypted_content": own["encrypted_content"]}]


def _id(part: ToolCallPart | ToolResultPart) -> str:
    name = part.tool_call_id or ""
    short = f"{name[:55]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return short if len(name) > _LONGEST else name


def check_body(body: dict[str, Any]) -> None:
    """Raises `Refused` with the rule that this body breaks."""
    items = body["input"]
    demand(items, "Missing required parameter: 'input'")
    waiting: list[str] = []
    used: set[str] = set()
    for place, item in enumerate(items):
        kind, name = item["type"], f"input[{place}]"
        if kind == "function_call":
            _check_call(item, used, name)
            waiting.append(item["call_id"])
        elif kind == "function_call_output":
            # continuedev/continue#10092, #11785; and a second one: NousResearch/hermes-agent#111443
            demand(item["call_id"] in waiting, f"{name}: No tool call found for function call output {item['call_id']}")
            demand(isinstance(item["output"], str), f"{name}: output must be a string")
            waiting.remove(item["call_id"])
        elif kind == "message" and item["role"] != "assistant":
            # leookun/cursor-byok#307; wire notes 7.5: the results come before anything new is said
            demand(not waiting, f"{name}: No tool output found for function call {waiting}")
        if kind == "message":
            _check_message(item, name)
        if kind == "reasoning":
            _check_reasoning(item, items[place + 1 : place + 2], used, name)
    demand(not waiting, f"No tool output found for function call {waiting}")


def _check_call(item: Item, used: set[str], name: str) -> None:
    call_id = item["call_id"]
    # experientiallabs/experiential#801, earendil-works/pi#9057
    demand(0 < len(call_id) <= _LONGEST, f"{name}.call_id: expected a string of 1 to 64 characters: {call_id!r}")
    demand(call_id not in used, f"{name}: Duplicate 'call_id': {call_id}")
    used.add(call_id)
    # nodetool-ai/nodetool#4252: call_id is not the item's id
    demand(item.get("id", "fc_").startswith("fc_"), f"{name}.id: Expected an ID that begins with 'fc'")
    demand(isinstance(json.loads(item["arguments"]), dict), f"{name}.arguments: expected an object as JSON")


def _check_message(item: Item, name: str) -> None:
    demand(item["role"] in ("system", "developer", "user", "assistant"), f"{name}.role: {item['role']!r}")
    demand(item["content"], f"{name}.content: empty array")
    for part in item["content"]:
        demand(part.get("text", "-"), f"{name}.content: empty text")


def _check_reasoning(item: Item, behind: list[Item], used: set[str], name: str) -> None:
    # wire notes section 3: with store:false nobody but us has it
    demand(item.get("encrypted_content"), f"{name}: Item {item['id']!r} not found: it was not persisted")
    demand(item["id"] not in used, f"{name}: Duplicate item found with id {item['id']}")  # vercel/ai#7883
    used.add(item["id"])
    # vercel/ai#7099, openai/openai-agents-python#1660
    follows = bool(behind) and (
        behind[0]["type"] in ("reasoning", "function_call") or behind[0].get("role") == "assistant"
    )
    demand(follows, f"{name}: 'reasoning' was provided without its required following item")


def check(messages: list[Message]) -> None:
    """Raises `Refused` with the rule that these messages break."""
    check_body(body_of(messages))
