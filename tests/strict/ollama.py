"""Ollama's own chat. What the codec has to do with ours:

- a role, and `content`, a string, for each message; the files of a user's message as bare base64 in `images`;
- a call in `tool_calls`, its arguments an object; a tool message becomes one message for each result, with `tool_name`, in call order;
- `thinking` goes back with the calls that it led to; reasoning without calls is left out, as are messages that have nothing left.

The server hands the messages to the model's own template, and has no rules beyond their form; the order of calls and results is what the
templates count on, since they know names at best and often no ids (wire notes, section 6).
"""

from typing import Any

from llm_actors.messages import Message
from llm_actors.messages.parts import AttachmentPart, ReasoningPart, ToolCallPart, ToolResultPart

from .refused import demand


def body_of(messages: list[Message]) -> dict[str, Any]:
    """The messages of the body."""
    written: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "tool":
            written += [
                {"role": "tool", "tool_name": part.name, "content": part.output}
                for part in message.parts
                if isinstance(part, ToolResultPart)
            ]
            continue
        entry: dict[str, Any] = {"role": message.role, "content": message.text}
        calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
        images = [part for part in message.parts if isinstance(part, AttachmentPart)]
        thinking = "".join([part.text for part in message.parts if isinstance(part, ReasoningPart)])
        if calls:
            entry["tool_calls"] = [{"function": {"name": call.name, "arguments": call.arguments}} for call in calls]
        if calls and thinking:
            entry["thinking"] = thinking
        if images:
            entry["images"] = ["eA=="] * len(images)
        if entry["content"] or calls or images:
            written.append(entry)
    return {"messages": written}


def check_body(body: dict[str, Any]) -> None:
    """Raises `Refused` with the rule that this body breaks."""
    messages = body["messages"]
    demand(messages, "messages: empty, which only loads the model")  # wire notes section 6: done_reason "load"
    waiting: list[str] = []
    for place, message in enumerate(messages):
        role, name = message["role"], f"messages[{place}]"
        demand(role in ("system", "user", "assistant", "tool"), f"{name}: invalid role: {role!r}")
        demand(isinstance(message["content"], str), f"{name}: invalid message format: content is no string")
        if role == "tool":
            demand(waiting[:1] == [message["tool_name"]], f"{name}: a result of {message['tool_name']}, not {waiting}")
            waiting = waiting[1:]
            continue
        demand(not waiting, f"{name}: no results of {waiting}")
        calls = message.get("tool_calls") or []
        demand(not calls or role == "assistant", f"{name}: calls of a {role}")
        demand(message["content"] or calls or message.get("images"), f"{name}: nothing is said")
        for call in calls:
            demand(isinstance(call["function"]["arguments"], dict), f"{name}: arguments must be an object")
        waiting = [call["function"]["name"] for call in calls]
    demand(not waiting, f"no results of {waiting}")


def check(messages: list[Message]) -> None:
    """Raises `Refused` with the rule that these messages break."""
    check_body(body_of(messages))
