"""Anthropic's messages, and the servers that speak them: `POST {base}/v1/messages`.

    above it   the catalogue, which makes one for each family of servers; transport/pump.py, which moves the bytes
    below it   anthropic_request.py (values -> bytes), anthropic_answer.py (bytes -> values), anthropic_errors.py, anthropic_options.py

Facts: https://platform.claude.com/docs/en/api/messages/create, and the vendor's Python SDK 2.13.0.
"""

from collections.abc import Mapping
from typing import Any

from llm_actors.errors import ModelError
from llm_actors.messages import ModelRequest, Options, Secret

from .anthropic_answer import AnthropicDecoder
from .anthropic_errors import error_of_response
from .anthropic_options import AnthropicOptions
from .anthropic_request import body_of, encode_body, headers_of
from .extra_body import merge
from .protocol import Provider, WireRequest


class Anthropic(Provider):
    """The wire of Anthropic's messages. Immutable, any thread.

    `name`: for errors and for the key in `provider_metadata`; what one name wrote there goes back only to the same name.
    """

    fetches_urls = True

    def __init__(self, name: str = "anthropic", options: type[Options] = AnthropicOptions) -> None:
        self.name = name
        self.options = options

    def __repr__(self) -> str:
        return f"Anthropic({self.name!r})"

    def encode(self, request: ModelRequest, extra_body: Mapping[str, Any]) -> WireRequest:
        """The request; the same values always give the same bytes. Raises `ModelError` for an attachment that this wire can't carry.

        `extra_body` is merged last, field by field; None takes a field out.
        """
        body = body_of(request, self.name)
        merge(body, extra_body)
        headers = {
            "content-type": "application/json",
            "accept": "text/event-stream" if body.get("stream") else "application/json",
            **headers_of(request),
        }
        if request.request_id:
            headers["idempotency-key"] = request.request_id
        return WireRequest("POST", "/v1/messages", headers, encode_body(body))

    def key_header(self, key: Secret) -> tuple[str, str]:
        """`Authorization: Bearer KEY`, as the vendor's SDKs have it since 2.0: servers that speak this wire take it as well."""
        return "authorization", f"Bearer {key.reveal()}"

    def decoder(
        self, request: ModelRequest, headers: Mapping[str, str], *, max_event: int, max_answer: int
    ) -> AnthropicDecoder:
        """A decoder for the answer, streamed or not. Limits in bytes."""
        return AnthropicDecoder(self.name, request, headers, max_event=max_event, max_answer=max_answer)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The typed error, with the provider's words and what to do; never with a key."""
        return error_of_response(self.name, status, headers, body)
