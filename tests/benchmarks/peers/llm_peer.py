"""llm, async, as its documentation has it."""

import llm
from llm.default_plugins.openai_models import AsyncChat

shared = {}
FIRST_REQUESTS = 10  # it makes a client for each prompt: no connection stays


async def open_peer(url):
    shared["url"] = f"{url}/v1"
    shared["models"] = {}


async def close_peer():
    shared.clear()


def talk(model):
    found = shared["models"].get(model)
    if found is None:
        found = AsyncChat(model, key="sk-bench", model_name=model, api_base=shared["url"], supports_tools=True)
        shared["models"][model] = found
    return Talk(found.conversation())


class Talk:
    def __init__(self, conversation: llm.AsyncConversation):
        self.conversation = conversation

    def stream(self, text):
        return self.conversation.prompt(text)

    async def ask(self, text):
        return await self.conversation.prompt(text, stream=False).text()

    async def chain(self, text, tool):
        return await self.conversation.chain(text, tools=[tool]).text()
