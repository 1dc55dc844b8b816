"""Histories that a provider has refused, in reports of others. Each: its name, who refuses it, and what `repair()` has to make of it.

`REFUSED` are messages: nothing that a codec could do about them alone. `WRONG_BODIES` are what a careless codec would write of good ones.
"""

from typing import Any, NamedTuple

from llm_actors.messages import Message
from llm_actors.messages.parts import ReasoningPart, TextPart, ToolCallPart, ToolResultPart, assistant, user

from .gemini import STAND_IN

ALL = ("anthropic", "gemini", "ollama", "openai chat", "openai responses")
_OPEN = "This call has not been executed."


class Refused(NamedTuple):
    """`said`: role and text, or outputs, of each message that `repair()` gives."""

    name: str
    by: tuple[str, ...]
    messages: list[Message]
    said: list[tuple[str, str]]


def call(name: str | None, tool: str = "look") -> ToolCallPart:
    return ToolCallPart(tool, {"n": 1}, name)


def result(name: str | None, output: str = "found", tool: str = "look") -> ToolResultPart:
    return ToolResultPart(tool, output, name)


def tools(*parts: Any) -> Message:
    return Message("tool", [*parts])


HI, NEXT = user("hi"), user("next")

REFUSED = [
    # anthropics/claude-code#8612, OpenHands/OpenHands#7512: ended between the call and its result
    Refused(
        "a call without a result, cancelled before the next prompt",
        ALL,
        [HI, assistant("let me", call("a")), NEXT],
        [("user", "hi"), ("assistant", "let me"), ("tool", _OPEN), ("user", "next")],
    ),
    Refused(
        "two calls, one result: the sibling was cancelled",  # google-gemini/gemini-cli#3814
        ALL,
        [HI, assistant(call("a"), call("b")), tools(result("a")), NEXT],
        [("user", "hi"), ("assistant", ""), ("tool", f"found|{_OPEN}"), ("user", "next")],
    ),
    Refused(
        "a result without a call: the history was cut before it",  # anthropics/claude-code#18947, continuedev/continue#10092
        ALL,
        [tools(result("a")), NEXT],
        [("user", "next")],
    ),
    Refused(
        "a second result of one call",  # ducks/claux#40, HKUDS/nanobot#4444
        ALL,
        [HI, assistant(call("a")), tools(result("a"), result("a", "again")), NEXT],
        [("user", "hi"), ("assistant", ""), ("tool", "found"), ("user", "next")],
    ),
    Refused(
        "a result behind the next prompt",
        ALL,
        [HI, assistant(call("a")), NEXT, tools(result("a"))],
        [("user", "hi"), ("assistant", ""), ("tool", _OPEN), ("user", "next")],
    ),
    Refused(
        "text of the assistant between call and result",  # leookun/cursor-byok#307
        ("ollama", "openai chat"),  # for the others the two become one message
        [HI, assistant(call("a")), assistant("now"), tools(result("a")), NEXT],
        [("user", "hi"), ("assistant", ""), ("tool", _OPEN), ("assistant", "now"), ("user", "next")],
    ),
    Refused(
        "an id that comes again in a later turn",  # NousResearch/hermes-agent#111443, anthropics/claude-code#28515
        ("anthropic", "openai responses"),
        [HI, assistant(call("a")), tools(result("a")), assistant(call("a")), tools(result("a", "more")), NEXT],
        [("user", "hi"), ("assistant", ""), ("tool", "found"), ("assistant", ""), ("tool", "more"), ("user", "next")],
    ),
    Refused(
        "an id that comes twice in one answer",  # trycua/cua#524
        ("anthropic", "openai chat", "openai responses"),
        [HI, assistant(call("a"), call("a")), tools(result("a"), result("a", "more")), NEXT],
        [("user", "hi"), ("assistant", ""), ("tool", "found|more"), ("user", "next")],
    ),
    Refused(
        "results in another order than the calls",
        ("gemini", "ollama"),
        [HI, assistant(call("a"), call("b", "count")), tools(result("b", "2", "count"), result("a")), NEXT],
        [("user", "hi"), ("assistant", ""), ("tool", "found|2"), ("user", "next")],
    ),
    Refused(
        "a result under another name than its call",
        ("gemini", "ollama"),
        [HI, assistant(call("a")), tools(result("a", tool="look_up")), NEXT],
        [("user", "hi"), ("assistant", ""), ("tool", "found"), ("user", "next")],
    ),
    Refused(
        "a result in the assistant's own message: the model ran the tool",
        ("anthropic",),
        [HI, assistant(call("a"), result("a"), "so"), NEXT],
        [("user", "hi"), ("assistant", "so"), ("tool", "found"), ("user", "next")],
    ),
    Refused(
        "a result in a user's message without its call",
        ("anthropic", "gemini", "ollama", "openai chat", "openai responses"),
        [HI, assistant("yes"), user(result("a"), "next")],
        [("user", "hi"), ("assistant", "yes"), ("user", "next")],
    ),
    Refused(
        "a user's call",
        ("gemini",),
        [user("hi", call("a")), NEXT],
        [("user", "hi"), ("user", "next")],
    ),
    Refused(
        "nothing but an empty text",  # vercel/ai#3775
        ("anthropic", "gemini", "ollama", "openai chat", "openai responses"),
        [assistant("")],
        [],
    ),
]


def _anthropic(*messages: tuple[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {"system": None, "messages": [{"role": role, "content": content} for role, content in messages]}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _use(name: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": name, "name": "look", "input": {}}


def _done(name: str, *content: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": name, "content": [*content]}


def _gemini(*contents: tuple[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {"contents": [{"role": role, "parts": parts} for role, parts in contents]}


def _function(name: str, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": {}}, **more}


def _responded(name: str) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": {"output": "found"}}}


def _input(*items: dict[str, Any]) -> dict[str, Any]:
    return {"input": [*items]}


def _spoken(role: str, text: str = "hi") -> dict[str, Any]:
    side = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": side, "text": text}]}


def _called(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": name, "name": "look", "arguments": "{}", **more}


def _tool(**more: Any) -> dict[str, Any]:
    return {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, **more}


def _output(name: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": name, "output": ""}


_ASKED = ("user", [_text("hi")])
_SECRET = {"type": "redacted_thinking", "data": "x"}
_SIGNED = {"thoughtSignature": STAND_IN}
_HELLO = ("user", [{"text": "hi"}])
_FOUND = ("user", [_responded("look")])
_THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}

WRONG_BODIES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "anthropic": [
        ("at least one message", _anthropic()),
        ("first message must use", _anthropic(("assistant", [_text("hi")]), _ASKED)),
        ("no role 'system'", _anthropic(_ASKED, ("system", [_text("be short")]))),
        ("roles must alternate", _anthropic(_ASKED, _ASKED)),
        ("content must not be empty", _anthropic(_ASKED, ("assistant", []), _ASKED)),
        ("non-whitespace text", _anthropic(("user", [_text("\n")]))),  # anthropics/claude-code#23369
        ("non-whitespace text", _anthropic(_ASKED, ("assistant", [_use("a")]), ("user", [_done("a", _text(""))]))),
        ("cannot end with trailing", _anthropic(_ASKED, ("assistant", [_text("so ")]))),  # tailcallhq/forgecode#1872
        ("cannot be `thinking`", _anthropic(_ASKED, ("assistant", [{"type": "redacted_thinking", "data": "x"}]))),
        (
            "Invalid `signature`",  # pydantic/pydantic-ai#7601
            _anthropic(_ASKED, ("assistant", [{"type": "thinking", "thinking": "x", "signature": ""}, _text("so")])),
        ),
        ("should match", _anthropic(_ASKED, ("assistant", [_use("functions.look:0")]))),  # maximhq/bifrost#5097
        ("must come first", _anthropic(_ASKED, ("assistant", [_use("a")]), ("user", [_text("so"), _done("a")]))),
        ("immediately after", _anthropic(_ASKED, ("assistant", [_use("a"), _use("b")]), ("user", [_done("a")]))),
        ("only be in `user`", _anthropic(_ASKED, ("assistant", [_done("a")]))),
        ("only be in `assistant`", _anthropic(("user", [_use("a")]))),
        ("Extra inputs", {**_anthropic(_ASKED), "temperature": 1.0}),  # ttlequals0/MinusPod v2.101.10
        # platform.claude.com/docs/en/api/versioning, 2026-10-21
        ("citations are not", _anthropic(("user", [{**_text("hi"), "citations": [{"type": "char_location"}]}]))),
        ("`document` blocks", _anthropic(_ASKED, ("assistant", [{"type": "document"}]), _ASKED)),
        (
            "maximum of 4",
            _anthropic(("user", [{**_text("hi"), "cache_control": {"type": "ephemeral"}}] * 5)),
        ),  # Wei-Shaw/sub2api#176
        (
            "cannot have cache_control",
            _anthropic(
                _ASKED, ("assistant", [{**_SECRET, "cache_control": {"type": "ephemeral"}}, _text("so")]), _ASKED
            ),
        ),
        (
            "without a corresponding",  # searched, interrupted, asked something else
            _anthropic(_ASKED, ("assistant", [{"type": "server_tool_use", "id": "s", "name": "web_search"}]), _ASKED),
        ),
        (
            "must have a corresponding",  # anthropics/claude-code#95406
            _anthropic(_ASKED, ("assistant", [{"type": "web_search_tool_result", "tool_use_id": "s"}]), _ASKED),
        ),
    ],
    "gemini": [
        ("not specified", _gemini()),
        ("can't be the first", _gemini(("model", [{"text": "hi"}]), _HELLO)),  # NousResearch/hermes-agent#55427
        ("requests end with a user role", _gemini(_HELLO, ("model", [{"text": "hi"}]))),  # crewAIInc/crewAI#6973
        ("alternate", _gemini(_HELLO, _HELLO)),
        ("valid role", _gemini(("tool", [_responded("look")]))),
        ("must not be empty", _gemini(("user", []))),
        ("one initialized field", _gemini(("user", [{"text": ""}]))),  # router-for-me/CLIProxyAPI#1292
        ("missing a thought_signature", _gemini(_HELLO, ("model", [_function("look")]))),  # docker/docker-agent#851
        (
            "equal to the number",  # agentscope-ai/agentscope#2628: each response in a content of its own
            _gemini(
                _HELLO,
                ("model", [_function("look", **_SIGNED), _function("look")]),
                ("user", [_responded("look")]),
                ("user", [_responded("look")]),
            ),
        ),
        (
            "immediately after a user turn",  # google-gemini/gemini-cli#26486
            _gemini(_HELLO, ("model", [{"text": "so"}]), ("model", [_function("look", **_SIGNED)]), _FOUND),
        ),
        (
            "share their content",  # NousResearch/hermes-agent#68863
            _gemini(
                _HELLO, ("model", [_function("look", **_SIGNED)]), ("user", [_responded("look"), {"text": "next"}])
            ),
        ),
        ("response turn comes first", _gemini(("user", [_responded("look")]))),
        (
            "ids of calls and function responses differ",  # https://ai.google.dev/gemini-api/docs/function-calling
            _gemini(
                _HELLO,
                ("model", [{"functionCall": {"name": "look", "args": {}, "id": "fc_1"}, **_SIGNED}]),
                ("user", [_responded("look")]),
            ),
        ),
    ],
    "openai responses": [
        ("Missing required", _input()),
        ("No tool output found", _input(_spoken("user"), _called("a"))),
        ("No tool output found", _input(_called("a"), _spoken("user"), _output("a"))),
        ("No tool call found", _input(_spoken("user"), _output("a"))),
        ("No tool call found", _input(_called("a"), _output("a"), _output("a"))),  # NousResearch/hermes-agent#111443
        ("Duplicate 'call_id'", _input(_called("undefined"), _called("undefined"))),  # earendil-works/pi#9057
        ("1 to 64 characters", _input(_called("x" * 65))),  # experientiallabs/experiential#801
        ("begins with 'fc'", _input(_called("a", id="call_a"))),  # nodetool-ai/nodetool#4252
        ("following item", _input(_THOUGHT, _spoken("user"))),  # openai/openai-agents-python#1660
        ("Duplicate item", _input(_THOUGHT, _spoken("assistant"), _THOUGHT, _spoken("assistant"))),  # vercel/ai#7883
        ("not persisted", _input({**_THOUGHT, "encrypted_content": None}, _spoken("assistant"))),
        ("empty text", _input(_spoken("user", ""))),
        # jeremychone/rust-genai#119
        ("Supported values", _input({**_spoken("user"), "role": "assistant"}, _spoken("user"))),
        ("Supported values", _input({**_spoken("assistant"), "role": "user"})),
        ("needs its data", _input({**_spoken("user"), "content": [{"type": "input_file", "file_data": "data:x"}]})),
        (
            "Expected a valid URL",
            _input({**_spoken("user"), "content": [{"type": "input_image", "image_url": "eA=="}]}),
        ),
        ("left out, it is true", {**_input(_spoken("user")), "tools": [_tool()]}),
        ("of type 'object'", {**_input(_spoken("user")), "tools": [_tool(strict=False, parameters={"type": None})]}),
        ("text.format.name", {**_input(_spoken("user")), "text": {"format": {"type": "json_schema", "schema": {}}}}),
        ("not ours", {**_input(_spoken("user")), "store": True}),
    ],
    "ollama": [
        ("empty", {"messages": []}),
        ("invalid role", {"messages": [{"role": "developer", "content": "hi"}]}),
        ("content is no string", {"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
        ("nothing is said", {"messages": [{"role": "assistant", "content": ""}]}),
        ("a result of look", {"messages": [{"role": "tool", "tool_name": "look", "content": ""}]}),
        ("calls of a user", {"messages": [{"role": "user", "content": "", "tool_calls": [{"function": {}}]}]}),
        ("illegal base64", {"messages": [{"role": "user", "content": "", "images": ["data:image/png;base64,eA=="]}]}),
        ("does not know", {"messages": [{"role": "user", "content": "hi", "name": "me"}]}),
        ("array of strings", {"messages": [{"role": "user", "content": "hi"}], "options": {"stop": "x"}}),
    ],
}

# What each codec mends alone: every provider takes these as they are.
MENDED = {
    "an assistant begins": [assistant("welcome"), NEXT],
    "two prompts in a row: the turn between was withdrawn": [HI, NEXT],
    "two answers in a row": [HI, assistant("a"), assistant("b"), NEXT],
    "an answer with blanks at its end": [HI, assistant("so: \n"), NEXT],
    "blank texts": [HI, assistant(" \n", call("a")), tools(result("a", "")), user(" "), NEXT],
    "a system prompt that changes": [
        Message("system", [TextPart("long")]),
        HI,
        Message("system", [TextPart("short")]),
        NEXT,
    ],
    "ids of another provider": [HI, assistant(call("functions.look:0")), tools(result("functions.look:0")), NEXT],
    "a long id": [HI, assistant(call("x" * 200)), tools(result("x" * 200)), NEXT],
    "reasoning of another provider": [
        HI,
        assistant(ReasoningPart("hm", provider_metadata={"x": {"y": 1}}), "so"),
        NEXT,
    ],
    "reasoning alone: the answer was cut in it": [
        HI,
        assistant(
            ReasoningPart(
                "hm",
                provider_metadata={
                    "anthropic": {"signature": "s"},
                    "openai": {"id": "rs_1", "encrypted_content": "e"},
                },
            )
        ),
        NEXT,
    ],
    "files behind results": [HI, assistant(call("a")), tools(result("a")), user("see", "this"), NEXT],
}
