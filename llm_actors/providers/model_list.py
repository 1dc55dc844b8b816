"""The list of models that a provider itself gives: `GET {base}/models`, and what the other wires have in its place.

    above it   llm_actors/model_listing.py, which sends it through the pump
    below it   the wire's own codec, for key and errors

As a codec, so that limits, typed errors, and keys that show themselves nowhere are the pump's. Lists are alike in little but the id: the
context's size goes by seven names, and models that are no chat models stand in between.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from llm_actors.errors import InvalidRequestError, ModelError, ProtocolError, StreamTruncatedError
from llm_actors.messages import Item, ModelRequest, Options, RoundResult, Secret

from .protocol import Decoder, Provider, WireRequest

# Path, name of the parameter for the next page, headers. Sources: https://developers.openai.com/api/reference (models, list),
# https://ai.google.dev/api/models#method:-models.list, https://platform.claude.com/docs/en/api/models/list,
# https://docs.ollama.com/api/tags
_ASKED: dict[str, tuple[str, str, dict[str, str]]] = {
    "openai-chat": ("/models", "after", {}),
    "openai-responses": ("/models", "after", {}),
    "gemini": ("/models?pageSize=1000", "pageToken", {}),
    "ollama": ("/api/tags", "", {}),
    "anthropic": ("/v1/models?limit=1000", "after_id", {"anthropic-version": "2023-06-01"}),
}
# OpenRouter, Groq, Mistral, vLLM, Gemini, Anthropic, LM Studio
_CONTEXT = (
    "context_length",
    "context_window",
    "max_context_length",
    "max_model_len",
    "inputTokenLimit",
    "max_input_tokens",
    "loaded_context_length",
)
_NO_CHAT = frozenset({"embedding", "embeddings", "rerank", "image", "audio", "video", "moderation", "transcribe"})
# OpenAI's list says nothing but the ids.
_NO_CHAT_BY_ID = re.compile(
    r"embedding|whisper|\btts\b|dall-e|moderation|-image|realtime|-audio|transcribe|davinci|babbage|sora|-live|instruct|translate"
)


class ListedModel(msgspec.Struct, frozen=True):
    """A model as its provider lists it; `context_size` in tokens, where the list says it. Any thread."""

    id: str
    context_size: int | None = None


def listable(wire: str) -> bool:
    """Whether a wire has such a list."""
    return wire in _ASKED


class ModelList(Provider):
    """Asks for one page of the list; `RoundResult.raw` has its `models`, and the `next` page where there is one. Immutable."""

    def __init__(self, wire: str, codec: Provider, page: str = "") -> None:
        self.name = codec.name
        self.options: type[Options] = Options
        self.fetches_urls = False
        self._wire = wire
        self._codec = codec
        self._page = page

    def encode(self, request: ModelRequest, extra_body: Mapping[str, Any]) -> WireRequest:  # noqa: ARG002 - the protocol's signature
        """The request; nothing of `request` is in it. Raises `InvalidRequestError` for a wire without a list."""
        if self._wire not in _ASKED:
            msg = f"{self.name} has no list of its models on the wire {self._wire!r}"
            raise InvalidRequestError(msg, provider=self.name)
        path, parameter, headers = _ASKED[self._wire]
        if self._page:
            path += f"{'&' if '?' in path else '?'}{parameter}={self._page}"
        return WireRequest("GET", path, {"accept": "application/json", **headers}, b"")

    def key_header(self, key: Secret) -> tuple[str, str]:
        """As for an answer."""
        return self._codec.key_header(key)

    def decoder(
        self,
        request: ModelRequest,  # noqa: ARG002 - the protocol's signature
        headers: Mapping[str, str],  # noqa: ARG002 - as above
        *,
        max_event: int,  # noqa: ARG002 - as above
        max_answer: int,
    ) -> "ModelListDecoder":
        """A decoder of the one JSON body."""
        return ModelListDecoder(self.name, max_answer)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """As for an answer."""
        return self._codec.error(status, headers, body)


class ModelListDecoder(Decoder):
    """Collects the body, and reads it at its end. Its loop only."""

    def __init__(self, provider: str, max_answer: int) -> None:
        self.finished = False
        self._provider = provider
        self._max_answer = max_answer
        self._body = bytearray()

    def feed(self, data: bytes) -> list[Item]:
        """Nothing yet. Raises `ProtocolError` for more than the limit."""
        self._body += data
        if len(self._body) > self._max_answer:
            msg = f"the list of {self._provider} is larger than the limit of {self._max_answer} bytes"
            raise ProtocolError(msg)
        return []

    def tail(self) -> list[Item]:
        """Nothing."""
        return []

    def close(self) -> RoundResult:
        """The list. Raises `ProtocolError` for what is none, `StreamTruncatedError` for a cut one."""
        try:
            plain = msgspec.json.decode(bytes(self._body))
        except (ValueError, RecursionError) as error:
            if "truncated" in str(error):
                msg = f"the list of {self._provider} is cut"
                raise StreamTruncatedError(msg) from None
            msg = f"{self._provider} gave a list that is not JSON: check the base URL"
            raise ProtocolError(msg) from None
        given = plain if isinstance(plain, list) else _of(plain, "data", "models")  # Together's is a bare list
        if not isinstance(given, list):
            msg = f"{self._provider} gave a list without models: check the base URL"
            raise ProtocolError(msg)
        models = [model for each in given if isinstance(each, dict) and (model := _model(each, self._provider))]
        return RoundResult(raw={"models": models, "next": _next(plain)})


def _model(plain: dict[str, Any], provider: str) -> ListedModel | None:
    """One model; None for what can't chat."""
    name = plain.get("id") or plain.get("name")
    if not isinstance(name, str) or not name:
        return None
    name = name.removeprefix("models/")
    methods, abilities = plain.get("supportedGenerationMethods"), plain.get("capabilities")
    if isinstance(methods, list) and "generateContent" not in methods:
        return None
    if isinstance(abilities, dict) and abilities.get("completion_chat") is False:
        return None
    if plain.get("type") in _NO_CHAT or (provider in ("openai", "azure") and _NO_CHAT_BY_ID.search(name)):
        return None
    meta = plain.get("meta")  # llama.cpp
    sizes = [plain.get(field) for field in _CONTEXT] + [meta.get("n_ctx") if isinstance(meta, dict) else None]
    return ListedModel(name, next((size for size in sizes if type(size) is int and size > 0), None))


def _next(plain: Any) -> str:
    """The page behind this one; "" behind the last."""
    if not isinstance(plain, dict):
        return ""
    page = plain.get("nextPageToken") or (plain.get("last_id") if plain.get("has_more") is True else "")
    return page if isinstance(page, str) else ""


def _of(plain: Any, *names: str) -> Any:
    return next((plain[name] for name in names if name in plain), None) if isinstance(plain, dict) else None
