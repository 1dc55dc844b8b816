"""Which thinking may go back: a mark of all that stood before it.

above it   anthropic_messages.py
below it   nothing

Newer models bind each thinking block to the system prompt, the tools and the messages it was made from, and refuse a request (400) in
which one of them has changed: https://platform.claude.com/docs/en/build-with-claude/preserved-thinking/prefix-checks

A history is compacted, or gets other tools or another system prompt; so the mark is kept with the answer, and thinking whose beginning is
another by now stays behind. Marks of the prompt cache don't count.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

# The models before Claude Fable 5.1: 2 and 3, all of 4, and the first of 5.
_EARLIER = re.compile(r"claude-(?:[23](?:[-.]|$)|[a-z]+-[34](?:[-.@]|$)|[a-z]+-5(?:$|[-@]20\d{6}))")
_encode = msgspec.json.Encoder(order="sorted").encode


def binds_thinking(model: str) -> bool:
    """Whether this model looks at what its thinking was made from; one that nobody knows yet does. Other vendors' don't."""
    return "claude-" in model and not _EARLIER.search(model)


class Prefix:
    """The beginning of a request, as far as it was added."""

    def __init__(self, system: Sequence[dict[str, Any]], tools: Sequence[Any]) -> None:
        self._hash = hashlib.blake2b(digest_size=12)
        self._add([_plain(block) for block in system])
        self._add([_plain(tool) for tool in tools])

    def add(self, role: str, blocks: Iterable[dict[str, Any]]) -> None:
        """What comes next. It makes no difference over how many messages of one role the blocks are spread."""
        for block in blocks:
            self._add([role, _plain(block)])

    def mark(self) -> str:
        """The mark of all that was added so far."""
        return self._hash.hexdigest()

    def _add(self, value: Any) -> None:
        self._hash.update(_encode(value))


def _plain(block: Any) -> Any:
    if not isinstance(block, dict):
        return block
    return {
        name: [_plain(each) for each in value] if name == "content" and isinstance(value, list) else value
        for name, value in block.items()
        if name != "cache_control"
    }
