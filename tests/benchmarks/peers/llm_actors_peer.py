"""This library, through its public API."""

import llm_actors as llm

shared = {}


async def open_peer(url):
    shared["url"] = f"{url}/v1"
    shared["models"] = {}


async def close_peer():
    shared.clear()


def talk(model):
    found = shared["models"].get(model)
    if found is None:
        pair = llm.endpoint(model, wire="openai-chat", base_url=shared["url"], key="sk-bench")
        found = shared["models"][model] = pair.async_model
    return Talk(found.conversation())


class Talk:
    def __init__(self, conversation):
        self.conversation = conversation

    def stream(self, text):
        return self.conversation.prompt(text)

    async def ask(self, text):
        return await self.conversation.prompt(text, stream=False).text()

    async def chain(self, text, tool):
        return await self.conversation.chain(text, tools=[tool]).text()
