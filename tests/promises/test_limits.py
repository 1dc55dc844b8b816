"""Limits on what arrives, settable: event 16 MiB, answer 64 MiB, tool result to the model 1 MiB (cut and marked)."""

import json

import pytest

import llm_actors as llm
from llm_actors.testing import Answer, Send, chunk, head, reply

from .worlds import World

MIB = 2**20


def said(*texts):
    """An answer in one read: an event for each text, and its end."""
    deltas = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    deltas.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    lines = b"".join(f"data: {json.dumps(delta)}\n\n".encode() for delta in deltas)
    return Answer([Send(head() + chunk(lines + b"data: [DONE]\n\n") + chunk(b""))])


def big() -> str:
    return "x" * 1000


def test_what_is_not_set_is_as_documented():
    limits = llm.ActorSystem().limits
    assert (limits.event, limits.answer, limits.tool_result) == (16 * MIB, 64 * MIB, MIB)


def test_the_limits_of_a_system_hold_for_its_models(server, pair, dress, run):
    world = World(dress)
    limits = llm.Limits(event=500, answer=2000, tool_result=200)

    async def main():
        with llm.ActorSystem(limits=limits):
            model = world.model(pair)
            server.play(said("x" * 600), said(*["x" * 300] * 10), said(*["x" * 300] * 3))
            with pytest.raises(llm.ProtocolError, match="event of the stream is larger than the limit of 500 bytes"):
                await world.text(model.prompt("hi"))
            with pytest.raises(llm.ProtocolError, match="larger than the limit of 2000 bytes"):
                await world.text(model.prompt("hi"))
            assert await world.text(model.prompt("hi")) == "x" * 900
            conversation = model.conversation(tools=[big])
            await world.text(conversation.chain("call big {}"))
            return [
                part.output for message in conversation.messages() for part in message.parts if "output" in dir(part)
            ]

    (output,) = run(main())
    assert len(output) == 200
    assert output.endswith("[cut: this is the beginning of 1000 bytes]")


def test_a_systems_limit_holds_for_what_is_fetched(server, run):
    server.play(reply(200, b"\x89PNG\r\n\x1a\n" + b"x" * 100, content_type="application/pdf"))
    pair = llm.endpoint("m", base_url=server.base_url, key="sk-test", attachment_types=("application/pdf",))

    async def main():
        with llm.ActorSystem(limits=llm.Limits(attachment=64)):
            files = [llm.Attachment(url=f"{server.base_url}/a.pdf", type="application/pdf")]
            with pytest.raises(llm.AttachmentError, match="64"):
                await pair.async_model.prompt("hi", attachments=files).text()

    run(main())


def test_the_limits_of_an_endpoint_count_before_those_of_the_system(server, dress, run):
    world = World(dress)
    limits = llm.Limits(event=5000, tool_result=500)
    model = world.model(llm.endpoint("m", base_url=server.base_url, key="sk-test", limits=limits))

    async def main():
        with llm.ActorSystem(limits=llm.Limits(event=500, tool_result=100)):
            server.play(said("x" * 600))
            assert await world.text(model.prompt("hi")) == "x" * 600
            conversation = model.conversation(tools=[big])
            await world.text(conversation.chain("call big {}"))
            return [
                part.output for message in conversation.messages() for part in message.parts if "output" in dir(part)
            ]

    assert [len(output) for output in run(main())] == [500]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: llm.Limits(event=0), ValueError, "limit event is at least 1 byte, not 0"),
        (lambda: llm.Limits(tool_result=1.5), TypeError, "limit tool_result is a number of bytes, an int, not 1.5"),
        (lambda: llm.Limits(answer=True), TypeError, "limit answer"),
        (lambda: llm.ActorSystem(limits=16), TypeError, "limits is llm.Limits"),
        (lambda: llm.endpoint("m", base_url="http://a/v1", limits=9), TypeError, "limits is llm.Limits.*, not int"),
        (lambda: llm.ActorSystem(tool_workers=0), ValueError, "tool_workers is at least 1, not 0"),
        (lambda: llm.ActorSystem(mailbox="9"), TypeError, "mailbox= takes an int, not str '9'"),
        (lambda: llm.ActorSystem(chain_limit=-1), ValueError, "chain_limit is at least 0"),
        (lambda: llm.ActorSystem(tool_timeout=0), ValueError, "tool_timeout is in seconds and more than 0"),
        (lambda: llm.ActorSystem(tool_timeout="1"), TypeError, "tool_timeout= takes a number of seconds"),
    ],
)
def test_what_is_no_limit_is_refused_at_once(make, error, text):
    with pytest.raises(error, match=text):
        make()
