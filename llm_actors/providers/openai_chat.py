"""The chat completions of OpenAI and of the many servers that speak it: `POST {base}/chat/completions`.

    above it   the catalogue, which makes one for each family of servers; transport/pump.py, which moves the bytes
    below it   openai_chat_request.py (values -> bytes), openai_chat_answer.py (bytes -> values), openai_errors.py, openai_dialect.py

`OpenAIChat("deepseek", ChatDialect(reasoning_echo="with_tools"))`: what differs between servers is data, there are no subclasses.
"""

from collections.abc import Mapping
from typing import Any

from llm_actors.errors import ModelError
from llm_actors.messages import ModelRequest, Options, Secret

from .extra_body import merge
from .openai_chat_answer import ChatDecoder
from .openai_chat_request import body_of, encode_body
from .openai_dialect import ChatDialect, ChatOptions
from .openai_errors import error_of_response
from .protocol import Provider, WireRequest


class OpenAIChat(Provider):
    """The wire of chat completions. Immutable, any thread.

    `name`: for errors and for the key in `provider_metadata`; what one name wrote there goes back only to the same name.
    """

    def __init__(
        self, name: str = "openai", dialect: ChatDialect | None = None, options: type[Options] = ChatOptions
    ) -> None:
        self.name = name
        self.options = options
        self.dialect = dialect or ChatDialect()
        self.fetches_urls = self.dialect.fetches_urls

    def __repr__(self) -> str:
        return f"OpenAIChat({self.name!r})"

    def encode(self, request: ModelRequest, extra_body: Mapping[str, Any]) -> WireRequest:
        """The request; the same values always give the same bytes. Raises `ModelError` for an attachment that this wire can't carry.

        `extra_body` is merged last, field by field; None takes a field out.
        """
        body = body_of(request, self.name, self.dialect)
        merge(body, extra_body)
        headers = {
            "content-type": "application/json",
            "accept": "text/event-stream" if body.get("stream") else "application/json",
        }
        if request.request_id:
            headers["idempotency-key"] = request.request_id
        return WireRequest("POST", "/chat/completions", headers, encode_body(body))

    def key_header(self, key: Secret) -> tuple[str, str]:
        """`Authorization: Bearer KEY`, or the header that the dialect names (Azure: `api-key`)."""
        if self.dialect.key_header is not None:
            return self.dialect.key_header, key.reveal()
        return "authorization", f"Bearer {key.reveal()}"

    def decoder(
        self, request: ModelRequest, headers: Mapping[str, str], *, max_event: int, max_answer: int
    ) -> ChatDecoder:
        """A decoder for the answer, streamed or not. Limits in bytes."""
        return ChatDecoder(
            self.name,
            request,
            headers,
            max_event=max_event,
            max_answer=max_answer,
            done_is_proof=self.dialect.done_is_proof,
        )

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The typed error, with the provider's words and what to do; never with a key."""
        return error_of_response(self.name, status, headers, body)
