"""What is wrong with a prompt is said at the call."""

import pytest

import llm_actors as llm
from llm_actors.chat.asking import ask
from llm_actors.messages import Prompt


class Plain(llm.Model):
    model_id = "plain"


class Able(llm.Model):
    model_id = "able"
    supports_tools = supports_schema = True
    attachment_types = ("image/png",)

    class Options(llm.Options):
        temperature: float | None = None
        top_k: int | None = None


def tool() -> str:
    return "t"


@pytest.mark.parametrize(
    ("model", "asked", "error", "text"),
    [
        (Plain(), {"tools": [tool]}, ValueError, "does not support tools"),
        (Plain(), {"schema": {"type": "object"}}, ValueError, "does not support schemas"),
        (Plain(), {"attachments": [llm.Attachment(content=b"x", type="image/png")]}, ValueError, "attachment"),
        (Able(), {"attachments": [llm.Attachment(content=b"x", type="audio/wav")]}, ValueError, "audio/wav"),
        (Able(), {"tools": [3]}, TypeError, "Invalid tool"),
        (Able(), {"timeout": 0}, ValueError, "more than 0"),
        (Able(), {"keywords": {"temperatur": 1}}, llm.OptionsError, "temperatur"),
        (Able(), {"options": {"temperature": "hot"}}, llm.OptionsError, "temperature"),
        (Able(), {"options": {"top_k": 1}, "keywords": {"top_k": 2}}, llm.OptionsError, "both"),
    ],
)
def test_what_is_wrong_with_a_prompt_is_said_at_the_call(model, asked, error, text):
    with pytest.raises(error, match=text):
        ask(model, "hi", **asked)


def test_options_may_be_a_struct_a_dict_and_keywords():
    for options, keywords in (
        (Able.Options(temperature=0.5), {"top_k": 3}),
        ({"temperature": 0.5, "top_k": 3}, {}),
        (None, {"temperature": 0.5, "top_k": 3}),
    ):
        assert ask(Able(), "hi", options=options, keywords=keywords).option_values == {"temperature": 0.5, "top_k": 3}


def test_a_server_side_tool_that_the_model_does_not_have_is_refused():
    class Search(llm.ServerSideTool):
        name = "search"

    with pytest.raises(ValueError, match="does not support server-side tool 'search'"):
        ask(Able(), "hi", tools=[Search()])


def test_what_was_given_is_copied_at_the_call():
    tools, messages, attachments = [tool], [llm.user("before")], [llm.Attachment(content=b"x", type="image/png")]
    sent = ask(Able(), "hi", tools=tools, messages=messages, attachments=attachments)
    tools.clear()
    messages.clear()
    attachments.clear()
    assert len(sent.tools) == len(sent.said.given_messages) == len(sent.attachments) == 1


def test_a_prompt_that_came_as_a_message_is_checked_the_same_way():
    sent = ask(Able(), Prompt("hi", tools=[tool], options={"top_k": 1}, chain=True, timeout=3))
    assert (sent.prompt, sent.said.chain, sent.said.timeout) == ("hi", True, 3)
    assert [known.name for known in sent.tools] == ["tool"]
    with pytest.raises(llm.OptionsError):
        ask(Able(), Prompt("hi", options={"nothing": 1}))
