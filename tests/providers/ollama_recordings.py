"""Answers of Ollama, each with what it must come to.

The lines are those of the server's documentation (https://docs.ollama.com/api/chat, https://docs.ollama.com/api/errors) and of its source
(ollama/ollama, api/types.go: ChatResponse, Metrics).
"""

from typing import Any

import msgspec

from llm_actors.errors import AuthenticationError, ServerError
from llm_actors.providers.ollama import Ollama

from .feeding import JSON
from .wire_recording import WireRecording

OLLAMA = Ollama()
LINES = {"content-type": "application/x-ndjson"}
HELLO = "Hello wörld \u2028 👋🏽!"
WEATHER = {"city": "Zürich", "unit": "°C"}
METRICS = {
    "total_duration": 4883583458,
    "load_duration": 1334875,
    "prompt_eval_count": 26,
    "prompt_eval_duration": 342546000,
    "eval_count": 282,
    "eval_duration": 4535599000,
}


def line(content: str = "", *, done: bool = False, top: Any = None, **message: Any) -> bytes:
    """A piece of an answer."""
    plain = {
        "model": "qwen3:8b",
        "created_at": "2026-08-04T08:52:19.385406455-07:00",
        "message": {"role": "assistant", "content": content, **message},
        "done": done,
    }
    return msgspec.json.encode({**plain, **(top or {})}) + b"\n"


def end(reason: str | None = "stop", **more: Any) -> bytes:
    """The last line."""
    return line(done=True, top={**({"done_reason": reason} if reason else {}), **METRICS, **more})


def called(*calls: tuple[str, Any], ids: bool = True) -> bytes:
    made = [
        {**({"id": f"call_{index}"} if ids else {}), "function": {"index": index, "name": name, "arguments": arguments}}
        for index, (name, arguments) in enumerate(calls)
    ]
    return line(tool_calls=made)


PLAIN = line("Hello") + line(" wörld \u2028 👋🏽") + line("!") + end()
THINKING = line(thinking="Hm") + line(thinking=", well") + called(("weather", WEATHER), ("now", {})) + end()
WHOLE = line(HELLO, thinking="Hm", done=True, top={"done_reason": "stop", **METRICS}).strip()
PROOF = b'"done":true'
_SAID: dict[str, Any] = {"text": HELLO, "headers": LINES, "provider": OLLAMA, "proof": PROOF}
_CALLED: dict[str, Any] = {
    "reasoning": "Hm, well",
    "calls": [("weather", WEATHER), ("now", {})],
    "stop_reason": "tool_calls",
    "headers": LINES,
    "provider": OLLAMA,
    "proof": PROOF,
}

RECORDINGS = [
    WireRecording("plain", PLAIN, **_SAID),
    WireRecording("crlf", PLAIN.replace(b"\n", b"\r\n"), **_SAID),
    WireRecording("cr", PLAIN.replace(b"\n", b"\r"), **_SAID),
    WireRecording("bom and blank lines", b"\xef\xbb\xbf\n" + PLAIN.replace(b"\n", b"\n\n \n"), **_SAID),
    WireRecording("no line end at the end", PLAIN[:-1], **_SAID),
    WireRecording("thinking and parallel calls", THINKING, **_CALLED),
    WireRecording(
        "calls without ids, and arguments as text",
        line(thinking="Hm, well")
        + called(("weather", '{"city":"Zürich","unit":"°C"}'), ids=False)
        + called(("now", None), ids=False)
        + end(None),
        **_CALLED,
    ),
    WireRecording(
        "calls in the last line",
        line(thinking="Hm, well")
        + line(
            done=True,
            top={"done_reason": "stop"},
            tool_calls=[{"function": {"name": "weather", "arguments": WEATHER}}, {"function": {"name": "now"}}],
        ),
        **_CALLED,
    ),
    WireRecording(
        "length",
        line("So") + end("length"),
        text="So",
        stop_reason="length",
        headers=LINES,
        provider=OLLAMA,
        proof=PROOF,
    ),
    WireRecording(
        "all of the prompt from the cache",
        line("Hi") + end(prompt_eval_count=None),
        text="Hi",
        headers=LINES,
        provider=OLLAMA,
        proof=PROOF,
    ),
    WireRecording(
        "a model that was only loaded", end("load"), stop_reason="other", headers=LINES, provider=OLLAMA, proof=PROOF
    ),
    WireRecording(
        "an error in the middle",
        line("Hel") + b'{"error":"an error was encountered while running the model"}\n',
        text="Hel",
        error=ServerError,
        headers=LINES,
        provider=OLLAMA,
        proof=b"never",
    ),
    WireRecording(
        "an error at once",
        b'{"error":{"message":"no","code":401}}\n',
        error=AuthenticationError,
        headers=LINES,
        provider=OLLAMA,
        proof=b"never",
    ),
    WireRecording("whole", WHOLE, headers=JSON, text=HELLO, reasoning="Hm", provider=OLLAMA, proof=b"never"),
    WireRecording("a stream under the name of JSON", PLAIN, text=HELLO, headers=JSON, provider=OLLAMA, proof=PROOF),
    WireRecording("a stream under no name", PLAIN, text=HELLO, headers={}, provider=OLLAMA, proof=PROOF),
]
