"""What is printed: answers on standard output, everything about them on standard error."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
import textwrap
from typing import TextIO

import llm_actors as llm

UNBROKEN = "\N{NO-BREAK SPACE}"

_EARLY = ("length", "content_filter", "refusal")
_COMMANDS = re.compile(r"`[^`]*`")  # stay in one piece, to be copied
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # a model's words must not move the cursor or set the title


def note(text: str) -> None:
    """A remark beside the answer, on one line of the terminal."""
    print(f"[{_short(text, width() - 3)}]", file=sys.stderr, flush=True)


def problem(error: BaseException) -> None:
    """An error, in one paragraph, without a traceback."""
    text = str(error.args[0] if isinstance(error, llm.UnknownModelError) and error.args else error)
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    elif not isinstance(error, llm.LLMError | OSError | ValueError | TypeError) or not text:
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, llm.UnknownModelError) and not isinstance(error, llm.NoDefaultModelError):
        text += " (`llm-actors models` lists those that are known)"
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    text = f"Error: {' '.join(_CONTROLS.sub(' ', text + notes).split())}"
    if is_terminal(sys.stderr):
        text = fold(_COMMANDS.sub(lambda command: command[0].replace(" ", UNBROKEN), text))
    print(text, file=sys.stderr, flush=True)


def show(response: llm.Response, *, whole: bool = False) -> None:
    """Prints an answer as it arrives (`whole`: when it is complete), and tool calls as they happen. Raises what ended it."""
    text = _Text()
    try:
        for event in response.events():
            if event.type in {"text", "separator"}:
                if not whole:
                    text.write(event.chunk, separator=event.type == "separator")
            elif event.type in {"tool_started", "tool_ended"}:
                text.end_line(beside=True)
                note(
                    f"{event.tool_name}({event.chunk})"
                    if event.type == "tool_started"
                    else f"{event.tool_name} -> {event.chunk}"
                )
        answer = response.text()
        if whole:
            text.write(answer)
    except (KeyboardInterrupt, llm.ResponseCancelledError):
        text.interrupted()
        raise
    finally:
        text.end_line()


def about(response: llm.Response, *, usage: bool) -> None:
    """What is to be said of a complete answer: that the provider itself cut it short, and the tokens if wanted."""
    if response.stop_reason in _EARLY:
        note(f"the answer ended early: {response.stop_reason}")
    if usage:
        used = response.usage()
        note(f"{_count(used.input)} tokens in, {_count(used.output)} tokens out")


def fold(text: str, indent: str = "") -> str:
    """In lines of the terminal's width, each with the indent; a blank that is `UNBROKEN` does not end a line."""
    wrapper = textwrap.TextWrapper(width(), indent, indent, break_long_words=False, break_on_hyphens=False)
    return wrapper.fill(text).replace(UNBROKEN, " ")


def width() -> int:
    """Columns of the terminal; 100 where there is none."""
    return max(40, shutil.get_terminal_size((100, 24)).columns)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person sits at the other end."""
    return stream is not None and stream.isatty()


def prepare() -> None:
    """Characters that the terminal's encoding doesn't have are shown as `?`: an answer is not lost for one of them."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def finish() -> None:
    """Writes out what is still in the buffer. Raises `OSError`: nobody reads it any more, the disk is full."""
    if sys.stdout is not None:
        sys.stdout.flush()


def abandon() -> None:
    """Drops what can't be written: the interpreter would try once more as it exits, and complain."""
    try:
        finish()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Text:
    """The answer on standard output, and whether the cursor stands at the beginning of a line."""

    def __init__(self) -> None:
        self._inside = False
        self._terminal = is_terminal(sys.stdout)

    def write(self, chunk: str, *, separator: bool = False) -> None:
        if separator and self._terminal and not self._inside:  # the remarks in between have separated it already
            return
        shown = _CONTROLS.sub("", chunk) if self._terminal else chunk
        if shown:
            self._inside = not shown.endswith("\n")  # before it is so: a Ctrl-C right behind the words finds it right
        print(shown, end="", flush=True)

    def interrupted(self) -> None:
        """The terminal has echoed ^C."""
        self._inside = self._inside or self._terminal

    def end_line(self, *, beside: bool = False) -> None:
        """Ends the line; `beside`: for a remark in the middle of an answer, which a file or pipe must not be cut for."""
        if self._inside and (self._terminal or not beside):
            print(flush=True)
            self._inside = False


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else f"{tokens:,}"


def _short(text: str, most: int) -> str:
    flat = " ".join(_CONTROLS.sub(" ", text).split())
    return flat if len(flat) <= most else f"{flat[: most - 3]}..."
