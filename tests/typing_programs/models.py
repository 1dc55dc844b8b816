"""What a user's type checker sees of a model of one's own, and of tools."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

import llm_actors as llm


class Echo(llm.Model):
    model_id = "echo"
    can_stream = True

    class Options(llm.Options):
        shout: bool = False

    def execute(self, prompt: Any, stream: bool, response: Any, conversation: Any) -> Iterator[str]:
        response.set_usage(input=1, output=1)
        yield prompt.prompt


class AsyncEcho(llm.AsyncKeyModel):
    model_id = "echo"

    async def execute(
        self, prompt: Any, stream: bool, response: Any, conversation: Any, key: str | None
    ) -> AsyncIterator[str]:
        yield prompt.prompt


class Notes(llm.Toolbox):
    def add(self, note: str) -> int:
        return len(note)


def use() -> None:
    assert_type(Echo().prompt("hi"), llm.Response)
    assert_type(AsyncEcho().prompt("hi", key="k"), llm.AsyncResponse)
    assert_type(llm.Tool.function(len, name="length"), llm.Tool)
    assert_type(Notes().tools(), list[llm.Tool])
    llm.register_model(Echo(), AsyncEcho(), aliases=("e",))
