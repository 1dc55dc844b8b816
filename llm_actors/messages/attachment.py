"""An attachment: bytes, a path or a URL, with a media type."""

import json
from typing import BinaryIO

import msgspec

# The first bytes of the formats that providers take (each from its format's specification). The standard library's
# imghdr is gone since 3.13, and a sniffing library would be a dependency for a dozen lines.
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/x-msvideo"),
    (0, b"BM", "image/bmp"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"PK\x03\x04", "application/zip"),
)


class Attachment(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file for the model, as `Attachment(path=...)`, `Attachment(url=...)` or `Attachment(content=bytes)`.

    `type` is a media type such as `image/png`; left out, it is found from the bytes, then from the name. A URL is
    fetched by the library, off the event loop, only when the model's provider can't fetch it itself. Any thread.
    """

    type: str | None = None
    path: str | None = None
    url: str | None = None
    content: bytes | None = None

    def id(self) -> str:
        """SHA-256 of the content, or of `{"url": ...}`, in hex."""
        import hashlib  # noqa: PLC0415 - 2 ms, with OpenSSL

        if self.content is None and self.path is None:
            return hashlib.sha256(json.dumps({"url": self.url}).encode()).hexdigest()
        return hashlib.sha256(self._local_bytes()).hexdigest()

    def resolve_type(self) -> str:
        """The media type: as given, else by the first bytes, else by the name's ending.

        Never asks the network; the type of a bare URL is guessed from its path, and found for certain when the library
        fetches it. Raises `ValueError` when there is nothing to go by.
        """
        if self.type:
            return self.type
        import mimetypes  # noqa: PLC0415 - for few attachments

        if self.content is not None or self.path is not None:
            head = self.content[:32] if self.content is not None else _head(self.path or "")
            found = sniff(head)
            if found is None and self.path is not None:
                found = mimetypes.guess_type(self.path)[0]
            return found or ("text/plain" if _is_text(head) else "application/octet-stream")
        if self.url is not None:
            guessed = mimetypes.guess_type(self.url.partition("?")[0].partition("#")[0])[0]
            if guessed:
                return guessed
        msg = "Attachment has no type and no content to derive it from"
        raise ValueError(msg)

    def content_bytes(self) -> bytes:
        """The bytes, from memory or the file. A URL is not fetched here: see `llm_actors.chat.attachments`.

        Blocks while it reads a file. Raises `ValueError` for a URL, `OSError` for a file that can't be read.
        """
        return self._local_bytes()

    def base64_content(self) -> str:
        """`content_bytes()` in base64."""
        import base64  # noqa: PLC0415 - for who has a file

        return base64.b64encode(self._local_bytes()).decode("ascii")

    def _local_bytes(self) -> bytes:
        if self.content is not None:
            return self.content
        if self.path is not None:
            with _open(self.path) as file:
                return file.read()
        msg = "this attachment is a URL; the library fetches it when it is sent"
        raise ValueError(msg)

    def __repr__(self) -> str:
        where = ", ".join(
            f"{name}={value!r}"
            for name, value in (("type", self.type), ("path", self.path), ("url", self.url))
            if value
        )
        size = f", {len(self.content)} bytes" if self.content is not None else ""
        return f"<Attachment: {where}{size}>".replace(": ,", ":")


def sniff(head: bytes) -> str | None:
    """The media type that the first bytes of a file show, or None."""
    for offset, signature, media_type in _SIGNATURES:
        if head.startswith(signature, offset):
            return media_type
    return None


def _head(path: str) -> bytes:
    with _open(path) as file:
        return file.read(32)


def _open(path: str) -> BinaryIO:
    from pathlib import Path  # noqa: PLC0415 - 3 ms, with urllib: for who has a file

    return Path(path).expanduser().open("rb")


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > 0 and error.reason == "unexpected end of data"
    return True
