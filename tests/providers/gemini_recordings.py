"""Answers of Gemini as it sends them, each with what it must come to; the source beside each, where no other is said
https://ai.google.dev/api/generate-content."""

from collections.abc import Iterable
from typing import Any

import msgspec

from llm_actors.errors import (
    ContentFilterError,
    InvalidRequestError,
    ModelError,
    OverloadedError,
    ProtocolError,
    RateLimitError,
    ServerError,
)
from llm_actors.messages import Message, ModelRequest, StopReason, user
from llm_actors.providers.gemini import Gemini

from .feeding import JSON, SSE, Outcome

WEATHER = {"city": "Zürich", "unit": "°C"}
REQUEST = ModelRequest("gemini-3.8-flash", [user("hi")], request_id="r1")
END = {"finishReason": "STOP"}
COUNTS = {
    "promptTokenCount": 9,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 12,
    "thoughtsTokenCount": 5,
    "totalTokenCount": 26,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}],
}


class Recording(msgspec.Struct, frozen=True):
    """An answer. A cut before the event that holds `proof` has ended must be an error, as the terminal fact has not come."""

    name: str
    body: bytes
    headers: dict[str, str] = msgspec.field(default_factory=lambda: SSE)
    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, dict[str, Any]]] = []
    stop_reason: StopReason | None = "stop"
    error: type[ModelError] | None = None
    proof: bytes = b'"finishReason"'

    def proof_ends(self) -> int:
        """Where the JSON of the event with the terminal fact ends; all of the body if it has none."""
        at = self.body.find(self.proof)
        if at < 0 or self.body[:1] in b"[{ \r":
            return len(self.body.rstrip())
        ends = [end for end in (self.body.find(b"\n", at), self.body.find(b"\r", at)) if end >= 0]
        return min(ends, default=len(self.body))


def said(*parts: Any, **more: Any) -> dict[str, Any]:
    """An event whose one candidate has these parts; `finishReason` and the like by keyword."""
    own: dict[str, Any] = {name: more.pop(name) for name in ("usageMetadata", "promptFeedback") if name in more}
    content: Any = {"role": "model", "parts": list(parts)}
    return {
        "candidates": [{"content": content, "index": 0, **more}],
        **own,
        "modelVersion": "gemini-3.8-flash",
        "responseId": "TPfBaZ",
    }


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"text": words, **more}


def call(
    name: str | None, args: dict[str, Any] | None = None, call_id: str | None = None, **more: Any
) -> dict[str, Any]:
    fields = {"name": name, "args": args, "id": call_id}
    return {"functionCall": {key: value for key, value in fields.items() if value is not None}, **more}


def stream(*events: Any, end: bytes = b"\r\n\r\n") -> bytes:
    """Gemini ends its lines with CRLF."""
    return b"".join([b"data: " + msgspec.json.encode(event) + end for event in events])


def decode(
    pieces: Iterable[bytes],
    headers: dict[str, str] | None = None,
    *,
    name: str = "gemini",
    request: ModelRequest = REQUEST,
    max_event: int = 2**20,
    max_answer: int = 2**22,
) -> Outcome:
    """Plays the pump: feeds until the decoder is finished, then the tail, then closes. Anything but a ModelError comes through."""
    decoder = Gemini(name).decoder(
        request, SSE if headers is None else headers, max_event=max_event, max_answer=max_answer
    )
    outcome = Outcome(items=[])
    try:
        for piece in pieces:
            outcome.items += decoder.feed(piece)
            if decoder.finished:
                break
        outcome.items += decoder.tail()
        outcome.result = decoder.close()
    except ModelError as error:
        outcome.error = error
    return outcome


def messages_of(outcome: Outcome) -> list[Message]:
    """The messages of an answer that came."""
    assert outcome.error is None, outcome.error
    assert outcome.result is not None
    assert outcome.result.messages is not None
    return outcome.result.messages


HELLO = "Hello wörld \u2028 👋🏽!"
PLAIN = stream(
    said(text("Hello")), said(text(" wörld \u2028 👋🏽")), said(text("!"), **END, usageMetadata=COUNTS), end=b"\n\n"
)
BLOCKED = {
    "promptFeedback": {
        "blockReason": "PROHIBITED_CONTENT",
        "safetyRatings": [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH"}],
    },
    "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9},
}
QUOTA = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota. Please retry in 45.837906927s.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "45s"}],
    }
}

RECORDINGS = [
    Recording("plain", PLAIN, text=HELLO),
    Recording("crlf, as it comes", PLAIN.replace(b"\n", b"\r\n"), text=HELLO),
    Recording("cr", PLAIN.replace(b"\n", b"\r"), text=HELLO),
    Recording("bom", b"\xef\xbb\xbf" + PLAIN, text=HELLO),
    Recording(
        "comments",
        b": OPENROUTER PROCESSING\n\n" + PLAIN.replace(b"}\n\n", b"}\n\n: ping\n\ndata: : keepalive\n\ndata:\n\n", 1),
        text=HELLO,
    ),
    Recording("no blank line at the end", PLAIN[:-2], text=HELLO),
    Recording("the counts behind the end", stream(said(text("Hi"), **END), {"usageMetadata": COUNTS}), text="Hi"),
    Recording("a nameless end marker of a gateway", stream(said(text("Hi"), **END)) + b"data: [DONE]\n\n", text="Hi"),
    Recording(  # https://ai.google.dev/gemini-api/docs/thinking
        "thoughts",
        stream(
            said(text("Hm", thought=True)),
            said(text(", well", thought=True)),
            said(text("Yes")),
            said(text("", thoughtSignature="c2ln"), **END, usageMetadata=COUNTS),
        ),
        text="Yes",
        reasoning="Hm, well",
    ),
    Recording(  # https://ai.google.dev/gemini-api/docs/thought-signatures: parallel calls, the first is signed
        "parallel calls over two events",
        stream(
            said(call("weather", WEATHER, "fc_1", thoughtSignature="c2ln")),
            said(call("time", {}, "fc_2")),
            said(**END, usageMetadata=COUNTS),
        ),
        calls=[("weather", WEATHER), ("time", {})],
        stop_reason="tool_calls",
    ),
    Recording(
        "calls without ids",  # Gemini 2.5
        stream(said(call("weather", WEATHER), call("weather", WEATHER), **END)),
        calls=[("weather", WEATHER), ("weather", WEATHER)],
        stop_reason="tool_calls",
    ),
    Recording(  # smallmain/vscode-unify-chat-provider#48
        "a name, then its arguments in a part without",
        stream(said(call("weather", {})), said(call(None, WEATHER)), said(call("time")), said(**END)),
        calls=[("weather", WEATHER), ("time", {})],
        stop_reason="tool_calls",
    ),
    Recording(  # https://ai.google.dev/gemini-api/docs/code-execution
        "google's own tools",
        stream(
            said(text("So: "), {"executableCode": {"language": "PYTHON", "code": "print(1)"}}),
            said({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}}, text("one")),
            said({"toolCall": {"id": "tc1", "toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": ["x"]}}}),
            said({"toolResponse": {"id": "tc1", "toolType": "GOOGLE_SEARCH_WEB", "response": {"hits": 1}}}),
            said(text("!"), **END, groundingMetadata={"webSearchQueries": ["x"]}),
        ),
        text="So: one!",
    ),
    Recording(  # an image, and a part that nobody knows yet
        "other parts",
        stream(
            said(text("A"), {"inlineData": {"mimeType": "image/png", "data": "eA=="}}, {"hologram": {"x": 1}}, **END)
        ),
        text="A",
    ),
    Recording("length", stream(said(text("Hel"), finishReason="MAX_TOKENS")), text="Hel", stop_reason="length"),
    Recording(
        "safety", stream(said(text("Hel")), said(finishReason="SAFETY")), text="Hel", stop_reason="content_filter"
    ),
    Recording("recitation", stream(said(finishReason="RECITATION")), stop_reason="content_filter"),
    Recording("a reason of tomorrow", stream(said(text("x"), finishReason="BORED")), text="x", stop_reason="other"),
    Recording(  # BerriAI/litellm#24442, pydantic/pydantic-ai#2631: nothing was said, by a model that stopped by itself
        "empty",
        stream({"candidates": [{"finishReason": "STOP", "index": 0}], "usageMetadata": {"promptTokenCount": 3}}),
        stop_reason="other",
    ),
    Recording("a blocked prompt", stream(BLOCKED), stop_reason=None, error=ContentFilterError, proof=b'"blockReason"'),
    Recording(  # google.genai.types.FinishReason
        "a call that can't be read",
        stream(
            said(text("So")), said(finishReason="MALFORMED_FUNCTION_CALL", finishMessage="Malformed function call: x(")
        ),
        text="So",
        stop_reason=None,
        error=ServerError,
    ),
    Recording(
        "a history without its signature",
        stream(said(finishReason="MISSING_THOUGHT_SIGNATURE")),
        stop_reason=None,
        error=InvalidRequestError,
    ),
    Recording(
        "error in the middle",
        stream(
            said(text("Hel")),
            {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}},
        ),
        text="Hel",
        stop_reason=None,
        error=OverloadedError,
        proof=b'"error"',
    ),
    Recording("error in place of a stream", msgspec.json.encode([QUOTA]), JSON, stop_reason=None, error=RateLimitError),
    Recording(
        "partial arguments that nobody asked for",
        stream(said({"functionCall": {"name": "f", "partialArgs": [{"jsonPath": "$.a", "stringValue": "x"}]}})),
        stop_reason=None,
        error=ProtocolError,
        proof=b"partialArgs",
    ),
    Recording("whole", msgspec.json.encode(said(text(HELLO), **END, usageMetadata=COUNTS)), JSON, text=HELLO),
    Recording(
        "a stream without alt=sse",
        b"["
        + b",\r\n".join([msgspec.json.encode(each) for each in (said(text("Hel")), said(text("lo"), **END))])
        + b"]",
        JSON,
        text="Hello",
    ),
]
