"""Tells what the bytes of an answer are, a stream of events or one JSON body, and cuts them into events.

    above it   the decoders of wires that stream by SSE
    below it   sse.py

What came is judged by its first byte, not by what was asked: servers answer a stream with one JSON body, mostly an error, and the other way
round; a proxy answers with a page.
"""

from collections.abc import Mapping

from llm_actors.errors import ProtocolError

from .error_words import blank_keys
from .sse import Event, SSEDecoder

_BOM = b"\xef\xbb\xbf"
_FRAME = 2048


class AnswerFrames:
    """The frames of one answer. Its loop only; `headers` are the answer's, names in lower case."""

    def __init__(self, provider: str, headers: Mapping[str, str], max_event: int) -> None:
        self.is_body = False
        """The answer is one JSON body, which `end()` gives as its only event."""
        self._provider = provider
        self._kind = headers.get("content-type", "").lower()
        self._max_event = max_event
        self._head = b""  # bytes that don't yet tell what the answer is
        self._body = bytearray()
        self._sse: SSEDecoder | None = None

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete. Raises `ProtocolError` for a page, and for an event that is too large."""
        if self._sse is not None:
            return self._sse.feed(data)
        if self.is_body:
            self._body += data
            return []
        self._head = (self._head + data).removeprefix(_BOM).lstrip()
        head = self._head
        if not head or _BOM.startswith(head):
            return []
        self._head = b""
        self._begin(head)
        return self.feed(head)

    def end(self) -> list[Event]:
        """What only the end of the bytes completes: an unterminated last event, or the body."""
        if self._sse is not None:
            return self._sse.end()
        return [(None, bytes(self._body))] if self._body else []

    def _begin(self, head: bytes) -> None:
        if head.startswith(b"<") or "html" in self._kind:
            msg = f"{self._provider} answered with a page, not with an answer of a model: check the base URL and the proxies"
            raise ProtocolError(msg, frame=frame_of(head))
        looks_like_sse = head.startswith((b"d", b"e", b":", b"i", b"r"))
        if head.startswith((b"{", b"[")) or (
            "json" in self._kind and "ndjson" not in self._kind and not looks_like_sse
        ):
            self.is_body = True
        else:
            self._sse = SSEDecoder(self._max_event)


def frame_of(data: bytes) -> bytes:
    """The beginning of some bytes for an error, without anything that looks like a key."""
    return blank_keys(data[:_FRAME].decode("utf-8", "replace")).encode()
