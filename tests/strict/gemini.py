"""Gemini's generateContent. The codec exists, so its own output is checked. What it does with ours:

- the system prompt in force (the last system message) goes to `systemInstruction`, the others are left out;
- an assistant's message becomes a content of role `model`, all its calls in it in order, with `thoughtSignature` where the part has one in
  `provider_metadata["gemini"]`; where the first call has none (another provider made it), the documented stand-in;
- a tool message becomes a content of role `user` with one `functionResponse` a call, in order, and nothing else: what is said next is a
  content of its own, even though it has the same role;
- other neighbours of the same role become one content;
- reasoning is left out unless it carries a signature; empty parts, and contents without a part, too;
- a conversation that a model begins gets a user content in front of it, one that a model ends gets one behind it.
"""

import re
from itertools import pairwise
from typing import Any

import msgspec

from llm_actors.messages import Attachment, Message, ModelRequest
from llm_actors.messages.parts import AttachmentPart
from llm_actors.providers.gemini import Gemini

from .refused import demand

Content = dict[str, Any]
STAND_IN = "skip_thought_signature_validator"
_FILE = Attachment(type="image/png", content=b"x")
# The fields of https://ai.google.dev/api/caching#Part that we write, or give back as they came.
_DATA = (
    "text",
    "functionCall",
    "functionResponse",
    "inlineData",
    "fileData",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
)


def body_of(messages: list[Message]) -> dict[str, Any]:
    """The body of a request with these messages."""
    # The histories of these tests have attachments of which nothing is known; codecs leave them out.
    known = [Message(m.role, [_known(part) for part in m.parts], m.provider_metadata) for m in messages]
    body = Gemini().encode(ModelRequest(model="gemini-3.8-flash", messages=known), {}).body
    decoded: dict[str, Any] = msgspec.json.decode(body)
    return decoded


def _known(part: Any) -> Any:
    if isinstance(part, AttachmentPart) and (part.attachment is None or part.attachment.content is None):
        return AttachmentPart(_FILE)
    return part


def _named(content: Content, kind: str) -> list[str]:
    return [part[kind]["name"] for part in content["parts"] if kind in part]


def check_body(body: dict[str, Any]) -> None:
    """Raises `Refused` with the rule that this body breaks."""
    contents = body["contents"]
    demand(contents, "contents is not specified")
    for place, content in enumerate(contents):
        _check_content(content, f"contents[{place}]")
    # NousResearch/hermes-agent#55427
    demand(contents[0]["role"] == "user", "contents[0]: a model's turn can't be the first")
    # songquanpeng/one-api#836, crewAIInc/crewAI#6973
    demand(
        contents[-1]["role"] == "user",
        "Please ensure that multiturn requests end with a user role or a function response",
    )
    demand(not _named(contents[0], "functionResponse"), "function response turn comes first")
    for before, content in pairwise(contents):
        _check_pair(before, content)


def _check_content(content: Content, place: str) -> None:
    role, parts = content["role"], content["parts"]
    demand(role in ("user", "model"), f"{place}: Please use a valid role: user, model; not {role!r}")
    demand(parts, f"{place}.parts: contents.parts must not be empty")  # vercel/ai#3775
    for part in parts:
        data = [name for name in _DATA if part.get(name)]
        # https://ai.google.dev/gemini-api/docs/thought-signatures: a signature may come on an empty text, and goes back so
        if not data and part.get("text") == "" and part.get("thoughtSignature"):
            continue
        # router-for-me/CLIProxyAPI#1292: an empty text counts as no data
        demand(len(data) == 1, f"{place}: required oneof field 'data' must have one initialized field: {part}")
        if data == ["functionCall"]:
            demand(role == "model", f"{place}: a function call must be a model's")
            demand(isinstance(part["functionCall"]["args"], dict), f"{place}: args must be an object")
        if data == ["functionResponse"]:
            demand(role == "user", f"{place}: a function response must be a user's")
            demand(isinstance(part["functionResponse"]["response"], dict), f"{place}: response must be an object")
    calls = [part for part in parts if "functionCall" in part]
    # wire notes section 5 (docker/docker-agent#851): the first call of a batch has the signature
    demand(not calls or calls[0].get("thoughtSignature"), f"{place}: Function call is missing a thought_signature")
    responses = _named(content, "functionResponse")
    # NousResearch/hermes-agent#68863: a prompt in one content with function responses is not answered
    demand(len(responses) in (0, len(parts)), f"{place}: function responses share their content with something else")


_ROOT_FIELDS = {
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "generationConfig",
    "safetySettings",
    "cachedContent",
    "serviceTier",
}


def check_request(body: dict[str, Any]) -> None:
    """The rules for the rest of a request, beside those for its contents. Raises `Refused`."""
    check_body(body)
    unknown = body.keys() - _ROOT_FIELDS
    demand(not unknown, f"Invalid JSON payload received. Unknown name: {unknown}")
    system = body.get("systemInstruction")
    demand(system is None or all(part.get("text") for part in system["parts"]), "systemInstruction holds text only")
    config = body.get("generationConfig") or {}
    # https://ai.google.dev/api/generate-content#GenerationConfig
    demand(
        "responseJsonSchema" not in config or config.get("responseMimeType") == "application/json",
        "responseJsonSchema needs the responseMimeType application/json",
    )
    names = [tool["name"] for group in body.get("tools") or [] for tool in group.get("functionDeclarations") or []]
    # https://ai.google.dev/api/caching#FunctionDeclaration
    for name in names:
        demand(re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}", name), f"Invalid function name: {name}")
    demand(len(names) == len(set(names)), "Duplicate function declaration found")


def _check_pair(before: Content, content: Content) -> None:
    calls, responses = _named(before, "functionCall"), _named(content, "functionResponse")
    # google-gemini/gemini-cli#3814, agentscope-ai/agentscope#2628; by name and in order: Gemini 2.5 knows no ids
    demand(
        calls == responses,
        "Please ensure that the number of function response parts is equal to the number of function call parts "
        f"of the function call turn: {calls}, {responses}",
    )
    # https://ai.google.dev/gemini-api/docs/function-calling: the matching id goes back with the response
    ids = [[part[kind].get("id") for part in turn["parts"] if kind in part] for turn, kind in _sides(before, content)]
    demand(ids[0] == ids[1], f"the ids of calls and function responses differ: {ids}")
    # google-gemini/gemini-cli#26486
    after = before["role"] == "user"
    demand(
        not _named(content, "functionCall") or after,
        "Please ensure that function call turn comes immediately after a user turn or after a function response turn",
    )
    prompt_behind_results = bool(_named(before, "functionResponse"))
    demand(
        before["role"] != content["role"] or prompt_behind_results,
        "Please ensure that multiturn requests alternate between user and model",
    )


def _sides(before: Content, content: Content) -> tuple[tuple[Content, str], tuple[Content, str]]:
    return (before, "functionCall"), (content, "functionResponse")


def check(messages: list[Message]) -> None:
    """Raises `Refused` with the rule that these messages break."""
    check_body(body_of(messages))
