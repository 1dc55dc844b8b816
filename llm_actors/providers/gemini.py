"""Gemini's own wire: `POST {base}/models/ID:streamGenerateContent?alt=sse`.

    above it   the catalogue; transport/pump.py, which moves the bytes
    below it   gemini_request.py (values -> bytes), gemini_answer.py (bytes -> values), gemini_errors.py, gemini_options.py

The base URL ends in the version: `https://generativelanguage.googleapis.com/v1beta`. Facts are of https://ai.google.dev/api and of Google's
SDK (google-genai 3.6.1), as of 2026-11. The API tells no rate limits in headers; what a 429 says stands in the error.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from llm_actors.errors import ModelError
from llm_actors.messages import ModelRequest, Options, Secret

from .extra_body import merge
from .gemini_answer import GeminiDecoder
from .gemini_errors import error_of_response
from .gemini_options import GeminiOptions
from .gemini_request import body_of
from .protocol import Provider, WireRequest

_ENCODE = msgspec.json.Encoder().encode


class Gemini(Provider):
    """The wire of generateContent. Immutable, any thread.

    `name`: for errors and for the key in `provider_metadata`; what one name wrote there (thought signatures, parts of Google's own tools)
    goes back only to the same name.
    """

    def __init__(self, name: str = "gemini", options: type[Options] = GeminiOptions) -> None:
        self.name = name
        self.options = options
        # It fetches some public URLs (since 2026), not for all models and types: bytes work everywhere.
        self.fetches_urls = False

    def __repr__(self) -> str:
        return f"Gemini({self.name!r})"

    def encode(self, request: ModelRequest, extra_body: Mapping[str, Any]) -> WireRequest:
        """The request; the same values always give the same bytes. Raises `ModelError` for an attachment that this wire can't carry.

        `extra_body` is merged last, field by field; None takes a field out.
        """
        body = body_of(request, self.name)
        merge(body, extra_body)
        model = quote(request.model if "/" in request.model else f"models/{request.model}", safe="/")
        call = "streamGenerateContent?alt=sse" if request.stream else "generateContent"
        headers = {
            "content-type": "application/json",
            "accept": "text/event-stream" if request.stream else "application/json",
        }
        return WireRequest("POST", f"/{model}:{call}", headers, _ENCODE(body))

    def key_header(self, key: Secret) -> tuple[str, str]:
        """`x-goog-api-key`."""
        return "x-goog-api-key", key.reveal()

    def decoder(
        self, request: ModelRequest, headers: Mapping[str, str], *, max_event: int, max_answer: int
    ) -> GeminiDecoder:
        """A decoder for the answer, streamed or not. Limits in bytes."""
        return GeminiDecoder(self.name, request, headers, max_event=max_event, max_answer=max_answer)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The typed error, with the provider's words and what to do; never with a key."""
        return error_of_response(self.name, status, headers, body)
