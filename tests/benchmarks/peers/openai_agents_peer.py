"""openai-agents: the input list of each conversation is kept by hand, as its documentation has it."""

import agents
import openai

shared = {}


async def open_peer(url):
    agents.set_tracing_disabled(disabled=True)
    shared["client"] = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="sk-bench", timeout=600)
    shared["agents"] = {}


async def close_peer():
    await shared["client"].close()


def talk(model):
    return Talk(model)


class Talk:
    def __init__(self, model):
        self.model = model
        self.items = []

    def _agent(self, tool=None):
        found = shared["agents"].get((self.model, tool))
        if found is None:
            model = agents.OpenAIChatCompletionsModel(model=self.model, openai_client=shared["client"])
            tools = [agents.function_tool(tool)] if tool else []
            found = shared["agents"][self.model, tool] = agents.Agent(name="bench", model=model, tools=tools)
        return found

    def _said(self, text):
        self.items.append({"role": "user", "content": text})
        return self.items

    async def stream(self, text, tool=None):
        result = agents.Runner.run_streamed(self._agent(tool), self._said(text))
        async for event in result.stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                yield event.data.delta
        self.items = result.to_input_list()

    async def ask(self, text):
        result = await agents.Runner.run(self._agent(), self._said(text))
        self.items = result.to_input_list()
        return result.final_output

    async def chain(self, text, tool):
        return "".join([piece async for piece in self.stream(text, tool)])
