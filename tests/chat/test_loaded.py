"""Responses that were written down, here and in the peer: they load, and are written to the same bytes.

The files in `peer_files/` were written by running llm 0.36 (`json.dumps(response.to_dict(), ensure_ascii=False)`), one for each kind of
content. The other way was tried by hand with it, on 25 November 2026: the peer's `Response.from_dict()` loaded what this library wrote of
the same contents (`test_what_is_written_here_is_in_the_peers_form` shows it) and its `to_dict()` gave the same bytes; only `datetime_utc`
it does not keep.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import llm_actors as llm
from tests.promises.worlds import World, check_valid

from .speakers import Says, SyncSays, run

FILES = sorted((Path(__file__).parent / "peer_files").glob("*.json"))
BOTH = pytest.mark.parametrize("dress", ["async", "sync"])


class Written(llm.Model):
    """The model of the files."""

    model_id = "written"
    can_stream = supports_tools = True

    class Options(llm.Options):
        temperature: float | None = None
        max_tokens: int | None = None
        stop: str | None = None

    def execute(self, prompt, stream, response, conversation):
        yield f"{len(prompt.messages)} messages"


class AsyncWritten(llm.AsyncModel):
    model_id = "written"
    can_stream = supports_tools = True
    Options = Written.Options

    async def execute(self, prompt, stream, response, conversation):
        yield f"{len(prompt.messages)} messages"


def loaded(plain, dress) -> Any:
    if dress == "async":
        return llm.AsyncResponse.from_dict(plain, model=AsyncWritten())
    return llm.Response.from_dict(plain, model=Written())


def plain_of(name):
    return json.loads((Path(__file__).parent / "peer_files" / f"{name}.json").read_text(encoding="utf-8"))


# ---- the peer's files


@BOTH
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_of_the_peer_loads_and_is_written_to_the_same_bytes(file, dress):
    text = file.read_text(encoding="utf-8")
    response = loaded(json.loads(text), dress)
    assert json.dumps(response.to_dict(), ensure_ascii=False) == text


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_message_and_part_in_it_is_written_to_the_same_bytes(file):
    plain = json.loads(file.read_text(encoding="utf-8"))
    for message in (*plain["prompt"]["messages"], *plain["messages"]):
        assert json.dumps(llm.Message.from_dict(message).to_dict()) == json.dumps(message)
        for part in message["parts"]:
            assert json.dumps(llm.Part.from_dict(part).to_dict()) == json.dumps(part)


@BOTH
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_conversation_goes_on_from_a_file_of_the_peer(file, dress):
    plain = json.loads(file.read_text(encoding="utf-8"))
    kind, model = (llm.AsyncConversation, AsyncWritten()) if dress == "async" else (llm.Conversation, Written())
    conversation: Any = kind.from_dict(plain, model=model)
    check_valid([message for message in conversation.messages() if message.role != "assistant" or not served(message)])
    answer = run(World(dress).text(conversation.prompt("go on")))
    assert answer.endswith("messages")
    assert conversation.id != plain["id"]


def served(message):
    return any(getattr(part, "server_executed", False) for part in message.parts)


@BOTH
def test_a_loaded_response_tells_what_the_written_one_told(dress):
    world = World(dress)

    async def main():
        response = loaded(plain_of("text"), dress)
        assert await world.text(response) == "Hello, wörld ☃ 😀"
        assert (response.id, response.done, response.model.model_id) == (plain_of("text")["id"], True, "written")
        assert (response.input_tokens, response.output_tokens) == (5, 7)
        assert response.prompt.messages[0].text == "Say hello"
        assert response.conversation is None
        assert [event.type for event in await world.events(response)] == ["text", "end"]
        options = loaded(plain_of("system_and_options"), dress)
        assert options.prompt.options.max_tokens == 10
        assert options.prompt.system == "be brief"
        calls = await world.call(loaded(plain_of("tool_calls"), dress), "tool_calls")
        assert [call.arguments for call in calls] == [{"text": "héllo", "deep": {"a": [1, 2.5, None, True]}}, {}]
        assert await world.call(loaded(plain_of("server_executed"), dress), "tool_calls") == []
        whole = await world.call(loaded(plain_of("server_executed"), dress), "messages")
        assert [message.text for message in whole] == ["Pelicans.", "Second message."]

    run(main())


@BOTH
def test_options_that_the_model_does_not_have_are_kept_as_written(dress):
    plain = plain_of("system_and_options")
    plain["prompt"]["options"]["unheard_of"] = 1
    response = loaded(plain, dress)
    assert json.dumps(response.to_dict()) == json.dumps(plain)
    assert not hasattr(response.prompt.options, "unheard_of")


@BOTH
def test_the_model_is_found_by_its_name_unless_one_is_given(dress):
    plain = {**plain_of("text"), "model": "demo"}
    kind = llm.AsyncResponse if dress == "async" else llm.Response
    model = kind.from_dict(plain).model
    assert model.model_id == "demo"
    assert isinstance(model, llm.AsyncModel if dress == "async" else llm.Model)
    with pytest.raises(llm.UnknownModelError):
        kind.from_dict({**plain, "model": "nobody/knows"})
    of = llm.AsyncConversation if dress == "async" else llm.Conversation
    assert isinstance(of.from_dict(plain).model, type(model))
    with pytest.raises(llm.UnknownModelError):
        of.from_dict({**plain, "model": "nobody/knows"})


@pytest.mark.parametrize(
    "plain",
    [
        {"messages": [{"role": "user", "parts": [{"type": "text"}]}]},
        {"messages": [{"parts": []}]},
        {"messages": [{"role": "user", "parts": [{"type": "hologram"}]}]},
        {"prompt": ["hi"]},
        {"prompt": {"messages": ["hi"]}},
        {"messages": [], "usage": {"input": "many"}},
        {"prompt": {"options": {"temperature": "warm"}}},
    ],
    ids=str,
)
def test_what_is_no_written_response_is_a_value_error(plain):
    with pytest.raises(ValueError, match=r"no response as to_dict|Unknown part type"):
        llm.Response.from_dict(plain, model=Written())


# ---- ours


CONTENTS: Any = [
    llm.StreamEvent("reasoning", "hm"),
    llm.StreamEvent("reasoning", "", redacted=True),
    llm.StreamEvent("text", "seen", provider_metadata={"p": {"q": 1}}),
    lambda response: response.add_tool_call(llm.ToolCall("look", {"at": "☃"}, "c1")),
    lambda response: response.set_usage(input=3, output=4, details={"cached": 1}),
]


@BOTH
def test_what_is_written_here_is_in_the_peers_form(dress):
    async def main():
        model: Any = (Says if dress == "async" else SyncSays)(*CONTENTS)
        model.attachment_types = frozenset({"image/png"})
        response = model.prompt(
            "look",
            system="be brief",
            attachments=[
                llm.Attachment(type="image/png", content=b"x"),
                llm.Attachment("image/png", "/a", "https://b"),
            ],
        )
        await World(dress).text(response)
        plain = response.to_dict()
        assert json.dumps(plain["prompt"]) == json.dumps(
            {
                "messages": [
                    {"role": "system", "parts": [{"type": "text", "text": "be brief"}]},
                    {
                        "role": "user",
                        "parts": [
                            {"type": "text", "text": "look"},
                            {"type": "attachment", "attachment": {"type": "image/png", "content": "eA=="}},
                            {
                                "type": "attachment",
                                "attachment": {"type": "image/png", "url": "https://b", "path": "/a"},
                            },
                        ],
                    },
                ],
                "system": "be brief",
            }
        )
        assert list(plain) == ["model", "prompt", "messages", "id", "usage", "datetime_utc"]
        again = type(response).from_dict(json.loads(json.dumps(plain)), model=model)
        assert json.dumps(again.to_dict()) == json.dumps(plain)
        assert again == response

    run(main())


def test_a_sync_response_is_waited_for_and_an_async_one_must_have_been_awaited():
    assert SyncSays("a").prompt("hi").to_dict()["messages"][0]["parts"][0]["text"] == "a"

    async def main():
        response = Says("a").prompt("hi")
        with pytest.raises(ValueError, match="Response not yet awaited"):
            response.to_dict()
        await response

    run(main())


def test_what_has_no_tokens_says_nothing_of_usage():
    def counts(response):
        response.set_usage(details={"cached": 1})

    response = SyncSays("a", counts).prompt("hi")
    assert "usage" not in response.to_dict()


@BOTH
def test_a_fake_response_is_one_that_no_model_gave(dress):
    async def main():
        kind, model = (llm.AsyncResponse, AsyncWritten()) if dress == "async" else (llm.Response, Written())
        picture = llm.Attachment(type="image/png", content=b"x")
        response: Any = kind.fake(model, "hi", picture, system="be brief", response="hello")
        assert await World(dress).text(response) == "hello"
        assert [message.role for message in response.prompt.messages] == ["system", "user"]
        assert response.attachments == [picture]
        assert response.prompt.prompt == "hi"

    run(main())


def test_an_async_answer_can_be_handed_to_code_that_blocks():
    async def main():
        response = await Says("a").prompt("hi").to_sync_response()
        assert isinstance(response, llm.Response)
        assert await asyncio.to_thread(response.text) == "a"
        with pytest.raises(KeyError):
            await Says(KeyError("x")).prompt("hi").to_sync_response()

    run(main())
