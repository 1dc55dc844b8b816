"""The providers that are known, and what each needs; and what is kept of the lists that they give.

above it   the package's public names, model_listing.py
below it   presets.py, model_files.py
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from llm_actors.providers.model_list import ListedModel, listable

from .keys import key_exists
from .model_files import family_text, parse_family, write_family
from .presets import PRESETS, base_url_of, listed_by


@dataclass(frozen=True)
class ProviderInfo:
    """A provider whose models are found as `name/ANY-ID`. Any thread.

    `base_url`: where it is, "" where only the user can say that, by the variable `base_url_var`. `key_env_var`: the variable of its key,
    which may also be in keys.json under `name`. `needs_key`: without one it does not answer. `has_key`: there is one. `has_list`: it can be
    asked for its models. `source`: the document that this is from.
    """

    name: str
    wire: str
    base_url: str
    base_url_var: str | None
    key_env_var: str
    needs_key: bool
    has_key: bool
    has_list: bool
    source: str


def get_providers() -> list[ProviderInfo]:
    """The providers that are known. Any thread. Raises `ValueError` for a variable with a base URL that can be none."""
    return [
        ProviderInfo(
            preset.name,
            preset.wire,
            base_url_of(preset),
            preset.base_url_var,
            preset.key_env_var,
            preset.needs_key,
            key_exists((preset.of or preset).name, preset.key_env_var),
            listable(preset.wire) and preset.of is None,
            preset.source,
        )
        for preset in PRESETS
    ]


def keep_models(provider: str, models: Iterable[ListedModel], as_of: str) -> str:
    """Makes these the models of a provider, in the user's folder; what was known of each stays. Gives the file's path.

    `as_of`: the day of the list, as `2026-11-25`. Removing the file undoes it. Raises ValueError for a provider that is not known, OSError
    for a file that can't be written. Any thread; writes a file.
    """
    listed_by(provider)
    before: dict[str, Any] = json.loads(family_text(provider) or '{"models": []}')
    known = {row["id"]: row for row in before["models"]}
    rows = [{**_row(model), **known.get(model.id, {})} for model in models]
    head = {name: value for name, value in before.items() if name not in ("models", "provider", "as_of", "sources")}
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    top = json.dumps({"provider": provider, "as_of": as_of, "sources": ["its own list"], **head}, ensure_ascii=False)
    text = top[:-1] + ', "models": [\n' + ",\n".join(lines) + "\n]}\n"
    parse_family(text)
    return write_family(provider, text)


def _row(model: ListedModel) -> dict[str, Any]:
    return {"id": model.id} | ({"context": model.context_size} if model.context_size else {})
