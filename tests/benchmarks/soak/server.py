"""The soak's server: echoes each prompt, does wrong what it says, and looks at each request for what belongs to another conversation.

    python -m tests.benchmarks.soak.server          prints its port; ends when its standard input closes

`GET /stats`: `open` requests, `connections` open now, `requests` so far, and `complaints`, of which there should be none.
"""

import asyncio
import json
import re
import struct
import sys
from socket import SO_LINGER, SOL_SOCKET

from llm_actors.testing import wire_openai

from .echo import NAME, asked, root

LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PACE = 0.02
MOST = 20


class Stage:
    def __init__(self):
        self.open = self.requests = 0
        self.connections = set()
        self.complaints = []

    def complain(self, text):
        if len(self.complaints) < MOST:
            self.complaints.append(text)


def whole(status, body, kind="application/json"):
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def in_chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(delta, finish=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    frame = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "soak", "choices": [choice]}
    return in_chunk(b"data: " + json.dumps(frame).encode() + b"\n\n")


def text_of(message):
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


class Connection(asyncio.Protocol):
    def __init__(self, stage):
        self.stage = stage
        self.received = bytearray()
        self.task = None

    def connection_made(self, transport):
        self.transport = transport
        self.stage.connections.add(self)

    def connection_lost(self, exc):
        self.stage.connections.discard(self)
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data):
        self.received += data
        if self.task is None:
            self.next_request()

    def next_request(self):
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.received[:end])
        found = LENGTH.search(head)
        size = end + 4 + (int(found[1]) if found else 0)
        if len(self.received) < size:
            return
        body = bytes(self.received[end + 4 : size])
        del self.received[:size]
        if head.startswith(b"GET"):
            self.tell()
            return
        self.stage.requests += 1
        self.stage.open += 1
        self.task = asyncio.get_running_loop().create_task(self.answer(body))
        self.task.add_done_callback(self.answered)

    def tell(self):
        stage = self.stage
        counts = {"open": stage.open, "connections": len(stage.connections) - 1, "requests": stage.requests}
        self.transport.write(whole(200, json.dumps({**counts, "complaints": stage.complaints}).encode()))

    def answered(self, task):
        self.stage.open -= 1
        self.task = None
        if not task.cancelled() and (fault := task.exception()) is not None:
            self.stage.complain(f"the server failed: {fault!r}")
            self.transport.abort()
        elif not self.transport.is_closing():
            self.next_request()

    async def answer(self, body):
        try:
            request = wire_openai.decode(body)
        except wire_openai.Refusal as refusal:
            self.stage.complain(f"a history that is refused: {refusal} in {body[-600:]!r}")
            self.transport.write(whole(400, json.dumps(refusal.body).encode()))
            return
        messages = request["messages"]
        last = asked(next(text_of(message) for message in reversed(messages) if message["role"] == "user"))
        strange = {root(name[0]) for message in messages for name in NAME.finditer(text_of(message))} - {
            root(last.name)
        }
        if strange:
            self.stage.complain(f"a request of {root(last.name)} holds what {strange} said")
        if last.how == "silent":
            await asyncio.Event().wait()
        elif last.how == "gone":
            self.transport.close()
        elif last.how in ("429", "500"):
            busy = (
                b'{"error": {"message": "slow down", "type": "requests"}}'
                if last.how == "429"
                else b"<html>oops</html>"
            )
            self.transport.write(whole(int(last.how), busy, "application/json" if last.how == "429" else "text/html"))
        elif not request.get("stream"):
            self.transport.write(whole(200, self.at_once(last)))
        elif last.tools and messages[-1]["role"] != "tool":
            self.transport.write(
                HEAD + self.calls(last) + event({}, "tool_calls") + in_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
            )
        else:
            await self.stream(last)

    def at_once(self, last):
        message = {"role": "assistant", "content": last.answer}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return json.dumps(
            {"id": "c", "object": "chat.completion", "created": 1, "model": "soak", "choices": [choice]}
        ).encode()

    def calls(self, last):
        calls = [
            {
                "index": place,
                "id": f"{last.name}/{place}",
                "type": "function",
                "function": {"name": tool, "arguments": json.dumps({"name": f"{last.name}/{place}"})},
            }
            for place, tool in enumerate(last.tools)
        ]
        return b"".join([event({"tool_calls": [call]}) for call in calls])

    async def stream(self, last):
        write = self.transport.write
        events = [event({"content": piece}) for piece in last.pieces()]
        end = event({}, "stop") + in_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
        half = len(events) // 2
        if last.how == "ok":
            write(HEAD + b"".join(events) + end)
        elif last.how == "slow":
            write(HEAD)
            for each in events:
                await asyncio.sleep(PACE)
                write(each)
            write(end)
        elif last.how == "torn":
            data = HEAD + b"".join(events) + end
            for place in range(0, len(data), 97):
                write(data[place : place + 97])
                await asyncio.sleep(0)
        else:
            write(HEAD + b"".join(events[:half]))
            await asyncio.sleep(PACE)
            await self.spoil(last.how)

    async def spoil(self, how):
        if how == "cut":
            self.transport.close()
        elif how == "reset":
            raw = self.transport.get_extra_info("socket")
            raw.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        elif how == "stall":
            await asyncio.Event().wait()
        elif how == "garbage":
            self.transport.write(in_chunk(b'data: {"choices": [{"index": 0, "del\n\n') + b"0\r\n\r\n")
        elif how == "unended":
            self.transport.write(b"0\r\n\r\n")
        else:
            assert how == "error", how
            self.transport.write(in_chunk(b'data: {"error": {"message": "overloaded"}}\n\n') + b"0\r\n\r\n")


async def main():
    stage = Stage()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(stage), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
