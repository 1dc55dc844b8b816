"""The vendors' own packages and ours say the same thing to the scripted server: bodies field by field, with each difference and its reason.

Needs the extra `sdk`. The packages are used as their documentation shows it: what a model said goes into the next request as it came.
"""

import asyncio
import base64

import msgspec
import pytest

import llm_actors as llm

openai = pytest.importorskip("openai")
ollama = pytest.importorskip("ollama")

PNG = b"\x89PNG\r\n\x1a\n123"
DATA = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
ASKED = 'look, and call add {"a": 1, "b": 2} and call add {"a": 3, "b": 4}'
SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
PARAMETERS = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
}


def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


def fields(value, path=""):
    """Every leaf of a body with its path; the places in lists are all one."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from fields(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from fields(inner, f"{path}[{place}]")
    else:
        yield path, value


def differences(theirs, ours):
    """Paths, with the places in lists left out, where the bodies differ: what only they say, what only we say, what both say otherwise."""
    theirs, ours = dict(fields(theirs)), dict(fields(ours))
    plain = {path: "".join(char for char in path if not char.isdigit()) for path in {**theirs, **ours}}
    return (
        {plain[path] for path in theirs.keys() - ours.keys()},
        {plain[path] for path in ours.keys() - theirs.keys()},
        {plain[path] for path in theirs.keys() & ours.keys() if theirs[path] != ours[path]},
    )


def bodies(server, count):
    return [msgspec.json.decode(request.body) for request in server.requests[-count:]]


def our_conversation(model, *, schema=None, options=None):
    """A question with a picture, a round of tools, and a second question."""

    async def main():
        conversation = model.conversation()
        picture = llm.Attachment(type="image/png", content=PNG)
        await conversation.chain(
            ASKED, system="be brief", attachments=[picture], tools=[add], options=options or {}
        ).text()
        await conversation.prompt("and now?", schema=schema, options=options or {}).text()

    asyncio.run(main())


# What only they say, what only we say, and what is said otherwise; each with its reason.
RESPONSES = (
    {
        "input[].id": "the item's own id, which is of use only where the provider stores items; with it the API wants more of them",
        "input[].status": "always completed: a part of an answer that is not never gets here",
        "input[].content[].annotations": "citations of a text are for readers; they stay in our history",
        "input[].content[].logprobs": "as above",
    },
    {},
    {},
)


def test_the_openai_package_and_ours_send_the_same_responses(server):
    client = openai.OpenAI(base_url=server.base_url, api_key="k")
    tool = {"type": "function", "name": "add", "description": "Adds.", "parameters": PARAMETERS, "strict": False}
    common = {"model": "gpt-5.4", "store": False, "include": ["reasoning.encrypted_content"], "temperature": 0.5}
    common |= {"max_output_tokens": 50, "reasoning": {"effort": "low", "summary": "auto"}}
    picture = {"type": "input_image", "image_url": DATA, "detail": "auto"}
    items = [
        {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "be brief"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": ASKED}, picture]},
    ]
    with client:
        for _ in range(2):
            response = client.responses.create(input=items, tools=[tool], stream=False, **common)
            items += [item.to_dict() for item in response.output]
            items += [
                {
                    "type": "function_call_output",
                    "call_id": item.call_id,
                    "output": str(add(**msgspec.json.decode(item.arguments))),
                }
                for item in response.output
                if item.type == "function_call"
            ]
        items.append({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "and now?"}]})
        form = {"type": "json_schema", "name": "output", "schema": SCHEMA}
        events = client.responses.create(input=items, text={"format": form}, stream=True, **common)
        assert [event.type for event in events][-1] == "response.completed"
    theirs = bodies(server, 3)
    model = llm.endpoint("gpt-5.4", wire="openai-responses", base_url=server.base_url, key="k").async_model
    options = {"max_tokens": 50, "temperature": 0.5, "reasoning_effort": "low", "reasoning_summary": "auto"}
    our_conversation(model, schema=SCHEMA, options=options)
    compare(theirs, bodies(server, 3), RESPONSES)


def compare(theirs, ours, known):
    for one, other in zip(theirs, ours, strict=True):
        other["stream"] = one["stream"]  # they are asked for both ways in turn
        for found, named in zip(differences(level(one), level(other)), known, strict=True):
            assert found <= set(named), found
    assert [msgspec.json.encode(said(body)) for body in theirs] == [msgspec.json.encode(said(body)) for body in ours]


def level(body):
    """The scripted server counts its answers: ids and secrets of one answer are the same as those of the next."""
    items = body.get("input") or body.get("messages")
    for item in items:
        for name in ("call_id", "tool_call_id", "encrypted_content"):
            if name in item:
                item[name] = name
        for call in item.get("tool_calls") or []:
            call.update({"id": "call_id"} if "id" in call else {})
            if isinstance(call["function"]["arguments"], str):  # JSON, with blanks or without
                call["function"]["arguments"] = msgspec.json.decode(call["function"]["arguments"])
        if item.get("type") == "reasoning":
            item["id"] = "rs"
        if "arguments" in item:
            item["arguments"] = msgspec.json.decode(item["arguments"])
        if "thinking" in item:
            item["thinking"] = "thinking"
    return body


def said(body):
    """The texts of a conversation."""
    items = body.get("input") or body["messages"]
    return [
        (item.get("role"), item.get("content"), item.get("output"))
        for item in items
        if item.get("role") == "user" or "output" in item
    ]


CHAT = (
    {"messages[].refusal": "null: a message that refuses nothing"},
    {},
    {},
)


def test_the_openai_package_and_ours_send_the_same_chat_completions(server):
    client = openai.OpenAI(base_url=server.base_url, api_key="k")
    tool = {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": PARAMETERS}}
    common = {"model": "gpt-4o", "temperature": 0.5, "max_tokens": 50}
    picture = {"type": "image_url", "image_url": {"url": DATA}}
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": ASKED}, picture]},
    ]
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    with client:
        for _ in range(2):
            message = client.chat.completions.create(messages=messages, tools=[tool], **common).choices[0].message
            messages.append(message.to_dict())
            for call in message.tool_calls or []:
                output = str(add(**msgspec.json.decode(call.function.arguments)))
                messages.append({"role": "tool", "tool_call_id": call.id, "content": output})
        messages.append({"role": "user", "content": "and now?"})
        form = {"type": "json_schema", "json_schema": {"name": "output", "schema": SCHEMA}}
        list(client.chat.completions.create(messages=messages, response_format=form, **common, **streamed))
    theirs = bodies(server, 3)
    for body in theirs:
        body.update(streamed)
    our_conversation(
        llm.endpoint("gpt-4o", base_url=server.base_url, key="k").async_model,
        schema=SCHEMA,
        options={"max_tokens": 50, "temperature": 0.5},
    )
    compare(theirs, bodies(server, 3), CHAT)


OLLAMA = (
    {"tools": "an empty list, where there are none"},
    {
        "truncate": "false: else the server drops the oldest messages in silence",
        "messages[].tool_calls[].id": "which the package does not know, and the server does",
        "messages[].tool_call_id": "as above",
        "messages[].content": "an empty one, which the package leaves out",
    },
    {},
)


def test_the_ollama_package_and_ours_send_the_same(server):
    client = ollama.Client(host=server.url)
    tool = {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": PARAMETERS}}
    common = {"model": "qwen3", "think": True, "options": {"temperature": 0.5, "num_predict": 50}, "keep_alive": "5m"}
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": ASKED, "images": [PNG]},
    ]
    for _ in range(2):
        message = client.chat(messages=messages, tools=[tool], stream=False, **common).message
        messages.append(message)
        for call in message.tool_calls or []:
            messages.append(
                {"role": "tool", "tool_name": call.function.name, "content": str(add(**call.function.arguments))}
            )
    messages.append({"role": "user", "content": "and now?"})
    *_, last = client.chat(messages=messages, format=SCHEMA, stream=True, **common)
    assert last.done
    client._client.close()
    theirs = bodies(server, 3)
    for message in theirs[2]["messages"]:
        if message["role"] == "assistant" and not message.get("tool_calls"):
            # Thinking that led to no call: the package sends it on, where the templates leave it out.
            assert message.pop("thinking")
    our_conversation(
        llm.endpoint("qwen3", wire="ollama", base_url=server.url).async_model,
        schema=SCHEMA,
        options={"max_tokens": 50, "temperature": 0.5, "think": True, "keep_alive": "5m"},
    )
    compare(theirs, bodies(server, 3), OLLAMA)
