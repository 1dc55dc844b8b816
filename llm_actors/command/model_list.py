"""The list of models: what can be used now, then what the others need."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec

import llm_actors as llm
from llm_actors.extras import weights

from . import screen

NAME = weights.SMOLLM2.name
EMBEDDED = f"local/{NAME}"

_DATED = re.compile(r"-20\d\d-?\d\d-?\d\d$")
_MANY = 60  # names in one paragraph that are still read; of more the first are shown
_FIRST = 20


def show() -> None:
    """On a terminal a paragraph for each thing that is needed, the ready ones first; else a line for each model."""
    entries = [(entry, *_state(entry)) for entry in llm.get_models_with_aliases()]
    entries.sort(key=lambda entry: (not entry[1], entry[2]))
    if screen.is_terminal(sys.stdout):
        _paragraphs(entries)
    else:
        longest = max(len(entry.model_id) for entry, _, _ in entries)
        for entry, _, state in entries:
            print(f"{entry.model_id:<{longest}}  {state}{_in_brackets(entry.aliases)}")
        for provider in llm.get_providers():
            print(f"{f'{provider.name}/ID':<{longest}}  {_need(provider)}")


def _paragraphs(entries: list[tuple[llm.ModelWithAliases, bool, str]]) -> None:
    for state in dict.fromkeys(state for _, _, state in entries):
        here = [entry for entry, _, its in entries if its == state]
        ids = {entry.model_id for entry in here}
        # A dated id beside the one that stands for it says nothing to who chooses.
        here = [entry for entry in here if _DATED.sub("", entry.model_id) not in ids - {entry.model_id}]
        names = [f"{entry.model_id}{_in_brackets(entry.aliases)}" for entry in here]
        if len(names) > _MANY:
            names = [*names[:_FIRST], f"and {len(names) - _FIRST} more (llm-actors models | cat)"]
        print(
            f"{screen.fold(state)}\n{screen.fold(', '.join(name.replace(' ', screen.UNBROKEN) for name in names), '  ')}\n"
        )
    _families()
    default = llm.get_default_model()
    print(f"Default: {default or 'none'} (llm-actors models default NAME sets it).")
    print("Also: local:PATH for a GGUF file. A provider's own list: models --refresh NAME.")


def _families() -> None:
    """Any model by its provider and id: which providers, and what each needs."""
    hosted: list[str] = []
    at_home: list[str] = []
    for provider in llm.get_providers():
        missing = [] if provider.base_url else [provider.base_url_var or "a base URL"]
        missing += [] if provider.has_key else [provider.key_env_var]
        if provider.needs_key:
            hosted.append(f"{provider.name}/ID ({', '.join(missing) or 'ready'})")
        else:
            at_home.append(f"{provider.name}/ID ({provider.base_url})")
    for title, names in (
        ("Any other model by its id, with a key", hosted),
        ("Any model of a server of yours", at_home),
    ):
        print(f"{title}\n{screen.fold(', '.join(name.replace(' ', screen.UNBROKEN) for name in names), '  ')}\n")


def _state(entry: llm.ModelWithAliases) -> tuple[bool, str]:
    """Whether it can be used now, and what must be there before it answers."""
    model = entry.model
    if model is None:
        return False, "Only for async programs"
    if not entry.is_available():
        return False, _missing(model.model_id)
    if model.needs_key is None:
        return True, "Ready"
    try:
        model.get_key()
    except llm.NeedsKeyException:
        ways = [f"set {model.key_env_var}"] if model.key_env_var else []
        return False, f"Needs a key: {', '.join([*ways, 'give --key'])}, or save it as {model.needs_key!r} in keys.json"
    return True, f"Ready, with the key {model.needs_key!r}"


def _need(provider: llm.ProviderInfo) -> str:
    """What a provider needs before any of its models answers."""
    if not provider.base_url:
        return f"Needs its address: set {provider.base_url_var}"
    if provider.needs_key and not provider.has_key:
        return f"Needs a key: set {provider.key_env_var}, give --key, or save it as {provider.name!r} in keys.json"
    if provider.needs_key:
        return f"Ready, with the key {provider.name!r}"
    return f"Ready where a server answers at {provider.base_url} ({provider.base_url_var} sets another)"


def _missing(model_id: str) -> str:
    if model_id != EMBEDDED:
        return "Not available on this machine"
    if find_spec("xllamacpp") is None:
        return "Needs its engine: pip install 'llm-actors[local]'"
    return f"Needs its weights: llm-actors models install {NAME}"


def _in_brackets(aliases: list[str]) -> str:
    return f" ({', '.join(aliases)})" if aliases else ""
