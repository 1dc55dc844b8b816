"""What a wire protocol is to the rest: bytes <-> values, without I/O.

    above it   transport/pump.py moves the bytes; the conversation gets the items and the result
    below it   nothing: a codec imports no asyncio, no threading, no clock
    siblings   sse.py splits event streams; one file per wire implements Provider

A Decoder is fed bytes as they come, cut anywhere, and gives items (text chunks as str, the rest as StreamEvent). It raises a typed
`ModelError` for an error in the stream and for bytes that are not of the wire. `close()` gives the RoundResult, or raises
`StreamTruncatedError` when the wire's terminal fact has not come: a cut answer is never handed out as complete.

`Flight` and `FlightSink` are the seam between a model call under way (an HTTP request, a Python generator, a script) and the conversation.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from llm_actors.errors import ModelError
from llm_actors.messages import Item, ModelRequest, Options, RoundResult, Secret


class WireRequest(msgspec.Struct, frozen=True):
    """One HTTP request without its key: `path` is appended to the endpoint's base URL."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Decoder(Protocol):
    """Turns the bytes of one answer into items."""

    finished: bool
    """The terminal fact has come: nothing more needs to be read."""

    def feed(self, data: bytes) -> list[Item]:
        """The items that these bytes complete. Raises a ModelError for an error in the stream or a broken one.

        What came before the error in the same bytes is given first, with `finished` set: the next call, of any method, raises it.
        """
        ...

    def close(self) -> RoundResult:
        """How the answer ended; items held back come in `tail()` first. Raises `StreamTruncatedError` without the terminal fact."""
        ...

    def tail(self) -> list[Item]:
        """Items that only the end of the bytes completes (an unterminated last line); called once, before `close()`."""
        ...


class Provider(Protocol):
    """A wire protocol, with the deviations of one family of servers as data. Immutable; shared by all calls."""

    name: str
    """For errors, records and the key in `provider_metadata`: `openai`, `anthropic`, ..."""

    options: type[Options]
    """The options its models take."""

    fetches_urls: bool
    """Whether the provider fetches attachment URLs itself; else the library does it and sends the bytes."""

    def encode(self, request: ModelRequest, extra_body: Mapping[str, Any]) -> WireRequest:
        """The request as bytes. Raises `ModelError` for what this wire can't say."""
        ...

    def key_header(self, key: Secret) -> tuple[str, str]:
        """The header that carries the key. Called by the pump, last of all."""
        ...

    def decoder(self, request: ModelRequest, headers: Mapping[str, str], *, max_event: int, max_answer: int) -> Decoder:
        """A decoder for the answer to this request; `headers` are the response's (content type, request id), names in lower case."""
        ...

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The typed error for an answer of status 400 or more. Never assumes that the body is JSON."""
        ...


class Limits(msgspec.Struct, frozen=True):
    """How much may arrive, in bytes: one event, one answer, one fetched attachment, one tool result that goes to the model.

    Of a system, for all its models; of an endpoint, for its own. Raises TypeError, ValueError for what is no size.
    """

    event: int = 16 * 2**20
    answer: int = 64 * 2**20
    attachment: int = 32 * 2**20
    tool_result: int = 2**20

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            size = getattr(self, name)
            if isinstance(size, bool) or not isinstance(size, int):
                msg = f"the limit {name} is a number of bytes, an int, not {size!r}"
                raise TypeError(msg)
            if size < 1:
                msg = f"the limit {name} is at least 1 byte, not {size}"
                raise ValueError(msg)


CONNECTIONS = 1000
"""Requests under way to one base URL from one loop, where nobody says otherwise."""


class Timeouts(msgspec.Struct, frozen=True):
    """In seconds; None waits for ever.

    `first_byte`: until the answer's headers; `idle`: between two reads of a stream; `total`: the whole call.
    """

    connect: float | None = 10.0
    first_byte: float | None = 300.0
    idle: float | None = 120.0
    total: float | None = None


class Server(Protocol):
    """A server that is started for us at first use (the embedded engine)."""

    async def acquire(self) -> tuple[str, Secret | None]:
        """Its base URL and key, started if need be; held until `release()`. Raises `EngineError`."""
        ...

    def release(self) -> None:
        """The call is over."""

    def died(self) -> ModelError | None:
        """Why the server is gone, if it is: the pump reports that in place of a bare connection error."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where a wire is spoken: configuration, no state.

    `client`: the user's own httpx (or httpx2) AsyncClient. `headers` may hold secrets, so they're not in the repr. `server`: in place of
    a fixed `base_url`. `limits`: None for those of the system.
    """

    base_url: str
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    extra_body: dict[str, Any] = {}
    timeouts: Timeouts = Timeouts()
    limits: Limits | None = None
    client: Any = None
    server: Server | None = None

    def __repr__(self) -> str:
        return f"Endpoint({self.base_url!r})"


class FlightSink(Protocol):
    """Who hears of a model call. All methods are called on the loop that started it.

    After any number of `write()`, exactly one of `ended`, `failed`, `stopped` is called, as the flight's last act: no request is open then.
    """

    def write(self, items: list[Item]) -> None:
        """What one read brought."""

    def repeated(self) -> None:
        """The request was sent once more, before anything was written: its connection was gone."""

    def ended(self, result: RoundResult) -> None:
        """The answer is complete."""

    def failed(self, error: BaseException) -> None:
        """It is not, and won't be."""

    def stopped(self) -> None:
        """`stop()` was called, and everything is closed."""


class Flight(Protocol):
    """A model call under way."""

    def stop(self) -> None:
        """Ends it. Idempotent; its loop only. `stopped()` of the sink follows, unless it had ended before."""


class ScriptStep(msgspec.Struct, frozen=True):
    """`items` written together, `delay` seconds after the step before."""

    delay: float
    items: list[Item]


class Script(msgspec.Struct, frozen=True):
    """An answer decided in advance: what is written when, and then how it ends."""

    steps: list[ScriptStep]
    outcome: RoundResult | ModelError
