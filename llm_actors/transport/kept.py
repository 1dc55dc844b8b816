"""A connection that was kept for the next request, and that the server has closed meanwhile.

Servers close kept connections when they like, some right behind an answer (llama.cpp's does behind a stream), and a request can be on its
way before that is heard of. It then dies without the head of an answer, and as a rule the server has never read it. Such a request is sent
once more, over a new connection, as browsers do (RFC 9112, section 9.3.1). Nothing else is repeated here.
"""

from __future__ import annotations

from typing import Any

_GONE = frozenset({"ReadError", "WriteError"})


class Trace:
    """What httpcore tells of one request, by its `trace` extension: whether it made a connection for it.

    `was_stale`: the request failed, for no more reason than that a kept connection was closed.
    """

    __slots__ = ("_made", "_sent", "was_stale")

    def __init__(self) -> None:
        self._made = self._sent = self.was_stale = False

    async def __call__(self, event: str, _: dict[str, Any]) -> None:
        """Called by the HTTP library at each step."""
        self._made = self._made or ".connect_" in event
        self._sent = self._sent or ".send_request_" in event

    def failed(self, error: Exception) -> None:
        """The request ended with this error, before an answer began."""
        names = {kind.__name__ for kind in type(error).__mro__}
        gone = names & _GONE or ("RemoteProtocolError" in names and "disconnected without" in str(error))
        self.was_stale = bool(gone) and self._sent and not self._made
