"""Turns that call no model: they put something into the history, or run tool calls, in their place among the prompts.

    Replacing   the history begins anew with these messages
    Merging     what a fork has said since it parted goes behind what was said here
    Running     tool calls, with hooks, toolboxes and timeouts as in a chain

As a turn of its own each of them keeps the order of the mailbox, never meets a turn half way, goes through the store, and can be
cancelled as long as it waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from llm_actors.messages import Message, ToolCall, ToolResult

from .history import Entry, History, Replaced, Returned, not_run, open_calls, raw_messages, repair
from .history_branch import unheard


class Errand:
    """What such a turn does: `entries()` is asked when it begins, then `calls` run. `messages` and `results`: what it came to."""

    def __init__(self) -> None:
        self.calls: list[ToolCall] = []
        self.messages: list[Message] = []
        self.results: list[ToolResult] = []

    def entries(self, history: History, turn: str) -> list[Entry]:  # noqa: ARG002 - for those that add something
        """What it adds to the history. Its loop only."""
        return []


class Replacing(Errand):
    """The history begins anew."""

    def __init__(self, messages: Iterable[Message]) -> None:
        super().__init__()
        self._given = list(messages)

    def entries(self, history: History, turn: str) -> list[Entry]:  # noqa: ARG002 - whatever it was
        """The one that replaces all."""
        self.messages = repair(self._given)
        return [Replaced("", tuple(self._given))]  # of no turn: it can't be withdrawn


class Merging(Errand):
    """What was said elsewhere goes behind."""

    def __init__(self, said: Sequence[Entry]) -> None:
        super().__init__()
        self._said = list(said)

    def entries(self, history: History, turn: str) -> list[Entry]:
        """What is new of it; calls left open here that it does not answer are given up, as by a prompt."""
        fresh = unheard(self._said, history)
        count = next((place for place, entry in enumerate(fresh) if type(entry) is not Returned), len(fresh))
        answers, rest = fresh[:count], fresh[count:]
        still_open = open_calls(raw_messages([*history.entries(), *answers])) if rest else []
        given_up = [Returned(turn, not_run(call, "the conversation went on without it")) for call in still_open]
        added: list[Entry] = [*answers, *given_up, *rest]
        self.messages = raw_messages(added)
        return added


class Running(Errand):
    """Tool calls are run; the conversation is one of their own."""

    def __init__(self, calls: Iterable[ToolCall]) -> None:
        super().__init__()
        self.calls = list(calls)
