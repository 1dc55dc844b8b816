"""Feeds the bytes of an answer to a decoder in all the ways a network may cut them."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from llm_actors.errors import ModelError
from llm_actors.messages import Item, Message, ModelRequest, RoundResult, StreamEvent, user
from llm_actors.providers.openai_chat import OpenAIChat
from llm_actors.providers.openai_dialect import ChatDialect
from llm_actors.providers.protocol import Provider

SSE = {"content-type": "text/event-stream", "x-request-id": "req_7"}
JSON = {"content-type": "application/json; charset=utf-8", "x-request-id": "req_7"}
REQUEST = ModelRequest("gpt-4o-mini", [user("hi")], request_id="r1")


class Outcome(msgspec.Struct):
    """What came of an answer: its items, and its result or its error."""

    items: list[Item] = []
    result: RoundResult | None = None
    error: ModelError | None = None

    @property
    def text(self) -> str:
        return "".join([item for item in self.items if isinstance(item, str)])

    @property
    def reasoning(self) -> str:
        return "".join([item.chunk for item in self.events("reasoning")])

    def events(self, *types: str) -> list[StreamEvent]:
        return [item for item in self.items if isinstance(item, StreamEvent) and item.type in types]

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        assert self.result is not None, self.error
        return [(call.name, call.arguments) for call in self.result.tool_calls]

    @property
    def ids(self) -> list[str | None]:
        assert self.result is not None, self.error
        return [call.tool_call_id for call in self.result.tool_calls]

    def comparable(self) -> tuple[list[Item], RoundResult | None, tuple[type, str] | None]:
        return self.items, self.result, (type(self.error), str(self.error)) if self.error else None


def decode(
    pieces: Iterable[bytes],
    headers: dict[str, str] | None = None,
    *,
    name: str = "openai",
    dialect: ChatDialect | None = None,
    provider: Provider | None = None,
    request: ModelRequest = REQUEST,
    max_event: int = 2**20,
    max_answer: int = 2**22,
) -> Outcome:
    """Plays the pump: feeds until the decoder is finished, then the tail, then closes. Anything but a ModelError comes through."""
    decoder = (provider or OpenAIChat(name, dialect)).decoder(
        request, SSE if headers is None else headers, max_event=max_event, max_answer=max_answer
    )
    outcome = Outcome(items=[])
    try:
        for piece in pieces:
            outcome.items += decoder.feed(piece)
            if decoder.finished:
                break
        outcome.items += decoder.tail()
        outcome.result = decoder.close()
    except ModelError as error:
        outcome.error = error
    return outcome


def message_of(outcome: Outcome) -> Message:
    """The one message of an answer."""
    assert outcome.result is not None, outcome.error
    [message] = outcome.result.messages or []
    return message


def one_by_one(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


def event_ends(body: bytes) -> list[int]:
    """Where the events of a stream end."""
    return [match.end() for match in re.finditer(rb"\n\n|\r\n\r\n|\r\r", body)]


def sse(*events: Any, done: bool = True) -> bytes:
    """A stream of these events: bytes as they are, all else as JSON."""
    lines = [
        b"data: " + (event if isinstance(event, bytes) else msgspec.json.encode(event)) + b"\n\n" for event in events
    ]
    return b"".join(lines) + (b"data: [DONE]\n\n" if done else b"")


def delta(finish: str | None = None, /, **fields: Any) -> dict[str, Any]:
    """A chunk whose one choice adds `fields`."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1741569952,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "delta": fields, "logprobs": None, "finish_reason": finish}],
    }


def call(index: Any = 0, call_id: Any = None, name: Any = None, arguments: Any = None) -> dict[str, Any]:
    """A chunk with a piece of a tool call; what is None is left out."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    piece = {"index": index, "id": call_id, "type": "function" if call_id else None, "function": function}
    return delta(tool_calls=[{key: value for key, value in piece.items() if value is not None}])


USAGE = {
    "choices": [],
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 12,
        "total_tokens": 21,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "accepted_prediction_tokens": 0},
    },
}
