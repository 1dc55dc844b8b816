"""A model of one's own server: `endpoint("my-model", wire="openai-chat", base_url="http://...")`.

above it   the package's public names, presets.py, extras
below it   address.py checks what is given; providers' codecs, chat's wire models
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any
from urllib.parse import urlsplit

from llm_actors.chat.wire_model import wire_pair
from llm_actors.messages import Secret
from llm_actors.providers.openai_chat import OpenAIChat
from llm_actors.providers.openai_dialect import EMBEDDED, LLAMA_CPP, OPENAI, ChatDialect
from llm_actors.providers.protocol import Endpoint, Limits, Provider, Server, Timeouts

from .address import PICTURES, check_address, check_client, check_headers, check_limits, check_texts, timeouts_of
from .model_with_aliases import ModelWithAliases, pair_of


def _anthropic(name: str) -> Provider:
    # Imported by who speaks it, as the others below: a codec takes milliseconds, at each start of each program.
    from llm_actors.providers.anthropic import Anthropic  # noqa: PLC0415

    return Anthropic(name)


def _gemini(name: str) -> Provider:
    from llm_actors.providers.gemini import Gemini  # noqa: PLC0415

    return Gemini(name)


def _responses(name: str) -> Provider:
    from llm_actors.providers.openai_responses import OpenAIResponses  # noqa: PLC0415

    return OpenAIResponses(name)


def _ollama(name: str) -> Provider:
    from llm_actors.providers.ollama import Ollama  # noqa: PLC0415

    return Ollama(name)


_CHAT = "openai-chat"
WIRES: Mapping[str, Callable[[str], Provider]] = {
    _CHAT: OpenAIChat,
    "openai-responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "ollama": _ollama,
}
"""Wire protocols by name: a provider's name -> its codec. Chat completions alone have dialects."""

DIALECTS: Mapping[str, ChatDialect] = {"openai": OPENAI, "embedded": EMBEDDED, "llama.cpp": LLAMA_CPP}
"""Deviations of families of servers, by name."""


def provider_of(wire: str, name: str, dialect: Any = None) -> Provider:
    """The codec of a wire. Raises `ValueError` with the list of those there are."""
    if wire not in WIRES:
        msg = f"unknown wire {wire!r}; there are: {', '.join(sorted(WIRES))}"
        raise ValueError(msg)
    if wire != _CHAT:
        if dialect is not None:
            msg = f"the wire {wire} has no dialects"
            raise ValueError(msg)
        return WIRES[wire](name)
    if isinstance(dialect, str):
        if dialect not in DIALECTS:
            msg = f"unknown dialect {dialect!r}; there are: {', '.join(sorted(DIALECTS))}"
            raise ValueError(msg)
        dialect = DIALECTS[dialect]
    elif dialect is not None and not isinstance(dialect, ChatDialect):
        msg = f"dialect is a ChatDialect or one of: {', '.join(sorted(DIALECTS))}; not {type(dialect).__name__}"
        raise TypeError(msg)
    return OpenAIChat(name, dialect)


_ABILITIES = ("attachment_types", "supports_schema", "supports_tools", "can_stream", "context_size")


def endpoint(
    model_id: str,
    wire: str = "openai-chat",
    base_url: str = "",
    key: str | Secret | None = None,
    *,
    aliases: Iterable[str] = (),
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    timeout: float | Timeouts | None = None,
    extra_body: Mapping[str, Any] | None = None,
    client: Any = None,
    limits: Limits | None = None,
    organization: str | None = None,
    wire_id: str | None = None,
    needs_key: str | None = None,
    key_env_var: str | None = None,
    attachment_types: AbstractSet[str] = PICTURES,
    supports_schema: bool = True,
    supports_tools: bool = True,
    can_stream: bool = True,
    context_size: int | None = None,
    dialect: ChatDialect | str | None = None,
    server: Server | None = None,
    available: Callable[[], bool] | None = None,
) -> ModelWithAliases:
    """A model of a server of one's own; `.model` and `.async_model` work at once, and `register_model()` takes the pair. Any thread.

    `base_url` is what comes before the wire's own path (`/chat/completions`, `/responses`, `/v1/messages`, `/models/ID:generateContent`,
    `/api/chat`), like `http://127.0.0.1:8000/v1`. `key`: the key, or a name in keys.json; `needs_key`, `key_env_var`: where to look for one
    otherwise. `timeout`: `Timeouts`, or seconds for one whole model call. `wire_id`: the model's name on the wire, if it is not `model_id`.
    `headers`, `query`, `extra_body` (None takes a field out) go with each request; `organization` is OpenAI's header. `client`: an httpx
    AsyncClient of yours, for a proxy, a CA or `verify`; it is never closed. `limits`: how much may arrive, where that is not what the
    system says. `context_size`: tokens that it reads and writes in one call, for `compaction=`. `dialect`: how the server deviates.
    `server`: one that is started at first use, in place of `base_url`.

    Raises `ValueError` for a base URL that can't be one, an unknown wire or dialect (with the list), `TypeError` for values of other types;
    neither shows a key or a header's value. Nothing is connected yet.
    """
    check_texts(model_id=model_id)
    where = _where(base_url, server, headers, organization, query, extra_body, timeouts_of(timeout), limits, client)
    able: list[Any] = [frozenset(attachment_types), supports_schema, supports_tools, can_stream, context_size]
    pair = wire_pair(
        model_id,
        provider=provider_of(wire, urlsplit(base_url).netloc or model_id, dialect),
        endpoint=where,
        wire_id=wire_id,
        needs_key=needs_key,
        key_env_var=key_env_var,
        key=key,
        **dict(zip(_ABILITIES, able, strict=True)),
    )
    return pair_of(pair, aliases=aliases, available=available)


def _where(
    base_url: str,
    server: Server | None,
    headers: Mapping[str, str] | None,
    organization: str | None,
    query: Mapping[str, str] | None,
    extra_body: Mapping[str, Any] | None,
    timeouts: Timeouts,
    limits: Limits | None,
    client: Any,
) -> Endpoint:
    """Where the wire is spoken, with everything checked that can be."""
    sent = check_headers(headers)
    if organization:
        sent.setdefault("OpenAI-Organization", organization)
    return Endpoint(
        base_url=base_url if server is not None else check_address(base_url),
        headers=sent,
        query={name: str(value) for name, value in (query or {}).items()},
        extra_body=dict(extra_body or {}),
        timeouts=timeouts,
        limits=check_limits(limits),
        client=check_client(client),
        server=server,
    )
