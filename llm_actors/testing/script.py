r"""What a scripted server is told to do, and what it saw: plain values that travel between the two processes.

An `Answer` is a list of steps at the level of bytes. Answers are taken in order: the first one left whose `path` and `body` fit
the request is played and used up (`times=0`: never used up). A request that fits none is answered by the server's default, which
speaks OpenAI chat completions.

    Answer([Send(head()), Send(chunk(b"data: {}\n\n")), Reset()])       a connection that is reset in mid-stream
    reply(503, b"<html>busy</html>", content_type="text/html")          one whole response
    events('{"choices": [...]}', "[DONE]", pace=0.01)                   an event stream, one chunk of the transfer each
    Answer([Gate("go"), Speak()])                                       the default answer, once `server.release("go")` was called
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, TypeAlias

import msgspec


class Send(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Writes the bytes; with `each`, that many at a time with `pace` seconds in between (0: as separate writes, with no wait)."""

    data: bytes
    each: int | None = None
    pace: float = 0.0


class Wait(msgspec.Struct, frozen=True, tag=True):
    """Says nothing for so many seconds."""

    seconds: float


class Gate(msgspec.Struct, frozen=True, tag=True):
    """Says nothing until `server.release(name)`: a test's order of events without sleeping. A released gate stays open."""

    name: str


class Stall(msgspec.Struct, frozen=True, tag=True):
    """Says nothing more, and keeps the connection until the client closes it."""


class Trickle(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Writes `data` every `every` seconds, `times` times or for ever."""

    data: bytes
    every: float
    times: int | None = None


class Close(msgspec.Struct, frozen=True, tag=True):
    """Closes the connection after what was written has gone out (FIN)."""


class Reset(msgspec.Struct, frozen=True, tag=True):
    """Breaks the connection (RST)."""


class Speak(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Plays the default answer here: OpenAI chat completions, with `pace` seconds before each chunk."""

    pace: float | None = None


Step: TypeAlias = Send | Wait | Gate | Stall | Trickle | Close | Reset | Speak


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is done for one request whose path and body contain these strings (None: any)."""

    steps: list[Step]
    path: str | None = None
    body: str | None = None
    times: int = 1


class Recorded(msgspec.Struct, omit_defaults=True):
    """A request as it arrived. `time`: Unix time, seconds. `path` has the query; header names are in lower case.

    `connection` numbers the server's connections from 1; `sent` counts the bytes of the answer; `open` is true while it is being answered;
    `closed_early`: the client closed the connection before the answer was over.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    time: float
    connection: int
    open: bool = True
    closed_early: bool = False
    sent: int = 0

    def json(self) -> Any:
        """The body, decoded. Raises `msgspec.DecodeError` if it is not JSON."""
        return msgspec.json.decode(self.body)


def head(
    status: int = 200,
    *,
    content_type: str = "text/event-stream",
    headers: dict[str, str] | None = None,
    length: int | None = None,
) -> bytes:
    """The status line and headers of a response; without `length` (bytes) the body is to be sent by `chunk()`s."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    size = {"transfer-encoding": "chunked"} if length is None else {"content-length": str(length)}
    lines = [
        f"{name}: {value}\r\n" for name, value in {"content-type": content_type, **size, **(headers or {})}.items()
    ]
    return f"HTTP/1.1 {status} {phrase}\r\n{''.join(lines)}\r\n".encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; `chunk(b"")` is the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def reply(
    status: int,
    body: bytes | str | dict[str, Any] = b"",
    *,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
    times: int = 1,
) -> Answer:
    """One whole response; a dict is sent as JSON."""
    data = msgspec.json.encode(body) if isinstance(body, dict) else body.encode() if isinstance(body, str) else body
    return Answer(
        [Send(head(status, content_type=content_type, headers=headers, length=len(data)) + data)], times=times
    )


def events(*data: str, pace: float = 0.0, headers: dict[str, str] | None = None, times: int = 1) -> Answer:
    """An event stream of these `data:` payloads, one chunk of the transfer each, `pace` seconds before each."""
    steps: list[Step] = [Send(head(headers=headers))]
    for payload in data:
        steps += [Wait(pace)] if pace else []
        steps.append(Send(chunk(f"data: {payload}\n\n".encode())))
    return Answer([*steps, Send(chunk(b""))], times=times)


class Setting(msgspec.Struct, frozen=True, tag=True):
    """To the server's process: the key it wants to see (None: any), and the default pace."""

    key: str | None
    pace: float


class Play(msgspec.Struct, frozen=True, tag=True):
    """To the server's process: more answers."""

    answers: list[Answer]


class Release(msgspec.Struct, frozen=True, tag=True):
    """To the server's process: opens a gate."""

    name: str


class Forget(msgspec.Struct, frozen=True, tag=True):
    """To the server's process: drops the answers not played yet and the requests that are over."""


class Report(msgspec.Struct, frozen=True, tag=True):
    """To the server's process: says what was seen, after at least `requests` have come and, with `idle`, none is open.

    `timeout` in seconds: after it the report is as things are then, with `timely` false.
    """

    requests: int = 0
    idle: bool = False
    timeout: float = 0.0


Command: TypeAlias = Setting | Play | Release | Forget | Report


class Seen(msgspec.Struct, frozen=True):
    """From the server's process: every request, the connections ever made, those open now."""

    requests: list[Recorded]
    connections: int
    open_connections: int
    timely: bool = True
