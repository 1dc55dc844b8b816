"""The OpenAI SDK with a hand-written loop, one client for all conversations. The same module with and without its `aiohttp` extra."""

import asyncio
import inspect
import json

import openai

shared = {}


def http_client():
    return None


async def open_peer(url):
    # The time-out: a busy loop is late, and this is no benchmark of retries.
    shared["client"] = openai.AsyncOpenAI(
        base_url=f"{url}/v1", api_key="sk-bench", http_client=http_client(), timeout=600
    )


async def close_peer():
    await shared["client"].close()


def talk(model):
    return Talk(model)


class Talk:
    def __init__(self, model):
        self.model = model
        self.messages = []

    def _create(self, **more):
        return shared["client"].chat.completions.create(model=self.model, messages=self.messages, **more)

    async def stream(self, text):
        self.messages.append({"role": "user", "content": text})
        said = []
        async for chunk in await self._create(stream=True):
            if chunk.choices and (piece := chunk.choices[0].delta.content):
                said.append(piece)
                yield piece
        self.messages.append({"role": "assistant", "content": "".join(said)})

    async def ask(self, text):
        self.messages.append({"role": "user", "content": text})
        answer = (await self._create()).choices[0].message.content
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
            async for chunk in await self._create(stream=True, tools=tools):
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
            asked = {"id": call.id, "type": "function", "function": function}
            self.messages.append({"role": "assistant", "content": None, "tool_calls": [asked]})
            given = json.loads(function["arguments"])
            result = await (tool(**given) if inspect.iscoroutinefunction(tool) else asyncio.to_thread(tool, **given))
            self.messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
