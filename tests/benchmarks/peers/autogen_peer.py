"""AutoGen: an AssistantAgent for each conversation over one model client."""

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import ModelClientStreamingChunkEvent
from autogen_ext.models.openai import OpenAIChatCompletionClient

shared = {}


async def open_peer(url):
    shared["url"] = f"{url}/v1"
    shared["clients"] = {}


async def close_peer():
    for client in shared["clients"].values():
        await client.close()


def client_for(model):
    found = shared["clients"].get(model)
    if found is None:
        able = {
            "vision": False,
            "function_calling": True,
            "json_output": False,
            "family": "unknown",
            "structured_output": False,
        }
        found = OpenAIChatCompletionClient(
            model=model, base_url=shared["url"], api_key="sk-bench", model_info=able, timeout=600
        )
        shared["clients"][model] = found
    return found


def talk(model):
    return Talk(model)


class Talk:
    def __init__(self, model):
        self.model = model
        self.agent = None

    def _agent(self, *, streams, tool=None):
        if self.agent is None:
            self.agent = AssistantAgent(
                "bench",
                client_for(self.model),
                system_message=None,
                model_client_stream=streams,
                tools=[tool] if tool else None,
                reflect_on_tool_use=True if tool else None,
            )
        return self.agent

    async def stream(self, text, tool=None):
        async for event in self._agent(streams=True, tool=tool).run_stream(task=text):
            if isinstance(event, ModelClientStreamingChunkEvent):
                yield event.content

    async def ask(self, text):
        result = await self._agent(streams=False).run(task=text)
        return result.messages[-1].content

    async def chain(self, text, tool):
        return "".join([piece async for piece in self.stream(text, tool)])
