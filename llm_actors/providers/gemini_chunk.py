"""What Gemini sends, as typed structs: each event of a stream is a whole GenerateContentResponse, as a whole answer is.

    above it   gemini_answer.py
    below it   nothing

Fields as in the API's reference, https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse. Parts stay dicts: what we do
not know of them goes back as it came.
"""

from typing import Any

import msgspec


class Content(msgspec.Struct, gc=False):
    """What one candidate says in this event. A blocked or empty answer has no parts, or none of these objects at all."""

    parts: list[dict[str, Any]] | None = None


class Candidate(msgspec.Struct, rename="camel", gc=False):
    """One of the answers; we ask for one."""

    content: Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    index: int | None = None
    safety_ratings: Any = None
    citation_metadata: Any = None
    grounding_metadata: Any = None
    url_context_metadata: Any = None


class Chunk(msgspec.Struct, rename="camel", gc=False):
    """One event, or one whole answer."""

    candidates: list[Candidate] | None = None
    prompt_feedback: dict[str, Any] | None = None
    usage_metadata: dict[str, Any] | None = None
    model_version: str | None = None
    response_id: str | None = None
    model_status: Any = None
    error: Any = None


ABOUT_CANDIDATE = (
    "finish_message",
    "safety_ratings",
    "citation_metadata",
    "grounding_metadata",
    "url_context_metadata",
)
"""What is kept of an answer beside its parts: sources, ratings."""

decode_chunk = msgspec.json.Decoder(Chunk).decode
decode_chunks = msgspec.json.Decoder(list[Chunk]).decode
