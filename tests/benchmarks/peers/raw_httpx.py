"""httpx and msgspec, by hand: what a careful engineer writes without a library. `use_aiohttp` swaps the transport."""

import asyncio
import concurrent.futures
import functools
import inspect

import httpx
import msgspec

HEADERS = {"authorization": "Bearer sk-bench", "content-type": "application/json", "accept-encoding": "identity"}


class Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class Call(msgspec.Struct, gc=False):
    index: int = 0
    id: str | None = None
    function: Function | None = None


class Delta(msgspec.Struct, gc=False):
    content: str | None = None
    tool_calls: list[Call] | None = None


class Choice(msgspec.Struct, gc=False):
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None


class Chunk(msgspec.Struct, gc=False):
    choices: list[Choice]


decode = msgspec.json.Decoder(Chunk).decode
encode = msgspec.json.encode
shared = {}


def transport():
    return None


async def open_peer(url):
    limits = httpx.Limits(max_connections=1000, max_keepalive_connections=100)
    shared["client"] = httpx.AsyncClient(timeout=None, limits=limits, transport=transport())
    shared["url"] = httpx.URL(f"{url}/v1/chat/completions")
    shared["threads"] = concurrent.futures.ThreadPoolExecutor(64)


async def close_peer():
    await shared["client"].aclose()
    shared["threads"].shutdown()


def talk(model):
    return Talk(model)


class Talk:
    def __init__(self, model):
        self.model = model
        self.messages = []

    async def _events(self, **more):
        body = encode({"model": self.model, "messages": self.messages, "stream": True, **more})
        request = httpx.Request("POST", shared["url"], headers=HEADERS, content=body)
        response = await shared["client"].send(request, stream=True)
        try:
            rest = b""
            async for data in response.stream:
                *events, rest = (rest + data).split(b"\n\n")
                for event in events:
                    if event == b"data: [DONE]":
                        continue
                    yield decode(event[6:])
        finally:
            await response.aclose()

    async def stream(self, text):
        self.messages.append({"role": "user", "content": text})
        said = []
        async for chunk in self._events():
            if chunk.choices and (piece := chunk.choices[0].delta.content):
                said.append(piece)
                yield piece
        self.messages.append({"role": "assistant", "content": "".join(said)})

    async def ask(self, text):
        self.messages.append({"role": "user", "content": text})
        body = encode({"model": self.model, "messages": self.messages})
        request = httpx.Request("POST", shared["url"], headers=HEADERS, content=body)
        response = await shared["client"].send(request)
        answer = decode(response.content).choices[0].message.content
        self.messages.append({"role": "assistant", "content": answer})
        return answer

    async def chain(self, text, tool):
        self.messages.append({"role": "user", "content": text})
        schema = {"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]}
        tools = [
            {"type": "function", "function": {"name": tool.__name__, "description": tool.__doc__, "parameters": schema}}
        ]
        while True:
            said, arguments, call = [], [], None
            async for chunk in self._events(tools=tools):
                if not chunk.choices:
                    continue
                delta = chunk.choices[0].delta
                if delta.content:
                    said.append(delta.content)
                for piece in delta.tool_calls or ():
                    call = call or piece
                    arguments.append(piece.function.arguments or "")
            if call is None:
                answer = "".join(said)
                self.messages.append({"role": "assistant", "content": answer})
                return answer
            function = {"name": call.function.name, "arguments": "".join(arguments)}
            self.messages.append(
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": call.id, "type": "function", "function": function}],
                }
            )
            given = msgspec.json.decode(function["arguments"])
            if inspect.iscoroutinefunction(tool):
                result = await tool(**given)
            else:
                result = await asyncio.get_running_loop().run_in_executor(
                    shared["threads"], functools.partial(tool, **given)
                )
            self.messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
