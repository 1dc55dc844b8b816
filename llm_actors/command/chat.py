"""The chat in a terminal: streams, shows tool calls, cancels the running answer on Ctrl-C and goes on."""

from __future__ import annotations

import argparse
import contextlib

import llm_actors as llm

from . import interrupt, models, screen
from .prompt import Asked


def run(flags: argparse.Namespace) -> int:
    """Reads prompts until Ctrl-D, `exit` or `quit`."""
    asked = Asked(flags)
    model = models.choose(flags.model)
    model.get_key(flags.key)  # a missing key is told before anything is typed
    with contextlib.suppress(ImportError):
        _edit_lines()
    print(f"Chatting with {model.model_id}. Ctrl-C cancels an answer, Ctrl-D ends the chat.")
    conversation = model.conversation(tools=asked.tools)
    while (text := _line()) is not None:
        if text:
            _answer(conversation, text, asked)
    conversation.close()
    return 0


def _edit_lines() -> None:
    """Line editing and a history for input(), where the platform has them; several lines that are pasted stay one prompt."""
    import readline  # noqa: PLC0415 - not on Windows

    readline.parse_and_bind("set enable-bracketed-paste on")


def _line() -> str | None:
    """What was typed; nothing for Ctrl-C and for what can't be read, None for the end."""
    try:
        text = input("> ").strip()
    except EOFError:
        print()
        return None
    except KeyboardInterrupt:
        print()
        return ""
    except UnicodeDecodeError as error:
        screen.problem(error)
        return ""
    return None if text in {"exit", "quit"} else text


def _answer(conversation: llm.Conversation, text: str, asked: Asked) -> None:
    """One prompt and its answer. Whatever goes wrong is told, and the chat goes on; the history stays valid.

    Ctrl-C a second time, while a tool refuses to end, ends the chat.
    """
    presses = None
    try:
        with interrupt.caught() as presses:
            response = presses.cancel(asked.ask(conversation, text))
            screen.show(response, whole=asked.whole)
            screen.about(response, usage=asked.usage)
    except KeyboardInterrupt:
        if presses is None or presses.leaving:
            raise
        screen.note("cancelled")
    except Exception as error:  # noqa: BLE001 - a tool hook or a model of the user's own may raise anything
        screen.problem(error)
