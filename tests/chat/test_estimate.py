"""How large a model call is taken to be before it is made."""

import llm_actors as llm
from llm_actors.chat.asking import ask
from llm_actors.chat.estimate import FILE, MESSAGE, OUTPUT, asked_by, tokens_in
from llm_actors.chat.history import History, Replaced, Said
from llm_actors.messages import Message, StreamEvent, ToolCallPart, ToolResultPart
from llm_actors.messages.parts import AttachmentPart, user


class Model(llm.Model):
    model_id = "m"
    supports_tools = supports_schema = True
    attachment_types = frozenset({"image/png"})

    class Options(llm.Options):
        max_tokens: int | None = None
        max_output_tokens: int | None = None


def sent(*messages, **asked):
    history = History()
    for message in messages:
        history.append(Said("t", message))
    found = ask(Model(), "hi", **asked)
    found.sent_with(history)
    return asked_by(found, "m", None)


def test_text_counts_by_its_bytes_and_each_message_a_little():
    assert sent(user("x" * 30)).input_tokens == 10 + MESSAGE
    assert sent(user("x")).input_tokens == 1 + MESSAGE
    assert sent(user("語" * 10)).input_tokens == 10 + MESSAGE
    assert sent(user("a"), user("b")).input_tokens == 2 + 2 * MESSAGE
    assert (
        sent(user("\ud800")).input_tokens == 1 + MESSAGE
    )  # half a surrogate pair: nothing that a provider takes, but no crash here


def test_files_tool_calls_and_results_count():
    image = llm.Attachment(type="image/png", content=b"x" * 10**6)
    assert sent(Message("user", [AttachmentPart(image)])).input_tokens == FILE + MESSAGE
    history = History()
    result = ToolResultPart("f", "x" * 30, "c", attachments=[image])
    call = ToolCallPart("f", {"n": 1}, "c")
    history.append(Replaced("", (Message("assistant", [call]), Message("tool", [result]))))
    found = ask(Model(), "hi")
    found.sent_with(history)
    assert asked_by(found, "m", None).input_tokens == 3 + 10 + FILE + 2 * MESSAGE


def test_tools_and_a_schema_count():
    def look(where: str) -> str:
        """Looks."""
        return where

    plain = sent(user("x")).input_tokens
    assert sent(user("x"), tools=[look]).input_tokens > plain + 10
    assert sent(user("x"), schema={"type": "object", "properties": {"a": {"type": "string"}}}).input_tokens > plain + 10


def test_an_option_that_limits_the_output_is_exact_and_without_one_it_is_a_guess():
    assert (sent(user("x")).output_tokens, sent(user("x")).exact) == (OUTPUT, False)
    for name in ("max_tokens", "max_output_tokens"):
        limited = sent(user("x"), options={name: 77})
        assert (limited.output_tokens, limited.exact) == (77, True)


def test_what_has_arrived_counts_as_text():
    assert tokens_in(["abc", StreamEvent("reasoning", "def")]) == 2
    assert tokens_in([]) == 0
