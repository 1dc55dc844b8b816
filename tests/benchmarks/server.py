"""The server that every peer talks to: a process of its own that speaks OpenAI chat completions from bytes made in advance.

What it answers is in the model's name, so that each peer asks for it through its own API:

    burst-N      N chunks, as fast as the socket takes them          short       one JSON answer, not streamed
    paced-N-MS   N chunks, one each MS milliseconds; the text of     tool        a call of the tool `lookup`; once its result is in the
                 each is the moment it was due (CLOCK_MONOTONIC)                 request, a streamed answer of five chunks

`GET /stats` tells how many connections and requests there were and what CPU time they took here, and begins to count anew;
`GET /last` is the body of the last request. It prints its address when it listens.
"""

import asyncio
import functools
import json
import re
import sys
import time

MODEL = re.compile(rb'"model"\s*:\s*"([a-z0-9-]+)"')
LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
TOOL_RESULT = re.compile(rb'"role"\s*:\s*"tool"')
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n"
    b"x-request-id: req-1\r\n\r\n"
)
USAGE = {"prompt_tokens": 12, "completion_tokens": 100, "total_tokens": 112}
WORD = " pelicans"


def event(delta, finish=None, **more):
    """One event as a server sends it: some 280 bytes, in an HTTP chunk of its own."""
    chunk = {
        "id": "chatcmpl-BhR2NQ5ZQ9Xz8hV3c1mKkY7aPq0dE",
        "object": "chat.completion.chunk",
        "created": 1764037800,
        "model": "gpt-4.1-mini-2025-04-14",
        "service_tier": "default",
        "system_fingerprint": "fp_6f2eabb9a5",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "usage": None,
        **more,
    }
    return in_chunk(b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n")


def in_chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


FIRST = event({"role": "assistant", "content": ""})
LAST = event({}, "stop") + event({}, choices=[], usage=USAGE) + in_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


@functools.cache
def burst(count):
    """The whole answer."""
    return STREAM_HEAD + FIRST + event({"content": WORD}) * count + LAST


@functools.cache
def tool_call():
    """An answer that calls `lookup`."""
    function = {"name": "lookup", "arguments": ""}
    call = {"index": 0, "id": "call_8a7d1f0b2c3e4d5f", "type": "function", "function": function}
    pieces = ['{"', "key", '":"', "pelican", '"}']
    deltas = [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces]
    opening = event({"role": "assistant", "content": None, "tool_calls": [call]})
    end = event({}, "tool_calls") + event({}, choices=[], usage=USAGE) + in_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    return STREAM_HEAD + opening + b"".join(event(delta) for delta in deltas) + end


@functools.cache
def short():
    """An answer that is not streamed."""
    message = {"role": "assistant", "content": "Pelicans are large birds.", "refusal": None, "annotations": []}
    body = {
        "id": "chatcmpl-BhR2NQ5ZQ9Xz8hV3c1mKkY7aPq0dE",
        "object": "chat.completion",
        "created": 1764037800,
        "model": "gpt-4.1-mini-2025-04-14",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": USAGE,
        "service_tier": "default",
        "system_fingerprint": "fp_6f2eabb9a5",
    }
    return whole(json.dumps(body, separators=(",", ":")).encode())


def whole(data):
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data)


class Counts:
    connections = 0
    requests = 0
    cpu = 0.0
    last = b""


class Connection(asyncio.Protocol):
    """One connection: requests one after the other."""

    def connection_made(self, transport):
        Counts.connections += 1
        self.transport = transport
        self.received = bytearray()
        self.loop = asyncio.get_running_loop()
        self.timer = None

    def connection_lost(self, exc):
        if self.timer is not None:
            self.timer.cancel()

    def data_received(self, data):
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.received[:end])
            found = LENGTH.search(head)
            size = end + 4 + (int(found[1]) if found else 0)
            if len(self.received) < size:
                return
            body = bytes(self.received[end + 4 : size])
            del self.received[:size]
            self.answer(head, body)

    def answer(self, head, body):
        if head.startswith(b"GET /last"):
            self.transport.write(whole(Counts.last))
            return
        if head.startswith(b"GET"):
            now = time.process_time()
            # Without the connection of this very request.
            counts = {
                "connections": Counts.connections - 1,
                "requests": Counts.requests,
                "server_s": now - Counts.cpu,
            }
            Counts.connections = Counts.requests = 0
            Counts.cpu = now
            self.transport.write(whole(json.dumps(counts).encode()))
            return
        Counts.requests += 1
        Counts.last = body
        asked = MODEL.search(body)
        assert asked is not None, body[:200]
        kind, *numbers = asked[1].decode().split("-")
        if kind == "burst":
            self.transport.write(burst(int(numbers[0])))
        elif kind == "short":
            self.transport.write(short())
        elif kind == "tool":
            self.transport.write(burst(5) if TOOL_RESULT.search(body) else tool_call())
        else:
            self.transport.write(STREAM_HEAD + FIRST)
            self.pace(time.monotonic(), int(numbers[1]) / 1000, int(numbers[0]), 1)

    def pace(self, began, step, count, number):
        if number > count:
            self.transport.write(LAST)
            return
        due = began + step * number
        self.timer = self.loop.call_at(due, self.send_paced, began, step, count, number)

    def send_paced(self, began, step, count, number):
        self.transport.write(event({"content": f"{began + step * number:.6f} "}))
        self.pace(began, step, count, number + 1)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        Connection, "127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0, backlog=4096
    )
    host, port = server.sockets[0].getsockname()[:2]
    print(f"http://{host}:{port}", flush=True)
    watch = loop.run_in_executor(None, sys.stdin.read)  # whoever started it has it end by closing this
    await watch


if __name__ == "__main__":
    asyncio.run(main())
