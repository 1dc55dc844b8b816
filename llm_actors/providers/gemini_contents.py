"""The history as Gemini's contents.

    above it   gemini_request.py
    below it   messages

Gemini knows two roles, which take turns; all function calls of one answer are in one content, and all their responses in the next, in the
order of the calls and with nothing else beside them (NousResearch/hermes-agent#68863). Signatures go back where they came from
(https://ai.google.dev/gemini-api/docs/thought-signatures); a call that another provider made has none, and Gemini 3 refuses the first call
of a batch without, so it gets the stand-in that this page names.
"""

import base64
from typing import Any

from llm_actors.errors import ModelError
from llm_actors.messages import (
    Attachment,
    AttachmentPart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

STAND_IN = "skip_thought_signature_validator"
_BEGINS = "(the conversation begins)"
_GOES_ON = "(go on)"
_AUDIO = {"audio/mpeg": "audio/mp3", "audio/x-wav": "audio/wav", "audio/x-aiff": "audio/aiff"}

Content = dict[str, Any]


def system_of(messages: list[Message]) -> str:
    """The system prompt in force: the last one."""
    return next((message.text for message in reversed(messages) if message.role == "system" and message.text), "")


def contents_of(messages: list[Message], provider: str, *, sign: bool) -> list[Content]:
    """The contents. `sign`: the model wants signatures. Raises `ModelError` for an attachment that this wire can't carry."""
    writer = _Contents(provider)
    for message in messages:
        if message.role != "system":
            writer.add(message)
    contents = writer.contents
    if contents and contents[0]["role"] == "model":
        contents.insert(0, {"role": "user", "parts": [{"text": _BEGINS}]})
    if contents and contents[-1]["role"] == "model":
        contents.append({"role": "user", "parts": [{"text": _GOES_ON}]})
    if sign:
        for content in contents:
            first = next((part for part in content["parts"] if "functionCall" in part), None)
            if first is not None:
                first.setdefault("thoughtSignature", STAND_IN)
    return contents


class _Contents:
    """The contents so far; `add` the messages in order."""

    def __init__(self, provider: str) -> None:
        self.contents: list[Content] = []
        self._provider = provider
        self._with_id: set[str] = set()  # calls whose id was Gemini's: their results go back with it

    def add(self, message: Message) -> None:
        role = "model" if message.role == "assistant" else "user"
        results = [part for part in message.parts if isinstance(part, ToolResultPart) and not part.server_executed]
        responses = [self._response(part) for part in results]
        parts = [part for given in message.parts if given not in results and (part := self._part(given)) is not None]
        if role == "model":
            self._add(role, parts)
            self._add("user", responses)
        else:
            self._add("user", responses)
            self._add(role, parts)

    def _add(self, role: str, parts: list[dict[str, Any]]) -> None:
        """Joins a neighbour of the same role; function responses keep their content to themselves."""
        if not parts:
            return
        last = self.contents[-1] if self.contents else None
        alone = "functionResponse" in parts[0] or (last is not None and "functionResponse" in last["parts"][0])
        if last is not None and last["role"] == role and not alone:
            last["parts"] += parts
        else:
            self.contents.append({"role": role, "parts": parts})

    def _part(self, part: Any) -> dict[str, Any] | None:
        """One part; None for what has nothing to say here: empty texts, and what other providers keep for themselves."""
        own = (part.provider_metadata or {}).get(self._provider) or {}
        if "part" in own:
            raw: dict[str, Any] = own["part"]
            return raw
        signature = own.get("thoughtSignature")
        signed = {"thoughtSignature": signature} if signature else {}
        if isinstance(part, TextPart):
            return {"text": part.text, **signed} if part.text or signed else None
        if isinstance(part, ReasoningPart):
            thought = {"thought": True} if own.get("thought", True) else {}
            return {"text": part.text, **thought, **signed} if signed else None
        if isinstance(part, ToolCallPart) and not part.server_executed:
            return self._call(part, signed, with_id=bool(own.get("id")))
        if isinstance(part, AttachmentPart) and part.attachment is not None:
            return _attachment(part.attachment)
        return None

    def _call(self, part: ToolCallPart, signed: dict[str, Any], *, with_id: bool) -> dict[str, Any]:
        call: dict[str, Any] = {"name": part.name, "args": part.arguments}
        if with_id and part.tool_call_id:
            call["id"] = part.tool_call_id
            self._with_id.add(part.tool_call_id)
        return {"functionCall": call, **signed}

    def _response(self, part: ToolResultPart) -> dict[str, Any]:
        # `output` and `error` are the names the API knows: https://ai.google.dev/api/caching#FunctionResponse
        response: dict[str, Any] = {
            "name": part.name,
            "response": {"output" if part.exception is None else "error": part.output},
        }
        if part.tool_call_id in self._with_id:
            response["id"] = part.tool_call_id
        return {"functionResponse": response}


def _attachment(attachment: Attachment) -> dict[str, Any]:
    """A file as its bytes; a text as itself, which all models take."""
    kind = attachment.resolve_type()
    if attachment.content is None:
        msg = f"Gemini needs the bytes of an attachment of type {kind}, not only where it is"
        raise ModelError(msg)
    if kind.startswith("text/") or kind == "application/json":
        return {"text": attachment.content.decode("utf-8", "replace") or " "}
    data = base64.b64encode(attachment.content).decode("ascii")
    return {"inlineData": {"mimeType": _AUDIO.get(kind, kind), "data": data}}
