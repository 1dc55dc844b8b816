"""OpenAI's Responses: `POST {base}/responses`, also spoken by vLLM, llama.cpp, LM Studio, Ollama and OpenRouter.

    above it   the catalogue; transport/pump.py, which moves the bytes
    below it   openai_responses_request.py (values -> bytes), openai_responses_answer.py (bytes -> values), openai_errors.py

Nothing is stored at the provider: each request carries the whole history (`store: false`), with the reasoning that the model needs to go on
in encrypted form, in its place. What is told here of the wire is from the reference (https://developers.openai.com/api/reference/responses)
and from the types of the openai package 3.57.0, November 2026.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from llm_actors.errors import ModelError
from llm_actors.messages import ModelRequest, Options, Secret

from .extra_body import merge
from .openai_errors import error_of_response
from .openai_responses_answer import ResponsesDecoder
from .openai_responses_request import body_of
from .protocol import Provider, WireRequest


class ResponsesOptions(Options):
    """The options of Responses, with the ranges of OpenAI's reference.

    `reasoning_summary`: ask for the thinking to be shown; not all accounts and models may. `json_object`: answer with some JSON object; the
    prompt must say so. `tool_choice`: also as JSON.
    """

    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    json_object: bool | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    reasoning_summary: Literal["auto", "concise", "detailed"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    service_tier: str | None = None
    image_detail: Literal["low", "high", "original", "auto"] | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: Annotated[int, msgspec.Meta(ge=1)] | None = None
    prompt_cache_key: str | None = None
    safety_identifier: Annotated[str, msgspec.Meta(max_length=128)] | None = None
    truncation: Literal["auto", "disabled"] | None = None


class OpenAIResponses(Provider):
    """The wire of Responses. Immutable, any thread.

    `name`: for errors and for the key in `provider_metadata`; what one name wrote there goes back only to the same name.
    """

    fetches_urls = True

    def __init__(self, name: str = "openai") -> None:
        self.name = name
        self.options = ResponsesOptions

    def __repr__(self) -> str:
        return f"OpenAIResponses({self.name!r})"

    def encode(self, request: ModelRequest, extra_body: Mapping[str, Any]) -> WireRequest:
        """The request; the same values always give the same bytes. Raises `ModelError` for an attachment that this wire can't carry.

        `extra_body` is merged last, field by field; None takes a field out.
        """
        body = body_of(request, self.name)
        merge(body, extra_body)
        headers = {
            "content-type": "application/json",
            "accept": "text/event-stream" if body.get("stream") else "application/json",
        }
        if request.request_id:
            headers["idempotency-key"] = request.request_id
        return WireRequest("POST", "/responses", headers, msgspec.json.encode(body))

    def key_header(self, key: Secret) -> tuple[str, str]:
        """`Authorization: Bearer KEY`."""
        return "authorization", f"Bearer {key.reveal()}"

    def decoder(
        self, request: ModelRequest, headers: Mapping[str, str], *, max_event: int, max_answer: int
    ) -> ResponsesDecoder:
        """A decoder for the answer, streamed or not. Limits in bytes."""
        return ResponsesDecoder(self.name, request, headers, max_event=max_event, max_answer=max_answer)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The typed error, with the provider's words and what to do; never with a key."""
        return error_of_response(self.name, status, headers, body)
