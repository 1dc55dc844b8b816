"""Anthropic's messages. The codec exists, so its own output is checked. What it does with ours:

- the system prompt in force (the last system message) goes to the top, the others are left out: no message has the role `system`;
- a tool message becomes a user message of `tool_result` blocks, in order, each with a text block only where there is text to show;
- blocks of blank text are left out, and messages that have no block left; a user's says "(blank)", so that no assistant has the last word;
- `thinking` goes back with its signature, `redacted_thinking` with its data, both from `provider_metadata["anthropic"]`; reasoning without
  them is left out, and reasoning behind which the message has nothing else;
- neighbours of the same role become one message: users after a withdrawn turn, the next prompt behind tool results, two answers in a row;
- a conversation that an assistant begins gets a user message in front of it;
- where an assistant's message ends the request (models up to 4.5 go on from it, later ones refuse), the blanks at its end are cut off;
- ids of calls, and of their results alike, get the letters that are allowed.
"""

import re
from typing import Any

import msgspec

from llm_actors.messages import Attachment, Message, ModelRequest
from llm_actors.messages.parts import AttachmentPart
from llm_actors.providers.anthropic import Anthropic

from .refused import demand

Block = dict[str, Any]
_FILE = Attachment(type="image/png", content=b"x")
_MARKS = 4
_REMOVED = ("temperature", "top_p", "top_k")


def body_of(messages: list[Message]) -> dict[str, Any]:
    """The body of a request with these messages."""
    # The histories of these tests have attachments of which nothing is known; codecs leave them out.
    known = [Message(m.role, [_known(part) for part in m.parts], m.provider_metadata) for m in messages]
    body = Anthropic().encode(ModelRequest(model="m", messages=known, request_id="r"), {}).body
    decoded: dict[str, Any] = msgspec.json.decode(body)
    return decoded


def _known(part: Any) -> Any:
    return AttachmentPart(_FILE) if isinstance(part, AttachmentPart) and part.attachment is None else part


def check_body(body: dict[str, Any]) -> None:
    """Raises `Refused` with the rule that this body breaks."""
    messages = body["messages"]
    demand(messages, "messages: at least one message is required")
    demand(messages[0]["role"] == "user", 'messages: first message must use the "user" role')
    waiting: list[str] = []
    used: set[str] = set()
    for place, message in enumerate(messages):
        role, content = message["role"], message["content"]
        demand(role in ("user", "assistant"), f"messages.{place}: no role {role!r}; a system prompt stands at the top")
        # wire notes 7.5; the API's reference: "consecutive turns of the same role are combined", which older compatibles do not do
        demand(not place or messages[place - 1]["role"] != role, f"messages.{place}: roles must alternate")
        demand(content, f"messages.{place}: content must not be empty")
        for block in content:
            _check_block(block, role, f"messages.{place}")
        _check_results(waiting, content, place)
        _check_server_calls(messages, place)
        waiting = [block["id"] for block in content if block["type"] == "tool_use"]
        for name in waiting:  # across the whole request: anthropics/claude-code#28515, HKUDS/nanobot#4444
            demand(name not in used, f"messages.{place}: `tool_use` ids must be unique ({name})")
            used.add(name)
    # wire notes section 4: a dangling tool_use is a 400
    demand(not waiting, f"`tool_use` ids were found without `tool_result` blocks immediately after: {waiting}")
    _check_end(messages[-1])
    _check_marks(body)
    # platform.claude.com/docs/en/api/versioning, 2026-10-21 (ttlequals0/MinusPod v2.101.10)
    for name in _REMOVED:
        demand(name not in body, f"{name}: Extra inputs are not permitted")


def _check_server_calls(messages: list[dict[str, Any]], place: int) -> None:
    """A call that the provider was to run has its result, unless it may still come: with the request's answer.

    See platform.claude.com/docs/en/build-with-claude/handling-stop-reasons: of a paused turn, and beside calls of our tools. And the other
    way round (anthropics/claude-code#95406).
    """
    called = {
        b["id"] for m in messages[: place + 1] for b in m["content"] if b["type"] in ("server_tool_use", "mcp_tool_use")
    }
    for block in messages[place]["content"]:
        if block["type"].endswith("_tool_result"):
            rule = f"messages.{place}: each `{block['type']}` block must have a corresponding `server_tool_use` block before it"
            demand(block["tool_use_id"] in called, rule)
    answered = {block.get("tool_use_id") for message in messages for block in message["content"]}
    behind = [
        block["type"] for message in messages[place + 1 :] for block in message["content"] if message["role"] == "user"
    ]
    for block in messages[place]["content"]:
        if block["type"] == "server_tool_use" and set(behind) - {"tool_result"}:
            demand(
                block["id"] in answered,
                f"messages.{place}: `{block['name']}` tool use without a corresponding result block",
            )


def _check_marks(body: dict[str, Any]) -> None:
    """See platform.claude.com/docs/en/build-with-claude/prompt-caching: at most four, and none on thinking or an empty text."""
    system = body.get("system")
    blocks = [*(body.get("tools") or ()), *(system if isinstance(system, list) else ())]
    for message in body["messages"]:
        for block in message["content"]:
            blocks += [block, *(block["content"] if block["type"] == "tool_result" else ())]
    marked = [block for block in blocks if block.get("cache_control")]
    demand(len(marked) <= _MARKS, f"A maximum of 4 blocks with cache_control may be provided. Found {len(marked)}.")
    for block in marked:
        demand(not block.get("type", "").endswith("thinking"), "thinking blocks cannot have cache_control")


def _check_block(block: Block, role: str, place: str) -> None:
    kind = block["type"]
    if kind == "text":  # home-assistant/core#175637: empty or of whitespace only
        demand(block["text"].strip(), f"{place}: text content blocks must contain non-whitespace text")
        cited = role == "user" and block.get("citations")  # platform.claude.com/docs/en/api/versioning, 2026-10-21
        demand(not cited, f"{place}: citations are not permitted in `user` messages")
    elif kind in ("document", "image"):  # the same; an image: its own rule, from the first version on
        demand(role == "user", f"{place}: `{kind}` blocks can only be in `user` messages")
    elif kind == "tool_use":
        demand(role == "assistant", f"{place}: `tool_use` blocks can only be in `assistant` messages")
        # langchain-ai/langchain#37756, maximhq/bifrost#5097
        demand(re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]), f"{place}: tool_use.id should match '^[a-zA-Z0-9_-]+$'")
        demand(isinstance(block["input"], dict), f"{place}: tool_use.input should be an object")
        demand(re.fullmatch(r"[a-zA-Z0-9_-]{1,200}", block["name"]), f"{place}: tool_use.name should match its pattern")
    elif kind == "tool_result":
        demand(role == "user", f"{place}: `tool_result` blocks can only be in `user` messages")
        for part in block["content"]:
            _check_block(part, role, place)
    elif kind.endswith("thinking"):
        demand(role == "assistant", f"{place}: thinking can only be in `assistant` messages")
        # wire notes section 4: never an empty signature (pydantic/pydantic-ai#7601)
        demand(block.get("signature") or block.get("data"), f"{place}: Invalid `signature` in `thinking` block")


def _check_results(waiting: list[str], content: list[Block], place: int) -> None:
    """Wire notes section 4: all results of one assistant turn in the next user message, before all else."""
    results = [block["tool_use_id"] for block in content if block["type"] == "tool_result"]
    for name in results:  # anthropics/claude-code#18947
        demand(name in waiting, f"messages.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {name}")
    demand(len(set(results)) == len(results), f"messages.{place}: each tool_use must have a single result: {results}")
    missing = [name for name in waiting if name not in results]
    demand(
        not missing,
        f"messages.{place}: `tool_use` ids were found without `tool_result` blocks immediately after: {missing}",
    )
    first = [block["type"] for block in content[: len(results)]]
    demand(set(first) <= {"tool_result"}, f"messages.{place}: tool_result blocks must come first")


def _check_end(message: dict[str, Any]) -> None:
    last = message["content"][-1]
    if message["role"] == "assistant":
        # tailcallhq/forgecode#1872
        blank = last["type"] == "text" and last["text"] != last["text"].rstrip()
        demand(not blank, "messages: final assistant content cannot end with trailing whitespace")
        demand(not last["type"].endswith("thinking"), "the final block in an assistant message cannot be `thinking`")


def check(messages: list[Message]) -> None:
    """Raises `Refused` with the rule that these messages break."""
    check_body(body_of(messages))
