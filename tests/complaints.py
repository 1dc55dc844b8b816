"""What a program said on standard error, but for what only a busy machine makes it say."""

import re

# asyncio's debug mode, and so `-X dev`, tells of each callback that took 0.1 s, and we of each step: where others have the
# processors, any may.
_SLOW = re.compile(
    r"(?:WARNING:asyncio:)?Executing <.*> took [\d.]+ seconds\n"
    r"|WARNING:llm_actors\.runtime:.* held the event loop for [\d.]+ s\n"
)


def complaints(said):
    """The rest."""
    return _SLOW.sub("", said)
