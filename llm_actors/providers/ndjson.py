r"""Newline-delimited JSON: bytes in, cut anywhere, lines out.

    above it   the decoder of each wire that streams by NDJSON (Ollama)
    below it   lines.py

One value a line (https://github.com/ndjson/ndjson-spec). A blank line says nothing; a `\r` before the `\n` is no part of the line.
"""

from llm_actors.errors import ProtocolError

from .lines import ByteLines, too_large


class NDJSONDecoder:
    """Splits one stream. Its loop only; not to be used again after it raised. `max_event`: the most bytes that one line may have."""

    __slots__ = ("_failure", "_lines", "_max_event")

    def __init__(self, max_event: int = 16 * 2**20) -> None:
        self._max_event = max_event
        self._lines = ByteLines(max_event)
        self._failure: ProtocolError | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete, without blank ones. Raises `ProtocolError` for one too long, after those before it."""
        if self._failure is not None:
            raise self._failure
        lines: list[bytes] = []
        for line in self._lines.whole(data).split(b"\n"):
            if len(line) > self._max_event:
                self._failure = too_large(self._max_event, line[:256])
                break
            if line and not line.isspace():
                lines.append(line)
        else:
            try:
                self._lines.check()
            except ProtocolError as error:
                self._failure = error
        if self._failure is not None and not lines:
            raise self._failure
        return lines

    def end(self) -> list[bytes]:
        """A last line without its end. It may be cut: what can't be read of it never was sent whole."""
        if self._failure is not None:
            raise self._failure
        line = self._lines.end()
        return [line] if line and not line.isspace() else []
