"""Providers and their models, as data.

above it   registry.py
below it   endpoints.py (wires), chat's wire models

A preset holds what a family has in common: where it is, how it is spoken to, where its key is, and what an id that is not in its rows can
do. Rows say what is known of single models. Facts of OpenAI's rows: its model pages, and the peer's list (llm 0.36), as of 2026-10.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from llm_actors.chat.wire_model import wire_pair
from llm_actors.providers.protocol import Endpoint, Provider, Timeouts

from .address import check_address, ollama_address
from .endpoints import PICTURES, provider_of
from .model_with_aliases import ModelWithAliases, pair_of
from .shelf import Resolver, Shelf

_SEEN_AND_READ = PICTURES | {"application/pdf"}
_NOTHING: frozenset[str] = frozenset()
_USUAL = Timeouts()

_KEPT = (
    256  # pairs of ids without a row that are kept for the next look-up; a program that asks for more makes them anew
)


@dataclass(frozen=True)
class Row:
    """One model: its id (ours and the wire's), aliases, and what it can do."""

    model_id: str
    aliases: tuple[str, ...] = ()
    attachment_types: frozenset[str] = _SEEN_AND_READ
    supports_schema: bool = True
    supports_tools: bool = True
    can_stream: bool = True
    context_size: int | None = None


@dataclass(frozen=True)
class Preset:
    """One provider. `name` is also the prefix of its family (`openai/ANY-ID`) and the name of its key in keys.json.

    `of`: the preset of the same provider on another wire. It has the provider's name, its key, and rows that say what an id can do; those
    are not listed here once more. `attachment_types`: of an id without a row. `key_is_optional`: a key is used where there is one.
    `read_base_url`: makes a base URL of what the variable holds, or raises `ValueError` with its name.
    """

    name: str
    wire: str
    base_url: str
    base_url_var: str | None
    key_env_var: str
    rows: tuple[Row, ...]
    dialect: str | None = None
    of: "Preset | None" = None
    attachment_types: frozenset[str] = _SEEN_AND_READ
    key_is_optional: bool = False
    read_base_url: Callable[[str, str], str] = check_address
    timeouts: Timeouts = _USUAL


def _plain(*model_ids: str, context_size: int | None = None) -> tuple[Row, ...]:
    return tuple(Row(model_id, context_size=context_size) for model_id in model_ids)


OPENAI = Preset(
    name="openai",
    wire="openai-chat",
    base_url="https://api.openai.com/v1",
    base_url_var="OPENAI_BASE_URL",
    key_env_var="OPENAI_API_KEY",
    dialect="openai",
    rows=(
        Row("gpt-4o", ("4o",), context_size=128_000),
        Row("gpt-4o-mini", ("4o-mini",), context_size=128_000),
        Row("gpt-4.1", ("4.1",), context_size=1_047_576),
        Row("gpt-4.1-mini", ("4.1-mini",), context_size=1_047_576),
        Row("gpt-4.1-nano", ("4.1-nano",), context_size=1_047_576),
        Row("gpt-3.5-turbo", ("3.5", "chatgpt"), attachment_types=_NOTHING, supports_schema=False, context_size=16_385),
        Row(
            "gpt-3.5-turbo-16k",
            ("chatgpt-16k", "3.5-16k"),
            attachment_types=_NOTHING,
            supports_schema=False,
            context_size=16_385,
        ),
        Row("gpt-4", ("4", "gpt4"), attachment_types=_NOTHING, supports_schema=False, context_size=8_192),
        Row("gpt-4-turbo", ("gpt-4-turbo-preview", "4-turbo", "4t"), supports_schema=False, context_size=128_000),
        Row("gpt-4-turbo-2024-04-09", supports_schema=False, context_size=128_000),
        Row("o1", can_stream=False, context_size=200_000),
        Row("o1-2024-12-17", can_stream=False, context_size=200_000),
        Row("o3-mini", attachment_types=_NOTHING, context_size=200_000),
        *_plain("o3", "o4-mini", context_size=200_000),
        *_plain("gpt-5", "gpt-5-mini", "gpt-5-nano", context_size=400_000),
        *_plain("gpt-5-2025-08-07", "gpt-5-mini-2025-08-07", "gpt-5-nano-2025-08-07", context_size=400_000),
        *_plain("gpt-5.1", "gpt-5.2", "gpt-5.2-chat-latest"),
        *_plain("gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano"),
        *_plain("gpt-5.4-2026-03-05", "gpt-5.4-mini-2026-03-17", "gpt-5.4-nano-2026-03-17"),
        *_plain("gpt-5.5", "gpt-5.5-2026-04-23", context_size=1_050_000),
        *_plain("gpt-5.6-sol", "gpt-5.6-terra", "gpt-5.6-luna", context_size=1_050_000),
    ),
)

OPENAI_RESPONSES = Preset(
    name="openai-responses",
    wire="openai-responses",
    base_url=OPENAI.base_url,
    base_url_var=OPENAI.base_url_var,
    key_env_var=OPENAI.key_env_var,
    of=OPENAI,
    rows=(
        *_plain("o1-pro", "o1-pro-2025-03-19", "o3-pro", "o3-pro-2025-06-10", context_size=200_000),
        *_plain("gpt-5-pro", "gpt-5-pro-2025-10-06", "gpt-5-codex", "gpt-5.1-codex-max", context_size=400_000),
        *_plain("gpt-5.5-pro", "gpt-5.5-pro-2026-04-23"),
    ),
)
"""The same provider on its newer wire. What chat completions serve stays there, unless it is asked for as `openai-responses/ID`."""

OLLAMA = Preset(
    name="ollama",
    wire="ollama",
    base_url="http://127.0.0.1:11434",
    base_url_var="OLLAMA_HOST",
    read_base_url=ollama_address,
    key_env_var="OLLAMA_API_KEY",
    key_is_optional=True,
    attachment_types=PICTURES,
    # The first byte may wait for a model to be loaded, and for its turn in the queue.
    timeouts=Timeouts(first_byte=900.0),
    rows=(),  # what there is, and what it can do, is up to who pulled it
)

PRESETS = (OPENAI, OPENAI_RESPONSES, OLLAMA)


class PresetModels:
    """Makes the models of one preset, and keeps them. Any thread: at worst a pair is made twice, and one is kept."""

    def __init__(self, preset: Preset) -> None:
        self.preset = preset
        self._rows = {row.model_id: row for row in preset.rows}
        self._known = {row.model_id: row for row in preset.of.rows} if preset.of is not None else {}
        self._provider_name = (preset.of or preset).name
        self._made: dict[tuple[str, str, bool], ModelWithAliases] = {}
        self._provider: Provider | None = None

    def by_row(self, row: Row) -> Callable[[], ModelWithAliases]:
        """What makes the model of a row."""
        return partial(self._make, row.model_id, row)

    def by_prefix(self) -> Resolver:
        """The resolver of `openai/ANY-ID`: the row's model for an id that has one, else one that is taken to be able to do everything."""
        return self._resolve

    def _resolve(self, name: str) -> ModelWithAliases | None:
        wire_id = name.removeprefix(f"{self.preset.name}/")
        if not wire_id:
            return None
        row = self._rows.get(wire_id)
        if row is not None:
            return self._make(wire_id, row)
        return self._make(name, replace(self._known.get(wire_id) or self._any(wire_id), aliases=()))

    def _any(self, wire_id: str) -> Row:
        return Row(wire_id, attachment_types=self.preset.attachment_types)

    def _make(self, model_id: str, row: Row) -> ModelWithAliases:
        # The environment is read at each look-up, so that a program may set it after its imports.
        preset = self.preset
        given = os.environ.get(preset.base_url_var) if preset.base_url_var else None
        base_url = given or preset.base_url
        asks_for_key = not preset.key_is_optional or bool(os.environ.get(preset.key_env_var))
        made = self._made.get((model_id, base_url, asks_for_key))
        if made is not None:
            return made
        self._provider = self._provider or provider_of(preset.wire, self._provider_name, preset.dialect)
        pair = wire_pair(
            model_id,
            provider=self._provider,
            endpoint=Endpoint(
                preset.read_base_url(base_url, preset.base_url_var or "base_url"), timeouts=preset.timeouts
            ),
            wire_id=row.model_id,
            needs_key=self._provider_name if asks_for_key else None,
            key_env_var=preset.key_env_var,
            attachment_types=row.attachment_types,
            supports_schema=row.supports_schema,
            supports_tools=row.supports_tools,
            can_stream=row.can_stream,
            context_size=row.context_size,
        )
        if len(self._made) >= _KEPT:
            self._made.clear()
        return self._made.setdefault((model_id, base_url, asks_for_key), pair_of(pair, aliases=row.aliases))


def fill(shelf: Shelf) -> None:
    """Puts all presets on a shelf; nothing is made yet."""
    for preset in PRESETS:
        models = PresetModels(preset)
        for row in preset.rows:
            shelf.add((row.model_id,), row.aliases, models.by_row(row))
        shelf.register_prefix(f"{preset.name}/", models.by_prefix())
