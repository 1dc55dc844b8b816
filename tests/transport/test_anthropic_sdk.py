"""The vendor's own SDK and ours ask the scripted server the same: what both send, side by side.

Where they differ on purpose, and why (`SAME` takes each of these out before it compares):

    content     theirs may be a string, ours is always a list of blocks; the string is "shorthand" for it (the API's reference)
    stream      theirs leaves it out of a request that is not streamed, ours says false: servers differ in what they take for granted
    accept      theirs says application/json to a stream too; ours says what it expects
"""

import asyncio
from typing import Any

import pytest

import llm_actors as llm
from llm_actors.testing import wire_anthropic
from tests.strict import anthropic as strict

anthropic = pytest.importorskip("anthropic", reason="the vendor's SDK: pip install 'llm-actors[sdk]'")

KEY = "sk-ant-sdk-1"
MODEL = "claude-opus-5-5"
LOOK = {
    "name": "look",
    "description": "Looks.",
    "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
}
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 2}, "names": {"type": "array", "items": {"type": "string"}}},
    "required": ["n"],
}


def look(n: int) -> int:
    """Looks."""
    return n + 1


@pytest.fixture
def client(server):
    with anthropic.Anthropic(api_key=KEY, base_url=server.url, max_retries=0) as made:
        yield made


def ours(server):
    return llm.endpoint(MODEL, wire="anthropic", base_url=server.url, key=KEY).async_model


def same(body: dict[str, Any]) -> dict[str, Any]:
    """A body without the differences that are meant."""
    messages = []
    for message in body["messages"]:
        content = message["content"]
        messages.append(
            {
                "role": message["role"],
                "content": [{"type": "text", "text": content}] if isinstance(content, str) else content,
            }
        )
    return {**body, "messages": messages, "stream": body.get("stream", False)}


def sent(server) -> list[Any]:
    """The requests so far, each body taken by the validator; then forgets them."""
    found = server.wait_until_idle()
    server.forget()
    for request in found:
        strict.check_body(same(request.json()))
    return found


@pytest.mark.parametrize("stream", [True, False])
def test_a_prompt_with_a_system_prompt_and_options(server, client, stream):
    fields: dict[str, Any] = {
        "model": MODEL,
        "max_tokens": 100,
        "system": "Be short.",
        "messages": [{"role": "user", "content": "hi there"}],
        "stop_sequences": ["."],
        "metadata": {"user_id": "u1"},
        "output_config": {"effort": "low"},
        "thinking": {"type": "adaptive", "display": "summarized"},
        "service_tier": "auto",
    }
    if stream:
        with client.messages.stream(**fields) as events:
            theirs = events.get_final_message()
    else:
        theirs = client.messages.create(**fields)
    [request] = sent(server)

    async def main():
        options = {
            "max_tokens": 100,
            "stop": ["."],
            "user_id": "u1",
            "effort": "low",
            "thinking": True,
            "service_tier": "auto",
        }
        response = ours(server).prompt("hi there", system="Be short.", options=options, stream=stream)
        return await response.text(), await response.usage(), await response.messages()

    text, usage, messages = asyncio.run(main())
    [mine] = sent(server)
    assert mine.json() == same(request.json())
    for header in ("authorization", "anthropic-version", "content-type"):
        assert mine.headers[header] == request.headers[header]
    assert mine.path == request.path
    # And both read the same answer.
    thought, said = theirs.content
    assert (text, usage.input, usage.output) == (said.text, theirs.usage.input_tokens, theirs.usage.output_tokens)
    assert messages[0].parts[0].text == thought.thinking
    [own] = messages[0].parts[0].provider_metadata.values()
    assert own["signature"] == thought.signature


def test_a_chain_of_tools_with_thinking(server, client):
    question = {"role": "user", "content": 'call look {"n": 1} and call look {"n": 5}'}
    fields: dict[str, Any] = {
        "model": MODEL,
        "max_tokens": 100,
        "tools": [LOOK],
        "thinking": {"type": "adaptive", "display": "summarized"},
    }
    with client.messages.stream(**fields, messages=[question]) as events:
        first = events.get_final_message()
    results = [
        {
            "type": "tool_result",
            "tool_use_id": block.id,
            "content": [{"type": "text", "text": str(block.input["n"] + 1)}],
        }
        for block in first.content
        if block.type == "tool_use"
    ]
    asked = [question, first.to_param(), {"role": "user", "content": results}]
    with client.messages.stream(**fields, messages=asked) as events:
        theirs = events.get_final_message()
    requests = sent(server)

    async def main():
        return (
            await ours(server)
            .chain(question["content"], tools=[look], options={"max_tokens": 100, "thinking": True})
            .text()
        )

    assert asyncio.run(main()) == theirs.content[-1].text == "results: look=2; look=6"
    mine = sent(server)
    assert [request.json() for request in mine] == [_plain(same(request.json())) for request in requests]


def test_files_cache_marks_and_a_history(server, client):
    png, pdf = b"\x89PNG\r\n\x1a\n", b"%PDF-1.4"
    mark = {"type": "ephemeral", "ttl": "1h"}
    blocks = [
        {"type": "text", "text": "see"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="},
            "cache_control": mark,
        },
    ]
    client.messages.create(
        model=MODEL,
        max_tokens=100,
        system=[{"type": "text", "text": "Be short.", "cache_control": mark}],
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": mark}]},
            {"role": "assistant", "content": [{"type": "text", "text": "so"}]},
            {"role": "user", "content": blocks},
        ],
    )
    [request] = sent(server)

    async def main():
        files = [llm.Attachment(type="image/png", content=png), llm.Attachment(type="application/pdf", content=pdf)]
        history = [llm.system("Be short."), llm.user("hi"), llm.assistant("so"), llm.user("see", *files)]
        model = llm.endpoint(
            MODEL, wire="anthropic", base_url=server.url, key=KEY, attachment_types={"image/png", "application/pdf"}
        ).async_model
        await model.prompt(messages=history, options={"max_tokens": 100, "cache": "1h"}, stream=False)

    asyncio.run(main())
    [mine] = sent(server)
    assert mine.json() == same(request.json())


def test_a_schema_is_put_into_the_words_of_the_api_as_their_own_helper_does_it(server, client):
    client.messages.create(
        model=MODEL,
        max_tokens=100,
        messages=[{"role": "user", "content": "how many?"}],
        output_config={"format": {"type": "json_schema", "schema": anthropic.transform_schema(SCHEMA)}},
    )
    [request] = sent(server)

    async def main():
        response = ours(server).prompt("how many?", schema=SCHEMA, options={"max_tokens": 100}, stream=False)
        return await response.text()

    assert asyncio.run(main()) == '{"n": 0, "names": []}'
    [mine] = sent(server)
    assert mine.json() == same(request.json())


def test_their_sdk_reads_every_stream_that_the_scripted_wire_writes(server, client):
    from llm_actors.testing import Answer, Send, chunk, head

    blocks: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": "a b", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "text", "text": "so be it "},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"n": 1}},
    ]
    stream = b"".join(chunk(event) for event in wire_anthropic.stream_of(blocks, "tool_use"))
    server.play(Answer([Send(head() + stream + chunk(b""))]))
    question: Any = [{"role": "user", "content": "hi"}]
    with client.messages.stream(model=MODEL, max_tokens=9, messages=question) as events:
        message = events.get_final_message()
    assert [block.model_dump(exclude_none=True) for block in message.content] == blocks


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """Without the nulls that their models write for what the answer did not have."""
    for message in body["messages"]:
        message["content"] = [
            {name: value for name, value in block.items() if value is not None} for block in message["content"]
        ]
    return body
