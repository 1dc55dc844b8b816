"""The limit: a bare asyncio.Protocol, a pool of connections and msgspec, with no HTTP library."""

import asyncio
import concurrent.futures

import msgspec
from peers import raw_httpx
from peers.raw_httpx import decode, encode

shared = {}


async def open_peer(url):
    host, _, port = url.removeprefix("http://").partition(":")
    shared.update(host=host, port=int(port), idle=[])
    raw_httpx.shared["threads"] = concurrent.futures.ThreadPoolExecutor(64)


async def close_peer():
    for connection in shared["idle"]:
        connection.transport.close()
    raw_httpx.shared["threads"].shutdown()


def talk(model):
    return Talk(model)


class Connection(asyncio.Protocol):
    """One connection: `pieces` of one body, whole HTTP chunks or what a Content-Length says."""

    def connection_made(self, transport):
        self.transport = transport

    def begin(self):
        self.received, self.body, self.over, self.length, self.waiter = b"", [], False, None, None
        self.headed = False

    def data_received(self, data):
        data = self.received + data
        if not self.headed:
            head, _, data = data.partition(b"\r\n\r\n")
            self.headed = True
            low = head.lower()
            at = low.find(b"content-length:")
            if at >= 0:
                self.length = int(low[at + 15 :].split(b"\r\n", 1)[0])
        if self.length is not None:
            if len(data) >= self.length:
                self.body.append(data)
                self.over = True
            else:
                self.received = data
        else:
            self._chunks(data)
        if self.waiter is not None and (self.body or self.over) and not self.waiter.done():
            self.waiter.set_result(None)

    def _chunks(self, data):
        place = 0
        while (end := data.find(b"\r\n", place)) >= 0:
            size = int(data[place:end], 16)
            if size == 0:
                self.over = True
                self.received = b""
                return
            after = end + 2 + size + 2
            if len(data) < after:
                break
            self.body.append(data[end + 2 : after - 2])
            place = after
        self.received = data[place:]

    async def pieces(self):
        while True:
            body, self.body = self.body, []
            if body:
                yield b"".join(body)
            elif self.over:
                return
            else:
                self.waiter = asyncio.get_running_loop().create_future()
                await self.waiter


class Talk(raw_httpx.Talk):
    async def _post(self, body):
        if shared["idle"]:
            connection = shared["idle"].pop()
        else:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(Connection, shared["host"], shared["port"])
        connection.begin()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {shared['host']}\r\nAuthorization: Bearer sk-bench\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.transport.write(head.encode() + body)
        return connection

    async def _events(self, **more):
        connection = await self._post(encode({"model": self.model, "messages": self.messages, "stream": True, **more}))
        rest = b""
        async for data in connection.pieces():
            *events, rest = (rest + data).split(b"\n\n")
            for event in events:
                if event != b"data: [DONE]":
                    yield decode(event[6:])
        shared["idle"].append(connection)

    async def ask(self, text):
        self.messages.append({"role": "user", "content": text})
        connection = await self._post(encode({"model": self.model, "messages": self.messages}))
        data = b"".join([piece async for piece in connection.pieces()])
        shared["idle"].append(connection)
        answer = msgspec.json.decode(data, type=raw_httpx.Chunk).choices[0].message.content
        self.messages.append({"role": "assistant", "content": answer})
        return answer
