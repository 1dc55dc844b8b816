"""Models in Python code for the catalogue's tests."""

from llm_actors.chat.model import AsyncModel, Model


class Echo(Model):
    model_id = "echo"

    def __init__(self, model_id: str = "echo") -> None:
        self.model_id = model_id
        self.calls = 0

    def execute(self, prompt, stream, response, conversation):
        yield "echo"


class AsyncEcho(AsyncModel):
    model_id = "echo"

    def __init__(self, model_id: str = "echo") -> None:
        self.model_id = model_id

    async def execute(self, prompt, stream, response, conversation):
        yield "echo"
