"""Attachments on their way to a provider: checked at the call, read and fetched before the request.

`check` is for the moment of the call and never asks the network; `resolve` runs as part of the request, off the
caller's path: files are read where the given `run_blocking` runs them, URLs come through the given `fetch`. So
nothing here knows of a loop or a thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, TypeAlias

import msgspec

from llm_actors.errors import AttachmentError
from llm_actors.messages import Attachment, AttachmentPart, Message, ToolResultPart
from llm_actors.messages.attachment import sniff

Fetch: TypeAlias = Callable[[str], Awaitable[tuple[str | None, bytes]]]
"""Gets a URL: the media type that the server says, or None, and the bytes. Raises AttachmentError."""

RunBlocking: TypeAlias = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Calls a function that blocks, off the loop, and gives what it returned."""

# Several names are in use for one format; providers list the first. Sources: RFC 2361 and mimetypes' table for wav, RFC 3003 for mpeg.
_ONE_NAME = {
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/mp3": "audio/mpeg",
    "image/jpg": "image/jpeg",
}
_UNSAID = frozenset({"application/octet-stream", "binary/octet-stream"})


def check(attachments: Sequence[Attachment], accepted: Collection[str], model_name: str) -> None:
    """Raises `AttachmentError`, in the peer's words, for what a model does not take. `accepted`: media types, also `image/*` and `*/*`.

    Reads at most the first bytes of a file. A URL whose path shows no type is let through: `resolve` learns it when it fetches.
    The text is the peer's to the letter, so the model's name goes into a note.
    """
    if attachments and not accepted:
        error = AttachmentError("This model does not support attachments")
        error.add_note(f"model: {model_name}")
        raise error
    for attachment in attachments:
        kind = _kind(attachment)
        if kind is not None:
            _check_kind(kind, accepted)


async def resolve(
    messages: Sequence[Message],
    fetch: Fetch,
    *,
    keep_urls: bool,
    accepted: Collection[str],
    limit: int,
    run_blocking: RunBlocking,
) -> list[Message]:
    """The messages with every attachment as a provider needs it: `type`, and `content` or `url`.

    Messages without attachments are the same objects.
    `keep_urls`: the provider fetches URLs itself; then an image stays a URL when its type is known (files of other
    kinds are sent as bytes, which every wire takes). `limit`: bytes of one file or fetched URL. Each file and URL is
    read once in a call. Raises `AttachmentError` for one that can't be read, is too large, or of a type that is not
    accepted, and what `fetch` raises.
    """
    resolution = _Resolution(fetch, keep_urls, accepted, limit, run_blocking)
    return [await resolution.message(message) for message in messages]


class _Resolution:
    def __init__(
        self, fetch: Fetch, keep_urls: bool, accepted: Collection[str], limit: int, run_blocking: RunBlocking
    ) -> None:
        self._fetch = fetch
        self._keep_urls = keep_urls
        self._accepted = accepted
        self._limit = limit
        self._run_blocking = run_blocking
        self._done: dict[Attachment, Attachment] = {}

    async def message(self, message: Message) -> Message:
        parts = [await self._part(part) for part in message.parts]
        if all(new is old for new, old in zip(parts, message.parts, strict=True)):
            return message
        return msgspec.structs.replace(message, parts=parts)

    async def _part(self, part: Any) -> Any:
        if isinstance(part, AttachmentPart) and part.attachment is not None:
            return msgspec.structs.replace(part, attachment=await self._attachment(part.attachment))
        if isinstance(part, ToolResultPart) and part.attachments:
            return msgspec.structs.replace(part, attachments=[await self._attachment(one) for one in part.attachments])
        return part

    async def _attachment(self, attachment: Attachment) -> Attachment:
        check((attachment,), self._accepted, "")
        if (
            attachment.content is not None
        ):  # nothing to read; a hash of many bytes as a key would cost more than it saves
            return Attachment(type=_kind(attachment), content=attachment.content)
        if attachment not in self._done:
            self._done[attachment] = await self._read(attachment)
        return self._done[attachment]

    async def _read(self, attachment: Attachment) -> Attachment:
        said = _one_name(attachment.type) if attachment.type else None
        if attachment.path is not None:
            path = attachment.path
            content = await self._run_blocking(lambda: _file(path, self._limit))
            return self._whole(Attachment(type=said, path=path, content=content))
        if attachment.url is None:
            msg = "an attachment needs a path, a URL or content: this one has neither"
            raise AttachmentError(msg)
        known = said or _kind(attachment)
        if self._keep_urls and known is not None and known.startswith("image/"):
            return Attachment(type=known, url=attachment.url)
        served, content = await self._fetch(attachment.url)
        if len(content) > self._limit:
            raise _too_large(attachment.url, self._limit)
        served = _one_name(served) if served else None
        return self._whole(Attachment(type=said or _fetched_kind(served, content, known), content=content))

    def _whole(self, attachment: Attachment) -> Attachment:
        kind = _one_name(attachment.resolve_type())
        _check_kind(kind, self._accepted)
        return Attachment(type=kind, content=attachment.content)


def _kind(attachment: Attachment) -> str | None:
    """The media type, as far as it shows without the network; None for a URL that shows nothing."""
    try:
        return _one_name(attachment.resolve_type())
    except OSError as error:
        raise _unreadable(attachment.path, error) from error
    except ValueError as error:
        if attachment.url is not None:
            return None
        raise AttachmentError(str(error)) from error


def _fetched_kind(served: str | None, content: bytes, guessed: str | None) -> str | None:
    """The bytes know best (servers send images as text/html), then the server, then the URL's ending; else it is found from the bytes."""
    return sniff(content[:32]) or (served if served not in _UNSAID else None) or guessed


def _one_name(kind: str) -> str:
    bare = kind.partition(";")[0].strip().lower()
    return _ONE_NAME.get(bare, bare)


def _check_kind(kind: str, accepted: Collection[str]) -> None:
    if kind not in accepted and f"{kind.partition('/')[0]}/*" not in accepted and "*/*" not in accepted:
        msg = f"This model does not support attachments of type '{kind}', only {', '.join(sorted(accepted))}"
        raise AttachmentError(msg)


def _file(path: str, limit: int) -> bytes:
    try:
        from pathlib import Path  # noqa: PLC0415 - 3 ms, with urllib: for who has a file

        with Path(path).expanduser().open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(content) > limit:
        raise _too_large(path, limit)
    return content


def _unreadable(path: str | None, error: OSError) -> AttachmentError:
    return AttachmentError(f"attachment {path} can't be read: {error.strerror or error}")


def _too_large(where: str, limit: int) -> AttachmentError:
    return AttachmentError(f"attachment {where} is larger than {limit} bytes, the limit of an attachment")
