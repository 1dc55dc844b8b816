"""The list of models: what can be used now, then what the others need."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import llm_actors as llm
from llm_actors.extras import weights

from . import screen

NAME = weights.SMOLLM2.name
EMBEDDED = f"local/{NAME}"


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


def _paragraphs(entries: list[tuple[llm.ModelWithAliases, bool, str]]) -> None:
    for state in dict.fromkeys(state for _, _, state in entries):
        names = [f"{entry.model_id}{_in_brackets(entry.aliases)}" for entry, _, its in entries if its == state]
        print(f"{state}\n{screen.fold(', '.join(name.replace(' ', screen.UNBROKEN) for name in names), '  ')}\n")
    default = llm.get_default_model()
    print(f"Default: {default or 'none'} (llm-actors models default NAME sets it).")
    print("Also: openai/ID for any other model of OpenAI, local:PATH for a GGUF file,")
    print("ollama/ID for a model of an Ollama server.")


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


def _missing(model_id: str) -> str:
    if model_id != EMBEDDED:
        return "Not available on this machine"
    if find_spec("xllamacpp") is None:
        return "Needs its engine: pip install 'llm-actors[local]'"
    return f"Needs its weights: llm-actors models install {NAME}"


def _in_brackets(aliases: list[str]) -> str:
    return f" ({', '.join(aliases)})" if aliases else ""
