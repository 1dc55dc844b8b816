"""Structured output: the schema is a type, the answer an instance of it.

`python examples/structured_output.py [MODEL]`. The default, the scripted model `demo`, prints:

    Dog Dog(name='scripted name', age=0, tricks=['scripted trick'])
    dict {'name': 'scripted name', 'age': 1}
"""

import asyncio
import sys
from typing import Annotated

import msgspec

import llm_actors as llm


class Dog(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(description="one word", max_length=20)]
    age: Annotated[int, msgspec.Meta(ge=0, le=20)]
    tricks: Annotated[list[Annotated[str, msgspec.Meta(max_length=20)]], msgspec.Meta(max_length=3)]


async def main(model_id: str) -> None:
    model = llm.get_async_model(model_id)
    response = model.prompt("Invent a dog", schema=Dog)
    dog = await response.value()
    print(type(dog).__name__, dog)

    # The peer's short form of a schema works too; the value is then a dict.
    cat = await model.prompt("Invent a cat", schema=llm.schema_dsl("name, age int")).value()
    print(type(cat).__name__, cat)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "demo"))
