"""A connection that was kept for the next request, and that the server has closed meanwhile.

Servers close kept connections when they like, some right behind an answer (llama.cpp's does behind a stream), and a request can be on its
way before that is heard of. It then dies without the head of an answer, and as a rule the server has never read it. Such a request is sent
once more, over a new connection, as browsers do (RFC 9112, section 9.3.1). Nothing else is repeated here.
"""

from __future__ import annotations

from typing import Any

# Of httpx and httpcore, then of aiohttp.
_GONE = frozenset({"ReadError", "WriteError", "ServerDisconnectedError", "ClientOSError", "ClientConnectionResetError"})


class Trace:
    """What is known of one request: whether a connection was `made` for it, whether it was `sent`.

    `was_stale`: the request failed, for no more reason than that a kept connection was closed. Our own clients tell it all themselves; of
    a client of httpx's it is heard by the `trace` extension of httpcore.
    """

    __slots__ = ("made", "sent", "was_stale")

    def __init__(self) -> None:
        self.made = self.sent = self.was_stale = False

    async def __call__(self, event: str, _: dict[str, Any]) -> None:
        """Called by httpcore at each step."""
        self.made = self.made or ".connect_" in event
        self.sent = self.sent or ".send_request_" in event

    def failed(self, error: Exception) -> None:
        """The request ended with this error, before an answer began."""
        names = {kind.__name__ for kind in type(error).__mro__}
        gone = names & _GONE or ("RemoteProtocolError" in names and "disconnected without" in str(error))
        self.was_stale = bool(gone) and self.sent and not self.made
