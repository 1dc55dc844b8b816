"""What goes to Gemini: the history as contents, tools, options, schema."""

import base64

import msgspec
import pytest

from llm_actors.errors import ModelError
from llm_actors.messages import (
    Attachment,
    AttachmentPart,
    Message,
    ModelRequest,
    ReasoningPart,
    Secret,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    assistant,
    system,
    tool_message,
    user,
)
from llm_actors.providers.gemini import Gemini
from llm_actors.providers.gemini_contents import STAND_IN
from llm_actors.providers.gemini_options import GeminiOptions
from tests.strict import gemini as strict

LOOK = ToolSpec("look", "Looks.", {"type": "object", "properties": {"n": {"type": "integer"}}})
HI = user("hi")


def sent(*messages, model="gemini-3.8-flash", extra=None, name="gemini", **more):
    request = ModelRequest(model, list(messages) or [HI], **more)
    return Gemini(name).encode(request, extra or {})


def body(*messages, **more):
    made = msgspec.json.decode(sent(*messages, **more).body)
    strict.check_request(made)
    return made


def config(**more):
    return body(**more).get("generationConfig", {})


def own(**metadata):
    return {"gemini": metadata}


def call(call_id="a", name="look", **metadata):
    return ToolCallPart(name, {"n": 1}, call_id, provider_metadata=own(**metadata) if metadata else None)


def result(call_id="a", output="found", name="look", exception=None):
    return ToolResultPart(name, output, call_id, exception=exception)


def test_a_stream_and_a_whole_answer_have_their_own_paths():
    assert sent().path == "/models/gemini-3.8-flash:streamGenerateContent?alt=sse"
    assert sent(stream=False).path == "/models/gemini-3.8-flash:generateContent"
    assert sent(model="tunedModels/my one").path == "/tunedModels/my%20one:streamGenerateContent?alt=sse"
    assert Gemini().key_header(Secret("k")) == ("x-goog-api-key", "k")


def test_the_same_values_give_the_same_bytes():
    assert sent(HI, tools=[LOOK], options={"top_k": 3}).body == sent(HI, tools=[LOOK], options={"top_k": 3}).body


def test_the_system_prompt_in_force_is_the_instruction_and_no_content():
    made = body(system("long"), HI, assistant("so"), system("short"), user("next"))
    assert made["systemInstruction"] == {"parts": [{"text": "short"}]}
    assert [content["role"] for content in made["contents"]] == ["user", "model", "user"]


def test_parallel_calls_are_one_content_and_their_results_the_next():
    made = body(
        HI,
        assistant(call("a", thoughtSignature="s", id=True), call("b", id=True)),
        tool_message(result("a"), result("b", "no", exception="ValueError: no")),
        user("next"),
    )
    assert made["contents"][1:] == [
        {
            "role": "model",
            "parts": [
                {"functionCall": {"name": "look", "args": {"n": 1}, "id": "a"}, "thoughtSignature": "s"},
                {"functionCall": {"name": "look", "args": {"n": 1}, "id": "b"}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "look", "response": {"output": "found"}, "id": "a"}},
                {"functionResponse": {"name": "look", "response": {"error": "no"}, "id": "b"}},
            ],
        },
        {"role": "user", "parts": [{"text": "next"}]},
    ]


def test_a_call_that_another_provider_made_goes_without_its_id_and_with_the_stand_in():
    messages = [HI, assistant(call("toolu_1"), call("toolu_2")), tool_message(result("toolu_1"), result("toolu_2"))]
    first, second = body(*messages)["contents"][1]["parts"]
    assert first == {"functionCall": {"name": "look", "args": {"n": 1}}, "thoughtSignature": STAND_IN}
    assert second == {"functionCall": {"name": "look", "args": {"n": 1}}}
    # Models that know no signatures are not shown one that is none.
    old = msgspec.json.decode(sent(*messages, model="gemini-2.5-flash").body)
    assert "thoughtSignature" not in old["contents"][1]["parts"][0]


def test_signatures_go_back_in_their_places_and_only_to_their_owner():
    answer = assistant(
        ReasoningPart("hm"),
        ReasoningPart("well", provider_metadata=own(thoughtSignature="s1")),
        TextPart("a"),
        TextPart("b", own(thoughtSignature="s2")),
        ReasoningPart("", provider_metadata=own(thoughtSignature="s3", thought=False)),
        ReasoningPart("x", provider_metadata={"anthropic": {"signature": "s4"}}),
        ReasoningPart("", redacted=True),
    )
    assert body(HI, answer, user("next"))["contents"][1]["parts"] == [
        {"text": "well", "thought": True, "thoughtSignature": "s1"},
        {"text": "a"},
        {"text": "b", "thoughtSignature": "s2"},
        {"text": "", "thoughtSignature": "s3"},
    ]
    elsewhere = body(HI, answer, user("next"), name="vertex")["contents"][1]["parts"]
    assert elsewhere == [{"text": "a"}, {"text": "b"}]


def test_what_google_did_by_itself_goes_back_as_it_came():
    code = {"executableCode": {"code": "print(1)", "language": "PYTHON"}, "thoughtSignature": "s"}
    output = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}
    answer = assistant(
        ToolCallPart("code_execution", {}, "c", server_executed=True, provider_metadata=own(part=code)),
        ToolResultPart("code_execution", "1", "c", server_executed=True, provider_metadata=own(part=output)),
        "one",
    )
    assert body(HI, answer, user("next"))["contents"][1]["parts"] == [code, output, {"text": "one"}]
    assert body(HI, answer, user("next"), name="other")["contents"][1]["parts"] == [{"text": "one"}]


def test_a_conversation_that_a_model_begins_or_ends_gets_a_user_around_it():
    contents = body(assistant("welcome"))["contents"]
    assert [content["role"] for content in contents] == ["user", "model", "user"]


def test_files_go_as_bytes_and_texts_as_themselves():
    png, wav = b"\x89PNG\r\n\x1a\n", b"RIFF\x24\0\0\0WAVEfmt "
    parts = body(
        user(
            "see",
            Attachment(type="image/png", content=png),
            Attachment(type="application/pdf", content=b"%PDF-"),
            Attachment(content=wav),
            Attachment(type="audio/mpeg", content=b"ID3"),
            Attachment(type="text/plain", content="Grüße".encode()),
            Attachment(type="text/plain", content=b""),
        )
    )["contents"][0]["parts"]
    assert [part["inlineData"]["mimeType"] for part in parts if "inlineData" in part] == [
        "image/png",
        "application/pdf",
        "audio/wav",
        "audio/mp3",
    ]
    assert base64.b64decode(parts[1]["inlineData"]["data"]) == png
    assert [part["text"] for part in parts if "text" in part] == ["see", "Grüße", " "]
    with pytest.raises(ModelError, match="bytes of an attachment"):
        body(user(Attachment(type="image/png", url="https://example.com/a.png")))
    assert body(user("x", AttachmentPart(None)))["contents"][0]["parts"] == [{"text": "x"}]


def test_tools_are_declared_in_full_json_schema():
    made = body(tools=[LOOK, ToolSpec("now", None, {})])
    assert made["tools"] == [
        {
            "functionDeclarations": [
                {"name": "look", "description": "Looks.", "parametersJsonSchema": LOOK.input_schema},
                {"name": "now", "parametersJsonSchema": {"type": "object", "properties": {}}},
            ]
        }
    ]
    assert "toolConfig" not in made


def test_tools_of_googles_stand_beside_ours():
    made = body(tools=[LOOK], server_tools=[{"googleMaps": {}}], options={"google_search": True, "url_context": False})
    assert made["tools"][1:] == [{"googleMaps": {}}, {"googleSearch": {}}]
    assert made["toolConfig"] == {"includeServerSideToolInvocations": True}
    assert "toolConfig" not in body(options={"code_execution": True})
    with pytest.raises(ModelError, match="as a dict"):
        body(server_tools=["google_search"])


def test_a_schema_goes_as_json_schema():
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    assert config(schema=schema) == {
        "responseMimeType": "application/json",
        "responseJsonSchema": schema,
        "thinkingConfig": {"includeThoughts": True},
    }
    assert config(schema=schema, tools=[LOOK])["responseJsonSchema"] == schema
    assert config(options={"json_object": True})["responseMimeType"] == "application/json"


def test_a_model_that_takes_no_schema_beside_tools_is_told_of_it():
    made = body(system("be short"), HI, model="gemini-2.5-flash", schema={"type": "object"}, tools=[LOOK])
    assert "responseMimeType" not in made["generationConfig"]
    assert made["systemInstruction"]["parts"][0]["text"] == (
        'be short\n\nAnswer with nothing but JSON that this JSON schema allows:\n{"type": "object"}'
    )


@pytest.mark.parametrize(
    ("model", "thinks"),
    [
        ("gemini-3.8-flash", True),
        ("gemini-4-argon", True),
        ("gemini-2.5-pro", True),
        ("gemini-flash-latest", True),
        ("models/gemini-3.5-flash-lite", True),
        ("gemini-2.0-flash", False),
        ("gemini-2.5-flash-image", False),
        ("gemma-4-31b-it", False),
        ("mine", False),
    ],
)
def test_thoughts_are_asked_for_where_a_model_has_them_and_they_are_not_hidden(model, thinks):
    assert ("thinkingConfig" in config(model=model)) == thinks
    assert "thinkingConfig" not in config(model=model, hide_reasoning=True)


def test_thinking_has_a_budget_or_a_level():
    assert config(options={"thinking_level": "low"})["thinkingConfig"] == {
        "thinkingLevel": "LOW",
        "includeThoughts": True,
    }
    assert config(options={"thinking_budget": 0})["thinkingConfig"] == {"thinkingBudget": 0}
    hidden = config(options={"thinking_budget": 9}, hide_reasoning=True)
    assert hidden["thinkingConfig"] == {"thinkingBudget": 9}


def test_options_have_the_names_of_the_wire():
    options = {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 4,
        "seed": 7,
        "frequency_penalty": 0.1,
        "presence_penalty": -0.1,
        "max_tokens": 9,
        "stop": "END",
        "media_resolution": "low",
        "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "cached_content": "cachedContents/x",
        "service_tier": "flex",
    }
    made = body(model="gemini-2.0-flash", options=options)
    assert made["generationConfig"] == {
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 4,
        "frequencyPenalty": 0.1,
        "presencePenalty": -0.1,
        "seed": 7,
        "maxOutputTokens": 9,
        "stopSequences": ["END"],
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
    }
    assert made["safetySettings"] == options["safety_settings"]
    assert (made["cachedContent"], made["serviceTier"]) == ("cachedContents/x", "flex")
    assert set(options) < set(GeminiOptions.__struct_fields__)
    assert config(options={"max_output_tokens": 5, "stop": ["a", "b"]})["stopSequences"] == ["a", "b"]


def test_extra_fields_are_merged_last_and_none_takes_one_out():
    made = body(options={"temperature": 1}, extra={"generationConfig": {"topK": 1}, "safetySettings": None})
    assert made["generationConfig"] == {"topK": 1}


def test_a_tool_result_of_an_assistants_own_message_comes_behind_its_call():
    made = body(HI, Message("assistant", [call(), result(), TextPart("so")]), tool_message())
    assert [content["role"] for content in made["contents"]][:2] == ["user", "model"]
