"""Ollama's own wire: `POST {base}/api/chat`, lines of JSON.

    above it   the catalogue; transport/pump.py, which moves the bytes
    below it   ollama_request.py (values -> bytes), ollama_answer.py (bytes -> values), openai_errors.py (its errors are `{"error": text}`)

Beside Ollama's chat completions it has the model's thinking, the window of the model (`num_ctx`) and how long it stays loaded. What is told
here of the wire: wire notes, section 6, from the server's source, and https://docs.ollama.com/api.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from llm_actors.errors import ModelError
from llm_actors.messages import ModelRequest, Options, Secret

from .extra_body import merge
from .ollama_answer import OllamaDecoder
from .ollama_request import body_of
from .openai_errors import error_of_response
from .protocol import Provider, WireRequest


class OllamaOptions(Options):
    """The options of Ollama. Those of the model's run go into its `options`, as do those of a dict `options`, which wins.

    `max_tokens` is its `num_predict`. `num_ctx`: the window in tokens, small where it is left out; a change loads the model anew.
    `truncate`: let the server drop the oldest messages that do not fit, in silence; left out, they are an error. `think`: how much a
    model that thinks does so. `keep_alive`: how long the model stays loaded, in seconds or like "5m". `json_object`: answer with some
    JSON object; the prompt must say so.
    """

    temperature: Annotated[float, msgspec.Meta(ge=0)] | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=-2)] | None = None
    num_ctx: Annotated[int, msgspec.Meta(ge=1)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_k: int | None = None
    min_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    options: dict[str, Any] | None = None
    think: bool | Literal["low", "medium", "high", "max"] | None = None
    keep_alive: float | str | None = None
    truncate: bool | None = None
    json_object: bool | None = None


class Ollama(Provider):
    """The wire of Ollama. Immutable, any thread. `name`: for errors, and for the key in `provider_metadata`."""

    fetches_urls = False

    def __init__(self, name: str = "ollama") -> None:
        self.name = name
        self.options = OllamaOptions

    def __repr__(self) -> str:
        return f"Ollama({self.name!r})"

    def encode(self, request: ModelRequest, extra_body: Mapping[str, Any]) -> WireRequest:
        """The request; the same values always give the same bytes. Raises `ModelError` for what this wire can't carry.

        `extra_body` is merged last, field by field; None takes a field out.
        """
        body = body_of(request)
        merge(body, extra_body)
        headers = {
            "content-type": "application/json",
            "accept": "application/x-ndjson" if body.get("stream", True) else "application/json",
        }
        return WireRequest("POST", "/api/chat", headers, msgspec.json.encode(body))

    def key_header(self, key: Secret) -> tuple[str, str]:
        """`Authorization: Bearer KEY`: for ollama.com, and for a proxy in front of a server of one's own."""
        return "authorization", f"Bearer {key.reveal()}"

    def decoder(
        self, request: ModelRequest, headers: Mapping[str, str], *, max_event: int, max_answer: int
    ) -> OllamaDecoder:
        """A decoder for the answer, streamed or not. Limits in bytes."""
        return OllamaDecoder(self.name, request, headers, max_event=max_event, max_answer=max_answer)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The typed error, with the server's words and what to do; never with a key."""
        return error_of_response(self.name, status, headers, body)
