"""The scripted server's Gemini: what it refuses, and what it says."""

import json

import pytest

from llm_actors.testing import wire_gemini
from llm_actors.testing.wire_gemini import Refusal, decode, events, whole

HI = {"role": "user", "parts": [{"text": "hi"}]}
CALL = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "s"}]}
RESULT = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "1"}}}]}


def asked(*contents, **more):
    return decode(json.dumps({"contents": [*contents], **more}).encode())


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ([], "contents is not specified"),
        ([{"role": "user", "parts": []}], "no parts"),
        ([{"role": "tool", "parts": [{"text": "x"}]}], "no valid role"),
        ([HI, CALL, HI], "equal to the number"),
        ([HI, CALL], "equal to the number"),
        ([HI, RESULT], "equal to the number"),
        ([HI, {"role": "model", "parts": [{"functionCall": {"name": "f"}}]}, RESULT], "missing a `thought_signature`"),
    ],
)
def test_a_history_that_gemini_would_refuse_is_refused(contents, words):
    with pytest.raises(Refusal, match=words) as caught:
        asked(*contents)
    assert caught.value.body["error"]["status"] == "INVALID_ARGUMENT"


def test_what_is_no_json_is_refused():
    with pytest.raises(Refusal, match="Invalid JSON payload"):
        decode(b"{")


def test_a_field_may_be_written_with_underlines_but_arguments_are_left_alone():
    call = {"function_call": {"name": "f", "args": {"a_b": 1}}, "thought_signature": "s"}
    made = asked(HI, {"role": "model", "parts": [call]}, RESULT)
    assert made["contents"][1]["parts"] == [
        {"functionCall": {"name": "f", "args": {"a_b": 1}}, "thoughtSignature": "s"}
    ]


def test_the_last_event_has_the_reason_and_the_counts():
    made = events(asked(HI), "m", 1)
    assert [each["candidates"][0].get("finishReason") for each in made] == [None, "STOP"]
    assert made[-1]["usageMetadata"]["totalTokenCount"] == 3
    short = json.loads(whole(asked(HI, generationConfig={"maxOutputTokens": 1}), "m", 1))
    assert short["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert short["candidates"][0]["content"]["parts"] == [{"text": "echo:"}]


def test_tool_results_are_read_back_and_json_is_given_when_asked_for():
    assert "f=1" in str(events(asked(HI, CALL, RESULT), "m", 1))
    assert whole(asked(HI, generationConfig={"responseMimeType": "application/json"}), "m", 1).count(b'"{}"') == 1


def test_the_list_has_models_that_do_not_generate():
    methods = [each["supportedGenerationMethods"] for each in json.loads(wire_gemini.model_list())["models"]]
    assert ["generateContent"] in methods
    assert ["embedContent"] in methods
