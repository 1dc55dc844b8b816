"""The soak's conversations, their tools, and what is checked of each answer."""

import asyncio
import sys
import time
from collections import Counter
from random import Random
from typing import Any

import httpx

import llm_actors as llm
from tests.strict import Refused, check_next

from .echo import Asked

TIMEOUTS = llm.Timeouts(connect=20.0, first_byte=10.0, idle=10.0)
TOOL_TIMEOUT = 0.3
HANGS = 3.0
"""Seconds: so much longer that a loop which is late itself sees the time-out first."""
MOST = 20
"""So many complaints are kept."""
SAMPLED = 0.1
"""The share of answers behind which the whole history is given to the strict validators."""


def quick(name: str) -> str:
    """A sync tool."""
    time.sleep(0.002)
    return f"{name} quick"


async def awaited(name: str) -> str:
    """An async tool."""
    await asyncio.sleep(0.005)
    return f"{name} awaited"


def raises(name: str) -> str:
    """A tool that fails."""
    msg = f"{name} raises"
    raise ValueError(msg)


def hangs(name: str) -> str:
    """A sync tool that comes back long after its time."""
    time.sleep(HANGS)
    return f"{name} too late"


async def sleeps(name: str) -> str:
    """An async tool that would never come back."""
    await asyncio.sleep(3600)
    return f"{name} too late"


TOOLS: dict[str, Any] = {
    "quick": quick,
    "awaited": awaited,
    "raises": raises,
    "hangs": llm.Tool.function(hangs, timeout=TOOL_TIMEOUT),
    "sleeps": llm.Tool.function(sleeps, timeout=TOOL_TIMEOUT),
}


class Talk:
    """A conversation: its root is that of its forks, `left` how many times it is still used, `busy` by how many at the moment."""

    def __init__(self, conversation: Any, root: str, number: int, left: int) -> None:
        self.conversation = conversation
        self.root = root
        self.number = number
        self.left = left
        self.asked = self.forks = self.busy = 0
        self.alone = False
        """Nobody else may use it: its turn is steered, or it is being closed."""


class World:
    """All of them."""

    def __init__(self, port: int, seed: int, conversations: int, life: int = 4) -> None:
        self.random = Random(seed)
        self._life = life
        self.client = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=500))
        where = {
            "wire": "openai-chat",
            "base_url": f"http://127.0.0.1:{port}/v1",
            "key": "sk-soak",
            "timeout": TIMEOUTS,
        }
        self.pair = llm.endpoint("soak", **where)
        # The same through httpx's own stack, whatever extras are installed.
        self.own = llm.endpoint("soak-own-client", client=self.client, **where)
        self.counts: Counter[str] = Counter()
        self.complaints: list[str] = []
        self.late = 0
        """Answers that a wire's timeout ended though the server was not told to be silent: a machine that has its moments."""
        self._roots = 0
        # Of all ages from the beginning, or all would end together.
        self.talks = [self.new_talk(left=self.random.randint(1, life)) for _ in range(conversations)]

    @property
    def replaced_all(self) -> bool:
        """Whether as many conversations have ended as there are."""
        return self.counts["conversations replaced"] >= len(self.talks)

    def complain(self, text: str) -> None:
        """Something is wrong."""
        self.counts["complaints"] += 1
        if len(self.complaints) < MOST:
            self.complaints.append(text)
            print(f"WRONG: {text}", file=sys.stderr, flush=True)

    def new_talk(self, left: int = 0, group: Any = None) -> Talk:
        """A new conversation; `left`: how often it is used, else as often as all."""
        self._roots += 1
        model = (self.pair if self._roots % 2 else self.own).async_model
        conversation = model.conversation() if group is None else group.conversation(model)
        return Talk(conversation, f"t{self._roots}", 0, left or self._life)

    def sync_talk(self) -> Talk:
        """A new one that blocks."""
        self._roots += 1
        return Talk(self.pair.model.conversation(), f"t{self._roots}", 0, 1)

    def ask(self, talk: Talk, how: str, words: int | None = None, tools: tuple[str, ...] = ()) -> Asked:
        """The next prompt of a conversation."""
        talk.asked += 1
        words = self.random.randint(2, 30) if words is None else words
        self.counts["prompts"] += 1
        return Asked(f"{talk.root}.{talk.number}-{talk.asked}", how, words, tools)

    def fork(self, talk: Talk) -> Talk:
        """A fork: of the same root, with names of its own."""
        talk.forks += 1
        return Talk(talk.conversation.fork(), talk.root, talk.number * 10 + talk.forks, 1)

    # ---- what is checked

    def check_text(self, asked: Asked, text: str, expected: str | None = None) -> None:
        """An answer is the right one, and whole."""
        expected = asked.answer if expected is None else expected
        if text != expected:
            self.complain(f"the answer to {asked.text!r} is {text!r}, not {expected!r}")

    def check_partial(self, asked: Asked, response: Any) -> None:
        """What there is of an answer that did not end is the beginning of the right one."""
        if not asked.answer.startswith(response.partial):
            self.complain(f"what there is of the answer to {asked.text!r} is {response.partial!r}")

    def check_history(self, talk: Talk, asked: Asked, answer: str | None = None) -> None:
        """A prompt and its answer are in the history, once, one behind the other; all of it passes the strict validators."""
        messages = talk.conversation.messages()
        asks = [
            place for place, message in enumerate(messages) if message.role == "user" and message.text == asked.text
        ]
        if len(asks) != 1:
            self.complain(f"the history has {asked.text!r} {len(asks)} times")
        elif answer is not None:
            behind = next((each.text for each in messages[asks[0] :] if each.role == "assistant" and each.text), None)
            if behind != answer:
                self.complain(f"behind {asked.text!r} the history has {behind!r}")
        self.check_valid(messages)

    def check_valid(self, messages: list[llm.Message]) -> None:
        """Every provider takes it."""
        if self.random.random() < SAMPLED:
            self.counts["histories validated"] += 1
            try:
                check_next(messages)
            except Refused as refused:
                self.complain(f"a history that is not valid: {refused}")

    def check_results(self, talk: Talk, asked: Asked) -> None:
        """Each tool call has its own result, once, in the order of the calls."""
        expected = [(f"{asked.name}/{place}", tool) for place, tool in enumerate(asked.tools)]
        results = [
            part
            for message in talk.conversation.messages()
            for part in message.parts
            if isinstance(part, llm.ToolResultPart) and str(part.tool_call_id).startswith(f"{asked.name}/")
        ]
        if [(part.tool_call_id, part.name) for part in results] != expected:
            self.complain(f"the results of {asked.text!r} are {results}")
        for part in results:
            right = part.output == f"{part.tool_call_id} {part.name}"
            if right != (part.name in ("quick", "awaited")) or "too late" in part.output:
                self.complain(f"the result of {part.tool_call_id} is {part.output!r}")
