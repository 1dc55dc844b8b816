"""What can be said on the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from . import chat, flag_values, interrupt, models, prompt, screen
from .words import Parser

_EPILOG = """\
examples:
  llm-actors "Five surprising names for a pet pelican"
  cat notes.txt | llm-actors "Summarise this"
  llm-actors                a chat: Ctrl-C cancels an answer, Ctrl-D ends it
  llm-actors models         what can be used, and what each model needs
  llm-actors models install smollm2-135m
                            a small real model for this machine, without a key
"""


def parser() -> Parser:
    """The words and flags of a prompt and a chat."""
    it = Parser(
        prog="llm-actors",
        usage="llm-actors [flags] [prompt ...]\n       llm-actors models [list | install | default | --refresh PROVIDER]",
        description="Asks a language model. Without a prompt, on a terminal, a chat begins.",
        epilog=_EPILOG,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=32),
        allow_abbrev=False,
    )
    add = it.add_argument
    add("prompt", nargs="*", help="the prompt; what comes in by standard input follows it")
    add("-m", "--model", metavar="NAME", help="model id or alias (see: llm-actors models)")
    add("-s", "--system", metavar="TEXT", help="system prompt")
    add(
        "-T",
        "--tool",
        action="append",
        default=[],
        metavar="MODULE:NAME",
        help="function or Toolbox that the model may call",
    )
    add("-o", "--option", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="option of the model")
    add("-a", "--attachment", action="append", default=[], metavar="FILE", help="path or URL; - for standard input")
    add("--schema", metavar="SCHEMA", help="JSON schema, a file with one, or 'name, age int'")
    add("--key", metavar="KEY", help="API key, or its name in keys.json")
    add("--timeout", type=flag_values.seconds, metavar="SECONDS", help="for the whole answer, tools included")
    add("--no-stream", action="store_true", help="print the answer when it is complete")
    add("-u", "--usage", action="store_true", help="tell the tokens used")
    add("--version", action="version", version=f"llm-actors {version('llm-actors')}")
    return it


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command; gives the exit status: 0, 1 for an error (told on standard error), 2 for wrong words, 130 for Ctrl-C."""
    try:
        screen.prepare()
        status = _run(list(sys.argv[1:] if words is None else words))
        screen.finish()
    except KeyboardInterrupt:
        interrupt.last()
        screen.note("cancelled")
        status = 130
    except BrokenPipeError:  # the reader of our output has gone: nothing is left to tell
        status = 1
    except Exception as error:  # noqa: BLE001 - models and tools of the user's own may raise anything
        screen.problem(error)
        status = 2 if isinstance(error, flag_values.WrongFlag) else 1
    screen.abandon()
    return status


def _run(words: list[str]) -> int:
    try:
        if words[:1] == ["models"]:
            return models.run(words[1:])
        flags = parser().parse_intermixed_args(words)
    except SystemExit as end:  # argparse has told it: help, version, or what is wrong
        return int(end.code or 0)
    if not flags.prompt and screen.is_terminal(sys.stdin) and screen.is_terminal(sys.stdout):
        return chat.run(flags)
    return prompt.run(flags)
