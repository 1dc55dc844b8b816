"""A wire of lines for the pump's tests, and a sink that remembers.

`text` is an item, `: text` a comment, `! text` an error, `= text` the terminal fact after which nothing more is read, `- text` one after
which more may come.
"""

import asyncio
from contextlib import asynccontextmanager
from typing import NamedTuple

from llm_actors.errors import InvalidRequestError, ProtocolError, ServerError, StreamTruncatedError
from llm_actors.messages import ModelRequest, Options, RoundResult, Secret, user
from llm_actors.providers.protocol import Decoder, Endpoint, Limits, Provider, WireRequest
from llm_actors.runtime import loop as loops
from llm_actors.transport import Clients, Pump, WireCall
from llm_actors.transport.pool import Pool


class LineDecoder(Decoder):
    def __init__(self, max_event, max_answer):
        self.finished = False
        self.rest = b""
        self.size = 0
        self.ended_with = None
        self.failure = None
        self.max_event, self.max_answer = max_event, max_answer

    def feed(self, data):
        if self.failure is not None:
            raise self.failure
        self.size += len(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        if self.size > self.max_answer or max(map(len, [self.rest, *lines])) > self.max_event:
            raise ProtocolError("too many bytes", frame=data[:10])
        items = []
        for line in lines:
            text = line.decode()
            if text.startswith("!"):
                self.failure = ServerError(text[2:], provider="line", body={"said": [text]})
                self.finished = True
                if items:
                    break
                raise self.failure
            if text.startswith(("=", "-")):
                self.ended_with = text[2:]
                self.finished = text.startswith("=")
                if self.finished:
                    break
            elif not text.startswith(":"):
                items.append(text)
        return items

    def tail(self):
        if self.failure is not None:
            raise self.failure
        return [self.rest.decode()] if self.rest else []

    def close(self):
        if self.ended_with is None:
            raise StreamTruncatedError("no terminal fact")
        return RoundResult(raw_stop_reason=self.ended_with)


class LineWire(Provider):
    name = "line"
    options = Options
    fetches_urls = False

    def encode(self, request, extra_body):
        if request.model == "bad":
            raise InvalidRequestError("this wire has no bad", provider=self.name)
        return WireRequest("POST", "/lines", {"Content-Type": "text/plain"}, repr(dict(extra_body)).encode())

    def key_header(self, key):
        return "X-Key", key.reveal()

    def decoder(self, request, headers, *, max_event, max_answer):
        return LineDecoder(max_event, max_answer)

    def error(self, status, headers, body):
        return ServerError(body.decode("utf-8", "replace"), status=status, provider="line", body=dict(headers))


LINE = LineWire()


class Sink:
    """Remembers writes and endings; `over` is done with the ending."""

    def __init__(self):
        self.writes = []
        self.endings = []
        self.repeats = 0
        self.over = asyncio.get_running_loop().create_future()
        self.wrote = asyncio.Event()

    def write(self, items):
        assert not self.endings
        self.writes.append(items)
        self.wrote.set()

    def repeated(self):
        self.repeats += 1

    def ended(self, result):
        self._end(result)

    def failed(self, error):
        self._end(error)

    def stopped(self):
        self._end("stopped")

    def _end(self, ending):
        self.endings.append(ending)
        assert len(self.endings) == 1
        self.over.set_result(ending)

    @property
    def items(self):
        return [item for items in self.writes for item in items]


class FastConnection(NamedTuple):
    idle: bool

    def is_idle(self):
        return self.idle

    def is_closed(self):
        return False


def fast_connections(client):
    """The connections of a client of the extra `fast`."""
    connector = client._session.connector
    idle = [FastConnection(True) for kept in connector._conns.values() for _ in kept]
    return [*idle, *[FastConnection(False) for _ in connector._acquired]]


class Bench:
    """A loop's clients and pump, and what its calls have in common."""

    def __init__(self, base_url, provider=LINE):
        self.loop = loops.here()
        self.clients = Clients(self.loop)
        self.pump = Pump(self.loop, self.clients)
        self.base_url = base_url
        self.provider = provider

    def start(self, sink=None, *, model="m", key="sk-line-1234", provider=None, stream=True, **endpoint):
        sink = sink or Sink()
        place = Endpoint(**{"base_url": self.base_url, **endpoint})
        request = ModelRequest(model, [user("hi")], stream=stream)
        flight = self.pump.start(
            WireCall(
                provider or self.provider, place, request, Secret(key) if key else None, limits=place.limits or Limits()
            ),
            sink,
        )
        return flight, sink

    async def call(self, **endpoint):
        """Runs one call to its end; gives the sink and the ending."""
        _, sink = self.start(**endpoint)
        async with asyncio.timeout(30):
            return sink, await sink.over

    def pool(self, **endpoint):
        """The connections of the shared client, open or idle."""
        client = self.clients.of(Endpoint(**{"base_url": self.base_url, **endpoint}))
        return client.connections if isinstance(client, Pool) else fast_connections(client)


def run(body, base_url, **more):
    """Runs `await body(bench)` on a loop of its own."""

    async def main():
        return await body(Bench(base_url, **more))

    return asyncio.run(main())


@asynccontextmanager
async def no_generator_left_to_the_collector():
    """Fails when an asynchronous generator is finished by the garbage collector's hook in place of its task."""
    import gc
    import sys

    old = sys.get_asyncgen_hooks()
    left = []

    def finalizer(generator):
        left.append(generator.__qualname__)
        if old.finalizer is not None:
            old.finalizer(generator)

    sys.set_asyncgen_hooks(old.firstiter, finalizer)
    try:
        yield
        gc.collect()
    finally:
        sys.set_asyncgen_hooks(*old)
    assert left == []
