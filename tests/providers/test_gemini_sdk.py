"""Google's own SDK and our codec, for the same conversation: their bodies, field by field, and the SDK against our server.

Needs the extra `sdk`. The differences that are left, each with its reason, are those in `_as_ours`; and since its 3.0
(2026-11) the SDK asks for the version v1 unless told otherwise, which lacks models that v1beta has: the base URL says v1beta here.
"""

import base64
import json
import warnings

import msgspec
import pytest

from llm_actors.messages import (
    Attachment,
    ModelRequest,
    ReasoningPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    assistant,
    system,
    tool_message,
    user,
)
from llm_actors.providers.gemini import Gemini
from llm_actors.testing import ScriptedServer, wire_gemini

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of packages that the SDK stands on
    genai = pytest.importorskip("google.genai", reason="needs the extra `sdk`")
    from google.genai import types

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
PNG = b"\x89PNG\r\n\x1a\n"
SIGNATURE = base64.b64encode(b"signature").decode()
MODEL = "gemini-3.8-flash"

CONTENTS = [
    types.Content(role="user", parts=[types.Part(text="see"), types.Part.from_bytes(data=PNG, mime_type="image/png")]),
    types.Content(
        role="model",
        parts=[
            types.Part(text="hm", thought=True, thought_signature=b"signature"),
            types.Part(text="let me"),
            types.Part(
                function_call=types.FunctionCall(name="look", args={"n": 1}, id="fc_1"), thought_signature=b"signature"
            ),
            types.Part(function_call=types.FunctionCall(name="look", args={"n": 2}, id="fc_2")),
        ],
    ),
    types.Content(
        role="user",
        parts=[
            types.Part(function_response=types.FunctionResponse(name="look", id="fc_1", response={"output": "found"})),
            types.Part(function_response=types.FunctionResponse(name="look", id="fc_2", response={"error": "no"})),
        ],
    ),
    types.Content(role="user", parts=[types.Part(text="next")]),
]
CONFIG = {
    "system_instruction": "be short",
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 4,
    "seed": 7,
    "frequency_penalty": 0.1,
    "presence_penalty": 0.2,
    "max_output_tokens": 99,
    "stop_sequences": ["END"],
    "media_resolution": "MEDIA_RESOLUTION_LOW",
    "response_mime_type": "application/json",
    "response_json_schema": SCHEMA,
    "thinking_config": {"include_thoughts": True, "thinking_level": "LOW"},
    "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "cached_content": "cachedContents/x",
    "service_tier": "flex",
    "tools": [
        {"function_declarations": [{"name": "look", "description": "Looks.", "parameters_json_schema": SCHEMA}]},
        {"google_search": {}},
    ],
    "tool_config": {"include_server_side_tool_invocations": True},
}
SIGNED = {"gemini": {"thoughtSignature": SIGNATURE}}
OURS = ModelRequest(
    MODEL,
    [
        system("be short"),
        user("see", Attachment(type="image/png", content=PNG)),
        assistant(
            ReasoningPart("hm", provider_metadata=SIGNED),
            "let me",
            ToolCallPart("look", {"n": 1}, "fc_1", provider_metadata={"gemini": {**SIGNED["gemini"], "id": True}}),
            ToolCallPart("look", {"n": 2}, "fc_2", provider_metadata={"gemini": {"id": True}}),
        ),
        tool_message(
            ToolResultPart("look", "found", "fc_1"), ToolResultPart("look", "no", "fc_2", exception="ValueError: no")
        ),
        user("next"),
    ],
    tools=[ToolSpec("look", "Looks.", SCHEMA)],
    schema=SCHEMA,
    options={
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 4,
        "seed": 7,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "max_output_tokens": 99,
        "stop": "END",
        "media_resolution": "low",
        "thinking_level": "low",
        "google_search": True,
        "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "cached_content": "cachedContents/x",
        "service_tier": "flex",
    },
)


@pytest.fixture(scope="module")
def server():
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def client(server):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = genai.Client(api_key="sk-theirs", http_options={"base_url": server.url, "api_version": "v1beta"})
    yield client
    client.close()


def _as_ours(body):
    """The SDK's body without what says the same in more words."""
    # The SDK writes some fields with underlines, others in camel case; protocol buffers take both.
    body = wire_gemini.in_camel_case(body)
    # The instruction is a content with a role, which the API does not read.
    body["systemInstruction"].pop("role", None)
    # The SDK moves the declarations behind Google's own tools; their order has no meaning.
    body["tools"].sort(key=lambda tool: "functionDeclarations" not in tool)
    return body


def test_the_bodies_agree_field_by_field(server, client):
    client.models.generate_content(model=MODEL, contents=CONTENTS, config=CONFIG)
    theirs = server.requests[-1]
    ours = Gemini().encode(msgspec.structs.replace(OURS, stream=False), {})
    assert theirs.path == f"/v1beta{ours.path}"
    assert theirs.headers["x-goog-api-key"] == "sk-theirs"
    assert _as_ours(json.loads(theirs.body)) == json.loads(ours.body)


def test_the_sdk_reads_what_our_server_writes_streamed_and_whole(server, client):
    whole = client.models.generate_content(model=MODEL, contents="hi")
    assert (whole.text, whole.usage_metadata.prompt_token_count) == ("echo: hi", 1)
    chunks = list(client.models.generate_content_stream(model=MODEL, contents="hi"))
    assert "".join(each.text for each in chunks) == "echo: hi"
    assert chunks[-1].candidates[0].finish_reason == "STOP"
    assert server.requests[-1].path == f"/v1beta{Gemini().encode(OURS, {}).path}"
    assert [model.name for model in client.models.list()] == [f"models/{name}" for name in wire_gemini.MODELS]
