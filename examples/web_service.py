"""A web service whose streams can be resumed and cancelled: server-sent events over plain asyncio, no framework.

    POST /           the body is the prompt; answered with the stream's path at once, and the model works whether anybody reads or not
    GET /ID          the events; with the header Last-Event-ID, which browsers send by themselves, those behind that one
    DELETE /ID       cancels it; when this is answered, no request is open and no tool runs

`python examples/web_service.py [MODEL]` starts it, and two clients. With the default, the scripted model `demo`, it prints:

    read and gone: [scripted] 1. A skunk
    resumed behind 3:  can spray about three metres far. 2. Before it sprays, a skunk stamps its feet and raises its tail.
    cancelled: 204, and the stream ended with ResponseCancelledError: the response was cancelled
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, AsyncIterator

import msgspec

import llm_actors as llm


class Service:
    def __init__(self, model_id: str) -> None:
        self.model = llm.get_async_model(model_id)
        self.options = {"pace": 0.05} if model_id == "demo" else {}  # seconds before each word
        self.responses: dict[str, llm.AsyncResponse] = {}  # a real one lets go of them some time after their end

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, path, *_ = (await reader.readline()).decode().split()
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().splitlines()
        headers = dict(line.split(": ", 1) for line in lines if line)
        response = self.responses.get(path)
        if method == "POST":
            prompt = (await reader.readexactly(int(headers["content-length"]))).decode()
            response = self.model.prompt(prompt, options=self.options, detached=True)
            self.responses[f"/{response.id}"] = response
            writer.write(b"HTTP/1.1 202 Accepted\r\nLocation: /%b\r\n\r\n" % response.id.encode())
        elif response is None:
            writer.write(b"HTTP/1.1 404 Not Found\r\n\r\n")
        elif method == "DELETE":
            await response.cancel()
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            with contextlib.suppress(ConnectionError):  # a reader that has gone stops reading, and no more
                async for event in response.events(after=int(headers.get("last-event-id", "-1")) + 1):
                    writer.write(b"id: %d\ndata: %b\n\n" % (event.number, msgspec.json.encode(event)))
                    await writer.drain()  # a slow reader holds up nobody but itself
        writer.close()


@contextlib.asynccontextmanager
async def ask(port: int, line: str, body: str = "", *headers: str) -> AsyncGenerator[asyncio.StreamReader]:
    """A client: the answer, to be read inside the block; at its end the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "\r\n".join([f"{line} HTTP/1.1", f"Content-Length: {len(body.encode())}", *headers])
    writer.write(f"{head}\r\n\r\n{body}".encode())
    yield reader
    writer.close()
    await writer.wait_closed()


async def events(reader: asyncio.StreamReader) -> AsyncIterator[llm.Event]:
    async for line in reader:
        if line.startswith(b"data: "):
            yield msgspec.json.decode(line[6:], type=llm.Event)


async def post(port: int, prompt: str) -> str:
    async with ask(port, "POST /", prompt) as reader:
        return (await reader.read()).decode().split()[-1]


async def main(model_id: str) -> None:
    async with await asyncio.start_server(Service(model_id).serve, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        path = await post(port, "Two fun facts about skunks")
        async with ask(port, f"GET {path}") as reader:
            stream = events(reader)
            seen = [await anext(stream) for _ in range(4)]
        print("read and gone:", "".join(event.chunk for event in seen))
        async with ask(port, f"GET {path}", "", f"Last-Event-ID: {seen[-1].number}") as reader:
            rest = [event.chunk async for event in events(reader) if event.type == "text"]
        print(f"resumed behind {seen[-1].number}:", "".join(rest))

        path = await post(port, "Two fun facts about skunks")
        async with ask(port, f"GET {path}") as reader, ask(port, f"DELETE {path}") as answer:
            status = (await answer.readline()).split()[1].decode()
            *_, end = [event async for event in events(reader)]
        print(f"cancelled: {status}, and the stream ended with {end.chunk}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "demo"))
