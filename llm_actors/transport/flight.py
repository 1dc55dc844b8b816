"""One model call over HTTP: the request goes out, bytes come in, items go to the sink, and there is exactly one ending.

    acquire server -> encode -> send -> status >= 300: provider.error
                                     -> read: decoder.feed -> sink.write, again and again
                                     -> the terminal fact, or the end of the bytes: decoder.close -> sink.ended

A task of the loop opens the request, reads it and closes it, whoever ends it. The exceptions of HTTP libraries end here (fault.py), and so
do keys: a header gets the key last of all, and every error passes the mask.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from llm_actors.errors import (
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    LoopClosedError,
    ModelError,
    ProviderError,
    StreamTruncatedError,
)
from llm_actors.messages import Item, ModelRequest, RoundResult, Secret
from llm_actors.providers.protocol import Decoder, Endpoint, FlightSink, Limits, Provider, WireRequest
from llm_actors.runtime.loop import Loop

from . import kept
from .body import Body, collect
from .clients import Clients, send
from .fault import explained, masked, secrets_of, shown, without_secrets
from .gathering import in_turn
from .turns import REQUEST
from .watch import Watch

_logger = logging.getLogger(__name__)

_ERROR_BODY_BYTES = 256 * 2**10
_ERROR_BODY_SECONDS = 5.0
# After the terminal fact the rest of the body (an end marker) is read, so that the connection can be used again; not at any price.
_REST_BYTES = 64 * 2**10
_REST_SECONDS = 0.25
# The sockets of a killed server close a moment before its process is seen to have ended.
_AUTOPSY_SECONDS = (0.0, 0.01, 0.05, 0.2)
_OURS = {"accept": "*/*", "user-agent": "llm-actors"}


@dataclass(frozen=True, slots=True)
class WireCall:
    """One model call: who speaks, where, what is asked, and the key if there is one.

    `resolve`: awaited first, inside the flight, where the request's files have to be read or fetched before it can be written. `limits`:
    how much may arrive.
    """

    provider: Provider
    endpoint: Endpoint
    request: ModelRequest
    key: Secret | None = None
    resolve: Callable[[ModelRequest], Awaitable[ModelRequest]] | None = None
    limits: Limits = Limits()  # noqa: RUF009 - frozen


class HttpFlight:
    """A model call under way: a `Flight`. Its loop only."""

    def __init__(self, loop: Loop, clients: Clients, call: WireCall, sink: FlightSink) -> None:
        self._loop = loop
        self._clients = clients
        self._call = call
        self._sink = sink
        self._base_url = call.endpoint.base_url
        self._key = call.key
        self._stopping = False
        self._running = False
        self._closing = False
        self._interrupted = False
        self._over = False
        self._watch = Watch(loop, self._interrupt)
        self.task = loop.spawn(self._run(), name=f"{call.provider.name} {call.request.model}")
        # A task that is cancelled before its first step never takes it: its ending is told here.
        self.task.add_done_callback(lambda _: self._finish(_loop_ended))

    def stop(self) -> None:
        """Ends the call. Idempotent. The sink hears nothing more but `stopped()`, once the request is closed."""
        self._stopping = True
        self._interrupt()

    def _interrupt(self) -> None:
        # Once, and not while it closes: a cancel would break the closing off.
        if self._interrupted or self._closing or self._over:
            return
        # Only while it waits for something. Between two steps of its own, as when a connection is made but not yet in use, httpcore
        # (1.0.9) takes a cancel badly: the connection keeps its place in the pool for ever.
        if getattr(self.task, "_fut_waiter", True) is None and self._running:
            self._loop.call_soon(self._interrupt)
            return
        self._interrupted = True
        self.task.cancel()

    # Endings

    async def _run(self) -> None:
        self._running = True
        try:
            result = await self._fly()
        except asyncio.CancelledError:
            if self._stopping:
                self._finish(_loop_ended)
            elif self._watch.expired:
                self._fail(self._watch.error(self._where()))
            else:
                self._finish(_loop_ended)
                raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the sink is told
            self._fail(error)
        else:
            self._finish(lambda sink: sink.ended(result))

    def _fail(self, error: Exception) -> None:
        safe = without_secrets(error, secrets_of(self._call.endpoint, self._call.key, self._key))
        self._finish(lambda sink: sink.failed(safe))

    def _finish(self, last_act: Callable[[FlightSink], None]) -> None:
        if self._over:
            return
        self._over = True
        self._watch.close()
        try:
            if self._stopping:
                self._sink.stopped()
            else:
                last_act(self._sink)
        except Exception:
            _logger.exception("the sink of a model call failed at the call's end")

    # The way

    async def _fly(self) -> RoundResult:
        self._watch.total(self._call.endpoint.timeouts.total)
        server = self._call.endpoint.server
        if server is None:
            return await self._exchange()
        self._base_url, self._key = await server.acquire()
        try:
            return await self._exchange()
        except (ConnectionFailedError, StreamTruncatedError):
            for seconds in _AUTOPSY_SECONDS:
                await self._pause(seconds)
                if (reason := server.died()) is not None:
                    raise reason from None
            raise
        finally:
            server.release()

    async def _exchange(self) -> RoundResult:
        turns = self._clients.turns
        if (place := turns.wait()) is not None:
            await place
        turns.spent(REQUEST)
        response = await self._send()
        headers = response.headers
        if not isinstance(headers, dict):  # of a user's client
            headers = {name.lower(): value for name, value in headers.items()}
        body = Body(response, self._where(), self._clients.turns)
        try:
            if response.status_code >= 300:  # noqa: PLR2004 - a redirected POST is no answer either
                raise await self._refusal(response.status_code, headers, body)
            limits = self._call.limits
            decoder = self._call.provider.decoder(
                self._call.request, headers, max_event=limits.event, max_answer=limits.answer
            )
            return await self._answer(body, decoder)
        finally:
            self._closing = True
            await body.close()

    async def _send(self) -> Any:
        endpoint = self._call.endpoint
        request = self._call.request
        if self._call.resolve is not None:
            request = await self._call.resolve(request)
        wire = self._call.provider.encode(request, endpoint.extra_body)
        headers = self._headers(wire)
        await self._clients.load(endpoint, self._base_url)
        client = self._clients.of(endpoint)
        self._watch.phase("first byte", endpoint.timeouts.first_byte)
        trace = kept.Trace()
        answer = await self._try(client, wire, headers, trace)
        if trace.was_stale:
            self._sink.repeated()
            answer = await self._try(client, wire, headers, kept.Trace())
        if not isinstance(answer, Exception):
            return answer
        del headers  # as in _try()
        raise answer  # out here, so that it does not carry the library's exception, which holds the request and its key

    async def _try(self, client: Any, wire: WireRequest, headers: dict[str, str], trace: kept.Trace) -> Any:
        """The response, its head read; or what went wrong."""
        endpoint = self._call.endpoint
        try:
            return await in_turn(send(client, endpoint, self._base_url, wire, headers, trace), self._clients.turns)
        except Exception as error:  # noqa: BLE001 - fault.py knows which it can explain
            trace.failed(error)
            fault = explained(error, self._where(), streaming=False, connect=endpoint.timeouts.connect)
        del headers  # a traceback shows what its frames hold
        return fault

    def _headers(self, wire: WireRequest) -> dict[str, str]:
        endpoint = self._call.endpoint
        headers = {} if endpoint.client is not None else dict(_OURS)
        headers["accept-encoding"] = (
            "identity"  # so that chunks can be read as they come, past the library's decompression
        )
        for name, value in (*wire.headers.items(), *endpoint.headers.items()):
            if not _sendable(value):
                msg = f"the value of header {name!r} can't be sent: it holds line breaks or characters beyond ASCII"
                raise InvalidRequestError(msg, provider=self._call.provider.name)
            headers[name.lower()] = value
        if self._key is not None:
            name, value = self._call.provider.key_header(self._key)
            if not _sendable(value):
                msg = "the key can't be sent: it holds line breaks or characters beyond ASCII. What to do: paste it again."
                raise AuthenticationError(msg, provider=self._call.provider.name)
            headers[name.lower()] = value
        return headers

    async def _refusal(self, status: int, headers: Mapping[str, str], body: Body) -> Exception:
        idle = self._call.endpoint.timeouts.idle
        self._watch.phase("error body", _ERROR_BODY_SECONDS if idle is None else min(idle, _ERROR_BODY_SECONDS))
        data = bytearray()
        await self._as_far_as_it_goes(body, data, _ERROR_BODY_BYTES)
        provider = self._call.provider
        if status < 400:  # noqa: PLR2004
            where = shown(headers.get("location", "")) if headers.get("location") else "nowhere"
            msg = f"{self._where()} answered {status}, a redirect to {where}. What to do: set the base URL it leads to."
            return ProviderError(msg, provider=provider.name, status=status)
        # Masked before the provider reads it: a text that it shortens could end inside a key.
        secrets = secrets_of(self._call.endpoint, self._call.key, self._key)
        return provider.error(status, masked(headers, secrets), masked(bytes(data), secrets))

    async def _answer(self, body: Body, decoder: Decoder) -> RoundResult:
        self._watch.phase("idle", self._call.endpoint.timeouts.idle)
        fault: ModelError | None = None
        try:
            await self._read(body, decoder)
        except (ConnectionFailedError, StreamTruncatedError) as error:
            fault = error
        except asyncio.CancelledError:
            if not self._expired():
                raise
            fault = self._watch.error(self._where())
            self._watch.forgive()
        try:
            self._write(decoder.tail())
            return decoder.close()
        except ModelError:
            if fault is None:
                raise
        raise fault  # a break or a silence before the terminal fact; after it, the answer is complete

    async def _read(self, body: Body, decoder: Decoder) -> None:
        seen, feed = self._watch.seen, decoder.feed
        async for data in body.chunks:
            seen()
            self._write(feed(data))
            if decoder.finished:
                self._watch.phase("rest", _REST_SECONDS)
                await self._as_far_as_it_goes(body, bytearray(), _REST_BYTES)
                return

    def _write(self, items: list[Item]) -> None:
        if items and not self._stopping:
            self._sink.write(items)
        if self._stopping:
            raise asyncio.CancelledError

    async def _as_far_as_it_goes(self, body: Body, data: bytearray, limit: int) -> None:
        """Reads what is of use but not needed: neither a break nor a silence is a fault here."""
        try:
            with suppress(ModelError):
                await collect(body, data, limit)
        except asyncio.CancelledError:
            if not self._expired():
                raise
            self._watch.forgive()

    def _expired(self) -> bool:
        """Whether the cancel in hand is the watch's; then it is taken back."""
        mine = self._watch.expired is not None and not self._stopping
        if mine:
            self.task.uncancel()
        return mine

    async def _pause(self, seconds: float) -> None:
        over = self._loop.asyncio_loop.create_future()
        timer = self._loop.call_later(seconds, over.set_result, None)
        try:
            await over
        finally:
            timer.cancel()

    def _where(self) -> str:
        return shown(self._base_url)


def _loop_ended(sink: FlightSink) -> None:
    sink.failed(LoopClosedError("the event loop ended before the answer was complete"))


def _sendable(value: str) -> bool:
    return value.isascii() and value.isprintable()
