"""The types of messages as a user's checker sees them."""

from typing import Any, assert_type

from llm_actors.messages import (
    Attachment,
    Message,
    Part,
    Prompt,
    Secret,
    TextPart,
    ToolCall,
    ToolOutput,
    ToolResult,
    Usage,
    assistant,
    system,
    tool_message,
    user,
)


def messages() -> None:
    assert_type(user("hi", Attachment(url="https://example.com/a.png")), Message)
    assert_type(system("be brief"), Message)
    assert_type(assistant(TextPart("hello")), Message)
    assert_type(tool_message(), Message)
    assert_type(user("hi").role, str)
    assert_type(user("hi").text, str)
    assert_type(user("hi").to_dict(), dict[str, Any])
    assert_type(Message.from_dict({"role": "user", "parts": []}), Message)


def parts(part: Part) -> None:
    assert_type(part.to_dict(), dict[str, Any])
    assert_type(TextPart("a").text, str)


def tools() -> None:
    assert_type(ToolCall(name="upper", arguments={"text": "a"}).arguments, dict[str, Any])
    assert_type(ToolOutput(output="A").attachments, list[Attachment])
    assert_type(ToolResult(name="upper", output="A").exception, BaseException | None)


def values() -> None:
    assert_type(Attachment(content=b"x").content_bytes(), bytes)
    assert_type(Prompt("hi").system, str)
    assert_type(Secret("sk-1").reveal(), str)
    assert_type(Usage(1, 2) + Usage(3), Usage)
    assert_type(Usage().input, int | None)
