"""The options of Anthropic's messages.

above it   anthropic.py, anthropic_request.py
below it   messages

What it takes to be asked for by hand, the rest has `extra_body`: https://platform.claude.com/docs/en/api/messages/create
"""

from typing import Annotated, Any, Literal

import msgspec

from llm_actors.messages import Options

_Sampling = Annotated[float, msgspec.Meta(ge=0, le=1)]


class AnthropicOptions(Options):
    """The options of Anthropic's messages. What is not set is the model's own default.

    `max_tokens`: thinking counts too; 32,000 where it is not set (see `default_max_tokens`). `thinking`: True lets the model decide when
    and how much (4.6 and later), False turns it off where that can be done, a number is a budget in tokens (up to 4.6), a dict goes as it
    is. `effort`: how much it puts into its answer. `cache`: True, or for how long: marks the stable beginning of the request for the prompt
    cache; single blocks are marked by `provider_metadata={"anthropic": {"cache_control": {"type": "ephemeral"}}}` of their part.
    `tool_choice`: `auto`, `any`, `none`, a tool's name, or a dict. `betas`: names for the `anthropic-beta` header.

    `temperature`, `top_p`, `top_k` are gone since API version 2026-10-21; a request that has one of them is sent as version 2023-06-01,
    and answered by models that still take them: https://platform.claude.com/docs/en/api/versioning
    """

    max_tokens: Annotated[int, msgspec.Meta(ge=0)] | None = None
    temperature: _Sampling | None = None
    top_p: _Sampling | None = None
    top_k: Annotated[int, msgspec.Meta(ge=0)] | None = None
    stop: str | list[str] | None = None
    thinking: bool | int | dict[str, Any] | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    cache: bool | Literal["5m", "1h"] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    speed: Literal["standard", "fast"] | None = None
    user_id: str | None = None
    container: str | dict[str, Any] | None = None
    betas: list[str] | None = None
