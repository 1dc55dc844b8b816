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
        (Able(), {"timeout": float("nan")}, ValueError, "more than 0, not nan"),
        (Able(), {"timeout": "3"}, TypeError, "timeout= takes a number of seconds, not str '3'"),
        (Able(), {"timeout": True}, TypeError, "timeout= takes a number of seconds"),
        (Able(), {"text": 42}, TypeError, "prompt= takes a str, not int 42"),
        (Able(), {"system": b"s"}, TypeError, "system= takes a str, not bytes b's'"),
        (Able(), {"fragments": "one"}, TypeError, r"fragments= takes a list, as in fragments=\["),
        (Able(), {"fragments": [1]}, TypeError, "fragments= takes a list.* int 1 can't be in it"),
        (Able(), {"system_fragments": [None]}, TypeError, "system_fragments= takes a list"),
        (Able(), {"attachments": "a.png"}, TypeError, r"as in attachments=\[llm.Attachment\("),
        (Able(), {"attachments": ["a.png"]}, TypeError, "str 'a.png' can't be in it"),
        (Able(), {"messages": "hi"}, TypeError, r"as in messages=\[llm.user\("),
        (Able(), {"messages": [{"role": "user", "content": "x" * 99}]}, TypeError, r"xx\.\.\. can't be in it"),
        (Able(), {"tool_results": {"name": "f"}}, TypeError, "tool_results= takes a list"),
        (Able(), {"keywords": {"temperatur": 1}}, llm.OptionsError, "temperatur"),
        (Able(), {"options": {"temperature": "hot"}}, llm.OptionsError, "temperature"),
        (Able(), {"options": {"top_k": 1}, "keywords": {"top_k": 2}}, llm.OptionsError, "both"),
    ],
)
def test_what_is_wrong_with_a_prompt_is_said_at_the_call(model, asked, error, text):
    with pytest.raises(error, match=text):
        ask(model, asked.pop("text", "hi"), **asked)


def test_what_is_of_the_wrong_type_is_said_at_the_call_and_the_conversation_goes_on():
    model = llm.get_model("demo")
    conversation = model.conversation()
    for asked, text in (
        ({"tools": tool}, r"tools= takes a list, as in tools=\[a_function\], not function"),
        ({"chain_limit": "3"}, "chain_limit= takes an int"),
        ({"chain_limit": True}, "chain_limit= takes an int"),
        ({"before_call": 3}, "before_call= takes a function, not int 3"),
        ({"after_call": "print"}, "after_call= takes a function"),
        ({"key": b"sk-secret"}, "key= takes a str, not a bytes$"),
        ({"prompt": 42}, "prompt= takes a str"),
    ):
        with pytest.raises(TypeError, match=text):
            conversation.chain(**asked)
        with pytest.raises(TypeError, match=text):
            model.chain(**asked)
    with pytest.raises(ValueError, match="chain_limit is at least 0"):
        conversation.chain("hi", chain_limit=-1)
    for made in ({"tools": tool}, {"chain_limit": 0.5}, {"before_call": 3}):
        with pytest.raises(TypeError, match=next(iter(made))):
            model.conversation(**made)
    assert conversation.messages() == []
    assert "hi" in conversation.prompt("hi").text()


def test_a_prompt_of_the_wrong_type_that_came_as_a_message_is_answered_with_what_is_wrong():
    conversation = llm.get_model("demo").conversation()
    with pytest.raises(TypeError, match="prompt= takes a str, not int 42"):
        conversation.ref.ask(Prompt(42), timeout=10)
    with pytest.raises(TypeError, match="chain_limit= takes an int"):
        conversation.ref.ask(Prompt("hi", chain=True, chain_limit="3"), timeout=10)
    assert "hi" in conversation.prompt("hi").text()


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
