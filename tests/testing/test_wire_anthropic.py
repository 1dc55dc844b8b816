"""The scripted server's Anthropic: what it refuses, as Anthropic does, and what it says by rule."""

import json
import urllib.error
import urllib.request

import pytest

from llm_actors.testing import ScriptedServer, wire_anthropic
from llm_actors.testing.wire_anthropic import Refusal, content_of, decode

ASKED = {"role": "user", "content": "hi"}
USE = {"type": "tool_use", "id": "a", "name": "look", "input": {}}
DONE = {"type": "tool_result", "tool_use_id": "a", "content": "1"}
LOOK = {"name": "look", "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}


def request_of(*messages, **more):
    return {"model": "claude", "max_tokens": 9, "messages": [*messages] or [ASKED], **more}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not valid JSON"),
        (b'{"model": "m", "messages": []}', "max_tokens: Field required"),
        ({**request_of(), "messages": []}, "at least one message"),
        (request_of({"role": "assistant", "content": [USE]}), "without `tool_result` blocks immediately after: a"),
        (request_of({"role": "assistant", "content": [USE]}, ASKED), "messages.1: `tool_use` ids were found"),
        (request_of({"role": "user", "content": [DONE]}), "unexpected `tool_use_id`"),
        (
            request_of(
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": "made up"}]}
            ),
            "Invalid `signature`",
        ),
    ],
)
def test_what_anthropic_would_refuse_is_refused_in_its_words(body, words):
    with pytest.raises(Refusal, match=words) as refused:
        decode(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert "invalid_request_error" in str(refused.value.body)


def test_a_forced_tool_is_called_and_a_limit_cuts_the_text():
    forced = request_of(tools=[LOOK], tool_choice={"type": "tool", "name": "look"})
    assert content_of(forced)[:2] == (
        [{"type": "tool_use", "id": "call_1_0", "name": "look", "input": {"n": 0}}],
        "tool_use",
    )
    assert content_of(request_of(max_tokens=1))[:2] == ([{"type": "text", "text": "echo:"}], "max_tokens")


def test_the_server_speaks_it_to_whoever_sends_its_version_header():
    with ScriptedServer(key="k") as server:

        def ask(path, **headers):
            request = urllib.request.Request(
                f"{server.url}{path}", headers={"anthropic-version": "2026-10-21", **headers}
            )
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)

        assert [model["id"] for model in ask("/v1/models", **{"x-api-key": "k"})["data"]] == list(wire_anthropic.MODELS)
        assert ask("/v1/models", authorization="Bearer k")["has_more"] is False
        for path, headers, status in (("/v1/models", {}, 401), ("/v1/nothing", {"x-api-key": "k"}, 404)):
            with pytest.raises(urllib.error.HTTPError) as error:
                ask(path, **headers)
            assert (error.value.code, json.load(error.value)["type"]) == (status, "error")
