"""The options of Gemini's models.

above it   gemini.py, gemini_request.py
below it   messages
"""

from typing import Annotated, Any, Literal

import msgspec

from llm_actors.messages import Options

_Tokens = Annotated[int, msgspec.Meta(ge=1)]


class GeminiOptions(Options):
    """The options of generateContent, under the peer's names; ranges of https://ai.google.dev/api/generate-content#GenerationConfig.

    `max_tokens` and `max_output_tokens` are one. `json_object`: answer with some JSON; the prompt must say which. `thinking_level` is for
    Gemini 3 and later, `thinking_budget` (tokens; 0 none, -1 as the model likes) for Gemini 2.5. `google_search`, `code_execution` and
    `url_context` are tools that Google runs. `safety_settings`: a list of `{"category", "threshold"}`. `cached_content`: the name of one.
    """

    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    max_tokens: _Tokens | None = None
    max_output_tokens: _Tokens | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_k: _Tokens | None = None
    frequency_penalty: Annotated[float, msgspec.Meta(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, msgspec.Meta(ge=-2, le=2)] | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    json_object: bool | None = None
    thinking_budget: Annotated[int, msgspec.Meta(ge=-1)] | None = None
    thinking_level: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None
    media_resolution: Literal["low", "medium", "high"] | None = None
    google_search: bool | None = None
    code_execution: bool | None = None
    url_context: bool | None = None
    safety_settings: list[dict[str, Any]] | None = None
    cached_content: str | None = None
    service_tier: Literal["flex", "standard", "priority"] | None = None
