"""What the decoders of an answer have in common: how bytes come in, how an error leaves, how much may arrive.

    above it   the decoder of each wire, which says what an event, and what a whole body means
    below it   sse.py or ndjson.py splits the bytes

What came is judged by its first byte and its content type, not by what was asked: servers answer a stream with one JSON body, mostly an
error, and the other way round. An error never takes away what came before it in the same read: `feed()` gives those items first and raises
when it is called again.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import msgspec

from llm_actors.errors import ModelError, ProtocolError
from llm_actors.messages import Item, RoundResult

from .error_words import frame
from .protocol import Decoder

_BOM = b"\xef\xbb\xbf"


Step: TypeAlias = Callable[[bytes, list[Item]], None]
"""Takes bytes, and appends to the items what they say."""


class Splitter(Protocol):
    """Cuts bytes into events: `SSEDecoder`, `NDJSONDecoder`."""

    def feed(self, data: bytes) -> list[Any]:
        """The events that these bytes complete."""
        ...

    def end(self) -> list[Any]:
        """The event that only the end of the bytes completes."""
        ...


class AnswerDecoder(Decoder):
    """Decodes one answer. Its loop only; `provider` names the server in errors and metadata, `headers` are the answer's, in lower case."""

    def __init__(self, provider: str, headers: Mapping[str, str], splitter: Splitter, *, max_answer: int) -> None:
        self.finished = False
        self._provider = provider
        self._headers = headers
        self._splitter = splitter
        self._max_answer = max_answer
        self._failure: ModelError | None = None
        self._head: bytes | None = b""  # bytes that don't yet tell what the answer is; None: it's known
        self._body: bytearray | None = None
        self._size = 0

    @abstractmethod
    def _events(self, events: list[Any], items: list[Item]) -> None:
        """Takes the events of a stream. Appends to `items` what they say, sets `finished` at the last."""

    @abstractmethod
    def _whole(self, data: bytes, items: list[Item]) -> None:
        """Takes an answer that is one JSON body. A cut one adds nothing: `_result()` raises then."""

    @abstractmethod
    def _result(self) -> RoundResult:
        """How the answer ended. Raises `StreamTruncatedError` if it did not."""

    def _is_whole(self, head: bytes, kind: str) -> bool:
        """Whether a body that begins so, of this content type, is one JSON value and no stream; here: of server-sent events."""
        json_by_kind = "json" in kind and "ndjson" not in kind and not head.startswith((b"d", b"e", b":", b"i", b"r"))
        return head.startswith((b"{", b"[")) or json_by_kind

    def feed(self, data: bytes) -> list[Item]:
        """The items that these bytes complete. Raises the typed error of the stream, or `ProtocolError`."""
        return self._guarded(self._take, data)

    def tail(self) -> list[Item]:
        """The items that only the end of the bytes completes: an unterminated last event, or all of a JSON body."""
        return self._guarded(self._end, b"")

    def close(self) -> RoundResult:
        """How the answer ended. Raises `StreamTruncatedError` if it did not."""
        if self._failure is not None:
            raise self._failure
        return self._result()

    def _guarded(self, step: Step, data: bytes) -> list[Item]:
        if self._failure is not None:
            raise self._failure
        items: list[Item] = []
        if self.finished:
            return items
        try:
            step(data, items)
        except ModelError as error:
            self._failure = error
            self.finished = True
            if not items:
                raise
        return items

    def _take(self, data: bytes, items: list[Item]) -> None:
        if self._head is not None:
            self._head = (self._head + data).removeprefix(_BOM).lstrip()
            if not self._head or _BOM.startswith(self._head):
                return
            data, self._head = self._head, None
            self._begin(data)
        if self._body is not None:
            self._body += data
            self._count(len(data))
        else:
            self._events(self._splitter.feed(data), items)

    def _begin(self, head: bytes) -> None:
        kind = self._headers.get("content-type", "").lower()
        if head.startswith(b"<") or "html" in kind:
            msg = f"{self._provider} answered with a page, not with an answer of a model: check the base URL and the proxies"
            raise ProtocolError(msg, frame=frame(head))
        if self._is_whole(head, kind):
            self._body = bytearray()

    def _end(self, data: bytes, items: list[Item]) -> None:  # noqa: ARG002 - a Step, as _take
        if self._body is not None:
            self._whole(bytes(self._body), items)
            return
        events = self._splitter.end()
        try:
            self._events(events, items)
        except ProtocolError:
            return  # a last event without its end that can't be read was cut; `close()` says so if it mattered

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > self._max_answer:
            msg = f"the answer of {self._provider} is larger than the limit of {self._max_answer} bytes"
            raise ProtocolError(msg)

    def _plain(self, data: bytes) -> dict[str, Any]:
        """An event as an object, the first of them where it is a list. Raises `ProtocolError`."""
        try:
            plain = msgspec.json.decode(data)
        except (ValueError, RecursionError) as error:
            msg = f"{self._provider} sent an event that is not JSON: {error}"
            raise ProtocolError(msg, frame=frame(data)) from None
        if isinstance(plain, list) and plain:
            plain = plain[0]
        if not isinstance(plain, dict):
            msg = f"{self._provider} sent an event that is not a JSON object"
            raise ProtocolError(msg, frame=frame(data))
        return plain
