"""pydantic-ai: one agent for each model, a message history for each conversation."""

from pydantic_ai import Agent
from pydantic_ai.models import create_async_httpx2_client
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

shared = {}


async def open_peer(url):
    # Its own client; the time-outs: a busy loop is late, and this is no benchmark of retries.
    client = create_async_httpx2_client(timeout=600)
    shared["provider"] = OpenAIProvider(base_url=f"{url}/v1", api_key="sk-bench", http_client=client)
    shared["agents"] = {}


async def close_peer():
    await shared["provider"].client.close()


def talk(model):
    return Talk(model)


class Talk:
    def __init__(self, model):
        self.model = model
        self.history = []

    def _agent(self, tool=None):
        found = shared["agents"].get((self.model, tool))
        if found is None:
            model = OpenAIChatModel(self.model, provider=shared["provider"])
            found = shared["agents"][self.model, tool] = Agent(model, tools=[tool] if tool else [])
        return found

    async def stream(self, text):
        async with self._agent().run_stream(text, message_history=self.history) as result:
            async for piece in result.stream_text(delta=True, debounce_by=None):
                yield piece
            self.history = result.all_messages()

    async def ask(self, text):
        result = await self._agent().run(text, message_history=self.history)
        self.history = result.all_messages()
        return result.output

    async def chain(self, text, tool):
        said = []
        async with self._agent(tool).run_stream(text, message_history=self.history) as result:
            async for piece in result.stream_text(delta=True, debounce_by=None):
                said.append(piece)
            self.history = result.all_messages()
        return "".join(said)
