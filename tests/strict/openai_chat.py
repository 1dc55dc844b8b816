"""OpenAI chat completions. The codec exists, so its own output is checked, by the rules of the scripted server (testing/wire_openai.py).

The rules: an assistant message with `tool_calls` is followed by one tool message for each call and by nothing else before them; a tool
message answers such a call; ids are there, each its own in its message; something is said in each message (wire notes, section 2 and 7.5).
"""

from typing import Any

from llm_actors.messages import Message, ModelRequest
from llm_actors.providers.openai_chat import OpenAIChat
from llm_actors.testing import wire_openai

from .refused import Refused


def body_of(messages: list[Message]) -> bytes:
    """The body of a request with these messages."""
    return OpenAIChat().encode(ModelRequest(model="m", messages=messages, request_id="r"), {}).body


def check_body(body: bytes) -> dict[str, Any]:
    """The decoded body. Raises `Refused`."""
    try:
        return wire_openai.decode(body)
    except wire_openai.Refusal as refusal:
        raise Refused(str(refusal)) from None


def check(messages: list[Message]) -> None:
    """Raises `Refused` with the rule that these messages break."""
    check_body(body_of(messages))
