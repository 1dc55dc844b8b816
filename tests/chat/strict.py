"""The strict validator: whether OpenAI would take a history, by the rules of the scripted server."""

from llm_actors.messages import Message, ModelRequest
from llm_actors.providers.openai_chat import OpenAIChat
from llm_actors.testing import wire_openai


def check_accepted(messages: list[Message]) -> None:
    """Encodes a request with these messages and has it checked. Raises `wire_openai.Refusal`."""
    request = ModelRequest(model="m", messages=messages, request_id="r")
    wire_openai.decode(OpenAIChat().encode(request, {}).body)
