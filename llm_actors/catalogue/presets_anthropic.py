"""Anthropic's models, as data: id, aliases, and how many tokens they read and write in one call.

above it   presets.py
below it   nothing

As of 2026-11-25: https://platform.claude.com/docs/en/models/overview and its page for each model, and the ids of the vendor's SDK 2.13.0.
All take images, PDFs and texts, tools, and a schema for the answer. Mythos is for invited organizations.
"""

_MILLION = 1_000_000
_EARLIER = 200_000

MODELS: tuple[tuple[str, tuple[str, ...], int], ...] = (
    ("claude-fable-5-2", ("fable",), _MILLION),
    ("claude-opus-5-5", ("opus",), _MILLION),
    ("claude-sonnet-5-5", ("sonnet",), _MILLION),
    ("claude-haiku-5-5", ("haiku",), _MILLION),
    ("claude-mythos-5-2", (), _MILLION),
    # Legacy: still there.
    ("claude-fable-5-1", (), _MILLION),
    ("claude-mythos-5-1", (), _MILLION),
    ("claude-opus-5", (), _MILLION),
    ("claude-sonnet-5", (), _MILLION),
    ("claude-fable-5", (), _MILLION),
    ("claude-mythos-5", (), _MILLION),
    ("claude-opus-4-8", (), _MILLION),
    ("claude-opus-4-7", (), _MILLION),
    ("claude-opus-4-6", (), _MILLION),
    ("claude-sonnet-4-6", (), _MILLION),
    ("claude-opus-4-5", ("claude-opus-4-5-20251101",), _EARLIER),
    ("claude-sonnet-4-5", ("claude-sonnet-4-5-20250929",), _EARLIER),
    ("claude-haiku-4-5", ("claude-haiku-4-5-20251001",), _EARLIER),
)
