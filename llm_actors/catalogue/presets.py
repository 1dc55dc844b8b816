"""Providers and their models.

above it   registry.py
below it   preset.py (what a preset is), compatible.py (a table of them), model_files.py (their models), endpoints.py (wires)

A preset holds what a family has in common: where it is, how it is spoken to, where its key is, and what an id that has no row can do. Rows
say what is known of single models; they are read from files, at the first look-up.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from llm_actors.providers.protocol import Endpoint, Provider, Timeouts

from .address import PICTURES, check_address, ollama_address
from .compatible import COMPATIBLE
from .keys import key_exists
from .model_files import family_of
from .model_with_aliases import ModelWithAliases, pair_of
from .preset import Preset, Row
from .shelf import Resolver, Shelf

_KEPT = (
    256  # pairs of ids without a row that are kept for the next look-up; a program that asks for more makes them anew
)

OPENAI = Preset(
    name="openai",
    wire="openai-chat",
    base_url="https://api.openai.com/v1",
    base_url_var="OPENAI_BASE_URL",
    key_env_var="OPENAI_API_KEY",
    dialect="openai",
    source="https://developers.openai.com/api/reference",
)
OPENAI_RESPONSES = Preset(
    name="openai-responses",
    wire="openai-responses",
    base_url=OPENAI.base_url,
    base_url_var=OPENAI.base_url_var,
    key_env_var=OPENAI.key_env_var,
    of=OPENAI,
    source=OPENAI.source,
)
"""The same provider on its newer wire. What chat completions serve stays there, unless it is asked for as `openai-responses/ID`."""
GEMINI = Preset(
    name="gemini",
    wire="gemini",
    # The version v1, which Google's client asks for since 2026-11, lacks the -latest names and previews (python-genai 3.0.0).
    base_url="https://generativelanguage.googleapis.com/v1beta",
    base_url_var="GOOGLE_GEMINI_BASE_URL",
    base_url_path="/v1beta",
    key_env_var="GEMINI_API_KEY",
    source="https://ai.google.dev/api",
)

ANTHROPIC = Preset(
    name="anthropic",
    wire="anthropic",
    base_url="https://api.anthropic.com",
    base_url_var="ANTHROPIC_BASE_URL",
    key_env_var="ANTHROPIC_API_KEY",
    source="https://platform.claude.com/docs/en/api/overview",
)

OLLAMA = Preset(
    name="ollama",
    wire="ollama",
    base_url="http://127.0.0.1:11434",
    base_url_var="OLLAMA_HOST",
    read_base_url=ollama_address,
    key_env_var="OLLAMA_API_KEY",
    needs_key=False,
    # What there is, and what it can do, is up to who pulled it.
    any_model=Row("", attachment_types=PICTURES),
    # The first byte may wait for a model to be loaded, and for its turn in the queue.
    timeouts=Timeouts(first_byte=900.0),
    source="https://docs.ollama.com/api",
)

PRESETS = (OPENAI, OPENAI_RESPONSES, ANTHROPIC, GEMINI, *COMPATIBLE, OLLAMA)


def preset_of(name: str) -> Preset:
    """The preset of this name. Raises `ValueError` with the list of those there are."""
    found = next((preset for preset in PRESETS if preset.name == name), None)
    if found is None:
        msg = f"unknown provider {name!r}; there are: {', '.join(preset.name for preset in PRESETS)}"
        raise ValueError(msg)
    return found


def listed_by(name: str) -> Preset:
    """The preset of this name, which can be asked for its models. Raises `ValueError` for one that is another one's second wire."""
    preset = preset_of(name)
    if preset.of is not None:
        msg = f"{name} is {preset.of.name} on another wire: ask {preset.of.name} for its models"
        raise ValueError(msg)
    return preset


def base_url_of(preset: Preset) -> str:
    """Where the provider is: as the environment says, else where it is known to be; "" where nobody knows. Raises `ValueError`."""
    given = os.environ.get(preset.base_url_var) if preset.base_url_var else None
    if not given:
        return preset.base_url
    address = preset.read_base_url(given, preset.base_url_var or "base_url")
    path = preset.base_url_path
    # An address that goes further than the host is meant as it stands.
    return address + path if path and address.count("/") == len(("http:", "")) else address


class PresetModels:
    """Makes the models of one preset, and keeps them. Any thread: at worst a pair is made twice, and one is kept."""

    def __init__(self, preset: Preset) -> None:
        family = family_of(preset.name)
        self.preset = preset
        self.rows = family.rows if family is not None else preset.rows
        self._any_model = family.any_model if family is not None else preset.any_model
        self._rows = {row.model_id: row for row in self.rows}
        of = family_of(preset.of.name) if preset.of is not None else None
        self._known = {row.model_id: row for row in (of.rows if of is not None else ())}
        self._provider_name = (preset.of or preset).name
        self._made: dict[tuple[str, str, bool], ModelWithAliases] = {}
        self._provider: Provider | None = None

    def by_row(self, row: Row) -> Callable[[], ModelWithAliases]:
        """What makes the model of a row."""
        return partial(self._make, self._listed_id(row), row)

    def listed(self) -> Iterable[tuple[str, Row]]:
        """The rows with the ids that they are found by."""
        return [(self._listed_id(row), row) for row in self.rows]

    def by_prefix(self) -> Resolver:
        """The resolver of `openai/ANY-ID`: the row's model for an id that has one, else one that is taken to be able to do everything."""
        return self._resolve

    def _listed_id(self, row: Row) -> str:
        """Bare where the provider's ids are its own; behind the prefix where they are others' too (`groq/...`)."""
        return f"{self.preset.name}/{row.model_id}" if self.preset in COMPATIBLE else row.model_id

    def _resolve(self, name: str) -> ModelWithAliases | None:
        wire_id = name.removeprefix(f"{self.preset.name}/")
        if not wire_id:
            return None
        row = self._rows.get(wire_id)
        if row is not None:
            return self._make(self._listed_id(row), row)
        return self._make(name, replace(self._known.get(wire_id) or self._any(wire_id), aliases=()))

    def _any(self, wire_id: str) -> Row:
        return replace(self._any_model, model_id=wire_id)

    def _make(self, model_id: str, row: Row) -> ModelWithAliases:
        # The environment is read at each look-up, so that a program may set it after its imports.
        preset = self.preset
        base_url = base_url_of(preset)
        needs_key = preset.needs_key or key_exists(self._provider_name, preset.key_env_var)
        made = self._made.get((model_id, base_url, needs_key))
        if made is not None:
            return made
        # The wire is imported with its first model: 20 ms of the 80 that the library took.
        from llm_actors.chat.wire_model import wire_pair  # noqa: PLC0415

        from .endpoints import provider_of  # noqa: PLC0415

        self._provider = self._provider or provider_of(preset.wire, self._provider_name, preset.dialect)
        pair = wire_pair(
            model_id,
            provider=self._provider,
            endpoint=Endpoint(
                check_address(base_url, preset.base_url_var or "base_url"), timeouts=preset.timeouts or Timeouts()
            ),
            wire_id=row.model_id,
            needs_key=self._provider_name if needs_key else None,
            key_env_var=preset.key_env_var,
            attachment_types=row.attachment_types,
            supports_schema=row.supports_schema,
            supports_tools=row.supports_tools,
            can_stream=row.can_stream,
            context_size=row.context_size,
        )
        for model in pair:
            model.price = row.price
        if len(self._made) >= _KEPT:
            self._made.clear()
        return self._made.setdefault((model_id, base_url, needs_key), pair_of(pair, aliases=row.aliases))


def fill(shelf: Shelf) -> None:
    """Puts all presets on a shelf; no model is made yet."""
    for preset in PRESETS:
        models = PresetModels(preset)
        for model_id, row in models.listed():
            shelf.add((model_id,), row.aliases, models.by_row(row))
        shelf.register_prefix(f"{preset.name}/", models.by_prefix())
