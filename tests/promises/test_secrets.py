"""S3 of DESIGN section 1: where a key must never show."""

import asyncio
import copy
import io
import json
import logging
import pickle
import traceback
from typing import Any

import msgspec
import pytest

import llm_actors as llm
from llm_actors.chat.live_turn import PromptMail
from llm_actors.messages import Secret
from llm_actors.testing import Answer, Reset, reply

from .worlds import World

KEY = "sk-very-secret-0123456789"


@pytest.fixture
def everything_logged():
    """All that any logger says, at every level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def shown(error):
    """The exception with its causes, contexts and the local variables of every frame, as a debugger or error tracker shows it."""
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(whole.format()) + repr(error) + repr(vars(error))


def test_keys_never_appear_in_a_repr_a_log_line_an_exception_a_trace_or_a_journal(
    server, dress, run, everything_logged
):
    """S3: Keys never appear in a repr, a log line, an exception, a trace or a journal: held in a type whose repr is masked, put into the
    header last, inside the pump."""
    world = World(dress)
    records = []
    pair = llm.endpoint("m", wire="openai-chat", base_url=server.base_url, key=KEY)
    model = world.model(pair)

    async def main():
        with llm.ActorSystem(observers=[records.append]):
            conversation = model.conversation()
            good = conversation.prompt("hi")
            assert await world.text(good) == "echo: hi"
            by_call = conversation.prompt("again", key=KEY + "-2")
            await world.text(by_call)
            server.set(key="another")  # which the server refuses, with the key in its text
            refused = conversation.prompt("hi")
            errors = [await world.error(refused)]
            server.set()
            server.play(
                Answer([Reset()]),
                Answer([Reset()]),  # a request that dies on a kept connection is sent once more
                reply(500, f"proxy error: Authorization: Bearer {KEY}", content_type="text/plain"),
                reply(400, {"error": {"message": f"bad {KEY}", "code": KEY}}),
            )
            errors += [await world.error(conversation.prompt("hi")) for _ in range(3)]
            views = [model, pair, conversation, good, by_call, refused, good.prompt, conversation.ref, model.endpoint]
            return (
                conversation,
                errors,
                [repr(view) + str(view) for view in views if view is not refused] + [repr(refused)],
            )

    conversation, errors, reprs = run(main())
    assert [request.headers["authorization"] for request in server.requests[:2]] == [f"Bearer {KEY}", f"Bearer {KEY}-2"]
    assert isinstance(errors[0], llm.AuthenticationError)
    places = {
        "repr": "".join(reprs),
        "log": everything_logged.getvalue(),
        "exception": "".join(f"{error} {error!r} {vars(error)}" for error in errors),
        "trace": "".join(shown(error) for error in errors),
        "records": "".join(map(repr, records)) + str([msgspec.json.encode(record) for record in records]),
        "journal": json.dumps(conversation.to_dict()) + repr(conversation._history.entries()),
    }
    for place, text in places.items():
        assert text, place
        assert KEY not in text, place


def test_a_secret_shows_a_mask_and_is_not_pickled():
    """S3: ... held in a type whose repr is masked."""
    secret = Secret(KEY)
    assert KEY not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == KEY
    for way in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="Secret"):
            way(secret)
    assert secret == Secret(KEY) != Secret("other")
    assert hash(secret) == hash(Secret(KEY))
    assert bool(secret)
    assert not Secret("")


def test_a_key_given_at_the_call_is_held_masked_while_the_prompt_waits(server, run):
    """S3: ... held in a type whose repr is masked, put into the header last."""
    pair = llm.endpoint("m", wire="openai-chat", base_url=server.base_url)
    conversation = pair.async_model.conversation()
    conversation.prompt("hi", key=KEY)
    (mail,) = conversation._unposted
    assert isinstance(mail, PromptMail)
    assert KEY not in "".join(repr(getattr(mail, name)) for name in mail.__slots__)

    async def main():
        await asyncio.sleep(0)
        return await conversation.prompt("next").text()

    run(main())
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("kind", ["plain", "generator", "async"])
def test_a_key_is_in_no_frame_of_ours_when_a_model_in_python_code_raises(run, kind):
    """S3: Keys never appear in ... an exception, a trace ...: what a model's own frames hold is the model's."""

    class Plain(llm.KeyModel):
        model_id = "keyed"
        needs_key = "keyed"

        def execute(self, prompt, stream, response, conversation, key):
            assert key == KEY
            raise ValueError("no")

    class Generator(llm.KeyModel):
        model_id = "keyed"
        needs_key = "keyed"

        def execute(self, prompt, stream, response, conversation, key):
            assert key == KEY
            yield "half"
            raise ValueError("no")

    class Native(llm.AsyncKeyModel):
        model_id = "keyed"
        needs_key = "keyed"

        async def execute(self, prompt, stream, response, conversation, key):
            assert key == KEY
            yield "half"
            raise ValueError("no")

    model: Any = {"plain": Plain, "generator": Generator, "async": Native}[kind]()
    world = World("async" if kind == "async" else "sync")

    async def main():
        conversation = model.conversation()
        response = conversation.prompt("hi", key=KEY)
        error = await world.error(response)
        return error, repr(response) + repr(conversation) + repr(model) + repr(conversation.messages())

    error, reprs = run(main())
    assert str(error) == "no"
    assert KEY not in reprs
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    ours = [frame for frame in frames if "llm_actors" in frame.filename and "tests" not in frame.filename]
    assert ours
    assert KEY not in str([frame.locals for frame in ours])
