r"""Lines of a stream of bytes, cut anywhere: what server-sent events and NDJSON have in common.

    above it   sse.py (events of lines), ndjson.py (a line is an event)
    below it   nothing

Lines end at `\n`, `\r\n` and `\r` only: `str.splitlines` and httpx's `aiter_lines` also split at U+2028 and friends, which JSON may hold
unescaped. Bytes are split, not text, so that a code point cut in two needs no care. A byte order mark at the very beginning is dropped.
What is kept over a cut is the unfinished line, so a long one costs one copy, not one a read.
"""

from llm_actors.errors import ProtocolError

_BOM = b"\xef\xbb\xbf"


class ByteLines:
    """Holds back the line that is not whole yet. Its loop only. `longest`: the most bytes that a line may have."""

    __slots__ = ("_after_cr", "_head", "_longest", "_rest", "_started")

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._started = False
        self._head = b""  # the first bytes, while they may be a byte order mark
        self._after_cr = False  # a \n that comes next belongs to the \r before it
        self._rest = bytearray()  # the unfinished line

    def whole(self, data: bytes) -> bytes:
        r"""The lines that these bytes complete, each ended by one `\n`; the rest is kept."""
        if self._after_cr or b"\r" in data:
            data = self._with_plain_line_ends(data)
        if not self._started:
            data = self._without_bom(data)
        end = data.rfind(b"\n") + 1
        if not self._rest:
            self._rest += data[end:]
            return data[:end]
        if not end:
            self._rest += data
            return b""
        lines = bytes(self._rest) + data[:end]
        self._rest.clear()
        self._rest += data[end:]
        return lines

    def check(self) -> None:
        """Raises `ProtocolError` if the unfinished line is longer than a line may be."""
        if len(self._rest) > self._longest:
            raise too_large(self._longest, bytes(self._rest[:256]))

    def end(self) -> bytes:
        """What is left at the end of the bytes: a line without its end, or nothing."""
        left = self._head + bytes(self._rest)
        self._head = b""
        self._rest.clear()
        return left

    def _with_plain_line_ends(self, data: bytes) -> bytes:
        if not data:
            return data
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _without_bom(self, data: bytes) -> bytes:
        head = self._head + data
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._head = head
            return b""
        self._started = True
        self._head = b""
        return head.removeprefix(_BOM)


def too_large(limit: int, frame: bytes) -> ProtocolError:
    """The error for an event that is larger than the limit."""
    msg = f"an event of the stream is larger than the limit of {limit} bytes"
    return ProtocolError(msg, frame=frame)
