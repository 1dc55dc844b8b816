"""A prompt as a model gets it."""

import llm_actors as llm
from llm_actors.chat.asking import ask
from llm_actors.chat.history import History, Returned, Said, result_part
from llm_actors.chat.sent_prompt import SentPrompt
from llm_actors.messages import Prompt, ToolResult
from llm_actors.messages.parts import user


class Temperature(llm.Options):
    temperature: float | None = None
    seed: int | None = None


class Taker(llm.Model):
    model_id = "taker"
    supports_tools = supports_schema = True
    attachment_types = ("image/png",)
    Options = Temperature


def test_it_shows_all_that_was_asked():
    picture = llm.Attachment(content=b"x", type="image/png")
    result = ToolResult("tool", "out", tool_call_id="c")
    sent = ask(
        Taker(),
        "text",
        fragments=["one", "two"],
        system="sys",
        system_fragments=["frag"],
        attachments=[picture],
        tool_results=[result],
        schema={"type": "object"},
        options={"temperature": 0.5},
        keywords={"seed": 3},
        hide_reasoning=True,
        stream=False,
    )
    assert sent.prompt == "one\ntwo\ntext"
    assert sent.system == "frag\n\nsys"
    assert (sent.fragments, sent.system_fragments) == (["one", "two"], ["frag"])
    assert sent.attachments == [picture]
    assert sent.tool_results == [result]
    assert sent.schema == {"type": "object"}
    assert sent.option_values == {"temperature": 0.5, "seed": 3}
    assert (sent.hide_reasoning, sent.stream) == (True, False)
    assert repr(sent) == "<SentPrompt 'one\\ntwo\\ntext'>"


def test_its_messages_are_what_the_history_was_when_the_call_was_sent():
    history = History()
    sent = SentPrompt(Prompt("hi"), options=llm.Options(), tools=[])
    assert sent.messages == []
    history.append(Said("t", user("hi")))
    sent.sent_with(history)
    history.append(Said("t", user("later")))
    assert [message.text for message in sent.messages] == ["hi"]
    assert sent.messages is sent.messages


def test_the_prompt_of_a_tool_round_has_no_text_and_carries_everything_else_over():
    history = History()
    history.append(Said("t", user("hi")))
    first = ask(Taker(), "hi", system="sys", schema={"type": "object"}, options={"seed": 1}, messages=[user("old")])
    result = ToolResult("tool", "out", tool_call_id="c")
    history.append(Returned("t", result_part(result)))
    second = first.following([result], history)
    assert (second.prompt, second.attachments, second.tool_results) == ("", [], [result])
    assert (second.system, second.schema, second.option_values) == ("sys", {"type": "object"}, {"seed": 1})
    assert second.said.given_messages is None


def test_a_value_is_read_by_the_type_that_was_given_and_else_as_plain_json():
    class Dog(llm.Options):  # any Struct
        name: str

    typed = ask(Taker(), "hi", schema=Dog)
    assert typed.read_value('{"name": "Rex"}') == Dog(name="Rex")
    assert ask(Taker(), "hi").read_value("[1]") == [1]
